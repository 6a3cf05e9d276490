//! Moves, within a device and between two.

use rustix::fs::{FileType, RenameFlags, Stat};
use rustix::io::Errno;

use crate::copy::{copy_file, copy_folder, outside};
use crate::draft::{Durable, Existing};
use crate::engine::Job;
use crate::error::{Act, Error};
use crate::folder::{Folder, kind};
use crate::place::Place;
use crate::relative::Flaw;
use crate::removal::remove_tree;

/// Moves a file or a folder.
pub(crate) fn relocate(
    job: &Job,
    source: &Place,
    destination: &Place,
    overwrite: bool,
) -> Result<(), Error> {
    let act = format!("move\0{}\0{}", source.spelled, destination.spelled);
    let noted = job.engine.notes.read(job, &act)?;
    let missing = || Error::NotFound {
        path: source.spelled.clone(),
    };
    let (from, name) = match source.parent() {
        Err(Error::NotFound { .. }) => return moved_before(destination, noted, missing()),
        parent => parent?,
    };
    let found = from
        .look(name)
        .map_err(|e| Error::system(&source.spelled, Act::Read, e))?;
    let Some(stat) = found else {
        return moved_before(destination, noted, missing());
    };
    movable(&stat, source)?;
    if kind(&stat) == FileType::Directory {
        outside(source, destination)?;
    }
    let (to, new) = destination.made_parent(Some(job.fsyncs()))?;
    let existing = existing(&to, new, destination, overwrite, noted.is_some())?;
    let mark = mark(&stat);
    if noted.as_ref() != Some(&mark) {
        job.engine.notes.write(job, &act, &mark)?;
    }
    let flags = match existing {
        Existing::Replace => RenameFlags::empty(),
        Existing::Keep | Existing::Same => RenameFlags::NOREPLACE,
    };
    match rustix::fs::renameat_with(&from, name, &to, new, flags) {
        Ok(()) => {}
        Err(Errno::XDEV) => return across(job, source, destination, existing, kind(&stat)),
        // The copy of an earlier send between devices; its source is still there.
        Err(Errno::EXIST) if existing == Existing::Same => {
            return across(job, source, destination, existing, kind(&stat));
        }
        Err(Errno::INVAL) => {
            return Err(Flaw::Rule("lies in the folder itself").error(&destination.spelled));
        }
        Err(e) => return Err(Error::system(&destination.spelled, Act::Write, e)),
    }
    let synced = job
        .fsyncs()
        .sync(&to)
        .and_then(|()| job.fsyncs().sync(&from));
    synced.map_err(|e| Error::system(&destination.spelled, Act::Write, e))
}

fn movable(stat: &Stat, source: &Place) -> Result<(), Error> {
    let path = || source.spelled.clone();
    match kind(stat) {
        FileType::Directory => Ok(()),
        FileType::RegularFile if stat.st_nlink > 1 => Err(Error::HardLink { path: path() }),
        FileType::RegularFile => Ok(()),
        FileType::Symlink => Err(Error::Link { path: path() }),
        _ => Err(Error::special(&source.spelled)),
    }
}

/// What the move may do with the destination, by what is there now.
fn existing(
    to: &Folder,
    new: &str,
    destination: &Place,
    overwrite: bool,
    noted: bool,
) -> Result<Existing, Error> {
    let path = || destination.spelled.clone();
    let there = to
        .look(new)
        .map_err(|e| Error::system(&destination.spelled, Act::Read, e))?;
    match there.map(|stat| kind(&stat)) {
        Some(FileType::Symlink) => Err(Error::Link { path: path() }),
        Some(FileType::RegularFile | FileType::Directory) | None if overwrite => {
            Ok(Existing::Replace)
        }
        _ if noted => Ok(Existing::Same),
        None => Ok(Existing::Keep),
        Some(_) => Err(Error::AlreadyExists { path: path() }),
    }
}

/// The source is gone. Right when this very call moved it: it had noted the file,
/// and that file, or one of its size on another device, is at the destination.
fn moved_before(destination: &Place, noted: Option<String>, missing: Error) -> Result<(), Error> {
    let Some(noted) = noted else {
        return Err(missing);
    };
    let (folder, name) = destination.parent()?;
    let there = folder
        .look(name)
        .map_err(|e| Error::system(&destination.spelled, Act::Read, e))?;
    match there {
        Some(stat) if same(&noted, &stat) => Ok(()),
        _ => Err(missing),
    }
}

/// Device, number and size of a file: what a note keeps of it.
fn mark(stat: &Stat) -> String {
    let size = if kind(stat) == FileType::Directory {
        0
    } else {
        stat.st_size
    };
    format!("{} {} {size}", stat.st_dev, stat.st_ino)
}

fn same(noted: &str, there: &Stat) -> bool {
    let part = |text: &str, n: usize| text.split(' ').nth(n).map(str::to_owned);
    let there = mark(there);
    if part(noted, 0) == part(&there, 0) {
        noted == there
    } else {
        part(noted, 2).is_some() && part(noted, 2) == part(&there, 2)
    }
}

/// Between devices: a copy, on disk, and then the source's end.
fn across(
    job: &Job,
    source: &Place,
    destination: &Place,
    existing: Existing,
    found: FileType,
) -> Result<(), Error> {
    let failed = |e| Error::system(&source.spelled, Act::Write, e);
    let (from, name) = source.parent()?;
    if found == FileType::Directory {
        let (folder, _) = destination.make_folder(Some(job.fsyncs()))?;
        if existing == Existing::Replace && !empty(&folder).map_err(failed)? {
            return Err(Error::NotEmpty {
                path: destination.spelled.clone(),
            });
        }
        copy_folder(job, source, destination, existing)?;
        remove_tree(job, &from, name, source)?;
    } else {
        let (file, _) = source
            .root()?
            .file(source.below.as_str(), &source.spelled)?;
        copy_file(job, file, source, destination, existing, Durable::Now)?;
        rustix::fs::unlinkat(&from, name, rustix::fs::AtFlags::empty()).map_err(failed)?;
    }
    job.fsyncs().sync(&from).map_err(failed)
}

fn empty(folder: &Folder) -> Result<bool, Errno> {
    for entry in rustix::fs::Dir::read_from(folder)? {
        if !matches!(entry?.file_name().to_bytes(), b"." | b"..") {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::Bench;

    fn run(job: &Job, source: &str, destination: &str, overwrite: bool) -> Result<(), Error> {
        relocate(
            job,
            &job.place(source)?,
            &job.place(destination)?,
            overwrite,
        )
    }

    fn cross(job: &Job, source: &str, destination: &str, existing: Existing) -> Result<(), Error> {
        let (source, destination) = (job.place(source)?, job.place(destination)?);
        let found = crate::copy::kind(&source.facts()?);
        across(job, &source, &destination, existing, found)
    }

    #[test]
    fn file_and_folder_are_moved_and_nothing_is_overwritten_unasked() {
        let bench = Bench::new();
        bench.put("a", "one");
        bench.put("d/e/f", "tree");
        run(&bench.job(), "a", "x/b", false).unwrap();
        run(&bench.job(), "d", "/results/d", false).unwrap();
        assert_eq!(bench.names(""), ["x", "x/b"]);
        assert!(bench.outside().join("results/d/e/f").exists());
        bench.put("a", "two");
        assert!(matches!(
            run(&bench.job(), "a", "x/b", false),
            Err(Error::AlreadyExists { .. })
        ));
        assert_eq!(
            (bench.read("a").as_str(), bench.read("x/b").as_str()),
            ("two", "one")
        );
        run(&bench.job(), "a", "x/b", true).unwrap();
        assert_eq!(bench.read("x/b"), "two");
        assert!(matches!(
            run(&bench.job(), "a", "x/c", false),
            Err(Error::NotFound { .. })
        ));
    }

    #[test]
    fn resent_move_finds_its_source_gone_and_succeeds() {
        let bench = Bench::new();
        bench.put("a", "one");
        bench.put("d/f", "two");
        for (source, destination) in [("a", "b"), ("d", "e")] {
            run(&bench.keyed("k"), source, destination, false).unwrap();
            run(&bench.keyed("k"), source, destination, false).unwrap();
            assert!(matches!(
                run(&bench.keyed("other"), source, destination, false),
                Err(Error::NotFound { .. })
            ));
        }
        std::fs::remove_file(bench.work().join("b")).unwrap();
        assert!(matches!(
            run(&bench.keyed("k"), "a", "b", false),
            Err(Error::NotFound { .. })
        ));
        bench.put("b", "not the same file");
        assert!(matches!(
            run(&bench.keyed("k"), "a", "b", false),
            Err(Error::NotFound { .. })
        ));
    }

    #[test]
    fn folder_that_is_not_empty_is_not_replaced() {
        let bench = Bench::new();
        bench.put("d/a", "1");
        bench.put("e/b", "2");
        assert!(matches!(
            run(&bench.job(), "d", "e", true),
            Err(Error::NotEmpty { .. })
        ));
        assert!(matches!(
            run(&bench.job(), "d/a", "e", true),
            Err(Error::IsDirectory { .. })
        ));
        assert!(matches!(
            run(&bench.job(), "d", "e/b", true),
            Err(Error::IsNoDirectory { .. })
        ));
        assert!(matches!(
            run(&bench.job(), "d", "d/x", true),
            Err(Error::InvalidPath { .. })
        ));
        std::fs::remove_file(bench.work().join("e/b")).unwrap();
        run(&bench.job(), "d", "e", true).unwrap();
        assert_eq!(bench.names(""), ["e", "e/a"]);
    }

    #[test]
    fn links_are_neither_moved_nor_replaced() {
        let bench = Bench::new();
        bench.put("a", "1");
        symlink("a", bench.work().join("l")).unwrap();
        assert!(matches!(
            run(&bench.job(), "l", "x", false),
            Err(Error::Link { .. })
        ));
        assert!(matches!(
            run(&bench.job(), "a", "l", true),
            Err(Error::Link { .. })
        ));
        assert!(matches!(
            run(&bench.job(), "given://a", "x", true),
            Err(Error::ReadOnly { .. })
        ));
        assert!(matches!(
            run(&bench.job(), "a", "given://x", true),
            Err(Error::ReadOnly { .. })
        ));
    }

    #[test]
    fn move_between_devices_copies_then_deletes() {
        let bench = Bench::new();
        bench.put("a", "one");
        bench.put("d/e/f", "two");
        cross(&bench.job(), "a", "b", Existing::Keep).unwrap();
        cross(&bench.job(), "d", "c", Existing::Keep).unwrap();
        assert_eq!(bench.names(""), ["b", "c", "c/e", "c/e/f"]);
        bench.put("g/h", "three");
        assert!(matches!(
            cross(&bench.job(), "g", "c", Existing::Replace),
            Err(Error::NotEmpty { .. })
        ));
        assert_eq!(bench.read("g/h"), "three");
    }

    #[test]
    fn move_between_devices_that_was_cut_short_is_completed() {
        let bench = Bench::new();
        bench.put("a", "one");
        let job = bench.keyed("k");
        job.engine.notes.write(&job, "move\0a\0b", "0 0 3").unwrap();
        bench.put("b", "one");
        run(&bench.keyed("k"), "a", "b", false).unwrap();
        assert_eq!(
            bench.names(""),
            ["b"],
            "the copy was there, the source had to go"
        );

        bench.put("a", "two");
        bench.put("b", "somebody else's");
        assert!(matches!(
            run(&bench.keyed("k"), "a", "b", false),
            Err(Error::AlreadyExists { .. })
        ));
        assert_eq!(bench.read("a"), "two");
    }

    #[test]
    fn moved_file_is_known_by_its_number_or_on_another_device_by_its_size() {
        let bench = Bench::new();
        bench.put("a", "one");
        let folder = Folder::ambient(&bench.work()).unwrap();
        let there = folder.look("a").unwrap().unwrap();
        let (dev, ino) = (there.st_dev, there.st_ino);
        for (noted, expected) in [
            (format!("{dev} {ino} 3"), true),
            (format!("{dev} {} 3", ino + 1), false),
            (format!("{} 7 3", dev + 1), true),
            (format!("{} 7 4", dev + 1), false),
            (String::new(), false),
        ] {
            assert_eq!(same(&noted, &there), expected, "{noted}");
        }
    }
}
