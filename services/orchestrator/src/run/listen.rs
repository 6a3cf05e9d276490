//! Events for the tasks that wait for one.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use gearmesh_catalog::{Catalog, Tool};
use gearmesh_fault::Failure;
use gearmesh_link::{Link, invoke, invoke_stream};
use gearmesh_runtime::Call;

use crate::plan::Input;
use crate::run::live::Message;
use crate::run::runs::Runs;

/// Wait before the events engine is asked again that was away.
const AWAY: Duration = Duration::from_secs(1);

/// Events of one look back: the engine's largest page. More have come since a wait began
/// only when nobody listened for long; then all that are kept are gone through.
const PAGE: usize = 1_000;

/// The cursor before the oldest event that is kept.
const OLDEST: u64 = 0;

/// What the events engine says when it keeps nothing of what follows a cursor.
const EXPIRED: &str = "CURSOR_EXPIRED";

/// Sends the events of a topic that come from an instant on to a run, in their order and
/// each once unless the bus has lost some, until nobody waits for one any more.
pub(crate) async fn listen(
    runs: &Runs,
    (task, item): (usize, usize),
    topic: &str,
    since_ms: i64,
    outbox: mpsc::Sender<Message>,
    abort: CancellationToken,
) {
    let listener = Listener {
        runs,
        topic,
        since_ms,
        place: (task, item),
        outbox: &outbox,
    };
    // Nothing yet: the place from which to go on is looked up.
    let mut told = None;
    loop {
        tokio::select! {
            () = abort.cancelled() => return,
            () = outbox.closed() => return,
            () = runs.context().shutdown().cancelled() => return,
            ended = listener.follow(&mut told) => if let Err(error) = ended {
                if Failure::of(&error).reason == EXPIRED {
                    // Trimmed, or another bus, whose order is its own: all that is kept is
                    // gone through, and what came since the wait began is told again.
                    told = Some(OLDEST);
                }
                tracing::warn!(%topic, %error, "the events engine cannot be asked");
            },
        }
        tokio::select! {
            () = abort.cancelled() => return,
            () = runs.context().clock().sleep(AWAY) => {}
        }
    }
}

struct Listener<'a> {
    runs: &'a Runs,
    topic: &'a str,
    since_ms: i64,
    place: (usize, usize),
    outbox: &'a mpsc::Sender<Message>,
}

impl Listener<'_> {
    /// Follows the topic from where it stands; at first from where it stood when the wait
    /// began, so that what came meanwhile is not missed.
    async fn follow(&self, told: &mut Option<u64>) -> Result<(), Status> {
        let after = match *told {
            Some(after) => after,
            None => before(&self.recent().await?, self.since_ms),
        };
        let params = json!({"topic": self.topic, "after": after.to_string()});
        let (link, catalog) = self.engine()?;
        let tool = tool(&catalog, "events.subscribe")?;
        let stream = invoke_stream(&link, tool, params, &Call::default()).await?;
        let mut stream = pin!(stream);
        while let Some(answer) = stream.next().await {
            if let Some(event) = answer?.get("event") {
                self.tell(event, told).await;
            }
        }
        Ok(())
    }

    async fn tell(&self, event: &Value, told: &mut Option<u64>) {
        let sequence = number(event, "sequence");
        if told.is_some_and(|told| sequence <= told) {
            return;
        }
        *told = Some(sequence);
        if published_ms(event) < self.since_ms {
            return;
        }
        let (task, item) = self.place;
        let event = shown(event);
        // The run may have ended meanwhile; then nobody waits for this.
        let _ = (self.outbox)
            .send(Message::Input(Input::Event { task, item, event }))
            .await;
    }

    /// The last events of the topic, the oldest first.
    async fn recent(&self) -> Result<Vec<Value>, Status> {
        let (link, catalog) = self.engine()?;
        let tool = tool(&catalog, "events.recent")?;
        let params = json!({"topic": self.topic, "count": PAGE});
        let mut answer = invoke(&link, tool, params, &Call::default()).await?;
        let mut events = match answer.get_mut("events").map(Value::take) {
            Some(Value::Array(events)) => events,
            _ => Vec::new(),
        };
        events.sort_by_key(|event| number(event, "sequence"));
        Ok(events)
    }

    fn engine(&self) -> Result<(Link, Arc<Catalog>), Status> {
        let cx = self.runs.context();
        Ok((cx.link("events")?, cx.catalog()))
    }
}

/// The cursor before the first event that came at an instant or later. When all of these
/// events did, others before them may have: all that are kept are gone through then.
fn before(events: &[Value], since_ms: i64) -> u64 {
    let first = events.iter().position(|e| published_ms(e) >= since_ms);
    let older = &events[..first.unwrap_or(events.len())];
    older.last().map_or(OLDEST, |e| number(e, "sequence"))
}

fn tool<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a Tool, Status> {
    let found = catalog.get(name);
    let found = found.ok_or_else(|| Status::unavailable("there is no events engine"))?;
    Ok(found.tool)
}

fn number(event: &Value, name: &str) -> u64 {
    match event.get(name) {
        Some(Value::String(text)) => text.parse().unwrap_or_default(),
        Some(value) => value.as_u64().unwrap_or_default(),
        None => 0,
    }
}

fn published_ms(event: &Value) -> i64 {
    let time = event.get("publishedAt").and_then(Value::as_str);
    let time = time.and_then(|t| t.parse::<jiff::Timestamp>().ok());
    time.map_or(i64::MAX, jiff::Timestamp::as_millisecond)
}

/// An event as expressions see it.
fn shown(event: &Value) -> Value {
    let field = |name: &str| event.get(name).cloned().unwrap_or_default();
    json!({
        "id": event.get("eventId").or(event.get("id")).cloned().unwrap_or_default(),
        "topic": field("topic"),
        "time": field("publishedAt"),
        "payload": field("payload"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sequence: u64, ms: i64) -> Value {
        json!({"sequence": sequence.to_string(), "publishedAt": crate::render::instant(ms)})
    }

    /// WF-3.7: an event that came since a wait began is never before the cursor.
    #[test]
    fn cursor_is_before_all_that_came_since_the_wait_began() {
        let events = [event(3, 100), event(5, 200), event(9, 300)];
        for (since, cursor) in [
            (50, OLDEST),
            (100, OLDEST),
            (101, 3),
            (200, 3),
            (201, 5),
            (301, 9),
        ] {
            assert_eq!(before(&events, since), cursor, "{since}");
        }
        assert_eq!(before(&[], 100), OLDEST);
        // Two writers' clocks differ: the later one in the order was earlier.
        assert_eq!(before(&[event(3, 90), event(5, 110), event(9, 99)], 100), 3);
    }
}
