//! The page that a call wants.

use std::sync::Arc;

use gearmesh_runtime::Call;

use crate::error::Error;
use crate::limit::Limit;
use crate::page::Page;
use crate::session::{Session, Use};
use crate::sessions::Sessions;

/// Which page a call means, what it does there, and until when.
#[derive(Debug)]
pub(crate) struct Wanted<'a> {
    call: &'a Call,
    session: &'a str,
    page: &'a str,
    how: Use,
    limit: &'a Limit,
}

/// Where a call ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) page: String,
    pub(crate) url: String,
}

impl<'a> Wanted<'a> {
    pub(crate) fn new(
        call: &'a Call,
        session: &'a str,
        page: &'a str,
        how: Use,
        limit: &'a Limit,
    ) -> Self {
        Self {
            call,
            session,
            page,
            how,
            limit,
        }
    }

    /// Does something with the page of a session that is there.
    pub(crate) async fn done<T>(
        self,
        sessions: &Sessions,
        work: impl AsyncFnOnce(&Page) -> Result<T, Error>,
    ) -> Result<(T, Done), Error> {
        let session = sessions.get(self.call, self.session).await?;
        self.done_in(sessions, &session, work).await
    }

    /// Does something with the page of this session.
    pub(crate) async fn done_in<T>(
        self,
        sessions: &Sessions,
        session: &Arc<Session>,
        work: impl AsyncFnOnce(&Page) -> Result<T, Error>,
    ) -> Result<(T, Done), Error> {
        let done = async {
            let lease = session.lease(self.page, self.how, self.limit);
            let lease = self.limit.within("waiting for a page", lease).await?;
            let result = work(&lease).await;
            let page = lease.page();
            let result = lease.end(result).await?;
            let done = Done {
                page: page.name.clone(),
                url: page.url(),
            };
            Ok((result, done))
        };
        let done = done.await;
        if done.is_err() {
            sessions.told(session).await;
        }
        done
    }
}
