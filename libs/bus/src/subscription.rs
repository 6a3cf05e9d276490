//! Following a pattern, alone or as member of a group.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::watch;

use crate::bus::Bus;
use crate::error::{Error, Result};
use crate::event::Delivery;
use crate::log::{Ask, PAGE};
use crate::subscribers::{Follower, Place};
use crate::topic::{Name, Pattern};

/// How long to wait for a wake-up before looking by oneself: other processes may
/// publish to the same file, a wake-up may be lost, and what a dead member held
/// falls free without one.
const LOOK: Duration = Duration::from_secs(1);

/// Waits between tries when the bus does not answer, from and up to, and how many
/// tries are made: about a minute, then the subscriber is told and may come back with its cursor.
const TRY_FROM: Duration = Duration::from_millis(100);
const TRY_TO: Duration = Duration::from_secs(2);
const TRIES: u32 = 32;

/// What to follow, and how.
#[derive(Debug, Clone)]
pub struct Follow {
    /// Which topics.
    pub pattern: Pattern,
    /// The sequence after which to begin; none: now. A group that exists goes on where it stands.
    pub after: Option<i64>,
    /// The group, when its members share the events, and who the member is.
    pub member: Option<(Name, Name)>,
    /// How long a member has to acknowledge before an event goes to another.
    pub ack_timeout: Duration,
    /// Whether an event is acknowledged by itself when the next is asked for.
    pub auto_ack: bool,
    /// How many events will be asked for, when that is known: a member takes no more
    /// from the others.
    pub limit: Option<usize>,
}

/// The events of a pattern as they come. It pulls: who asks slowly is sent slowly.
#[derive(Debug)]
pub struct Subscription {
    bus: Bus,
    mode: Mode,
    auto_ack: bool,
    ready: VecDeque<Delivery>,
    /// Handed out, to be acknowledged when the next is asked for.
    handed: Option<i64>,
    /// How many more will be asked for; none: unknown.
    left: Option<usize>,
    wake: watch::Receiver<i64>,
    _place: Place,
}

#[derive(Debug)]
enum Mode {
    Alone { pattern: Pattern, after: i64 },
    Member(Ask),
}

impl Subscription {
    pub(crate) async fn begin(bus: Bus, follow: Follow) -> Result<Self> {
        let place = bus.inner.subscribers.enter(Follower {
            pattern: follow.pattern.clone(),
            group: follow.member.as_ref().map(|(group, _)| group.clone()),
        })?;
        let wake = bus.inner.wake.subscribe();
        let newest = bus.inner.log.newest().await?;
        let mode = match follow.member {
            None => {
                let after = follow.after.unwrap_or(newest);
                let trimmed = bus.inner.log.trimmed_to(&follow.pattern).await?;
                if after > newest || (after > 0 && trimmed > after) {
                    return Err(Error::CursorExpired(after));
                }
                Mode::Alone {
                    pattern: follow.pattern,
                    after,
                }
            }
            Some((group, member)) => {
                let after = follow.after.unwrap_or(newest).min(newest);
                let found = bus.inner.log.group(&group, &follow.pattern, after).await?;
                if found != follow.pattern.as_str() {
                    return Err(Error::GroupTopicMismatch {
                        group: group.as_str().to_owned(),
                        found,
                        wanted: follow.pattern.as_str().to_owned(),
                    });
                }
                Mode::Member(Ask {
                    group,
                    pattern: follow.pattern,
                    member,
                    claim_after: follow.ack_timeout,
                    max: PAGE,
                    own_after: Some(0),
                })
            }
        };
        Ok(Self {
            bus,
            mode,
            auto_ack: follow.auto_ack,
            ready: VecDeque::new(),
            handed: None,
            left: follow.limit,
            wake,
            _place: place,
        })
    }

    /// The next event; waits for it.
    ///
    /// # Errors
    /// [`Error::GroupNotFound`] when the group was deleted; [`Error::Unavailable`]
    /// when the bus has not answered for about a minute.
    pub async fn next(&mut self) -> Result<Delivery> {
        let mut tries = 0;
        loop {
            // Seen before the look, so that what comes in between wakes.
            self.wake.borrow_and_update();
            match self.look().await {
                Ok(Some(delivery)) => return Ok(delivery),
                Ok(None) => {
                    tries = 0;
                    self.wait().await;
                }
                Err(e) if e.passes() && tries < TRIES => {
                    if tries == 0 {
                        tracing::warn!(error = %e, "the bus does not answer a subscriber");
                    }
                    tokio::time::sleep((TRY_FROM * 2_u32.pow(tries.min(5))).min(TRY_TO)).await;
                    tries += 1;
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Acknowledges the last event, where that is done by itself. For whoever has
    /// seen it and asks for no more.
    ///
    /// # Errors
    /// As [`Bus::ack`].
    pub async fn pass(&mut self) -> Result<()> {
        if let (Some(sequence), Mode::Member(ask)) = (self.handed, &self.mode) {
            self.bus.inner.log.ack(&ask.group, &[sequence]).await?;
            self.handed = None;
        }
        Ok(())
    }

    /// The next event that is there; none: there is none.
    async fn look(&mut self) -> Result<Option<Delivery>> {
        self.pass().await?;
        while self.ready.is_empty() {
            if !self.fill().await? {
                return Ok(None);
            }
        }
        let delivery = self.ready.pop_front();
        self.left = self.left.map(|left| left.saturating_sub(1));
        if self.auto_ack {
            self.handed = delivery.as_ref().map(|d| d.event.sequence);
        }
        Ok(delivery)
    }

    /// Reads on; false at the end of the log.
    async fn fill(&mut self) -> Result<bool> {
        match &mut self.mode {
            Mode::Alone { pattern, after } => {
                let page = self.bus.inner.log.read(pattern, *after).await?;
                *after = page.scanned_to;
                self.ready
                    .extend(page.events.into_iter().map(|event| Delivery {
                        event,
                        deliveries: 1,
                    }));
                Ok(!page.end || !self.ready.is_empty())
            }
            Mode::Member(ask) => {
                ask.max = self.left.map_or(PAGE, |left| left.clamp(1, PAGE));
                let taken = self.bus.inner.log.take(ask).await?;
                // At first what the member itself had left, to its end.
                let was_own = ask.own_after.is_some();
                ask.own_after = match (ask.own_after, taken.last()) {
                    (Some(_), Some(last)) => Some(last.event.sequence),
                    _ => None,
                };
                let some = !taken.is_empty() || was_own;
                self.ready.extend(taken);
                Ok(some)
            }
        }
    }

    async fn wait(&mut self) {
        let limit = match &self.mode {
            Mode::Member(ask) => LOOK.min(ask.claim_after),
            Mode::Alone { .. } => LOOK,
        };
        // A time-out is a look of one's own; the sender lives as long as the bus.
        let _ = tokio::time::timeout(limit, self.wake.changed()).await;
    }
}
