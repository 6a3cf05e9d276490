//! Copies of files and folders.

use std::fs::File;

use rustix::fs::{FileType, Statx};

use crate::content::pump;
use crate::draft::{Draft, Durable, Existing};
use crate::engine::Job;
use crate::error::{Act, Error};
use crate::place::Place;
use crate::relative::Flaw;
use crate::walk::{Entry, Flow, TREE_MAX, Walk};

/// Copies a file, or a folder with all in it.
pub(crate) fn copy(
    job: &Job,
    source: &Place,
    destination: &Place,
    recursive: bool,
    overwrite: bool,
) -> Result<(), Error> {
    let found = source_kind(source, recursive)?;
    let act = format!("copy\0{}\0{}", source.spelled, destination.spelled);
    if found == FileType::Directory {
        outside(source, destination)?;
        let existing = job
            .engine
            .notes
            .existing(job, &act, destination, overwrite)?;
        return copy_folder(job, source, destination, existing);
    }
    let (file, _) = source
        .root()?
        .file(source.below.as_str(), &source.spelled)?;
    let existing = job
        .engine
        .notes
        .existing(job, &act, destination, overwrite)?;
    copy_file(job, file, source, destination, existing, Durable::Now)
}

/// A folder cannot be copied or moved into itself.
pub(crate) fn outside(source: &Place, destination: &Place) -> Result<(), Error> {
    if destination.real().starts_with(source.real()) {
        return Err(Flaw::Rule("lies in the folder itself").error(&destination.spelled));
    }
    Ok(())
}

fn source_kind(source: &Place, recursive: bool) -> Result<FileType, Error> {
    match kind(&source.facts()?) {
        FileType::Directory if !recursive => Err(Error::IsDirectory {
            path: source.spelled.clone(),
        }),
        found @ (FileType::RegularFile | FileType::Directory) => Ok(found),
        _ => Err(Error::special(&source.spelled)),
    }
}

/// Copies one open file.
pub(crate) fn copy_file(
    job: &Job,
    mut file: File,
    source: &Place,
    destination: &Place,
    existing: Existing,
    durable: Durable,
) -> Result<(), Error> {
    let syncs = (durable == Durable::Now).then(|| job.fsyncs());
    let (folder, name) = destination.made_parent(syncs)?;
    let mut draft = Draft::begin(job, &folder, &destination.spelled)?;
    let read_error = |e| Error::io(&source.spelled, Act::Read, e);
    let write_error = |e| Error::io(&destination.spelled, Act::Write, e);
    pump(job, &mut file, &mut draft, &read_error, &write_error)?;
    draft.commit(name, existing, durable)?;
    Ok(())
}

/// Copies what is in a folder, file by file; all of it waits once for the disk.
pub(crate) fn copy_folder(
    job: &Job,
    source: &Place,
    destination: &Place,
    existing: Existing,
) -> Result<(), Error> {
    let folder = source.folder()?;
    let (made, _) = destination.make_folder(None)?;
    let walk = Walk {
        job,
        place: source,
        recursive: true,
        after: None,
        most: TREE_MAX,
        timed: false,
    };
    walk.each(folder, &mut |entry| {
        let (from, to) = (source.join(&entry.below), destination.join(&entry.below));
        if entry.kind == FileType::Directory {
            to.make_folder(None)?;
        } else {
            plain(&entry, &from)?;
            let (file, _) = from.root()?.file(from.below.as_str(), &from.spelled)?;
            copy_file(job, file, &from, &to, existing, Durable::Later)?;
        }
        Ok(Flow::On)
    })?;
    let synced = job.fsyncs().sync_all(&made);
    synced.map_err(|e| Error::system(&destination.spelled, Act::Write, e))
}

/// Refuses an entry that is no regular file; its content would be somebody else's.
pub(crate) fn plain(entry: &Entry, place: &Place) -> Result<(), Error> {
    let path = || place.spelled.clone();
    match entry.kind {
        FileType::RegularFile if entry.linked => Err(Error::HardLink { path: path() }),
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(Error::Link { path: path() }),
        _ => Err(Error::special(&place.spelled)),
    }
}

pub(crate) fn kind(facts: &Statx) -> FileType {
    FileType::from_raw_mode(facts.stx_mode.into())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::Bench;

    fn run(
        job: &Job,
        source: &str,
        destination: &str,
        recursive: bool,
        overwrite: bool,
    ) -> Result<(), Error> {
        copy(
            job,
            &job.place(source)?,
            &job.place(destination)?,
            recursive,
            overwrite,
        )
    }

    #[test]
    fn file_is_copied_and_nothing_is_overwritten_unasked() {
        let bench = Bench::new();
        bench.put("a", "one");
        run(&bench.job(), "a", "x/y/b", false, false).unwrap();
        assert_eq!(bench.read("x/y/b"), "one");
        let kept = run(&bench.job(), "a", "x/y/b", false, false).unwrap_err();
        assert!(
            matches!(kept, Error::AlreadyExists { .. }),
            "the same bytes are no excuse: {kept:?}"
        );
        bench.put("a", "two");
        run(&bench.job(), "a", "x/y/b", false, true).unwrap();
        assert_eq!(bench.read("x/y/b"), "two");
        assert!(matches!(
            run(&bench.job(), "none", "z", false, false),
            Err(Error::NotFound { .. })
        ));
    }

    #[test]
    fn resent_copy_meets_its_own_destination_and_succeeds() {
        let bench = Bench::new();
        bench.put("a", "one");
        run(&bench.keyed("k"), "a", "b", false, false).unwrap();
        run(&bench.keyed("k"), "a", "b", false, false).unwrap();
        let other = run(&bench.keyed("other"), "a", "b", false, false).unwrap_err();
        assert!(matches!(other, Error::AlreadyExists { .. }), "{other:?}");
        bench.put("b", "somebody else's");
        let changed = run(&bench.keyed("k"), "a", "b", false, false).unwrap_err();
        assert!(
            matches!(changed, Error::AlreadyExists { .. }),
            "{changed:?}"
        );
        assert_eq!(bench.read("b"), "somebody else's");
    }

    #[test]
    fn folder_is_copied_whole_only_when_asked() {
        let bench = Bench::new();
        bench.put("d/a", "1");
        bench.put("d/e/b", "2");
        std::fs::create_dir(bench.work().join("d/empty")).unwrap();
        assert!(matches!(
            run(&bench.job(), "d", "c", false, false),
            Err(Error::IsDirectory { .. })
        ));
        run(&bench.keyed("k"), "d", "c", true, false).unwrap();
        assert_eq!(bench.names("c"), ["a", "e", "e/b", "empty"]);
        assert!(matches!(
            run(&bench.job(), "d", "c", true, false),
            Err(Error::AlreadyExists { .. })
        ));

        std::fs::remove_file(bench.work().join("c/e/b")).unwrap();
        run(&bench.keyed("k"), "d", "c", true, false).unwrap();
        assert_eq!(
            bench.read("c/e/b"),
            "2",
            "a copy that was cut short is completed"
        );
        run(&bench.job(), "d", "c", true, true).unwrap();
    }

    #[test]
    fn folder_is_not_copied_into_itself() {
        let bench = Bench::new();
        bench.put("d/a", "1");
        for destination in ["d/x", "d", "d/a/../y"] {
            let refused = run(&bench.job(), "d", destination, true, true).unwrap_err();
            assert!(
                matches!(refused, Error::InvalidPath { .. }),
                "{destination}: {refused:?}"
            );
        }
        run(&bench.job(), "d", "dd", true, false).unwrap();
    }

    #[test]
    fn links_in_a_folder_are_refused() {
        let bench = Bench::new();
        bench.put("d/a", "1");
        symlink("/etc/hostname", bench.work().join("d/l")).unwrap();
        assert!(matches!(
            run(&bench.job(), "d", "c", true, false),
            Err(Error::Link { .. })
        ));
        assert!(matches!(
            run(&bench.job(), "d/l", "c", false, true),
            Err(Error::Link { .. })
        ));
        std::fs::remove_file(bench.work().join("d/l")).unwrap();
        std::fs::hard_link(
            bench.outside().join("state/work/d/a"),
            bench.work().join("d/h"),
        )
        .unwrap();
        assert!(matches!(
            run(&bench.job(), "d", "c", true, true),
            Err(Error::HardLink { .. })
        ));
    }

    #[test]
    fn large_folder_waits_for_the_disk_once() {
        let bench = Bench::new();
        for n in 0..20 {
            bench.put(&format!("d/{n}"), "x");
        }
        let before = bench.engine.fsyncs.count();
        run(&bench.job(), "d", "c", true, false).unwrap();
        assert_eq!(bench.engine.fsyncs.count() - before, 1);
    }
}
