//! A Redis server, for the processes of many hosts.
//!
//! One stream is the log; its entry ids are the sequence, so that a cursor is the
//! same number as on `local:`. What must change together (entry, index by topic,
//! id for the repeat of a publish) changes in one script. All keys share one hash
//! tag, and so lie on one node of a cluster.
//!
//! INVARIANT: the multiplexed connection never blocks; what waits (the wake-up by
//! PUBLISH) has a connection of its own, and losing it costs latency, no event.

mod entry;
mod events;
mod groups;
mod watch;

use std::time::Duration;

use futures::future::BoxFuture;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, RedisResult, Script};

use crate::error::{Error, Result};
use crate::options::{Now, Options};

/// How all keys begin.
const PREFIX: &str = "{gearmesh}:";

/// Longest wait for an answer and for a connection: a server that is there answers
/// in milliseconds, and whoever asks tries again.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const CONNECT_MAX: Duration = Duration::from_secs(2);

/// How often a lost connection is made anew before a call fails.
const RETRIES: usize = 2;

/// A log on a Redis server.
pub(crate) struct Redis {
    client: Client,
    manager: ConnectionManager,
    scripts: Scripts,
    now: Now,
    instance: String,
    keep: i64,
}

struct Scripts {
    publish: Script,
    trim: Script,
    group: Script,
}

/// Nothing of the connection: it knows the password.
impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

impl Redis {
    pub(crate) async fn open(url: &str, options: &Options) -> Result<Self> {
        // Its own text could tell parts of the URL.
        let client =
            Client::open(url).map_err(|_| Error::Url("it is no URL of a Redis".to_owned()))?;
        let config = ConnectionManagerConfig::new()
            .set_number_of_retries(RETRIES)
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(ANSWER_MAX));
        let mut manager = ConnectionManager::new_with_config(client.clone(), config).await?;
        redis::cmd("PING").exec_async(&mut manager).await?;
        warn_if_forgetful(&mut manager).await;
        let remove = include_str!("redis/lua/remove.lua");
        let with_remove = |script: &str| Script::new(&format!("{remove}{script}"));
        Ok(Self {
            client,
            manager,
            scripts: Scripts {
                publish: with_remove(include_str!("redis/lua/publish.lua")),
                trim: with_remove(include_str!("redis/lua/trim.lua")),
                group: Script::new(include_str!("redis/lua/group.lua")),
            },
            now: options.now.clone(),
            instance: options.instance.clone(),
            keep: options.keep,
        })
    }

    /// What is to be done beside the calls: see [`watch`].
    pub(crate) fn driver(
        &self,
        wake: &std::sync::Arc<tokio::sync::watch::Sender<i64>>,
        subscribers: &crate::subscribers::Subscribers,
    ) -> BoxFuture<'static, ()> {
        let watch = watch::Watch {
            client: self.client.clone(),
            manager: self.manager.clone(),
            wake: std::sync::Arc::downgrade(wake),
            subscribers: subscribers.clone(),
            instance: self.instance.clone(),
            now: self.now.clone(),
        };
        Box::pin(watch.run())
    }

    /// A handle of the shared connection.
    fn connection(&self) -> ConnectionManager {
        self.manager.clone()
    }
}

fn key(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn topic_key(topic: &str) -> String {
    format!("{PREFIX}topic:{topic}")
}

/// A server without append-only file forgets acknowledged events when it dies.
async fn warn_if_forgetful(manager: &mut ConnectionManager) {
    let answer: RedisResult<Vec<String>> = redis::cmd("CONFIG")
        .arg("GET")
        .arg("appendonly")
        .query_async(manager)
        .await;
    // A server that does not tell its settings is managed by somebody who knows.
    if answer.is_ok_and(|pair| pair.get(1).is_some_and(|v| v == "no")) {
        tracing::warn!("the Redis of the bus has `appendonly no`: it forgets events when it dies");
    }
}
