//! Zones and instants as they are written.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::RuleError;

/// A zone of the bundled database.
///
/// # Errors
/// [`RuleError::Invalid`] when it has no such zone.
pub fn zone(name: &str) -> Result<TimeZone, RuleError> {
    if name.is_empty() || name == "UTC" {
        return Ok(TimeZone::UTC);
    }
    let database = jiff::tz::TimeZoneDatabase::bundled();
    database.get(name).map_err(|_| {
        RuleError::invalid(
            "timezone",
            format!("no time zone `{name}`; write an IANA name such as Europe/Chisinau"),
        )
    })
}

/// An instant: RFC 3339, or a local time in the zone. A local time that the clock
/// skips is read as RFC 5545 does, one that comes twice as the first.
///
/// # Errors
/// [`RuleError::Invalid`] when it is neither.
pub fn instant(field: &'static str, text: &str, zone: &TimeZone) -> Result<Timestamp, RuleError> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let local = text.parse::<DateTime>().ok();
    local
        .and_then(|l| zone.to_timestamp(l).ok())
        .ok_or_else(|| {
            let message = format!(
                "`{text}` is no time; write 2027-01-31T09:00:00Z, or 2027-01-31T09:00:00 for the local time"
            );
            RuleError::invalid(field, message)
        })
}
