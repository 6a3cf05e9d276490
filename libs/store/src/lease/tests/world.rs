//! Some instances, the store they share, and everything that goes wrong between them.

use std::collections::BTreeMap;

use super::checks::{Checks, Counted};
use super::model::Model;
use crate::lease::{Command, Input, Leases, TTL_MS, View};
use crate::run_id::Shard;

/// How long faults go on, and how long the world may then take to be whole, in ms: the
/// longest pause ends, a lease runs out, shards are handed over.
const FAULTY_MS: i64 = 20_000;
const HEALS_MS: i64 = PAUSE_MAX_MS + TTL_MS + 3_000;
const PAUSE_MAX_MS: i64 = 2 * TTL_MS;
const TICK_MS: i64 = 50;
/// Time after which the store writes renewals to its disk.
const FLUSH_EVERY_MS: i64 = 200;

/// Which faults a world has; a random half of them is off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    kills: bool,
    pauses: bool,
    cuts: bool,
    store_crashes: bool,
    drains: bool,
    slow: bool,
}

impl Faults {
    pub(super) fn of_seed(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed ^ 0x5eed);
        Self {
            kills: rng.bool(),
            pauses: rng.bool(),
            cuts: rng.bool(),
            store_crashes: rng.bool(),
            drains: rng.bool(),
            slow: rng.bool(),
        }
    }
}

/// What is under way.
#[derive(Debug)]
enum Event {
    /// A command reaches the store.
    Arrives(usize, String, Sent),
    /// An answer, or something of its own, reaches an instance of this name.
    Told(usize, String, Input),
}

#[derive(Debug)]
enum Sent {
    Renew { sent_ms: i64, draining: bool },
    Look,
    Acquire(Vec<Shard>),
    Release(Shard, i64),
    Commit(Shard, i64),
}

#[derive(Debug)]
struct Instance {
    life: u32,
    name: String,
    leases: Leases,
    /// What it was told that it owns.
    owned: BTreeMap<Shard, i64>,
    /// Its boot clock minus the world's.
    ahead_ms: i64,
    dead_until_ms: i64,
    paused_until_ms: i64,
    draining: bool,
    /// What has come while it was paused.
    waiting: Vec<Input>,
}

#[derive(Debug)]
pub(super) struct World {
    seed: u64,
    rng: fastrand::Rng,
    faults: Faults,
    now_ms: i64,
    store: Model,
    /// When the store may have lost renewals, or said that a living holder is dead.
    shaken_ms: i64,
    shards: usize,
    instances: Vec<Instance>,
    events: BTreeMap<(i64, u64), Event>,
    next: u64,
    checks: Checks,
    hash: u32,
}

impl World {
    pub(super) fn new(seed: u64, shards: usize, faults: Faults) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let count = rng.usize(1..=5);
        let instances = (0..count)
            .map(|n| Instance {
                life: 0,
                name: format!("i{n}#0"),
                leases: Leases::new(format!("i{n}#0")),
                owned: BTreeMap::new(),
                ahead_ms: rng.i64(0..1_000_000_000),
                // They do not all start at once.
                dead_until_ms: rng.i64(0..3_000),
                paused_until_ms: 0,
                draining: false,
                waiting: Vec::new(),
            })
            .collect();
        Self {
            seed,
            rng,
            faults,
            now_ms: 0,
            store: Model::new(shards),
            shaken_ms: i64::MIN,
            shards,
            instances,
            events: BTreeMap::new(),
            next: 0,
            checks: Checks::default(),
            hash: 0,
        }
    }

    pub(super) fn counted(&self) -> Counted {
        self.checks.counted
    }

    pub(super) fn trace(&self) -> u32 {
        self.hash
    }

    pub(super) fn run(&mut self) {
        while self.now_ms < FAULTY_MS {
            self.step(true);
        }
        while self.now_ms < FAULTY_MS + HEALS_MS {
            self.step(false);
        }
        self.whole();
    }

    /// The next tick, with all that comes before it.
    fn step(&mut self, faulty: bool) {
        let tick = self.now_ms + TICK_MS;
        while let Some(entry) = self.events.first_entry() {
            if entry.key().0 > tick {
                break;
            }
            self.now_ms = entry.key().0;
            let event = entry.remove();
            self.happens(event);
        }
        self.now_ms = tick;
        if tick % FLUSH_EVERY_MS == 0 {
            self.store.flush();
        }
        if faulty {
            self.break_something();
        }
        for n in 0..self.instances.len() {
            self.revive(n);
            if self.runs(n) {
                for input in std::mem::take(&mut self.instances[n].waiting) {
                    self.give(n, input);
                }
                self.give(n, Input::Tick);
                self.work(n);
            }
        }
    }

    fn runs(&self, n: usize) -> bool {
        let i = &self.instances[n];
        self.now_ms >= i.dead_until_ms && self.now_ms >= i.paused_until_ms
    }

    fn break_something(&mut self) {
        let n = self.rng.usize(0..self.instances.len());
        let dice = self.rng.u32(0..1_000);
        let faults = self.faults;
        if faults.kills && dice < 6 && self.runs(n) {
            self.checks.counted.kills += 1;
            self.kill(n);
        } else if faults.pauses && dice < 12 && self.runs(n) {
            self.checks.counted.pauses += 1;
            let long = self.rng.i64(100..PAUSE_MAX_MS);
            self.instances[n].paused_until_ms = self.now_ms + long;
        } else if faults.cuts && dice < 18 {
            // Seen as dead, though it lives.
            self.checks.counted.cuts += 1;
            self.shaken_ms = self.now_ms;
            let name = self.instances[n].name.clone();
            self.store.cut(&name);
        } else if faults.store_crashes && dice < 20 {
            self.checks.counted.store_crashes += 1;
            self.shaken_ms = self.now_ms;
            self.store.crash();
            self.events.retain(|_, e| !matches!(e, Event::Arrives(..)));
        } else if faults.drains && dice < 23 && self.runs(n) && !self.instances[n].draining {
            self.checks.counted.drains += 1;
            self.instances[n].draining = true;
            self.give(n, Input::Drain);
        }
    }

    fn kill(&mut self, n: usize) {
        let back = self.now_ms + self.rng.i64(10..4_000);
        let i = &mut self.instances[n];
        i.dead_until_ms = back;
        i.paused_until_ms = 0;
        i.waiting.clear();
        i.life += 1;
        let name = format!("i{n}#{}", i.life);
        let old = std::mem::replace(&mut i.name, name.clone());
        i.leases = Leases::new(name);
        i.owned.clear();
        i.draining = false;
        self.store.cut(&old);
    }

    /// What has drained ends, and comes back as another life.
    fn revive(&mut self, n: usize) {
        if self.instances[n].leases.drained() && self.runs(n) {
            self.kill(n);
        }
    }

    fn delay(&mut self) -> i64 {
        match self.rng.u32(0..100) {
            0 if self.faults.slow && self.now_ms < FAULTY_MS => self.rng.i64(100..4_000),
            _ => self.rng.i64(1..20),
        }
    }

    fn later(&mut self, event: Event) {
        let at = self.now_ms + self.delay();
        self.next += 1;
        self.events.insert((at, self.next), event);
    }

    fn happens(&mut self, event: Event) {
        let text = format!("{} {event:?}", self.now_ms);
        self.hash = crc32c::crc32c_append(self.hash, text.as_bytes());
        match event {
            Event::Arrives(n, name, sent) => self.arrives(n, name, sent),
            Event::Told(n, name, input) => {
                if self.instances[n].name != name || self.now_ms < self.instances[n].dead_until_ms {
                    return;
                }
                if self.runs(n) {
                    self.give(n, input);
                } else {
                    self.instances[n].waiting.push(input);
                }
            }
        }
    }

    /// A statement runs in the store; its answer is under way.
    fn arrives(&mut self, n: usize, name: String, sent: Sent) {
        let now_ms = self.now_ms;
        let answer = match sent {
            Sent::Renew { sent_ms, draining } => {
                // A statement of one that was killed still runs, and shows it as living
                // only if its connection does.
                if self.instances[n].name == name {
                    self.store.renew(now_ms, &name, draining);
                }
                Some(Input::Renewed { sent_ms })
            }
            Sent::Look => Some(Input::Looked(self.store.view(now_ms))),
            Sent::Acquire(wanted) => {
                let got = self.store.acquire(now_ms, &name, &wanted);
                self.checks.counted.acquisitions += got.len() as u64;
                Some(Input::Acquired(got))
            }
            Sent::Release(shard, epoch) => {
                self.store.release(shard, epoch);
                None
            }
            Sent::Commit(shard, epoch) => {
                if self.store.commit(shard, epoch) {
                    self.checks.committed(self.seed, shard, epoch, &name);
                    None
                } else {
                    self.checks.counted.blocked += 1;
                    Some(Input::Fenced(shard))
                }
            }
        };
        if let Some(input) = answer {
            self.later(Event::Told(n, name, input));
        }
    }

    fn give(&mut self, n: usize, input: Input) {
        let clock = self.now_ms + self.instances[n].ahead_ms;
        let commands = self.instances[n].leases.advance(clock, input);
        for command in commands {
            self.act(n, clock, command);
        }
    }

    fn act(&mut self, n: usize, clock: i64, command: Command) {
        let i = &mut self.instances[n];
        let name = i.name.clone();
        let sent = match command {
            Command::Renew => Sent::Renew {
                sent_ms: clock,
                draining: i.draining,
            },
            Command::Look => Sent::Look,
            Command::Acquire(shards) => Sent::Acquire(shards),
            Command::Release(shard, epoch) => {
                i.owned.remove(&shard);
                Sent::Release(shard, epoch)
            }
            Command::Gain(shard, epoch) => {
                let before = i.owned.insert(shard, epoch);
                assert_eq!(
                    before, None,
                    "seed {}: {name} gains {shard} twice",
                    self.seed
                );
                return;
            }
            Command::Lose(shard) => {
                assert!(i.owned.remove(&shard).is_some(), "seed {}", self.seed);
                return;
            }
            Command::Yield(shard) => {
                self.later(Event::Told(n, name, Input::Yielded(shard)));
                return;
            }
        };
        self.later(Event::Arrives(n, name, sent));
    }

    /// Begins something in one of its shards.
    fn work(&mut self, n: usize) {
        let clock = self.now_ms + self.instances[n].ahead_ms;
        let owned: Vec<_> = self.instances[n].owned.keys().copied().collect();
        let Some(shard) = self.rng.choice(owned) else {
            return;
        };
        let i = &self.instances[n];
        let Some(epoch) = i.leases.usable(shard, clock) else {
            return;
        };
        assert_eq!(i.owned.get(&shard), Some(&epoch), "seed {}", self.seed);
        // Nobody begins anything whose lease the store has seen end, unless the store
        // itself was shaken.
        if self.now_ms > self.shaken_ms + TTL_MS {
            assert!(
                self.store.lease_runs(self.now_ms, &i.name),
                "seed {}: {} begins work at {} without a lease",
                self.seed,
                i.name,
                self.now_ms
            );
        }
        let name = i.name.clone();
        self.later(Event::Arrives(n, name, Sent::Commit(shard, epoch)));
    }

    /// Every shard has an owner that knows of it, and none has more than its share.
    fn whole(&self) {
        let seed = self.seed;
        let view: View = self.store.view(self.now_ms);
        let living = self.instances.len();
        for shard in 0..self.shards {
            let (owner, epoch) = self.store.owner(shard);
            let holder = self.instances.iter().find(|i| i.name == owner);
            let holder = holder.unwrap_or_else(|| {
                panic!("seed {seed}: shard {shard} is stuck with {owner:?}: {view:?}")
            });
            let shard = Shard::try_from(shard).unwrap();
            assert_eq!(
                holder.owned.get(&shard),
                Some(&epoch),
                "seed {seed}, shard {shard}"
            );
        }
        for i in self.instances.iter().filter(|i| !i.draining) {
            let most = self.shards.div_ceil(living);
            assert!(
                i.owned.len() <= most,
                "seed {seed}: {} has {}",
                i.name,
                i.owned.len()
            );
        }
    }
}
