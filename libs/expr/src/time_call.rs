//! The functions on instants.

use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, Zoned};

use crate::call::built;
use crate::duration;
use crate::error::{Error, Outcome, Span, TYPE};
use crate::eval::Machine;
use crate::function::Function;
use crate::pattern::Pattern;
use crate::token::shown;
use crate::value::{Val, View};

/// Fuel of reading an instant, finding its place in a zone and writing it.
const INSTANT_UNITS: usize = 80;

impl<'a> Machine<'a> {
    /// `date_add(t, d)`, `date_format(t, pattern[, zone])` and `iso_week(t[, zone])`.
    pub(crate) fn call_on_time(
        &mut self,
        function: Function,
        values: &[Val<'a>],
        span: Span,
    ) -> Outcome<Val<'a>> {
        self.meter.burn(INSTANT_UNITS, span)?;
        let text = |at: usize| values.get(at).and_then(text_of);
        let refuse = |message: String| Box::new(Error::new(TYPE, message, span));
        let at = instant(text(0).unwrap_or_default()).map_err(refuse)?;
        match function {
            Function::DateAdd => {
                let written = text(1).unwrap_or_default();
                let by = length(written).map_err(refuse)?;
                let moved = at.checked_add(by).map_err(|_| {
                    refuse(format!(
                        "{at} and {written} give an instant that no calendar has"
                    ))
                })?;
                Ok(built(format!("{moved:.3}")))
            }
            Function::DateFormat => {
                let pattern = text(1).unwrap_or_default();
                self.meter.burn(pattern.len(), span)?;
                let pattern = Pattern::parse(pattern).map_err(refuse)?;
                let at = zoned(at, text(2)).map_err(refuse)?;
                let written = pattern.format(&at);
                self.meter.write(written.len(), span)?;
                Ok(built(written))
            }
            _ => {
                let week = zoned(at, text(1)).map_err(refuse)?.date().iso_week_date();
                Ok(built(format!("{:04}-W{:02}", week.year(), week.week())))
            }
        }
    }
}

fn text_of<'v>(value: &'v Val<'_>) -> Option<&'v str> {
    match value.view() {
        View::Text(text) => Some(text),
        _ => None,
    }
}

fn instant(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        let text = shown(text);
        format!("{text} is not an instant; one is written like `2026-01-25T12:00:00Z`")
    })
}

fn zoned(at: Timestamp, zone: Option<&str>) -> Result<Zoned, String> {
    let zone = match zone {
        None | Some("UTC") => TimeZone::UTC,
        // The zones that are compiled in: the same on every machine.
        Some(name) => TimeZoneDatabase::bundled().get(name).map_err(|_| {
            format!(
                "no time zone is called {}, as `Europe/Chisinau` is",
                shown(name)
            )
        })?,
    };
    Ok(at.to_zoned(zone))
}

/// A duration as `date_add` takes it, or what is wrong with the text.
pub(crate) fn length(text: &str) -> Result<jiff::SignedDuration, String> {
    duration::signed(text).ok_or_else(|| {
        let text = shown(text);
        format!(
            "{text} is not a duration; one is written like `+24h` or `-1h30m`, with ms s m h d w"
        )
    })
}

/// Whether there is such a zone, or what is wrong with the text.
pub(crate) fn zone(name: &str) -> Result<(), String> {
    zoned(Timestamp::UNIX_EPOCH, Some(name)).map(|_| ())
}
