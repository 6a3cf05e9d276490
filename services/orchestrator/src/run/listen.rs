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
use gearmesh_link::{Link, invoke, invoke_stream};
use gearmesh_runtime::Call;

use crate::plan::Input;
use crate::run::runs::{Message, Runs};

/// Wait before the events engine is asked again that was away.
const AWAY: Duration = Duration::from_secs(1);

/// Events of one look back: the engine's largest page.
const PAGE: u32 = 200;

/// All topics.
const ALL: &str = "**";

/// Sends the events of a topic that come from an instant on to a run, each once and in
/// their order, until nobody waits for one any more.
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
    let mut told = 0;
    loop {
        tokio::select! {
            () = abort.cancelled() => return,
            () = outbox.closed() => return,
            () = runs.context().shutdown().cancelled() => return,
            ended = listener.follow(&mut told) => if let Err(error) = ended {
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
    /// Looks back, then follows. What comes between the two is behind the cursor.
    async fn follow(&self, told: &mut u64) -> Result<(), Status> {
        let head = self.recent(ALL, 1).await?;
        let head = head.last().map_or(0, |event| number(event, "sequence"));
        for event in self.recent(self.topic, PAGE).await? {
            self.tell(&event, told).await;
        }
        let after = head.max(*told).to_string();
        let params = json!({"topic": self.topic, "after": after});
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

    async fn tell(&self, event: &Value, told: &mut u64) {
        let sequence = number(event, "sequence");
        if sequence <= *told || published_ms(event) < self.since_ms {
            return;
        }
        *told = sequence;
        let (task, item) = self.place;
        let event = shown(event);
        // The run may have ended meanwhile; then nobody waits for this.
        let _ = (self.outbox)
            .send(Message::Input(Input::Event { task, item, event }))
            .await;
    }

    /// The last events of a topic, the oldest first.
    async fn recent(&self, topic: &str, limit: u32) -> Result<Vec<Value>, Status> {
        let (link, catalog) = self.engine()?;
        let tool = tool(&catalog, "events.recent")?;
        let params = json!({"topic": topic, "count": limit});
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
