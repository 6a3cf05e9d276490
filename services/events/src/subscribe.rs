//! Following as a stream.

use std::pin::Pin;
use std::time::Duration;

use futures::Stream;
use gearmesh_api::events::v1 as api;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_bus::{Follow, Name, Pattern, Subscription};
use gearmesh_fault::Refusal;
use gearmesh_runtime::Context;
use tonic::Status;

use crate::error::Error;
use crate::wire;

/// How long a member has to acknowledge when nobody says.
const ACK_TIMEOUT: Duration = Duration::from_secs(60);

/// The events as they come.
pub(crate) type Events = Pin<Box<dyn Stream<Item = Result<api::SubscribeResponse, Status>> + Send>>;

/// What a request asks to follow.
pub(crate) fn follow(cx: &Context, request: api::SubscribeRequest) -> Result<Follow, Error> {
    let after = match request.after.as_str() {
        "" => None,
        text => Some(
            text.parse()
                .map_err(|_| Error::Cursor(request.after.clone()))?,
        ),
    };
    let member = if request.group.is_empty() {
        if !request.member.is_empty() {
            return Err(Error::NoGroup("member"));
        }
        if request.auto_ack {
            return Err(Error::NoGroup("autoAck"));
        }
        if request.ack_timeout.is_some() {
            return Err(Error::NoGroup("ackTimeout"));
        }
        None
    } else {
        let member = match request.member.as_str() {
            "" => format!("member-{:016x}", cx.rng().number()),
            member => member.to_owned(),
        };
        Some((Name::parse(&request.group)?, Name::parse(&member)?))
    };
    let ack_timeout = match request.ack_timeout {
        None => ACK_TIMEOUT,
        Some(time) => Duration::try_from(time).map_err(|_| Error::AckTimeout)?,
    };
    Ok(Follow {
        pattern: Pattern::parse(&request.topic)?,
        after,
        member,
        ack_timeout,
        auto_ack: request.auto_ack,
        limit: usize::try_from(request.limit).ok().filter(|n| *n > 0),
    })
}

/// A stream of at most `limit` events; 0: without end. It ends when the process
/// drains, so that the caller goes on elsewhere with its cursor.
pub(crate) fn stream(cx: Context, subscription: Subscription, limit: u32) -> Events {
    let begin = Some((cx, subscription, 0_u32));
    Box::pin(futures::stream::unfold(begin, move |state| async move {
        let (cx, mut subscription, given) = state?;
        if limit > 0 && given == limit {
            // The last one was taken, since this is asked.
            let passed = subscription.pass().await;
            return passed.err().map(|e| (Err(Error::from(e).into()), None));
        }
        let answer = tokio::select! {
            () = cx.shutdown().cancelled() => Err(Refusal::new(
                CommonFault::ShuttingDown,
                "the service is stopping; go on with the last cursor",
            )
            .into()),
            next = subscription.next() => {
                next.map(wire::delivery).map_err(|e| Error::from(e).into())
            }
        };
        let state = answer
            .is_ok()
            .then_some((cx, subscription, given.saturating_add(1)));
        Some((answer, state))
    }))
}
