//! Rules against a walk of every step, and against what another program expands.

use jiff::ToSpan;
use jiff::civil::{DateTime, Weekday, date};

use crate::support::{at, cron, rrule, table};

/// A field of cron as text, and what it means.
fn random_field(rng: &mut fastrand::Rng, least: u8, most: u8) -> (String, Vec<u8>) {
    let any = |rng: &mut fastrand::Rng| rng.u8(least..=most);
    let mut parts = Vec::new();
    let mut meant = Vec::new();
    for _ in 0..rng.usize(1..=3) {
        match rng.u8(0..5) {
            0 => {
                let value = any(rng);
                parts.push(value.to_string());
                meant.push(value);
            }
            1 => {
                let (a, b) = (any(rng), any(rng));
                let (a, b) = (a.min(b), a.max(b));
                parts.push(format!("{a}-{b}"));
                meant.extend(a..=b);
            }
            2 => {
                let (a, b, step) = (any(rng), any(rng), rng.u8(1..=7));
                let (a, b) = (a.min(b), a.max(b));
                parts.push(format!("{a}-{b}/{step}"));
                meant.extend((a..=b).step_by(step.into()));
            }
            3 => {
                let step = rng.u8(2..=7);
                parts.push(format!("*/{step}"));
                meant.extend((least..=most).step_by(step.into()));
            }
            _ => return ("*".to_owned(), (least..=most).collect()),
        }
    }
    (parts.join(","), meant)
}

#[test]
fn cron_is_what_a_walk_over_every_minute_finds() {
    let mut rng = fastrand::Rng::with_seed(7);
    let start = date(2027, 1, 1).at(0, 0, 0, 0);
    let mut found = 0;
    for case in 0..400 {
        let (minutes, minute) = random_field(&mut rng, 0, 59);
        let (hours, hour) = random_field(&mut rng, 0, 23);
        let (days, day) = random_field(&mut rng, 1, 31);
        let (months, month) = random_field(&mut rng, 1, 12);
        let (weekdays, weekday) = random_field(&mut rng, 0, 7);
        let text = format!("{minutes} {hours} {days} {months} {weekdays}");
        let has = |values: &[u8], n: i8| values.contains(&n.unsigned_abs());
        let on = |date: jiff::civil::Date| {
            let by_day = has(&day, date.day());
            let sunday = date.weekday().to_sunday_zero_offset();
            let by_weekday =
                has(&weekday, sunday) || date.weekday() == Weekday::Sunday && weekday.contains(&7);
            let day_counts = match (days == "*", weekdays == "*") {
                (false, false) => by_day || by_weekday,
                (true, _) => by_weekday,
                (_, true) => by_day,
            };
            day_counts && has(&month, date.month())
        };
        // Every minute of a stretch that starts somewhere in two years.
        let from = start + i64::from(rng.u32(0..700)).days();
        let to = from + 40.days();
        let mut expected = Vec::new();
        for date in from.date().series(1.day()).take_while(|d| *d < to.date()) {
            if !on(date) {
                continue;
            }
            for h in 0..24 {
                for m in 0..60 {
                    if has(&hour, h) && has(&minute, m) {
                        expected.push(date.at(h, m, 0, 0));
                    }
                }
            }
        }
        let table = table(&cron(&text, "UTC"));
        let mut after = jiff::tz::TimeZone::UTC.to_timestamp(from).unwrap() - 1.second();
        let mut got = Vec::new();
        while let Some(fire) = table.next(after).unwrap() {
            let local = table.zone().to_datetime(fire.at);
            if local >= to {
                break;
            }
            got.push(local);
            after = fire.at;
        }
        assert!(
            got == expected,
            "case {case} `{text}` from {from}: {} instead of {}",
            got.len(),
            expected.len()
        );
        found += got.len();
    }
    assert!(found > 100_000, "the rules fire: {found}");
}

/// What the crate `rrule` expands, which shares only the reading of the text.
fn crate_expands(text: &str, count: u16) -> Vec<DateTime> {
    let set: rrule::RRuleSet = text.parse().expect("the crate reads it");
    let dates = set.all(count).dates;
    dates
        .iter()
        .map(|d| {
            d.naive_utc()
                .format("%Y-%m-%dT%H:%M:%S")
                .to_string()
                .parse()
                .expect("the crate reads it")
        })
        .collect()
}

#[test]
fn rules_are_what_the_crate_expands() {
    const RULES: &[&str] = &[
        "FREQ=DAILY",
        "FREQ=DAILY;INTERVAL=3;COUNT=20",
        "FREQ=DAILY;BYMONTH=1,3;BYHOUR=9,17",
        "FREQ=WEEKLY;BYDAY=MO,FR",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,SU",
        "FREQ=WEEKLY;INTERVAL=2;WKST=MO;BYDAY=TU,SU",
        "FREQ=MONTHLY",
        "FREQ=MONTHLY;BYMONTHDAY=31",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=MONTHLY;BYDAY=1MO,3MO",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13",
        "FREQ=MONTHLY;INTERVAL=5;BYMONTHDAY=10,-10",
        "FREQ=YEARLY",
        "FREQ=YEARLY;BYMONTH=1,6",
        "FREQ=YEARLY;BYDAY=20MO",
        "FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3,10",
        "FREQ=YEARLY;BYYEARDAY=1,100,-1",
        "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
        "FREQ=YEARLY;BYWEEKNO=1,52,53;BYDAY=TH",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
        "FREQ=YEARLY;BYDAY=TU;BYSETPOS=2,-2;BYMONTH=11",
        "FREQ=YEARLY;INTERVAL=3;BYMONTHDAY=13;BYDAY=FR",
        "FREQ=HOURLY;INTERVAL=5",
        "FREQ=HOURLY;BYMINUTE=10,50;BYDAY=SA",
        "FREQ=MINUTELY;INTERVAL=30;BYHOUR=9,10",
        "FREQ=MINUTELY;INTERVAL=7;COUNT=200",
        "FREQ=SECONDLY;INTERVAL=40",
    ];
    let mut compared = 0;
    for start in ["20270101T093015", "20240229T000000", "20251231T235959"] {
        for rule in RULES {
            let text = format!("DTSTART:{start}Z\nRRULE:{rule}");
            let expected = crate_expands(&text, 60);
            let local = format!("DTSTART:{start}\nRRULE:{rule}");
            let table = table(&rrule(&local, "UTC"));
            let mut after = at("2020-01-01T00:00:00Z");
            let mut got = Vec::new();
            while got.len() < 60
                && let Some(fire) = table.next(after).unwrap()
            {
                after = fire.at;
                got.push(table.zone().to_datetime(fire.at));
            }
            let shared = got.len().min(expected.len());
            assert_eq!(got[..shared], expected[..shared], "{text}");
            assert!(
                shared >= 20 || got.len() == expected.len(),
                "{text}: {shared}"
            );
            // From the middle the rest is the same.
            if let [.., middle, last] = &expected[..expected.len().min(got.len()) / 2 + 1] {
                let after = table.zone().to_timestamp(*middle).unwrap();
                let next = table.next(after).unwrap().unwrap();
                assert_eq!(table.zone().to_datetime(next.at), *last, "{text}");
            }
            compared += shared;
        }
    }
    assert!(compared > 4_000, "{compared}");
}

/// The crate loses the phase of a step where a field leaves hours out, so these are
/// compared with a walk of every step.
#[test]
fn steps_are_counted_through_what_is_left_out() {
    let start = date(2027, 1, 1).at(9, 30, 15, 0);
    let has = |values: &[i8], n: i8| values.is_empty() || values.contains(&n);
    for (unit, name) in [(3600, "HOURLY"), (60, "MINUTELY"), (1, "SECONDLY")] {
        for interval in [1, 7, 40, 45, 100] {
            for (hours, minutes) in [
                (vec![9, 10], vec![]),
                (vec![], vec![0, 1, 30]),
                (vec![3, 22], vec![5, 30]),
            ] {
                if name == "HOURLY" && !minutes.is_empty() {
                    continue;
                }
                let list = |name: &str, values: &[i8]| {
                    let values: Vec<_> = values.iter().map(ToString::to_string).collect();
                    if values.is_empty() {
                        String::new()
                    } else {
                        format!(";{name}={}", values.join(","))
                    }
                };
                let text = format!(
                    "DTSTART:20270101T093015\nFREQ={name};INTERVAL={interval}{}{}",
                    list("BYHOUR", &hours),
                    list("BYMINUTE", &minutes)
                );
                let step = jiff::SignedDuration::from_secs(unit * interval);
                let expected: Vec<DateTime> =
                    std::iter::successors(Some(start), |at| Some(*at + step))
                        .take_while(|at| at.date() < date(2027, 1, 8))
                        .filter(|at| has(&hours, at.hour()) && has(&minutes, at.minute()))
                        .take(500)
                        .collect();
                let table = table(&rrule(&text, "UTC"));
                let mut after = at("2027-01-01T00:00:00Z");
                for wanted in &expected {
                    after = table.next(after).unwrap().unwrap().at;
                    assert_eq!(table.zone().to_datetime(after), *wanted, "{text}");
                }
                assert!(!expected.is_empty(), "{text}");
            }
        }
    }
}
