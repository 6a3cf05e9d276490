//! Rules against dates that are known.

use gearmesh_schedule::{
    Budget, EXCEPT_MAX, INTERVAL_MAX_MS, INTERVAL_MIN_MS, Kind, RULE_MAX, RuleError, Spec,
    Timetable,
};

use crate::support::{CHISINAU, at, cron, fires, rrule, spec, table};

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
        Err(RuleError::Text { field, .. } | RuleError::Invalid { field, .. }) => field,
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
}

#[test]
fn texts_end_at_their_limits() {
    // WF-7.2, WF-7.3
    let parse = |spec: &Spec| Timetable::parse(spec, at("2027-01-01T00:00:00Z"));
    let why = |spec: &Spec| parse(spec).map(|_| ()).map_err(|e| e.to_string());
    let fits = (RULE_MAX - 9) / 2;
    let long = |n: usize| cron(&("* * * * ".to_owned() + &"1,".repeat(n) + "1"), "UTC");
    assert_eq!(why(&long(fits)), Ok(()));
    let over = why(&long(fits + 1)).unwrap_err();
    assert!(
        over.ends_with("has more than 4096 bytes") && over.len() < 120,
        "{over}"
    );
    let long = |n: usize| rrule(&format!("FREQ=YEARLY;BYMONTH={}1", "1,".repeat(n)), "UTC");
    let fits = (RULE_MAX - 21) / 2;
    assert_eq!(why(&long(fits)), Ok(()));
    assert!(why(&long(fits + 1)).is_err());
    assert_eq!(why(&rrule("FREQ=DAILY;COUNT=10000", "UTC")), Ok(()));
    assert_eq!(
        why(&rrule("FREQ=DAILY;COUNT=10001", "UTC")),
        Err("`FREQ=DAILY;COUNT=10001` has a COUNT above 10000; use UNTIL".to_owned())
    );
    let thinned = |n: usize| Spec {
        except: vec!["2027-01-02".to_owned(); n],
        ..cron("* * * * *", "UTC")
    };
    assert_eq!(why(&thinned(EXCEPT_MAX)), Ok(()));
    assert!(why(&thinned(EXCEPT_MAX + 1)).is_err());
    let every = |ms: i64| why(&spec(Kind::Interval(ms), "UTC"));
    assert_eq!(
        (every(INTERVAL_MIN_MS), every(INTERVAL_MAX_MS)),
        (Ok(()), Ok(()))
    );
    assert!(every(INTERVAL_MIN_MS - 1).is_err() && every(INTERVAL_MAX_MS + 1).is_err());
}

#[test]
fn answers_share_a_budget() {
    let never = table(&rrule("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "UTC"));
    let now = at("2027-01-01T00:00:00Z");
    // One look of 50 years is paid, a second is not.
    let mut budget = Budget::of(20_000);
    assert_eq!(never.next_within(now, &mut budget), Ok(None));
    assert_eq!(
        never.next_within(now, &mut budget),
        Err(RuleError::TooCostly)
    );
    // What was refused leaves nothing for others.
    let daily = table(&rrule("FREQ=DAILY", "UTC"));
    assert_eq!(
        daily.next_within(now, &mut budget),
        Err(RuleError::TooCostly)
    );
    assert!(daily.next(now).unwrap().is_some());
    // Days that are left out are looked for by one budget, too.
    let costly = Spec {
        except: (1..=28).map(|day| format!("2027-02-{day:02}")).collect(),
        ..rrule("DTSTART:20100101T000000\nFREQ=DAILY;COUNT=10000", "UTC")
    };
    let found = table(&costly).next(at("2027-01-31T12:00:00Z"));
    assert_eq!(found, Err(RuleError::TooCostly));
}

#[test]
fn whether_it_ever_fires_is_asked_from_its_start() {
    let ever = |spec: &Spec| table(spec).ever_fires(&mut Budget::default()).unwrap();
    assert!(ever(&spec(
        Kind::Once("1999-01-01T00:00:00Z".to_owned()),
        "UTC"
    )));
    assert!(ever(&rrule(
        "DTSTART:19990101T000000\nFREQ=DAILY;COUNT=2",
        "UTC"
    )));
    assert!(ever(&rrule(
        "DTSTART:19990101T000000\nFREQ=HOURLY;COUNT=2",
        "UTC"
    )));
    assert!(ever(&rrule(
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29;BYDAY=MO",
        "UTC"
    )));
    assert!(ever(&spec(Kind::Interval(1_000), "UTC")));
    for never in [
        cron("30 2 30 2 *", "UTC"),
        cron("0 0 31 4,6 *", "UTC"),
        rrule("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", "UTC"),
        rrule("FREQ=DAILY;BYMONTH=4,6;BYMONTHDAY=31", "UTC"),
        Spec {
            until: Some("1999-01-01T00:00:00Z".to_owned()),
            ..spec(Kind::Interval(1_000), "UTC")
        },
    ] {
        assert!(!ever(&never), "{never:?}");
    }
}
