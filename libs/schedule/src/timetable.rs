//! When a schedule fires: its rule, its zone and what it leaves out.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::budget::Budget;
use crate::change::{self, Change};
use crate::instant::{instant, zone};
use crate::line::{self, Dst, Fire, Mark};
use crate::rule::Rule;
use crate::spec::{Kind, Spec};
use crate::{RuleError, words};

/// A rule must fire within this time of its creation.
pub const FIRST_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 3653);

/// How far a later fire is looked for: rules such as a 29 February on a Monday
/// recur every 28 years.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 366 * 50);

/// When a schedule fires.
#[derive(Debug, Clone)]
pub struct Timetable {
    rule: Rule,
    zone: TimeZone,
    dst: Dst,
    until: Option<Timestamp>,
    except: BTreeSet<Date>,
    words: String,
    created: Timestamp,
}

impl Timetable {
    /// Reads what a schedule was told; `created` is the start of a rule that has none.
    ///
    /// # Errors
    /// [`RuleError::Text`] and [`RuleError::Invalid`] name the field at fault.
    pub fn parse(spec: &Spec, created: Timestamp) -> Result<Self, RuleError> {
        let zone = zone(&spec.timezone)?;
        let dst = spec.dst()?;
        let until = match &spec.until {
            Some(text) => Some(instant("until", text, &zone)?),
            None => None,
        };
        let rule = Rule::read(spec, &zone, created)?;
        Ok(Self {
            words: words::of(spec, &zone)?,
            rule,
            zone,
            dst,
            until,
            except: spec.left_out()?,
            created,
        })
    }

    /// The zone.
    #[must_use]
    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// What it means.
    #[must_use]
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Behind this instant it does not fire.
    #[must_use]
    pub fn until(&self) -> Option<Timestamp> {
        self.until
    }

    /// The first fire after an instant.
    ///
    /// # Errors
    /// [`RuleError::TooCostly`].
    pub fn next(&self, after: Timestamp) -> Result<Option<Fire>, RuleError> {
        self.next_within(after, &mut Budget::default())
    }

    /// As [`Timetable::next`], paid by a budget that other answers share.
    ///
    /// # Errors
    /// [`RuleError::TooCostly`].
    pub fn next_within(
        &self,
        after: Timestamp,
        budget: &mut Budget,
    ) -> Result<Option<Fire>, RuleError> {
        let last = after.saturating_add(HORIZON).unwrap_or(Timestamp::MAX);
        let last = self.until.map_or(last, |until| until.min(last));
        let mut after = after;
        loop {
            let Some(fire) = self.by_rule(after, last, budget)? else {
                return Ok(None);
            };
            if fire.at > last {
                return Ok(None);
            }
            let date = self.zone.to_datetime(fire.at).date();
            if !self.except.contains(&date) {
                return Ok(Some(fire));
            }
            // Behind the day that is left out; a day that ends in a gap ends behind it.
            let midnight = date.saturating_add(1.day()).to_datetime(Time::midnight());
            let ends = self.zone.to_ambiguous_timestamp(midnight).earlier();
            let before = ends.ok().and_then(|e| e.checked_sub(1.millisecond()).ok());
            after = before.filter(|b| *b > fire.at).unwrap_or(fire.at);
        }
    }

    fn by_rule(
        &self,
        after: Timestamp,
        last: Timestamp,
        budget: &mut Budget,
    ) -> Result<Option<Fire>, RuleError> {
        let plain = |at| Fire {
            at,
            mark: Mark::Plain,
        };
        let zone = &self.zone;
        Ok(match &self.rule {
            Rule::Cron(cron) => {
                let dst = if cron.elapsed() {
                    Dst::ELAPSED
                } else {
                    self.dst
                };
                line::next(zone, dst, cron.as_ref(), after, last, budget)?
            }
            Rule::Recurrence(rule) => {
                line::next(zone, self.dst, rule.as_ref(), after, last, budget)?
            }
            Rule::Elapsed(rule, added) => {
                let own = rule.next(zone, after, last, budget)?.map(plain);
                let added = line::next(zone, self.dst, added, after, last, budget)?;
                match (own, added) {
                    (Some(own), Some(added)) if added.at < own.at => Some(added),
                    (own, added) => own.or(added),
                }
            }
            Rule::Interval { start_ms, every_ms } => {
                let passed = after.as_millisecond() - start_ms;
                let steps = passed.div_euclid(*every_ms) + 1;
                Timestamp::from_millisecond(start_ms + steps.max(0) * every_ms)
                    .ok()
                    .map(plain)
            }
            Rule::Once(at) => Some(plain(*at)).filter(|f| f.at > after),
        })
    }

    /// The first fire of a schedule that is made or changed now.
    ///
    /// # Errors
    /// [`RuleError::InPast`], [`RuleError::NeverFires`], [`RuleError::TooCostly`].
    pub fn first(&self, spec: &Spec, now: Timestamp) -> Result<Timestamp, RuleError> {
        self.first_within(spec, now, &mut Budget::default())
    }

    /// As [`Timetable::first`], paid by a budget that other answers share.
    ///
    /// # Errors
    /// As [`Timetable::first`].
    pub fn first_within(
        &self,
        spec: &Spec,
        now: Timestamp,
        budget: &mut Budget,
    ) -> Result<Timestamp, RuleError> {
        if let (Rule::Once(at), Kind::Once(text)) = (&self.rule, &spec.kind)
            && *at <= now
        {
            return Err(RuleError::InPast(text.clone()));
        }
        let latest = now.saturating_add(FIRST_WITHIN).unwrap_or(Timestamp::MAX);
        match self.next_within(now, budget)? {
            Some(fire) if fire.at <= latest => Ok(fire.at),
            _ => Err(RuleError::NeverFires),
        }
    }

    /// Whether it has a fire at all, whenever that is: asked from its own start, a cron
    /// expression from its creation.
    ///
    /// # Errors
    /// [`RuleError::TooCostly`].
    pub fn ever_fires(&self, budget: &mut Budget) -> Result<bool, RuleError> {
        let from = match &self.rule {
            Rule::Cron(_) => self.created,
            Rule::Recurrence(rule) => self.zone.to_timestamp(rule.start()).unwrap_or_default(),
            Rule::Elapsed(rule, _) => rule.start(),
            Rule::Interval { start_ms, .. } => {
                Timestamp::from_millisecond(*start_ms).unwrap_or_default()
            }
            Rule::Once(at) => *at,
        };
        let from = from.saturating_sub(1.second()).unwrap_or(Timestamp::MIN);
        Ok(self.next_within(from, budget)?.is_some())
    }

    /// Changes of the clock between two instants that touch it, the first local time
    /// that each touches.
    ///
    /// # Errors
    /// [`RuleError::TooCostly`].
    pub fn changes(
        &self,
        from: Timestamp,
        to: Timestamp,
        budget: &mut Budget,
    ) -> Result<Vec<Change>, RuleError> {
        let civil: &dyn crate::civil::Civil = match &self.rule {
            Rule::Cron(cron) if !cron.elapsed() => cron.as_ref(),
            Rule::Recurrence(rule) => rule.as_ref(),
            // On elapsed time there is nothing to decide.
            _ => return Ok(Vec::new()),
        };
        let to = self.until.map_or(to, |until| until.min(to));
        let mut changes = change::touching(&self.zone, civil, from, to, budget)?;
        changes.retain(|found| !self.except.contains(&found.local.date()));
        Ok(changes
            .into_iter()
            .map(|touched| Change::new(&self.zone, self.dst, touched))
            .collect())
    }
}
