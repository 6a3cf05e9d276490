//! Changes of the clock.

use gearmesh_schedule::{Budget, Mark, Spec, zone};
use jiff::ToSpan;
use jiff::civil::DateTime;

use crate::support::{CHISINAU, at, cron, fires, rrule, table};

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

/// The changes of the clock in two years that touch a schedule.
fn changes(spec: &Spec) -> Vec<String> {
    let (from, to) = (at("2027-01-01T00:00:00Z"), at("2029-01-01T00:00:00Z"));
    let found = table(spec).changes(from, to, &mut Budget::default());
    found
        .expect("it is what the test wrote")
        .iter()
        .map(ToString::to_string)
        .collect()
}

#[test]
fn changes_of_the_clock_are_told_with_what_happens() {
    // WF-9.24
    let night = cron("30 3 * * *", CHISINAU);
    assert_eq!(
        changes(&night),
        [
            "2027-03-28 03:30 does not exist in Europe/Chisinau; it fires at 04:00, 2027-03-28T01:00:00Z (dst.gap: after)",
            "2027-10-31 03:30 comes twice in Europe/Chisinau; it fires at the first, 2027-10-31T00:30:00Z (dst.overlap: first)",
            "2028-03-26 03:30 does not exist in Europe/Chisinau; it fires at 04:00, 2028-03-26T01:00:00Z (dst.gap: after)",
            "2028-10-29 03:30 comes twice in Europe/Chisinau; it fires at the first, 2028-10-29T00:30:00Z (dst.overlap: first)",
        ]
    );
    let with = |gap: &str, overlap: &str| Spec {
        gap: Some(gap.into()),
        overlap: Some(overlap.into()),
        until: Some("2027-12-31T00:00:00Z".into()),
        ..night.clone()
    };
    assert_eq!(
        changes(&with("shift", "last")),
        [
            "2027-03-28 03:30 does not exist in Europe/Chisinau; it fires at 04:30, 2027-03-28T01:30:00Z (dst.gap: shift)",
            "2027-10-31 03:30 comes twice in Europe/Chisinau; it fires at the second, 2027-10-31T01:30:00Z (dst.overlap: last)",
        ]
    );
    assert_eq!(
        changes(&with("skip", "both")),
        [
            "2027-03-28 03:30 does not exist in Europe/Chisinau; it does not fire (dst.gap: skip)",
            "2027-10-31 03:30 comes twice in Europe/Chisinau; it fires at both, 2027-10-31T00:30:00Z and 2027-10-31T01:30:00Z (dst.overlap: both)",
        ]
    );
}

#[test]
fn what_is_told_is_what_fires() {
    // WF-9.24
    for name in [
        CHISINAU,
        "America/New_York",
        "Australia/Lord_Howe",
        "Africa/Casablanca",
    ] {
        for text in ["30 2 * * *", "30 3 * * *", "15 0,1,2,3 * * *", "0 9 * * *"] {
            for (gap, overlap) in [("after", "first"), ("shift", "last"), ("skip", "both")] {
                let spec = Spec {
                    gap: Some(gap.into()),
                    overlap: Some(overlap.into()),
                    ..cron(text, name)
                };
                let table = table(&spec);
                let (from, to) = (at("2027-01-01T00:00:00Z"), at("2029-01-01T00:00:00Z"));
                let told = table.changes(from, to, &mut Budget::default()).unwrap();
                for change in &told {
                    for fire in &change.fires {
                        let next = table.next(*fire - 1.second()).unwrap().unwrap();
                        assert_eq!(next.at, *fire, "{name} {text} {change}");
                    }
                }
                // Each fire that is marked stands on a day that is told.
                for change in table
                    .zone()
                    .following(from)
                    .take_while(|c| c.timestamp() <= to)
                {
                    let (mut after, last) = (
                        change.timestamp() - 36.hours(),
                        change.timestamp() + 36.hours(),
                    );
                    while let Some(fire) = table.next(after).unwrap().filter(|f| f.at <= last) {
                        after = fire.at;
                        let day = table.zone().to_datetime(fire.at).date();
                        let known = told.iter().any(|c| c.local.date() == day);
                        assert!(fire.mark == Mark::Plain || known, "{name} {text} {day}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_no_change_touches_is_not_told() {
    // WF-9.24
    for spec in [
        cron("30 3 * * *", "UTC"),
        cron("30 2 * * *", CHISINAU),
        // By the hour time is elapsed time.
        cron("30 * * * *", CHISINAU),
        rrule("DTSTART:20270101T033000\nFREQ=HOURLY", CHISINAU),
        rrule("DTSTART:20270101T033000\nFREQ=WEEKLY;BYDAY=MO", CHISINAU),
        Spec {
            except: vec![
                "2027-03-28".into(),
                "2027-10-31".into(),
                "2028-03-26".into(),
                "2028-10-29".into(),
            ],
            ..cron("30 3 * * *", CHISINAU)
        },
    ] {
        assert_eq!(changes(&spec), Vec::<String>::new(), "{spec:?}");
    }
}
