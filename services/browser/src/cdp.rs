//! The Chrome DevTools Protocol over a pipe: JSON texts, each ended by a zero byte.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use gearmesh_runtime::CancellationToken;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::sync::{broadcast, mpsc, oneshot};

/// Commands that wait to be written; a call waits when there are more.
const COMMANDS_MAX: usize = 256;

/// Events that a listener may be behind: a page load has some tens.
const EVENTS_MAX: usize = 1024;

/// Largest message of the browser. A picture of the most pixels that are drawn
/// stays below it even when it cannot be compressed; what is larger is an attack.
const MESSAGE_MAX: usize = 512 * 1024 * 1024;

/// Why a command was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The browser is gone.
    #[error("the browser has ended")]
    Gone,
    /// The browser refused.
    #[error("{0}")]
    Refused(String),
}

/// An event of the browser.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) params: Value,
}

/// The way to a browser. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Cdp {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    commands: mpsc::Sender<Vec<u8>>,
    next: AtomicU64,
    pending: Mutex<HashMap<u64, oneshot::Sender<Result<Value, Failure>>>>,
    /// By the id of the attached page; the browser's own under the empty text.
    listeners: Mutex<HashMap<String, broadcast::Sender<Event>>>,
    gone: CancellationToken,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Message {
    id: Option<u64>,
    method: Option<String>,
    #[serde(default)]
    params: Value,
    result: Option<Value>,
    error: Option<Refusal>,
    #[serde(default)]
    session_id: String,
}

#[derive(Debug, Deserialize)]
struct Refusal {
    message: String,
}

/// Forgets a command whose caller has left.
struct Waiting<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut pending = lock(&self.shared.pending);
        pending.remove(&self.id);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cdp {
    /// A way over these ends, and the work that moves what goes over it.
    pub(crate) fn new<R, W>(
        reader: R,
        writer: W,
        gone: CancellationToken,
    ) -> (Self, impl Future<Output = ()> + Send + 'static)
    where
        R: AsyncRead + Unpin + Send + 'static,
        W: AsyncWrite + Unpin + Send + 'static,
    {
        let (commands, queue) = mpsc::channel(COMMANDS_MAX);
        let shared = Arc::new(Shared {
            commands,
            next: AtomicU64::new(1),
            pending: Mutex::default(),
            listeners: Mutex::default(),
            gone,
        });
        let cdp = Self {
            shared: shared.clone(),
        };
        let work = async move {
            let read = read(&shared, BufReader::new(reader));
            tokio::select! {
                () = read => {}
                () = write(writer, queue) => {}
                () = shared.gone.cancelled() => {}
            }
            shared.gone.cancel();
            for (_, waiting) in lock(&shared.pending).drain() {
                // Whoever has left needs no answer.
                let _ = waiting.send(Err(Failure::Gone));
            }
            lock(&shared.listeners).clear();
        };
        (cdp, work)
    }

    /// Whether the browser has ended.
    pub(crate) fn gone(&self) -> &CancellationToken {
        &self.shared.gone
    }

    /// Events of an attached page; those of the browser under the empty text.
    pub(crate) fn listen(&self, session: &str) -> broadcast::Receiver<Event> {
        let mut listeners = lock(&self.shared.listeners);
        listeners
            .entry(session.to_owned())
            .or_insert_with(|| broadcast::channel(EVENTS_MAX).0)
            .subscribe()
    }

    /// Forgets the listeners of a page that is gone.
    pub(crate) fn unlisten(&self, session: &str) {
        lock(&self.shared.listeners).remove(session);
    }

    /// Sends a command and waits for its answer.
    pub(crate) async fn call(
        &self,
        session: &str,
        method: &str,
        params: Value,
    ) -> Result<Value, Failure> {
        let (answer, answered) = oneshot::channel();
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.shared.pending).insert(id, answer);
        let _waiting = Waiting {
            shared: &self.shared,
            id,
        };
        if self.shared.gone.is_cancelled() {
            return Err(Failure::Gone);
        }
        let command = command(id, session, method, params);
        let sent = self.shared.commands.send(command).await;
        sent.map_err(|_| Failure::Gone)?;
        answered.await.unwrap_or(Err(Failure::Gone))
    }

    /// Sends a command whose answer nobody needs; it is lost when the queue is full.
    pub(crate) fn post(&self, session: &str, method: &str, params: Value) {
        let id = self.shared.next.fetch_add(1, Ordering::Relaxed);
        let command = command(id, session, method, params);
        if self.shared.commands.try_send(command).is_err() {
            tracing::debug!(method, "command to the browser dropped");
        }
    }
}

fn command(id: u64, session: &str, method: &str, params: Value) -> Vec<u8> {
    let mut command = json!({"id": id, "method": method, "params": params});
    if !session.is_empty() {
        command["sessionId"] = session.into();
    }
    let mut bytes = command.to_string().into_bytes();
    bytes.push(0);
    bytes
}

async fn write(mut writer: impl AsyncWrite + Unpin, mut queue: mpsc::Receiver<Vec<u8>>) {
    while let Some(command) = queue.recv().await {
        if writer.write_all(&command).await.is_err() || writer.flush().await.is_err() {
            return;
        }
    }
}

async fn read(shared: &Shared, mut reader: impl AsyncBufReadExt + Unpin) {
    let mut message = Vec::new();
    loop {
        let Ok(chunk) = reader.fill_buf().await else {
            return;
        };
        if chunk.is_empty() {
            return;
        }
        let end = chunk.iter().position(|&b| b == 0);
        let taken = end.unwrap_or(chunk.len());
        message.extend_from_slice(chunk.get(..taken).unwrap_or_default());
        let used = end.map_or(taken, |at| at + 1);
        reader.consume(used);
        if message.len() > MESSAGE_MAX {
            tracing::warn!("a message of the browser is too large; it is ended");
            return;
        }
        if end.is_some() {
            receive(shared, &message);
            message.clear();
            // One large picture must not hold its memory for ever.
            message.shrink_to(64 * 1024);
        }
    }
}

fn receive(shared: &Shared, text: &[u8]) {
    let message: Message = match serde_json::from_slice(text) {
        Ok(message) => message,
        Err(error) => {
            tracing::debug!(%error, "a message of the browser cannot be read");
            return;
        }
    };
    if let Some(id) = message.id {
        let Some(waiting) = lock(&shared.pending).remove(&id) else {
            return;
        };
        let answer = match (message.result, message.error) {
            (_, Some(refusal)) => Err(Failure::Refused(refusal.message)),
            (result, None) => Ok(result.unwrap_or_default()),
        };
        // Whoever has left needs no answer.
        let _ = waiting.send(answer);
    } else if let Some(method) = message.method {
        let listeners = lock(&shared.listeners);
        if let Some(listener) = listeners.get(&message.session_id) {
            // Without anybody listening the event is nobody's.
            let _ = listener.send(Event {
                method,
                params: message.params,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn answers_find_their_calls_and_an_end_ends_all() {
        let (ours, theirs) = tokio::io::duplex(64);
        let (reader, writer) = tokio::io::split(ours);
        let (cdp, work) = Cdp::new(reader, writer, CancellationToken::new());
        let mut events = cdp.listen("s");
        let browser = async move {
            let (reader, mut writer) = tokio::io::split(theirs);
            let mut reader = BufReader::new(reader);
            let mut asked = Vec::new();
            for _ in 0..2 {
                let mut line = Vec::new();
                reader.read_until(0, &mut line).await.unwrap();
                line.pop();
                asked.push(serde_json::from_slice::<Value>(&line).unwrap());
            }
            let event = "{\"method\":\"E\",\"params\":{\"x\":1},\"sessionId\":\"s\"}\0not json\0";
            writer.write_all(event.as_bytes()).await.unwrap();
            // The answers come in the other order.
            for call in asked.iter().rev() {
                let answer = match call["method"].as_str() {
                    Some("good") => json!({"id": call["id"], "result": {"ok": true}}),
                    _ => json!({"id": call["id"], "error": {"code": -1, "message": "no"}}),
                };
                let text = format!("{answer}\0");
                writer.write_all(text.as_bytes()).await.unwrap();
            }
        };
        let calls = async {
            let (good, bad) = tokio::join!(
                cdp.call("", "good", json!({})),
                cdp.call("s", "bad", json!({}))
            );
            assert_eq!(good.unwrap()["ok"], true);
            assert_eq!(bad, Err(Failure::Refused("no".into())));
            assert_eq!(events.recv().await.unwrap().params["x"], 1);
            // The other end is gone by now, or goes while this waits.
            assert_eq!(cdp.call("", "late", json!({})).await, Err(Failure::Gone));
            assert!(cdp.gone().is_cancelled());
        };
        tokio::join!(work, browser, calls);
    }
}
