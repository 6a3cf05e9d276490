use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use rustix::fs::Mode;

use super::*;
use crate::testing::Bench;

fn put(
    bench: &Bench,
    name: &str,
    text: &str,
    existing: Existing,
    named: bool,
) -> Result<u64, Error> {
    let job = bench.job();
    let folder = Folder::ambient(&bench.work()).unwrap();
    let begin = if named {
        Draft::begin_named
    } else {
        Draft::begin
    };
    let mut draft = begin(&job, &folder, name)?;
    draft.write_all(text.as_bytes()).unwrap();
    draft.commit(name, existing, Durable::Now)
}

#[test]
fn file_gets_its_name_when_it_is_whole() {
    for named in [false, true] {
        let bench = Bench::new();
        assert_eq!(put(&bench, "a", "one", Existing::Keep, named).unwrap(), 3);
        assert_eq!(bench.read("a"), "one");
        let meta = std::fs::metadata(bench.work().join("a")).unwrap();
        assert_eq!(
            (meta.permissions().mode() & 0o777, meta.nlink()),
            (0o600, 1)
        );
        let kept = put(&bench, "a", "two", Existing::Keep, named).unwrap_err();
        assert!(matches!(kept, Error::AlreadyExists { .. }), "{kept:?}");
        assert_eq!(
            put(&bench, "a", "three", Existing::Replace, named).unwrap(),
            5
        );
        assert_eq!(bench.read("a"), "three");
        assert_eq!(bench.names(""), ["a"], "nothing else is left");
    }
}

#[test]
fn dropped_draft_leaves_nothing() {
    for named in [false, true] {
        let bench = Bench::new();
        let job = bench.job();
        let folder = Folder::ambient(&bench.work()).unwrap();
        let begin = if named {
            Draft::begin_named
        } else {
            Draft::begin
        };
        let mut draft = begin(&job, &folder, "a").unwrap();
        draft.write_all(b"half").unwrap();
        drop(draft);
        assert!(bench.names("").is_empty());
    }
}

#[test]
fn neither_folder_nor_link_nor_fifo_is_replaced() {
    for named in [false, true] {
        let bench = Bench::new();
        let work = bench.work();
        std::fs::create_dir(work.join("dir")).unwrap();
        std::fs::write(work.join("target"), "t").unwrap();
        symlink("target", work.join("link")).unwrap();
        rustix::fs::mknodat(
            CWD,
            work.join("fifo"),
            FileType::Fifo,
            Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let replace = |name| put(&bench, name, "x", Existing::Replace, named).unwrap_err();
        assert!(matches!(replace("dir"), Error::IsDirectory { .. }));
        assert!(matches!(replace("link"), Error::Link { .. }));
        assert!(matches!(replace("fifo"), Error::InvalidPath { .. }));
        assert_eq!(bench.read("target"), "t");
        assert_eq!(bench.names(""), ["dir", "fifo", "link", "target"]);
    }
}

#[test]
fn same_bytes_pass_for_the_call_before() {
    for named in [false, true] {
        let bench = Bench::new();
        let long = "l".repeat(CHUNK + 1);
        put(&bench, "a", &long, Existing::Same, named).unwrap();
        assert_eq!(
            put(&bench, "a", &long, Existing::Same, named).unwrap(),
            long.len() as u64
        );
        for other in [format!("{}x", &long[1..]), long[1..].to_owned()] {
            let kept = put(&bench, "a", &other, Existing::Same, named).unwrap_err();
            assert!(matches!(kept, Error::AlreadyExists { .. }), "{kept:?}");
        }
        assert_eq!(bench.names(""), ["a"]);
    }
}

#[test]
fn resend_takes_away_what_a_crash_before_the_rename_left() {
    let bench = Bench::new();
    bench.put("a", "old");
    let job = bench.keyed("k");
    let left = resent_name(&job, "a");
    bench.put(&left, "left");
    let folder = Folder::ambient(&bench.work()).unwrap();
    let mut draft = Draft::begin(&job, &folder, "a").unwrap();
    draft.write_all(b"new").unwrap();
    draft.commit("a", Existing::Replace, Durable::Now).unwrap();
    assert_eq!(
        (bench.read("a").as_str(), bench.names("")),
        ("new", vec!["a".to_owned()])
    );
    assert_ne!(
        resent_name(&bench.job(), "a"),
        resent_name(&bench.job(), "a")
    );
    assert_ne!(left, resent_name(&job, "b"));
}

#[test]
fn same_call_twice_at_once_succeeds_twice() {
    let bench = Bench::new();
    bench.put("a", "old");
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let job = bench.keyed("k");
                for _ in 0..50 {
                    let folder = Folder::ambient(&bench.work()).unwrap();
                    let mut draft = Draft::begin(&job, &folder, "a").unwrap();
                    draft.write_all(b"new").unwrap();
                    draft
                        .commit("a", Existing::Replace, Durable::Later)
                        .unwrap();
                }
            });
        }
    });
    assert_eq!(
        (bench.read("a").as_str(), bench.names("")),
        ("new", vec!["a".to_owned()])
    );
}

#[test]
fn one_write_waits_for_the_file_and_for_its_name() {
    let bench = Bench::new();
    let before = bench.engine.fsyncs.count();
    put(&bench, "a", "x", Existing::Keep, false).unwrap();
    assert_eq!(bench.engine.fsyncs.count() - before, 2);
}
