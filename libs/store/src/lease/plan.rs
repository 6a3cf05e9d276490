//! What an instance does about its shards, as one pure function.

use std::collections::BTreeMap;

use gearmesh_site as site;

use super::view::View;
use crate::run_id::Shard;

/// How long an instance is taken for alive after a renewal, in milliseconds: several
/// renewals may be lost.
pub const TTL_MS: i64 = 5_000;
/// Time between two renewals.
pub const RENEW_EVERY_MS: i64 = 1_000;
/// How long before the end of its lease a holder stops by itself: what it has just sent is
/// then over before anybody else begins.
pub const STOP_EARLY_MS: i64 = 1_000;
/// Time between two looks at the others: with it, a kill is noticed well within a second.
pub const LOOK_EVERY_MS: i64 = 200;
/// Time between two steps of whoever drives the leases.
pub const STEP_MS: i64 = 50;
/// Time before a shard is asked for again: two that both want one must not take turns.
pub const TAKE_AGAIN_MS: i64 = 2_000;

/// What happens to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Time has passed.
    Tick,
    /// A renewal that was sent then is in the store.
    Renewed {
        /// The boot clock before it was sent.
        sent_ms: i64,
    },
    /// What the store showed.
    Looked(View),
    /// Shards that were asked for and are got, with their epochs.
    Acquired(Vec<(Shard, i64)>),
    /// A commit met another epoch.
    Fenced(Shard),
    /// Nothing is under way any more in a shard that is to be given away.
    Yielded(Shard),
    /// The service is to end.
    Drain,
    /// The store is not the one that it was: nothing that is known of it holds.
    Forget,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Renew the lease in the store.
    Renew,
    /// Look at the others.
    Look,
    /// Ask for these; durably, and only those that are still free.
    Acquire(Vec<Shard>),
    /// A shard is this instance's from now on.
    Gain(Shard, i64),
    /// A shard is to be given away: begin nothing in it, and say when all is over.
    Yield(Shard),
    /// Let the store know that nobody owns a shard, if it is still of this epoch.
    Release(Shard, i64),
    /// A shard is not this instance's any more: drop all that is known of it.
    Lose(Shard),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    epoch: i64,
    yields: bool,
}

/// What an instance knows of its shards.
#[derive(Debug, Clone)]
pub struct Leases {
    me: String,
    held: BTreeMap<Shard, Held>,
    /// When the lease ends by the own clock.
    until_ms: Option<i64>,
    renew_at_ms: i64,
    look_at_ms: i64,
    /// When a shard may be asked for again.
    again_ms: BTreeMap<Shard, i64>,
    draining: bool,
}

impl Leases {
    /// Of an instance that owns nothing yet. Its name must differ from those of all earlier
    /// lives: what an earlier one owned is a dead owner's.
    #[must_use]
    pub fn new(me: String) -> Self {
        Self {
            me,
            held: BTreeMap::new(),
            until_ms: None,
            renew_at_ms: i64::MIN,
            look_at_ms: i64::MIN,
            again_ms: BTreeMap::new(),
            draining: false,
        }
    }

    /// The epoch of a shard in which work may begin now.
    #[must_use]
    pub fn usable(&self, shard: Shard, now_ms: i64) -> Option<i64> {
        let held = self.held.get(&shard).filter(|held| !held.yields)?;
        self.runs(now_ms).then_some(held.epoch)
    }

    /// How many shards it has.
    #[must_use]
    pub fn count(&self) -> usize {
        self.held.len()
    }

    /// The shards that it has, with their epochs.
    #[must_use]
    pub fn held(&self) -> Vec<(Shard, i64)> {
        let held = self.held.iter();
        held.map(|(shard, held)| (*shard, held.epoch)).collect()
    }

    /// Whether all is given away.
    #[must_use]
    pub fn drained(&self) -> bool {
        self.draining && self.held.is_empty()
    }

    /// Takes an input and says what is to be done. `now_ms` is a clock that goes on while
    /// the machine sleeps and never back.
    pub fn advance(&mut self, now_ms: i64, input: Input) -> Vec<Command> {
        let mut commands = Vec::new();
        match input {
            Input::Tick => {}
            Input::Renewed { sent_ms } => {
                let from = if site::planted("lease.from-answer") {
                    now_ms
                } else {
                    sent_ms
                };
                self.until_ms = self.until_ms.max(Some(from.saturating_add(TTL_MS)));
            }
            Input::Looked(view) => self.looked(now_ms, &view, &mut commands),
            Input::Acquired(shards) => self.acquired(now_ms, shards, &mut commands),
            Input::Fenced(shard) => self.lose(shard, &mut commands),
            Input::Yielded(shard) => {
                if self.held.get(&shard).is_some_and(|held| held.yields)
                    && let Some(held) = self.held.remove(&shard)
                {
                    commands.push(Command::Release(shard, held.epoch));
                }
            }
            Input::Drain => {
                self.draining = true;
                // The others see it with the next renewal.
                self.renew_at_ms = now_ms;
                self.give_away(self.held.len(), &mut commands);
            }
            Input::Forget => {
                self.until_ms = None;
                self.lose_all(&mut commands);
                self.again_ms.clear();
            }
        }
        self.tick(now_ms, &mut commands);
        commands
    }

    fn tick(&mut self, now_ms: i64, commands: &mut Vec<Command>) {
        if !self.runs(now_ms) && !self.held.is_empty() {
            site::sometimes("lease.ran-out");
            self.lose_all(commands);
        }
        if now_ms >= self.renew_at_ms {
            self.renew_at_ms = now_ms.saturating_add(RENEW_EVERY_MS);
            commands.push(Command::Renew);
        }
        if now_ms >= self.look_at_ms {
            self.look_at_ms = now_ms.saturating_add(LOOK_EVERY_MS);
            commands.push(Command::Look);
        }
    }

    /// Whether the lease runs, less what a holder stops early.
    fn runs(&self, now_ms: i64) -> bool {
        if site::planted("lease.ignores-end") {
            return self.until_ms.is_some();
        }
        let early = if site::planted("lease.stops-late") {
            -STOP_EARLY_MS
        } else {
            STOP_EARLY_MS
        };
        self.until_ms
            .is_some_and(|until| now_ms < until.saturating_sub(early))
    }

    fn looked(&mut self, now_ms: i64, view: &View, commands: &mut Vec<Command>) {
        self.see_losses(view, commands);
        if self.draining || !self.runs(now_ms) {
            return;
        }
        self.let_go(now_ms, view, commands);
        let others = view.sharers().filter(|name| *name != self.me).count();
        let fair = view.shards.len().div_ceil(others + 1);
        let staying = self.held.values().filter(|held| !held.yields).count();
        if staying > fair {
            self.give_away(staying - fair, commands);
        } else if self.held.len() < fair {
            let wanted = self.wanted(now_ms, view, fair - self.held.len());
            if !wanted.is_empty() {
                let again = now_ms.saturating_add(TAKE_AGAIN_MS);
                self.again_ms.retain(|_, at| *at > now_ms);
                self.again_ms.extend(wanted.iter().map(|s| (*s, again)));
                commands.push(Command::Acquire(wanted));
            }
        }
    }

    /// Drops what somebody else has taken.
    fn see_losses(&mut self, view: &View, commands: &mut Vec<Command>) {
        let taken: Vec<_> = view
            .shards
            .iter()
            .filter(|seen| {
                // A view from before the own acquisition shows a lower epoch; one with the
                // own epoch and no owner, that an answer came after its shard was let go.
                self.held.get(&seen.shard).is_some_and(|held| {
                    seen.epoch > held.epoch || seen.epoch == held.epoch && seen.owner != self.me
                })
            })
            .map(|seen| seen.shard)
            .collect();
        for shard in taken {
            site::sometimes("lease.seen-taken");
            self.lose(shard, commands);
        }
    }

    /// Gives back what lies under this name without being held: the answer was lost or came
    /// too late. Nobody else could take it while this instance lives.
    fn let_go(&self, now_ms: i64, view: &View, commands: &mut Vec<Command>) {
        if site::planted("lease.never-lets-go") {
            return;
        }
        for seen in view.shards.iter().filter(|seen| seen.owner == self.me) {
            let asked = self
                .again_ms
                .get(&seen.shard)
                .is_some_and(|at| *at > now_ms);
            if !asked && !self.held.contains_key(&seen.shard) {
                site::sometimes("lease.let-go");
                commands.push(Command::Release(seen.shard, seen.epoch));
            }
        }
    }

    /// The free shards to ask for. Each instance begins at another place, so that those that
    /// start together do not all want the same.
    fn wanted(&self, now_ms: i64, view: &View, count: usize) -> Vec<Shard> {
        let free = |owner: &str| owner.is_empty() || !view.is_alive(owner);
        let may = |shard: Shard| {
            !self.held.contains_key(&shard)
                && self.again_ms.get(&shard).is_none_or(|at| *at <= now_ms)
        };
        let free: Vec<_> = view
            .shards
            .iter()
            .filter(|seen| free(&seen.owner) && may(seen.shard))
            .map(|seen| seen.shard)
            .collect();
        if free.is_empty() {
            return free;
        }
        let first = crc32c::crc32c(self.me.as_bytes()) as usize % free.len();
        let mut wanted: Vec<_> = (free.iter().cycle().skip(first))
            .take(count.min(free.len()))
            .copied()
            .collect();
        wanted.sort_unstable();
        wanted
    }

    fn acquired(&mut self, now_ms: i64, shards: Vec<(Shard, i64)>, commands: &mut Vec<Command>) {
        for (shard, epoch) in shards {
            if self.draining {
                commands.push(Command::Release(shard, epoch));
            } else if self
                .held
                .get(&shard)
                .is_some_and(|held| held.epoch >= epoch)
            {
                // An answer that was overtaken by that to a later question.
                site::sometimes("lease.answers-crossed");
            } else if self.runs(now_ms) {
                self.lose(shard, commands);
                let yields = false;
                self.held.insert(shard, Held { epoch, yields });
                commands.push(Command::Gain(shard, epoch));
            } else {
                // It lies under this name, and is asked for again once the lease runs.
                site::sometimes("lease.acquired-too-late");
            }
        }
    }

    /// Begins to give shards away, the highest first.
    fn give_away(&mut self, count: usize, commands: &mut Vec<Command>) {
        let staying = self.held.iter_mut().rev().filter(|(_, held)| !held.yields);
        for (shard, held) in staying.take(count) {
            held.yields = true;
            commands.push(Command::Yield(*shard));
        }
    }

    fn lose(&mut self, shard: Shard, commands: &mut Vec<Command>) {
        if self.held.remove(&shard).is_some() {
            commands.push(Command::Lose(shard));
        }
    }

    fn lose_all(&mut self, commands: &mut Vec<Command>) {
        let held = std::mem::take(&mut self.held);
        commands.extend(held.into_keys().map(Command::Lose));
    }
}
