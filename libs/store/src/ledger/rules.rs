//! What may happen to an entry: pure functions from entry and call to decision.

use bytes::Bytes;

use super::entry::{Entry, Holder, Pair, Status};
use super::{Call, Fenced};
use crate::error::{Error, Result};

/// What a call that begins does.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It begins; the entry and its times are written anew.
    Start(Entry),
    /// An attempt of its own had begun; the newer one is written down.
    Resume(Entry),
    /// The very same attempt had begun.
    Same,
    /// It has been done.
    Answer(Bytes),
}

/// How a call ended.
#[derive(Debug)]
pub(super) enum Ending {
    Done(Bytes),
    Failed,
    Unknown,
}

/// May this call begin?
pub(super) fn begin(entry: Option<Entry>, call: &Call) -> Result<Decision> {
    let Some(mut entry) = entry else {
        return Ok(start(None, call));
    };
    let pair = Pair::of(call);
    let stale = || Error::StaleEpoch(call.key.clone());
    let Some((holder, hash)) = &entry.holder else {
        // A fence names no holder, so it stands against every one.
        return match entry.fence {
            Some(fence) if pair <= fence => Err(stale()),
            fence => Ok(start(fence, call)),
        };
    };
    if *hash != call.hash {
        return Err(Error::KeyReused(call.key.clone()));
    }
    let own = holder.is(call);
    if own && pair < entry.pair {
        return Err(stale());
    }
    if entry.status == Status::Done {
        return Ok(Decision::Answer(entry.reply.unwrap_or_default()));
    }
    if own && entry.fence.is_some_and(|fence| pair <= fence) {
        return Err(stale());
    }
    match (entry.status, own) {
        (Status::Failed | Status::Fenced, true) => Ok(start(entry.fence, call)),
        // The fence was another's.
        (Status::Failed | Status::Fenced, false) => Ok(start(None, call)),
        (_, false) => Err(Error::KeyInUse(call.key.clone())),
        (_, true) if pair == entry.pair => Ok(Decision::Same),
        (_, true) => {
            entry.pair = pair;
            Ok(Decision::Resume(entry))
        }
    }
}

fn start(fence: Option<Pair>, call: &Call) -> Decision {
    Decision::Start(Entry {
        holder: Some((Holder::of(call), call.hash)),
        status: Status::Started,
        pair: Pair::of(call),
        fence,
        reply: None,
    })
}

/// The entry after a call has ended; None when it says so already.
pub(super) fn end(entry: Option<Entry>, call: &Call, ending: &Ending) -> Result<Option<Entry>> {
    let stale = || Error::StaleEpoch(call.key.clone());
    let mut entry = entry.ok_or_else(stale)?;
    let own = entry
        .holder
        .as_ref()
        .is_some_and(|(holder, _)| holder.is(call));
    if !own || entry.pair != Pair::of(call) {
        return Err(stale());
    }
    match (entry.status, ending) {
        (Status::Started | Status::Unknown, _) => {}
        (Status::Done, Ending::Done(_)) | (Status::Failed, Ending::Failed) => return Ok(None),
        (Status::Done | Status::Failed | Status::Fenced, _) => return Err(stale()),
    }
    entry.status = match ending {
        Ending::Done(reply) => {
            entry.reply = Some(reply.clone());
            Status::Done
        }
        Ending::Failed => Status::Failed,
        Ending::Unknown => Status::Unknown,
    };
    Ok(Some(entry))
}

/// The entry after a fence, None when it stays as it is, and the answer.
pub(super) fn fence(entry: Option<Entry>, pair: Pair) -> (Option<Entry>, Fenced) {
    let Some(mut entry) = entry else {
        let entry = Entry {
            holder: None,
            status: Status::Fenced,
            pair,
            fence: Some(pair),
            reply: None,
        };
        return (Some(entry), Fenced::Absent);
    };
    let answer = match entry.status {
        // What is done is answered to everyone: nothing is left to refuse.
        Status::Done => return (None, Fenced::Done(entry.reply.unwrap_or_default())),
        Status::Failed | Status::Fenced => Fenced::Absent,
        Status::Started | Status::Unknown => Fenced::Started,
    };
    if entry.fence >= Some(pair) {
        return (None, answer);
    }
    entry.fence = Some(pair);
    if entry.status == Status::Failed {
        entry.status = Status::Fenced;
    }
    (Some(entry), answer)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::{Expect, expect};

    use super::*;

    fn call(run: &str, epoch: i64, attempt: i64) -> Call {
        Call {
            owner: "file".into(),
            tool: "file.append".into(),
            key: "k".into(),
            run: run.into(),
            task: "t".into(),
            item: 0,
            pass: 1,
            epoch,
            attempt,
            hash: [7; 32],
        }
    }

    /// An entry of run `a` at (2, 2).
    fn entry(status: Status, fence: Option<(i64, i64)>) -> Entry {
        let call = call("a", 2, 2);
        Entry {
            holder: Some((Holder::of(&call), call.hash)),
            status,
            pair: Pair::of(&call),
            fence: fence.map(|(epoch, attempt)| Pair { epoch, attempt }),
            reply: (status == Status::Done).then(|| Bytes::from_static(b"reply")),
        }
    }

    fn fence_alone() -> Entry {
        let pair = Pair {
            epoch: 2,
            attempt: 2,
        };
        Entry {
            holder: None,
            fence: Some(pair),
            ..entry(Status::Fenced, None)
        }
    }

    fn entries() -> Vec<(&'static str, Option<Entry>)> {
        let mut entries = vec![("absent", None), ("fence alone", Some(fence_alone()))];
        for status in Status::ALL {
            entries.push((status.name(), Some(entry(status, None))));
        }
        entries.push((
            "started, fence (2,2)",
            Some(entry(Status::Started, Some((2, 2)))),
        ));
        entries.push((
            "fenced, fence (2,2)",
            Some(entry(Status::Fenced, Some((2, 2)))),
        ));
        entries.push(("done, fence (2,2)", Some(entry(Status::Done, Some((2, 2))))));
        entries
    }

    fn said(decision: Result<Decision>) -> &'static str {
        match decision {
            Ok(Decision::Start(_)) => "go",
            Ok(Decision::Resume(_)) => "started",
            Ok(Decision::Same) => "same",
            Ok(Decision::Answer(_)) => "reply",
            Err(Error::StaleEpoch(_)) => "STALE",
            Err(Error::KeyInUse(_)) => "IN_USE",
            Err(Error::KeyReused(_)) => "REUSED",
            Err(_) => "?",
        }
    }

    fn check(line: impl Fn(&Option<Entry>) -> String, expected: Expect) {
        let mut table = String::from("\n");
        for (name, entry) in entries() {
            writeln!(table, "{name:21}{}", line(&entry).trim_end()).unwrap();
        }
        expected.assert_eq(&table);
    }

    #[test]
    fn begin_by_status_holder_and_attempt() {
        // Own attempts at (1,9) (2,1) (2,2) (2,3) (3,1); another's at (1,1) and (2,3).
        let calls = [
            ("a", 1, 9),
            ("a", 2, 1),
            ("a", 2, 2),
            ("a", 2, 3),
            ("a", 3, 1),
            ("b", 1, 1),
            ("b", 2, 3),
        ];
        check(
            |entry| {
                calls
                    .map(|(run, epoch, attempt)| {
                        format!(
                            "{:8}",
                            said(begin(entry.clone(), &call(run, epoch, attempt)))
                        )
                    })
                    .concat()
            },
            expect![[r#"

                absent               go      go      go      go      go      go      go
                fence alone          STALE   STALE   STALE   go      go      STALE   go
                started              STALE   STALE   same    started started IN_USE  IN_USE
                done                 STALE   STALE   reply   reply   reply   reply   reply
                failed               STALE   STALE   go      go      go      go      go
                unknown              STALE   STALE   same    started started IN_USE  IN_USE
                fenced               STALE   STALE   go      go      go      go      go
                started, fence (2,2) STALE   STALE   STALE   started started IN_USE  IN_USE
                fenced, fence (2,2)  STALE   STALE   STALE   go      go      go      go
                done, fence (2,2)    STALE   STALE   reply   reply   reply   reply   reply
            "#]],
        );
    }

    #[test]
    fn begin_of_another_request_is_refused_whoever_asks() {
        for (name, entry) in entries() {
            for run in ["a", "b"] {
                let other = Call {
                    hash: [8; 32],
                    ..call(run, 3, 1)
                };
                let expected = if entry.as_ref().is_some_and(|e| e.holder.is_some()) {
                    "REUSED"
                } else {
                    "go"
                };
                assert_eq!(said(begin(entry.clone(), &other)), expected, "{name}");
            }
        }
    }

    #[test]
    fn begin_after_another_pass_is_another_holder() {
        let again = Call {
            pass: 2,
            ..call("a", 9, 9)
        };
        assert_eq!(
            said(begin(Some(entry(Status::Started, None)), &again)),
            "IN_USE"
        );
        let instance = Call {
            item: 1,
            ..call("a", 9, 9)
        };
        assert_eq!(
            said(begin(Some(entry(Status::Started, None)), &instance)),
            "IN_USE"
        );
    }

    #[test]
    fn newer_attempt_stands_against_the_older_once_it_has_begun() {
        let Ok(Decision::Resume(resumed)) =
            begin(Some(entry(Status::Started, None)), &call("a", 2, 3))
        else {
            panic!("a newer attempt meets its own");
        };
        assert_eq!(said(begin(Some(resumed), &call("a", 2, 2))), "STALE");
    }

    #[test]
    fn end_by_status_and_ending() {
        let calls = [("a", 2, 2), ("a", 2, 1), ("a", 2, 3), ("b", 2, 2)];
        let ends = |entry: &Option<Entry>, call: &Call| {
            [Ending::Done(Bytes::new()), Ending::Failed, Ending::Unknown].map(|ending| {
                match end(entry.clone(), call, &ending) {
                    Ok(Some(after)) => after.status.name(),
                    Ok(None) => "-",
                    Err(_) => "STALE",
                }
            })
        };
        check(
            |entry| {
                calls
                    .map(|(run, epoch, attempt)| {
                        format!("{:24}", ends(entry, &call(run, epoch, attempt)).join(" "))
                    })
                    .concat()
            },
            expect![[r#"

                absent               STALE STALE STALE       STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
                fence alone          STALE STALE STALE       STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
                started              done failed unknown     STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
                done                 - STALE STALE           STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
                failed               STALE - STALE           STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
                unknown              done failed unknown     STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
                fenced               STALE STALE STALE       STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
                started, fence (2,2) done failed unknown     STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
                fenced, fence (2,2)  STALE STALE STALE       STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
                done, fence (2,2)    - STALE STALE           STALE STALE STALE       STALE STALE STALE       STALE STALE STALE
            "#]],
        );
    }

    #[test]
    fn fence_by_status() {
        let pairs = [(1, 1), (2, 2), (3, 1)];
        check(
            |entry| {
                pairs
                    .map(|(epoch, attempt)| {
                        let (after, answer) = fence(entry.clone(), Pair { epoch, attempt });
                        let answer = match answer {
                            Fenced::Absent => "absent",
                            Fenced::Started => "started",
                            Fenced::Done(_) => "done",
                        };
                        format!(
                            "{:20}",
                            format!("{answer} {}", after.map_or("-", |e| e.status.name()))
                        )
                    })
                    .concat()
            },
            expect![[r#"

                absent               absent fenced       absent fenced       absent fenced
                fence alone          absent -            absent -            absent fenced
                started              started started     started started     started started
                done                 done -              done -              done -
                failed               absent fenced       absent fenced       absent fenced
                unknown              started unknown     started unknown     started unknown
                fenced               absent fenced       absent fenced       absent fenced
                started, fence (2,2) started -           started -           started started
                fenced, fence (2,2)  absent -            absent -            absent fenced
                done, fence (2,2)    done -              done -              done -
            "#]],
        );
    }

    #[test]
    fn fenced_attempt_does_not_begin_and_the_next_one_does() {
        for (name, before) in entries() {
            let (after, answer) = fence(
                before.clone(),
                Pair {
                    epoch: 2,
                    attempt: 2,
                },
            );
            let after = after.or(before);
            let old = said(begin(after.clone(), &call("a", 2, 2)));
            let new = said(begin(after.clone(), &call("a", 2, 3)));
            match answer {
                Fenced::Absent => assert_eq!((old, new), ("STALE", "go"), "{name}"),
                Fenced::Started => assert_eq!((old, new), ("STALE", "started"), "{name}"),
                Fenced::Done(_) => assert_eq!((old, new), ("reply", "reply"), "{name}"),
            }
            // A second fence, as after a crash of the first one's caller, says the same.
            assert_eq!(
                fence(
                    after,
                    Pair {
                        epoch: 2,
                        attempt: 2
                    }
                )
                .1,
                answer,
                "{name}"
            );
        }
    }
}
