//! Rules against dates that are known, and against a walk of every minute.

use jiff::civil::{DateTime, Weekday, date};
use jiff::{Timestamp, ToSpan};

use super::RuleError;
use super::instant::zone;
use super::line::Mark;
use super::timetable::{Kind, Spec, Timetable};

fn spec(kind: Kind, timezone: &str) -> Spec {
    Spec {
        kind,
        start: None,
        timezone: timezone.to_owned(),
        gap: None,
        overlap: None,
        until: None,
        except: Vec::new(),
    }
}

fn cron(text: &str, timezone: &str) -> Spec {
    spec(Kind::Cron(text.to_owned()), timezone)
}

fn rrule(text: &str, timezone: &str) -> Spec {
    spec(Kind::Rrule(text.to_owned()), timezone)
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn table(spec: &Spec) -> Timetable {
    Timetable::parse(spec, at("2027-01-01T00:00:00Z")).unwrap()
}

/// The next local times after an instant, with the mark of those that are not plain.
fn fires(spec: &Spec, after: &str, count: usize) -> Vec<String> {
    let table = table(spec);
    let mut after = at(after);
    let mut found = Vec::new();
    while found.len() < count {
        let Some(fire) = table.next(after).unwrap() else {
            found.push("end".to_owned());
            break;
        };
        assert!(fire.at > after, "strictly later");
        after = fire.at;
        let local = fire.at.to_zoned(table.zone().clone());
        let mark = match fire.mark {
            Mark::Plain => "",
            Mark::Gap => " gap",
            Mark::Overlap => " overlap",
        };
        found.push(format!("{}{mark}", local.strftime("%F %T %:z")));
    }
    found
}

const CHISINAU: &str = "Europe/Chisinau";

#[test]
fn time_that_the_clock_skips_follows_the_policy() {
    let night = cron("30 3 * * *", CHISINAU);
    let before = "2027-03-27T12:00:00Z";
    let with = |gap: &str| Spec {
        gap: Some(gap.into()),
        ..night.clone()
    };
    assert_eq!(
        fires(&night, before, 2),
        [
            "2027-03-28 04:00:00 +03:00 gap",
            "2027-03-29 03:30:00 +03:00"
        ]
    );
    assert_eq!(
        fires(&with("shift"), before, 2),
        [
            "2027-03-28 04:30:00 +03:00 gap",
            "2027-03-29 03:30:00 +03:00"
        ]
    );
    assert_eq!(
        fires(&with("skip"), before, 1),
        ["2027-03-29 03:30:00 +03:00"]
    );
    // A rule of RFC 5545 shifts when nothing is said.
    let rule = rrule("DTSTART:20270101T033000\nRRULE:FREQ=DAILY", CHISINAU);
    assert_eq!(
        fires(&rule, before, 2),
        [
            "2027-03-28 04:30:00 +03:00 gap",
            "2027-03-29 03:30:00 +03:00"
        ]
    );
}

#[test]
fn time_that_comes_twice_follows_the_policy() {
    let night = cron("30 3 * * *", CHISINAU);
    let before = "2027-10-30T12:00:00Z";
    let with = |overlap: &str| Spec {
        overlap: Some(overlap.into()),
        ..night.clone()
    };
    let next_day = "2027-11-01 03:30:00 +02:00";
    let (first, last) = (
        "2027-10-31 03:30:00 +03:00 overlap",
        "2027-10-31 03:30:00 +02:00 overlap",
    );
    assert_eq!(fires(&night, before, 2), [first, next_day]);
    assert_eq!(fires(&with("last"), before, 2), [last, next_day]);
    assert_eq!(fires(&with("both"), before, 3), [first, last, next_day]);
}

#[test]
fn hours_of_a_day_are_as_many_as_it_lasts() {
    for (spec, name) in [
        (cron("0 * * * *", CHISINAU), "cron"),
        (cron("@hourly", CHISINAU), "name"),
        (
            rrule("DTSTART:20270101T000000\nRRULE:FREQ=HOURLY", CHISINAU),
            "rrule",
        ),
    ] {
        let table = table(&spec);
        let count = |day: &str| {
            let zone = zone(CHISINAU).unwrap();
            let start: DateTime = day.parse().unwrap();
            let (from, to) = (
                zone.to_timestamp(start).unwrap(),
                zone.to_timestamp(start + 1.day()).unwrap(),
            );
            let mut after = from - 1.second();
            std::iter::from_fn(|| {
                after = table.next(after).unwrap()?.at;
                Some(after)
            })
            .take_while(|at| *at < to)
            .count()
        };
        assert_eq!(count("2027-03-28"), 23, "{name}");
        assert_eq!(count("2027-10-31"), 25, "{name}");
        assert_eq!(count("2027-06-01"), 24, "{name}");
    }
}

#[test]
fn two_local_times_on_one_instant_fire_once() {
    let spec = cron("*/20 3 * * *", CHISINAU);
    assert_eq!(
        fires(&spec, "2027-03-27T12:00:00Z", 2),
        [
            "2027-03-28 04:00:00 +03:00 gap",
            "2027-03-29 03:00:00 +03:00"
        ]
    );
    // 03:30 shifted and 04:30 itself.
    let both = Spec {
        gap: Some("shift".into()),
        ..cron("30 3,4 * * *", CHISINAU)
    };
    assert_eq!(
        fires(&both, "2027-03-27T12:00:00Z", 2),
        ["2027-03-28 04:30:00 +03:00", "2027-03-29 03:30:00 +03:00"]
    );
}

#[test]
fn rare_days_are_found() {
    let utc = |text| fires(&cron(text, "UTC"), "2027-01-01T00:00:00Z", 3);
    assert_eq!(
        utc("0 0 29 2 *"),
        [
            "2028-02-29 00:00:00 +00:00",
            "2032-02-29 00:00:00 +00:00",
            "2036-02-29 00:00:00 +00:00"
        ]
    );
    assert_eq!(
        utc("0 0 31 * *"),
        [
            "2027-01-31 00:00:00 +00:00",
            "2027-03-31 00:00:00 +00:00",
            "2027-05-31 00:00:00 +00:00"
        ]
    );
    assert_eq!(
        utc("0 12 * * 5L"),
        [
            "2027-01-29 12:00:00 +00:00",
            "2027-02-26 12:00:00 +00:00",
            "2027-03-26 12:00:00 +00:00"
        ]
    );
    assert_eq!(
        utc("0 12 LW * ?"),
        [
            "2027-01-29 12:00:00 +00:00",
            "2027-02-26 12:00:00 +00:00",
            "2027-03-31 12:00:00 +00:00"
        ]
    );
    let last_friday = rrule(
        "DTSTART:20270101T090000\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=2",
        "UTC",
    );
    assert_eq!(
        fires(&last_friday, "2027-01-01T00:00:00Z", 3),
        [
            "2027-01-29 09:00:00 +00:00",
            "2027-02-26 09:00:00 +00:00",
            "end"
        ]
    );
}

#[test]
fn what_never_fires_is_told_in_time() {
    let now = at("2027-01-01T00:00:00Z");
    for spec in [
        cron("0 0 30 2 *", "UTC"),
        rrule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "UTC"),
        rrule("FREQ=MINUTELY;BYMONTH=2;BYMONTHDAY=30", "UTC"),
        rrule("FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30;BYHOUR=3", "UTC"),
        rrule("FREQ=DAILY;UNTIL=20261231T000000Z", "UTC"),
        Spec {
            until: Some("2026-01-01".to_owned() + "T00:00:00Z"),
            ..cron("* * * * *", "UTC")
        },
    ] {
        let first = table(&spec).first(&spec, now);
        assert!(
            matches!(first, Err(RuleError::NeverFires | RuleError::TooCostly)),
            "{spec:?}: {first:?}"
        );
    }
    let once = spec(Kind::Once("2026-12-31T23:59:59".to_owned()), "UTC");
    assert!(matches!(
        table(&once).first(&once, now),
        Err(RuleError::InPast(_))
    ));
    let once = spec(Kind::Once("2027-01-01T09:00:00".to_owned()), CHISINAU);
    assert_eq!(
        table(&once).first(&once, now),
        Ok(at("2027-01-01T07:00:00Z"))
    );
}

#[test]
fn interval_keeps_its_phase() {
    let every = Spec {
        start: Some("2027-01-01T00:00:07Z".to_owned()),
        ..spec(Kind::Interval(900_000), "UTC")
    };
    assert_eq!(
        fires(&every, "2027-03-28T00:40:00Z", 2),
        ["2027-03-28 00:45:07 +00:00", "2027-03-28 01:00:07 +00:00"]
    );
    assert_eq!(
        fires(&every, "2026-01-01T00:00:00Z", 1),
        ["2027-01-01 00:00:07 +00:00"]
    );
}

#[test]
fn days_are_left_out_and_the_end_holds() {
    let daily = Spec {
        except: vec!["2027-01-02".into(), "2027-01-03".into()],
        until: Some("2027-01-04T09:00:00".into()),
        ..cron("0 9 * * *", CHISINAU)
    };
    assert_eq!(
        fires(&daily, "2027-01-01T00:00:00Z", 3),
        [
            "2027-01-01 09:00:00 +02:00",
            "2027-01-04 09:00:00 +02:00",
            "end"
        ]
    );
    let rule = rrule(
        "DTSTART:20270101T090000\nRRULE:FREQ=DAILY;COUNT=3\nEXDATE:20270102T090000\nRDATE:20270105T120000",
        CHISINAU,
    );
    assert_eq!(
        fires(&rule, "2027-01-01T00:00:00Z", 4),
        [
            "2027-01-01 09:00:00 +02:00",
            "2027-01-03 09:00:00 +02:00",
            "2027-01-05 12:00:00 +02:00",
            "end"
        ]
    );
}

#[test]
fn what_cannot_be_read_names_its_field() {
    let field = |spec: &Spec| match Timetable::parse(spec, at("2027-01-01T00:00:00Z")) {
        Err(RuleError::Invalid { field, .. }) => field,
        other => panic!("{spec:?}: {other:?}"),
    };
    for text in [
        "",
        "* * * *",
        "61 * * * *",
        "@reboot",
        "0 0 1 1 * * 2030",
        "H * * * *",
        "0 0 * * +5",
        "x",
    ] {
        assert_eq!(field(&cron(text, "UTC")), "cronExpression", "{text}");
    }
    for text in [
        "FREQ=HOURS",
        "COUNT=3",
        "FREQ=DAILY;COUNT=20000",
        "FREQ=DAILY;INTERVAL=0",
        "DTSTART;TZID=America/New_York:20270101T000000\nFREQ=DAILY",
        "FREQ=DAILY\nFREQ=DAILY",
        "FREQ=DAILY;UNTIL=soon",
        "EXRULE:FREQ=DAILY",
        "FREQ=YEARLY;BYEASTER=0",
    ] {
        assert_eq!(field(&rrule(text, "UTC")), "rrule", "{text}");
    }
    assert_eq!(field(&cron("* * * * *", "Europe/Nowhere")), "timezone");
    assert_eq!(field(&spec(Kind::Once("soon".into()), "UTC")), "executeAt");
    assert_eq!(field(&spec(Kind::Interval(999), "UTC")), "interval");
    let with_start = Spec {
        start: Some("2027-01-01T00:00:00Z".into()),
        ..cron("* * * * *", "UTC")
    };
    assert_eq!(field(&with_start), "start");
}

#[test]
fn meaning_is_told_in_words() {
    let words = |spec: &Spec| table(spec).words().to_owned();
    assert_eq!(
        words(&cron("30 3 * * *", CHISINAU)),
        "At 03:30, in Europe/Chisinau"
    );
    assert_eq!(
        words(&rrule("FREQ=MONTHLY;BYDAY=-1FR;BYHOUR=9;BYMINUTE=0", "UTC")),
        "Every month on the last Friday at 09:00, in UTC"
    );
    assert_eq!(
        words(&rrule("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=4", "UTC")),
        "Every 2 weeks on Monday, Wednesday, 4 times, in UTC"
    );
    assert_eq!(words(&spec(Kind::Interval(900_000), "UTC")), "Every 15m");
    let now = at("2027-01-01T00:00:00Z");
    assert_eq!(
        table(&cron("30 3 * * *", CHISINAU)).notes(now).unwrap(),
        [
            "2027-03-28: the clock skips its time before 04:00; it fires at 04:00 (dst.gap: after)",
            "2027-10-31: 03:30 comes twice; it fires once, at the first (dst.overlap: first)"
        ]
    );
    assert!(
        table(&cron("30 3 * * *", "UTC"))
            .notes(now)
            .unwrap()
            .is_empty()
    );
}

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
    let set: rrule::RRuleSet = text.parse().unwrap();
    let dates = set.all(count).dates;
    dates
        .iter()
        .map(|d| {
            d.naive_utc()
                .format("%Y-%m-%dT%H:%M:%S")
                .to_string()
                .parse()
                .unwrap()
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

#[test]
fn windows_join_without_a_gap_in_every_zone() {
    let mut rng = fastrand::Rng::with_seed(3);
    for name in [
        CHISINAU,
        "America/New_York",
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Asia/Kathmandu",
        "Africa/Casablanca",
        "America/Argentina/Buenos_Aires",
    ] {
        for text in [
            "30 2 * * *",
            "*/30 * * * *",
            "15 0,1,2,3 * * *",
            "0 0 * * *",
        ] {
            for (gap, overlap) in [("after", "first"), ("shift", "last"), ("skip", "both")] {
                let table = table(&Spec {
                    gap: Some(gap.into()),
                    overlap: Some(overlap.into()),
                    ..cron(text, name)
                });
                let start = at("2011-12-01T00:00:00Z") + i64::from(rng.u32(0..100_000)).hours();
                let mut walked = Vec::new();
                let mut after = start;
                for _ in 0..200 {
                    after = table.next(after).unwrap().unwrap().at;
                    walked.push(after);
                }
                // Asked from any instant, the answer is the first of the walk behind it.
                for _ in 0..50 {
                    let seconds = rng.i64(0..after.as_second() - start.as_second());
                    let from = start + jiff::SignedDuration::from_secs(seconds);
                    let expected = walked.iter().find(|at| **at > from).unwrap();
                    assert_eq!(
                        table.next(from).unwrap().unwrap().at,
                        *expected,
                        "{name} {text} {from}"
                    );
                }
            }
        }
    }
}
