//! When a schedule fires: its rule, its zone and what it leaves out.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use super::cron::Cron;
use super::elapsed::Elapsed;
use super::instant::{instant, zone};
use super::line::{self, Dst, Fire, Gap, Mark, Overlap};
use super::recurrence::Recurrence;
use super::rule_text::{self, RuleText};
use super::{RuleError, words};

/// The shortest and the longest period of an interval, in milliseconds: the loop
/// that fires looks some times a second; 10 years are the horizon of a first fire.
pub(crate) const INTERVAL_MIN_MS: i64 = 1_000;
pub(crate) const INTERVAL_MAX_MS: i64 = 315_360_000_000;

/// A rule must fire within this time of its creation.
const FIRST_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 3653);

/// How far a later fire is looked for: rules such as a 29 February on a Monday
/// recur every 28 years.
const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 366 * 50);

/// Dates that a schedule leaves out: each is stored and read with it.
const EXCEPT_MAX: usize = 1_000;

/// What a schedule was told, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Spec {
    pub(crate) kind: Kind,
    #[serde(default)]
    pub(crate) start: Option<String>,
    pub(crate) timezone: String,
    #[serde(default)]
    pub(crate) gap: Option<String>,
    #[serde(default)]
    pub(crate) overlap: Option<String>,
    #[serde(default)]
    pub(crate) until: Option<String>,
    #[serde(default)]
    pub(crate) except: Vec<String>,
}

/// The one kind that a schedule has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    Cron(String),
    Rrule(String),
    /// Milliseconds.
    Interval(i64),
    Once(String),
}

impl Kind {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Cron(_) => "cron",
            Self::Rrule(_) => "rrule",
            Self::Interval(_) => "interval",
            Self::Once(_) => "once",
        }
    }
}

#[derive(Debug, Clone)]
enum Rule {
    Cron(Box<Cron>),
    Recurrence(Box<Recurrence>),
    Elapsed(Box<Elapsed>, BTreeSet<DateTime>),
    Interval { start_ms: i64, every_ms: i64 },
    Once(Timestamp),
}

/// When a schedule fires.
#[derive(Debug, Clone)]
pub(crate) struct Timetable {
    rule: Rule,
    zone: TimeZone,
    dst: Dst,
    until: Option<Timestamp>,
    except: BTreeSet<Date>,
    words: String,
}

impl Timetable {
    /// Reads what a schedule was told.
    ///
    /// # Errors
    /// [`RuleError::Invalid`] names the field at fault.
    pub(crate) fn parse(spec: &Spec, created: Timestamp) -> Result<Self, RuleError> {
        let zone = zone(&spec.timezone)?;
        let dst = dst(spec)?;
        let until = match &spec.until {
            Some(text) => Some(instant("until", text, &zone)?),
            None => None,
        };
        let rule = rule(spec, &zone, created)?;
        Ok(Self {
            words: words::of(spec, &zone)?,
            rule,
            zone,
            dst,
            until,
            except: except(&spec.except)?,
        })
    }

    /// The zone.
    pub(crate) fn zone(&self) -> &TimeZone {
        &self.zone
    }

    /// What it means.
    pub(crate) fn words(&self) -> &str {
        &self.words
    }

    /// The first fire after an instant.
    ///
    /// # Errors
    /// [`RuleError::TooCostly`].
    pub(crate) fn next(&self, after: Timestamp) -> Result<Option<Fire>, RuleError> {
        let last = after.saturating_add(HORIZON).unwrap_or(Timestamp::MAX);
        let last = self.until.map_or(last, |until| until.min(last));
        let mut after = after;
        loop {
            let Some(fire) = self.by_rule(after, last)? else {
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

    fn by_rule(&self, after: Timestamp, last: Timestamp) -> Result<Option<Fire>, RuleError> {
        let plain = |at| Fire {
            at,
            mark: Mark::Plain,
        };
        Ok(match &self.rule {
            Rule::Cron(cron) => {
                let dst = if cron.elapsed() {
                    Dst::ELAPSED
                } else {
                    self.dst
                };
                line::next(&self.zone, dst, cron.as_ref(), after, last)?
            }
            Rule::Recurrence(rule) => line::next(&self.zone, self.dst, rule.as_ref(), after, last)?,
            Rule::Elapsed(rule, added) => {
                let own = rule.next(&self.zone, after, last)?.map(plain);
                let added = line::next(&self.zone, self.dst, added, after, last)?;
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
    pub(crate) fn first(&self, spec: &Spec, now: Timestamp) -> Result<Timestamp, RuleError> {
        if let (Rule::Once(at), Kind::Once(text)) = (&self.rule, &spec.kind)
            && *at <= now
        {
            return Err(RuleError::InPast(text.clone()));
        }
        let latest = now.saturating_add(FIRST_WITHIN).unwrap_or(Timestamp::MAX);
        match self.next(now)? {
            Some(fire) if fire.at <= latest => Ok(fire.at),
            _ => Err(RuleError::NeverFires),
        }
    }

    /// Changes of the clock within a year that touch it, one sentence each.
    ///
    /// # Errors
    /// [`RuleError::TooCostly`].
    pub(crate) fn notes(&self, now: Timestamp) -> Result<Vec<String>, RuleError> {
        let on_elapsed = match &self.rule {
            Rule::Cron(cron) => cron.elapsed(),
            Rule::Recurrence(_) => false,
            _ => true,
        };
        let mut notes = Vec::new();
        if on_elapsed {
            return Ok(notes);
        }
        let year = SignedDuration::from_hours(24 * 366);
        let last = now.saturating_add(year).unwrap_or(Timestamp::MAX);
        // Asked with policies that show every change, whatever its own are.
        let open = Self {
            dst: Dst {
                gap: Gap::After,
                overlap: Overlap::First,
            },
            ..self.clone()
        };
        let changes = self
            .zone
            .following(now)
            .take_while(|t| t.timestamp() <= last);
        for change in changes {
            let at = change.timestamp();
            let day = SignedDuration::from_hours(24);
            let mut from = at.saturating_sub(day).unwrap_or(Timestamp::MIN);
            let mut touched = None;
            for _ in 0..words::NOTE_FIRES_MAX {
                match open.next(from)? {
                    Some(fire) if fire.at.duration_since(at) <= day => {
                        if fire.mark != Mark::Plain {
                            touched = Some(fire);
                            break;
                        }
                        from = fire.at;
                    }
                    _ => break,
                }
            }
            if let Some(fire) = touched {
                notes.push(words::note(&self.zone, self.dst, fire));
            }
        }
        Ok(notes)
    }
}

fn dst(spec: &Spec) -> Result<Dst, RuleError> {
    let rrule = matches!(spec.kind, Kind::Rrule(_));
    let gap = match spec.gap.as_deref().unwrap_or_default() {
        "" if rrule => Gap::Shift,
        "" | "after" => Gap::After,
        "shift" => Gap::Shift,
        "skip" => Gap::Skip,
        other => {
            let message = format!("`{other}` is none of after, shift and skip");
            return Err(RuleError::invalid("dst.gap", message));
        }
    };
    let overlap = match spec.overlap.as_deref().unwrap_or_default() {
        "" | "first" => Overlap::First,
        "last" => Overlap::Last,
        "both" => Overlap::Both,
        other => {
            let message = format!("`{other}` is none of first, last and both");
            return Err(RuleError::invalid("dst.overlap", message));
        }
    };
    Ok(Dst { gap, overlap })
}

fn except(texts: &[String]) -> Result<BTreeSet<Date>, RuleError> {
    if texts.len() > EXCEPT_MAX {
        let message = format!("at most {EXCEPT_MAX} dates are left out");
        return Err(RuleError::invalid("except", message));
    }
    let date = |text: &String| {
        text.parse::<Date>().map_err(|_| {
            RuleError::invalid("except", format!("`{text}` is no date; write 2027-01-31"))
        })
    };
    texts.iter().map(date).collect()
}

fn rule(spec: &Spec, zone: &TimeZone, created: Timestamp) -> Result<Rule, RuleError> {
    let takes_start = matches!(spec.kind, Kind::Rrule(_) | Kind::Interval(_));
    if spec.start.is_some() && !takes_start {
        let message = format!(
            "`start` belongs to rrule and interval, not to {}",
            spec.kind.name()
        );
        return Err(RuleError::invalid("start", message));
    }
    Ok(match &spec.kind {
        Kind::Cron(text) => Rule::Cron(Box::new(Cron::parse(text)?)),
        Kind::Once(text) => Rule::Once(instant("executeAt", text, zone)?),
        Kind::Interval(every_ms) => {
            if !(INTERVAL_MIN_MS..=INTERVAL_MAX_MS).contains(every_ms) {
                let message = "an interval lasts from 1 s to 10 years";
                return Err(RuleError::invalid("interval", message));
            }
            let start = match &spec.start {
                Some(text) => instant("start", text, zone)?,
                None => created,
            };
            Rule::Interval {
                start_ms: start.as_millisecond(),
                every_ms: *every_ms,
            }
        }
        Kind::Rrule(text) => {
            let start = local_start(spec, text, zone, created)?;
            let rule = RuleText::parse(text, start, zone)?;
            if rule.sub_daily() {
                let added = rule.added.clone();
                let first = zone.to_timestamp(start).map_err(|_| {
                    RuleError::invalid("start", "`start` lies outside the calendar")
                })?;
                Rule::Elapsed(Box::new(Elapsed::new(rule, first)), added)
            } else {
                Rule::Recurrence(Box::new(Recurrence::new(rule, start)))
            }
        }
    })
}

/// The first local time of a rule, in whole seconds. A local time that was written
/// stays as it is, also where the clock skips it: the rule's other days have it.
fn local_start(
    spec: &Spec,
    text: &str,
    zone: &TimeZone,
    created: Timestamp,
) -> Result<DateTime, RuleError> {
    let written = match &spec.start {
        Some(text) => Some(match text.parse::<Timestamp>() {
            Ok(at) => zone.to_datetime(at),
            Err(_) => {
                instant("start", text, zone)?;
                text.parse::<DateTime>().unwrap_or(DateTime::MIN)
            }
        }),
        None => None,
    };
    let own = rule_text::dtstart(text, zone)?;
    let start = match (written, own) {
        (Some(a), Some(b)) if a != b => {
            let message = "`start` and the line DTSTART differ; give one of them";
            return Err(RuleError::invalid("start", message));
        }
        (Some(start), _) | (None, Some(start)) => start,
        (None, None) => zone.to_datetime(created),
    };
    let whole = Time::new(start.hour(), start.minute(), start.second(), 0);
    Ok(start.date().to_datetime(whole.unwrap_or(Time::midnight())))
}
