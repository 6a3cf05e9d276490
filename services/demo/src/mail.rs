//! A mail server that stands in for the world outside: SMTP that takes mail for
//! anybody, and IMAP that shows all of it in one mailbox.
//!
//! It speaks plain text on loopback and keeps mail in memory, the newest alone.
//! Any login is right. Mail to `refuse@..` is refused for good, to `later@..` for now.

mod imap;
mod lines;
mod search;
mod seed;
mod smtp;
mod store;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use gearmesh_runtime::CancellationToken;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Error;
use store::Store;

/// Connections at once; more wait.
const CONNECTIONS_MAX: usize = 32;

/// Largest mail that is taken: 25 MB of files in base64.
const MAIL_MAX: usize = 40 * 1024 * 1024;

/// The demo mail server, bound and not yet serving.
#[derive(Debug)]
pub struct DemoMail {
    smtp: TcpListener,
    imap: TcpListener,
    store: Arc<Store>,
}

/// Where it is.
#[derive(Debug, Clone, Copy)]
pub struct MailAddresses {
    /// SMTP.
    pub smtp: SocketAddr,
    /// IMAP.
    pub imap: SocketAddr,
}

impl DemoMail {
    /// Binds two free ports of 127.0.0.1, with some mails in the mailbox.
    ///
    /// # Errors
    /// [`Error::Bind`] names the address that cannot be used.
    pub async fn bind() -> Result<(Self, MailAddresses), Error> {
        let (smtp, smtp_at) = listen().await?;
        let (imap, imap_at) = listen().await?;
        let store = Arc::new(Store::default());
        for mail in seed::MAILS {
            store.add(mail.as_bytes().to_vec());
        }
        let addresses = MailAddresses {
            smtp: smtp_at,
            imap: imap_at,
        };
        Ok((Self { smtp, imap, store }, addresses))
    }

    /// Serves until `shutdown`, which ends what is under way.
    pub async fn serve(self, shutdown: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut serving = JoinSet::new();
        loop {
            // One that ended leaves its place in the set too.
            while serving.try_join_next().is_some() {}
            let Ok(place) = places.clone().acquire_owned().await else {
                return;
            };
            let (stream, is_smtp) = tokio::select! {
                () = shutdown.cancelled() => return,
                accepted = self.smtp.accept() => (accepted, true),
                accepted = self.imap.accept() => (accepted, false),
            };
            // A caller that left before it was taken is nobody's loss.
            let Ok((stream, _)) = stream else { continue };
            let store = self.store.clone();
            serving.spawn(async move {
                let ended = answer(stream, is_smtp, &store).await;
                if let Err(error) = ended {
                    tracing::debug!(%error, "a caller of the demo mail server has gone");
                }
                drop(place);
            });
        }
    }
}

async fn answer(stream: TcpStream, is_smtp: bool, store: &Store) -> std::io::Result<()> {
    if is_smtp {
        smtp::answer(stream, store).await
    } else {
        imap::answer(stream, store).await
    }
}

async fn listen() -> Result<(TcpListener, SocketAddr), Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let unbound = |source| Error::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(unbound)?;
    let address = listener.local_addr().map_err(unbound)?;
    Ok((listener, address))
}
