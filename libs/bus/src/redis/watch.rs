//! What goes on beside the calls: wake-ups from other processes, and telling them
//! who follows here.

use std::sync::Weak;
use std::time::Duration;

use futures::StreamExt;
use redis::aio::ConnectionManager;
use redis::{AsyncCommands, Client, RedisResult};

use super::{Redis, key};
use crate::error::Result;
use crate::options::Now;
use crate::subscribers::{Follower, Subscribers};
use crate::topic::{Name, Pattern};

/// How often it is told who follows here, and how long that is believed: a
/// process may miss twice.
const TELL_EVERY: Duration = Duration::from_secs(5);
const BELIEVED_MS: i64 = 15_000;

/// Wait before a lost connection is made anew.
const RECONNECT: Duration = Duration::from_millis(200);

/// The task beside a bus.
pub(super) struct Watch {
    pub(super) client: Client,
    pub(super) manager: ConnectionManager,
    pub(super) wake: Weak<tokio::sync::watch::Sender<i64>>,
    pub(super) subscribers: Subscribers,
    pub(super) instance: String,
    pub(super) now: Now,
}

impl Watch {
    /// Ends when the bus is gone.
    pub(super) async fn run(self) {
        while self.wake.strong_count() > 0 {
            if let Err(error) = self.listen().await {
                tracing::debug!(%error, "the bus does not wake; subscribers look by themselves");
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    /// Wakes subscribers until the connection is lost.
    async fn listen(&self) -> RedisResult<()> {
        let mut listener = self.client.get_async_pubsub().await?;
        listener.subscribe(key("wake")).await?;
        // Something may have come while nobody listened.
        self.wake_all();
        let mut messages = listener.on_message();
        let mut tell = tokio::time::interval(TELL_EVERY);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(_) => self.wake_all(),
                    None => return Ok(()),
                },
                _ = tell.tick() => {
                    if self.wake.strong_count() == 0 {
                        return Ok(());
                    }
                    self.tell().await?;
                }
            }
        }
    }

    fn wake_all(&self) {
        if let Some(wake) = self.wake.upgrade() {
            wake.send_modify(|_| ());
        }
    }

    async fn tell(&self) -> RedisResult<()> {
        let now = (self.now)();
        let members: Vec<(i64, String)> = self
            .subscribers
            .all()
            .into_iter()
            .map(|(number, follower)| {
                let group = follower.group.as_ref().map_or("", Name::as_str);
                let pattern = follower.pattern.as_str();
                let member = format!("{}|{number}|{pattern}|{group}", self.instance);
                (now + BELIEVED_MS, member)
            })
            .collect();
        let mut pipe = redis::pipe();
        pipe.zrembyscore(key("followers"), "-inf", now).ignore();
        if !members.is_empty() {
            pipe.zadd_multiple(key("followers"), &members).ignore();
        }
        pipe.exec_async(&mut self.manager.clone()).await
    }
}

impl Redis {
    /// Those who follow in other processes, as these said a few seconds ago.
    pub(crate) async fn others(&self) -> Result<Vec<Follower>> {
        let told: Vec<String> = self
            .connection()
            .zrangebyscore(key("followers"), (self.now)(), "+inf")
            .await?;
        let read = |text: &String| {
            let mut parts = text.split('|');
            let (instance, _number) = (parts.next()?, parts.next()?);
            let pattern = Pattern::parse(parts.next()?).ok()?;
            let group = parts.next().and_then(|g| Name::parse(g).ok());
            (instance != self.instance).then_some(Follower { pattern, group })
        };
        Ok(told.iter().filter_map(read).collect())
    }
}
