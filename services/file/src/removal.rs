//! Deletes.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;

use crate::engine::Job;
use crate::error::{Act, Error};
use crate::folder::{Folder, kind};
use crate::place::Place;

/// Deepest tree that is deleted: deeper than any that this engine makes, and
/// bounds the open folders.
const DEPTH_MAX: usize = 256;

/// Deletes a file, an empty folder, or a folder with all in it.
///
/// A link is deleted itself, wherever it leads.
pub(crate) fn delete(job: &Job, place: &Place, recursive: bool) -> Result<(), Error> {
    let act = format!("delete\0{}", place.spelled);
    let failed = |e| Error::system(&place.spelled, Act::Write, e);
    let (folder, name) = match place.parent() {
        Err(e @ Error::NotFound { .. }) => return gone(job, &act, e),
        parent => parent?,
    };
    let Some(stat) = folder.look(name).map_err(failed)? else {
        let path = place.spelled.clone();
        return gone(job, &act, Error::NotFound { path });
    };
    job.engine.notes.write(job, &act, "")?;
    match kind(&stat) {
        FileType::Directory if recursive => remove_tree(job, &folder, name, place)?,
        found => remove(&folder, name, found).map_err(failed)?,
    }
    job.fsyncs().sync(&folder).map_err(failed)
}

/// Nothing is there: right when this very call was here before.
fn gone(job: &Job, act: &str, missing: Error) -> Result<(), Error> {
    match job.engine.notes.read(job, act)? {
        Some(_) => Ok(()),
        None => Err(missing),
    }
}

/// Deletes a folder with all in it; what somebody else deletes meanwhile is as good.
pub(crate) fn remove_tree(
    job: &Job,
    parent: &Folder,
    name: &str,
    place: &Place,
) -> Result<(), Error> {
    let failed = |e| Error::system(&place.spelled, Act::Write, e);
    let mut stack = vec![(open(parent, name).map_err(failed)?, name.to_owned())];
    loop {
        job.go_on()?;
        let depth = stack.len();
        let Some((top, _)) = stack.last_mut() else {
            return Ok(());
        };
        let Some((folder, entries)) = top else {
            stack.pop();
            continue;
        };
        let Some(entry) = entries.read() else {
            let (_, name) = stack.pop().expect("it was the last just now");
            let around = stack
                .last()
                .and_then(|(top, _)| top.as_ref())
                .map_or(parent, |(folder, _)| folder);
            remove(around, &name, FileType::Directory).map_err(failed)?;
            continue;
        };
        let entry = entry.map_err(failed)?;
        let below = entry.file_name().to_string_lossy().into_owned();
        if below == "." || below == ".." {
            continue;
        }
        let found = match entry.file_type() {
            FileType::Unknown => folder
                .look(&below)
                .map_err(failed)?
                .map_or(FileType::RegularFile, |s| kind(&s)),
            known => known,
        };
        if found == FileType::Directory {
            if depth == DEPTH_MAX {
                return Err(Error::TooLarge {
                    path: place.spelled.clone(),
                    why: format!("is deeper than {DEPTH_MAX} folders"),
                });
            }
            let inner = open(folder, &below).map_err(failed)?;
            stack.push((inner, below));
        } else {
            // The bytes of the name, not its text: it need not be UTF-8.
            unlink(&*folder, entry.file_name(), AtFlags::empty()).map_err(failed)?;
        }
    }
}

type Opened = Option<(Folder, Dir)>;

fn open(parent: &Folder, name: &str) -> Result<Opened, Errno> {
    match parent.folder(name) {
        Ok(folder) => {
            let entries = Dir::read_from(&folder)?;
            Ok(Some((folder, entries)))
        }
        Err(Errno::NOENT) => Ok(None),
        Err(e) => Err(e),
    }
}

fn remove(folder: &Folder, name: &str, found: FileType) -> Result<(), Errno> {
    let flags = if found == FileType::Directory {
        AtFlags::REMOVEDIR
    } else {
        AtFlags::empty()
    };
    unlink(folder, name, flags)
}

fn unlink(folder: impl AsFd, name: impl rustix::path::Arg, flags: AtFlags) -> Result<(), Errno> {
    match rustix::fs::unlinkat(folder, name, flags) {
        Err(Errno::NOENT) => Ok(()),
        // What POSIX also allows a system to answer to a folder with something in it.
        Err(Errno::EXIST) => Err(Errno::NOTEMPTY),
        done => done,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::Bench;

    fn run(job: &Job, path: &str, recursive: bool) -> Result<(), Error> {
        delete(job, &job.place(path)?, recursive)
    }

    #[test]
    fn file_empty_folder_and_tree_are_deleted() {
        let bench = Bench::new();
        for path in ["a", "d/b", "d/e/c", "d/.gm-0000000000000000.part"] {
            bench.put(path, "x");
        }
        run(&bench.job(), "a", false).unwrap();
        assert!(matches!(
            run(&bench.job(), "a", false),
            Err(Error::NotFound { .. })
        ));
        assert!(matches!(
            run(&bench.job(), "d", false),
            Err(Error::NotEmpty { .. })
        ));
        run(&bench.job(), "d", true).unwrap();
        std::fs::create_dir(bench.work().join("empty")).unwrap();
        run(&bench.job(), "empty", false).unwrap();
        assert!(bench.names("").is_empty());
    }

    #[test]
    fn resent_delete_finds_nothing_and_succeeds() {
        let bench = Bench::new();
        bench.put("d/a", "x");
        run(&bench.keyed("k"), "d", true).unwrap();
        run(&bench.keyed("k"), "d", true).unwrap();
        assert!(matches!(
            run(&bench.keyed("other"), "d", true),
            Err(Error::NotFound { .. })
        ));
        assert!(matches!(
            run(&bench.keyed("k"), "other", true),
            Err(Error::NotFound { .. })
        ));
        assert!(matches!(
            run(&bench.keyed("k"), "no/where", true),
            Err(Error::NotFound { .. })
        ));
    }

    #[test]
    fn link_is_deleted_not_what_it_leads_to() {
        let bench = Bench::new();
        let target = bench.outside().join("target");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("kept"), "x").unwrap();
        bench.put("d/a", "x");
        symlink(&target, bench.work().join("d/link")).unwrap();
        symlink(&target, bench.work().join("top")).unwrap();
        run(&bench.job(), "d", true).unwrap();
        run(&bench.job(), "top", true).unwrap();
        assert!(matches!(
            run(&bench.job(), "top/kept", true),
            Err(Error::NotFound { .. })
        ));
        assert!(target.join("kept").exists() && bench.names("").is_empty());
    }

    #[test]
    fn nothing_below_a_link_and_no_root_is_deleted() {
        let bench = Bench::new();
        let target = bench.outside().join("target");
        std::fs::create_dir(&target).unwrap();
        std::fs::write(target.join("kept"), "x").unwrap();
        symlink(&target, bench.work().join("top")).unwrap();
        assert!(matches!(
            run(&bench.job(), "top/kept", true),
            Err(Error::Link { .. })
        ));
        for path in [".", "work://", "results://", "/results", "a/.."] {
            assert!(
                matches!(
                    run(&bench.job(), path, true),
                    Err(Error::InvalidPath { .. })
                ),
                "{path}"
            );
        }
        assert!(matches!(
            run(&bench.job(), "given://x", true),
            Err(Error::ReadOnly { .. })
        ));
        assert!(target.join("kept").exists());
    }

    #[test]
    fn names_that_are_no_text_are_deleted_too() {
        use std::os::unix::ffi::OsStrExt;
        let bench = Bench::new();
        bench.put("d/a", "x");
        let odd = std::ffi::OsStr::from_bytes(b"odd\xff");
        std::fs::write(bench.work().join("d").join(odd), "x").unwrap();
        run(&bench.job(), "d", true).unwrap();
        assert!(bench.names("").is_empty());
    }

    #[test]
    fn tree_is_deleted_down_to_its_limit() {
        let bench = Bench::new();
        bench.put(&vec!["d"; DEPTH_MAX].join("/"), "");
        run(&bench.job(), "d", true).unwrap();
        bench.put(&format!("{}/f", vec!["d"; DEPTH_MAX + 1].join("/")), "");
        assert!(matches!(
            run(&bench.job(), "d", true),
            Err(Error::TooLarge { .. })
        ));
    }
}
