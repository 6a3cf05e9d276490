//! Faults on demand: asked for in a query, or switched on for a path.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use serde::Deserialize;

/// Longest delay that can be asked for.
pub(crate) const DELAY_MAX: Duration = Duration::from_mins(1);

/// What a request asks to go wrong, as its query says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    /// How many of the first requests of this run and path fail.
    fail: Option<u32>,
    /// With which status; without `fail` all requests.
    status: Option<StatusCode>,
    delay: Duration,
    /// Seconds in the header `Retry-After` of a failure.
    retry_after: Option<u32>,
}

/// What goes wrong with one request.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Answers this in place of the route.
    pub(crate) status: Option<StatusCode>,
    /// Waits so long before the answer.
    pub(crate) delay: Duration,
    /// Seconds in the header `Retry-After`.
    pub(crate) retry_after: Option<u32>,
}

impl Wish {
    /// Reads `fail`, `status`, `delay` and `retryAfter`; an error names the one
    /// that does not fit.
    pub(crate) fn read(query: &HashMap<String, String>) -> Result<Self, String> {
        let number = |name: &str| match query.get(name) {
            None => Ok(None),
            Some(text) => text
                .parse()
                .map(Some)
                .map_err(|_| format!("`{name}` is no number")),
        };
        Ok(Self {
            fail: number("fail")?,
            status: number("status")?.map(status).transpose()?,
            delay: query
                .get("delay")
                .map(|d| delay(d))
                .transpose()?
                .unwrap_or_default(),
            retry_after: number("retryAfter")?,
        })
    }

    /// What goes wrong with the `n`th request, from 1.
    pub(crate) fn fault(&self, n: u32) -> Fault {
        let status = match (self.fail, self.status) {
            (Some(fail), status) if n <= fail => {
                Some(status.unwrap_or(StatusCode::SERVICE_UNAVAILABLE))
            }
            (Some(_), _) => None,
            (None, status) => status,
        };
        Fault {
            status,
            delay: self.delay,
            retry_after: status.and(self.retry_after),
        }
    }
}

fn status(number: u32) -> Result<StatusCode, String> {
    u16::try_from(number)
        .ok()
        .filter(|n| (200..600).contains(n))
        .and_then(|n| StatusCode::from_u16(n).ok())
        .ok_or_else(|| format!("`{number}` is no status from 200 to 599"))
}

/// Reads `200ms` or `2s`.
fn delay(text: &str) -> Result<Duration, String> {
    let unfit = || format!("`{text}` is no delay as `200ms` or `2s`");
    let (digits, unit) = match text.strip_suffix("ms") {
        Some(digits) => (digits, Duration::from_millis(1)),
        None => (
            text.strip_suffix('s').ok_or_else(unfit)?,
            Duration::from_secs(1),
        ),
    };
    let factor: u32 = digits.parse().map_err(|_| unfit())?;
    let delay = unit.checked_mul(factor).filter(|d| *d <= DELAY_MAX);
    delay.ok_or_else(|| format!("a delay is at most {} s", DELAY_MAX.as_secs()))
}

/// A fault that is switched on for a path.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Switch {
    /// The path, without query.
    path: String,
    /// Default: 503, or none when a delay is given.
    status: Option<u32>,
    /// How many requests; 0 switches it off.
    #[serde(default = "once")]
    times: u32,
    /// As `200ms`.
    delay: Option<String>,
    retry_after: Option<u32>,
}

fn once() -> u32 {
    1
}

/// The faults that are switched on. They end with the process.
#[derive(Debug, Default)]
pub(crate) struct Switches(Mutex<HashMap<String, (u32, Wish)>>);

impl Switches {
    /// Switches a fault on, in place of the path's earlier one.
    pub(crate) fn set(&self, switch: Switch) -> Result<(), String> {
        let delay = switch.delay.as_deref().map(delay).transpose()?;
        let asked = switch.status.map(status).transpose()?;
        let wish = Wish {
            fail: None,
            status: asked.or(delay.is_none().then_some(StatusCode::SERVICE_UNAVAILABLE)),
            delay: delay.unwrap_or_default(),
            retry_after: switch.retry_after,
        };
        if switch.times == 0 {
            self.inner().remove(&switch.path);
        } else {
            self.inner().insert(switch.path, (switch.times, wish));
        }
        Ok(())
    }

    /// The fault of the next request to a path, which uses it up by one.
    pub(crate) fn take(&self, path: &str) -> Option<Fault> {
        let mut inner = self.inner();
        let (times, wish) = inner.get_mut(path)?;
        let fault = wish.fault(1);
        *times -= 1;
        if *times == 0 {
            inner.remove(path);
        }
        Some(fault)
    }

    fn inner(&self) -> MutexGuard<'_, HashMap<String, (u32, Wish)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(query: &[(&str, &str)]) -> Result<Wish, String> {
        let query = query
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        Wish::read(&query)
    }

    fn statuses(query: &[(&str, &str)]) -> Vec<u16> {
        let wish = wish(query).unwrap();
        (1..=3)
            .map(|n| wish.fault(n).status.map_or(0, |s| s.as_u16()))
            .collect()
    }

    #[test]
    fn first_requests_fail_and_later_ones_do_not() {
        assert_eq!(statuses(&[]), [0, 0, 0]);
        assert_eq!(statuses(&[("fail", "2")]), [503, 503, 0]);
        assert_eq!(statuses(&[("fail", "1"), ("status", "500")]), [500, 0, 0]);
        assert_eq!(statuses(&[("status", "404")]), [404, 404, 404]);
        assert_eq!(statuses(&[("fail", "0"), ("status", "404")]), [0, 0, 0]);
    }

    #[test]
    fn only_a_failure_asks_for_a_wait() {
        let wish = wish(&[("fail", "1"), ("retryAfter", "7"), ("delay", "20ms")]).unwrap();
        assert_eq!(wish.fault(1).retry_after, Some(7));
        assert_eq!(wish.fault(2).retry_after, None);
        assert_eq!(wish.fault(2).delay, Duration::from_millis(20));
    }

    #[test]
    fn wish_that_cannot_be_read_is_named() {
        for (name, value) in [
            ("fail", "x"),
            ("fail", "-1"),
            ("status", "99"),
            ("status", "600"),
            ("status", "70000"),
            ("delay", "2"),
            ("delay", "ms"),
            ("delay", "61s"),
            ("delay", "60001ms"),
            ("delay", "4294967295s"),
            ("retryAfter", "soon"),
        ] {
            assert!(wish(&[(name, value)]).is_err(), "{name}={value}");
        }
        assert_eq!(wish(&[("delay", "60s")]).unwrap().delay, DELAY_MAX);
    }

    #[test]
    fn switched_fault_is_used_up() {
        let switches = Switches::default();
        let set = |json: &str| switches.set(serde_json::from_str(json).unwrap());
        set(r#"{"path": "/a", "status": 500, "times": 2}"#).unwrap();
        let take = || {
            switches
                .take("/a")
                .and_then(|f| f.status)
                .map(|s| s.as_u16())
        };
        assert_eq!([take(), take(), take()], [Some(500), Some(500), None]);
        set(r#"{"path": "/a", "delay": "1ms"}"#).unwrap();
        let delayed = switches.take("/a").unwrap();
        assert_eq!(
            (delayed.status, delayed.delay),
            (None, Duration::from_millis(1))
        );
        set(r#"{"path": "/a"}"#).unwrap();
        set(r#"{"path": "/a", "times": 0}"#).unwrap();
        assert_eq!(take(), None);
        assert!(set(r#"{"path": "/a", "status": 7}"#).is_err());
    }
}
