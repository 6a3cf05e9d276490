//! A bus.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::event::{GroupState, NewEvent, Published, RECENT_MAX, Recent, TopicState};
use crate::local::Local;
use crate::log::Log;
use crate::options::Options;
use crate::redis::Redis;
use crate::subscribers::{Follower, Subscribers};
use crate::subscription::{Follow, Subscription};
use crate::topic::{Name, Pattern};

/// What a bus needs done beside its calls. Whoever opens it runs this as a task;
/// it ends when the bus and its subscriptions are gone.
pub type Driver = BoxFuture<'static, ()>;

/// How often a publish is tried when the bus does not answer, and the first wait
/// between; each is twice the one before. The event's id makes it safe. Together
/// about three seconds: a server that restarts is back by then.
const PUBLISH_TRIES: u32 = 6;
const PUBLISH_WAIT: Duration = Duration::from_millis(100);

/// A bus. A cheap handle.
#[derive(Debug, Clone)]
pub struct Bus {
    pub(crate) inner: Arc<Inner>,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) log: Log,
    pub(crate) options: Options,
    /// Told that there may be something new; the value means nothing.
    pub(crate) wake: Arc<watch::Sender<i64>>,
    pub(crate) subscribers: Subscribers,
}

impl Bus {
    /// Opens the bus of a URL.
    ///
    /// # Errors
    /// [`Error::Url`], and [`Error::Unavailable`] when it does not answer.
    pub async fn open(url: &str, options: Options) -> Result<(Self, Driver)> {
        let wake = Arc::new(watch::Sender::new(0));
        let subscribers = Subscribers::default();
        let scheme = url.split(':').next().unwrap_or_default();
        let (log, driver): (Log, Driver) = match scheme {
            "local" if url == "local:" => {
                let local = Local::open(&options).await?;
                (Log::Local(local), Box::pin(async {}))
            }
            "redis" | "rediss" => {
                let redis = Redis::open(url, &options).await?;
                let driver = redis.driver(&wake, &subscribers);
                (Log::Redis(Box::new(redis)), driver)
            }
            _ => return Err(Error::Url("its scheme is unknown".to_owned())),
        };
        let inner = Inner {
            log,
            options,
            wake,
            subscribers,
        };
        let bus = Self {
            inner: Arc::new(inner),
        };
        Ok((bus, driver))
    }

    /// Keeps an event. An event of this id that is kept already is answered instead.
    ///
    /// # Errors
    /// [`Error::PayloadTooLarge`]; [`Error::IdReused`] when the kept one says
    /// something else; [`Error::Full`]; [`Error::Unavailable`], after which the
    /// event may be kept or not.
    pub async fn publish(&self, event: &NewEvent) -> Result<Published> {
        event.check()?;
        Name::parse(&event.id)?;
        let mut wait = PUBLISH_WAIT;
        for _ in 1..PUBLISH_TRIES {
            match self.inner.log.publish(event).await {
                Err(Error::Unavailable(_)) => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                answer => return self.woken(answer),
            }
        }
        let last = self.inner.log.publish(event).await;
        self.woken(last)
    }

    fn woken(&self, answer: Result<Published>) -> Result<Published> {
        if let Ok(published) = &answer
            && published.new
        {
            self.inner.wake.send_replace(published.sequence);
        }
        answer
    }

    /// Follows a pattern.
    ///
    /// # Errors
    /// [`Error::CursorExpired`], [`Error::GroupTopicMismatch`],
    /// [`Error::TooManySubscribers`], [`Error::TooManyGroups`], [`Error::Unavailable`].
    pub async fn subscribe(&self, follow: Follow) -> Result<Subscription> {
        Subscription::begin(self.clone(), follow).await
    }

    /// The newest events of a pattern, newest first; at most [`RECENT_MAX`].
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn recent(&self, pattern: &Pattern, count: usize) -> Result<Recent> {
        (self.inner.log)
            .recent(pattern, count.min(RECENT_MAX))
            .await
    }

    /// The topics that have events, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn topics(&self) -> Result<Vec<TopicState>> {
        let mut topics = self.inner.log.topics().await?;
        let followers = self.followers().await?;
        for topic in &mut topics {
            let follows = |f: &&Follower| f.pattern.matches(&topic.topic);
            topic.subscribers = followers.iter().filter(follows).count();
        }
        Ok(topics)
    }

    /// The groups, by name.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn groups(&self) -> Result<Vec<GroupState>> {
        let mut groups = self.inner.log.groups().await?;
        let followers = self.followers().await?;
        for group in &mut groups {
            let member =
                |f: &&Follower| f.group.as_ref().is_some_and(|g| g.as_str() == group.group);
            group.members = followers.iter().filter(member).count();
        }
        Ok(groups)
    }

    async fn followers(&self) -> Result<Vec<Follower>> {
        let own = self.inner.subscribers.all();
        let mut all: Vec<Follower> = own.into_iter().map(|(_, f)| f).collect();
        all.extend(self.inner.log.others().await?);
        Ok(all)
    }

    /// Acknowledges events; answers how many of them had been waiting for it.
    ///
    /// # Errors
    /// [`Error::GroupNotFound`], [`Error::Unavailable`].
    pub async fn ack(&self, group: &Name, sequences: &[i64]) -> Result<usize> {
        let acknowledged = self.inner.log.ack(group, sequences).await?;
        // A member that held too many goes on.
        self.inner.wake.send_modify(|_| ());
        Ok(acknowledged)
    }

    /// Deletes a group; false when there was none.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn delete_group(&self, group: &Name) -> Result<bool> {
        self.inner.log.delete_group(group).await
    }

    /// Removes the events of a pattern that are at least this old; answers how many.
    ///
    /// # Errors
    /// [`Error::Unavailable`].
    pub async fn trim(&self, pattern: &Pattern, age: Duration) -> Result<i64> {
        let age = i64::try_from(age.as_millis()).unwrap_or(i64::MAX);
        let until = (self.inner.options.now)().saturating_sub(age);
        self.inner.log.trim(pattern, until).await
    }
}
