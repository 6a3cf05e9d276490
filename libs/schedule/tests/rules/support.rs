//! Short ways to write a schedule and to ask it.

use gearmesh_schedule::{Kind, Mark, Spec, Timetable};
use jiff::Timestamp;

pub(crate) const CHISINAU: &str = "Europe/Chisinau";

pub(crate) fn spec(kind: Kind, timezone: &str) -> Spec {
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

pub(crate) fn cron(text: &str, timezone: &str) -> Spec {
    spec(Kind::Cron(text.to_owned()), timezone)
}

pub(crate) fn rrule(text: &str, timezone: &str) -> Spec {
    spec(Kind::Rrule(text.to_owned()), timezone)
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().expect("it is what the test wrote")
}

pub(crate) fn table(spec: &Spec) -> Timetable {
    Timetable::parse(spec, at("2027-01-01T00:00:00Z")).expect("it is what the test wrote")
}

/// The next local times after an instant, with the mark of those that are not plain.
pub(crate) fn fires(spec: &Spec, after: &str, count: usize) -> Vec<String> {
    let table = table(spec);
    let mut after = at(after);
    let mut found = Vec::new();
    while found.len() < count {
        let Some(fire) = table.next(after).expect("it is what the test wrote") else {
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
