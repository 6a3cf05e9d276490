//! All that is below a folder, in one order.

use std::cmp::Ordering;

use rustix::fs::{Dir, FileType};
use rustix::io::Errno;

use crate::engine::Job;
use crate::error::{Act, Error};
use crate::folder::{Folder, kind, size};
use crate::place::Place;
use crate::relative::{DEPTH_MAX, Relative, is_draft};

/// Most entries that a listing looks at.
pub(crate) const LISTED_MAX: usize = 100_000;

/// Most entries of a folder that is copied or packed as a whole.
pub(crate) const TREE_MAX: usize = 1_000_000;

/// Longest time that a listing with a pattern takes, in microseconds.
pub(crate) const PATTERN_US: u64 = 2_000_000;

/// What is at a path below the folder.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) below: Relative,
    pub(crate) kind: FileType,
    /// Content of a regular file, in bytes; 0 for all else.
    pub(crate) size: u64,
    /// More than one hard link.
    pub(crate) linked: bool,
}

/// Whether the walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flow {
    On,
    Stop,
}

/// A walk over what is below a folder: names in byte order, a folder before what
/// is in it. Links are met, never followed; unfinished files are passed over.
#[derive(Debug)]
pub(crate) struct Walk<'a> {
    pub(crate) job: &'a Job,
    pub(crate) place: &'a Place,
    pub(crate) recursive: bool,
    /// Entries up to this one, itself included, are passed over.
    pub(crate) after: Option<Relative>,
    /// Most entries that it looks at.
    pub(crate) most: usize,
    /// Whether it must end within [`PATTERN_US`].
    pub(crate) timed: bool,
}

struct Frame {
    folder: Folder,
    below: Relative,
    /// In reverse order, so that the next is the last.
    names: Vec<(String, FileType)>,
}

impl Walk<'_> {
    /// Shows each entry to `visit`, until that says stop.
    pub(crate) fn each(
        &self,
        folder: Folder,
        visit: &mut dyn FnMut(Entry) -> Result<Flow, Error>,
    ) -> Result<(), Error> {
        let begun = self.job.engine.clock.monotonic_us();
        let mut looked = 0;
        let mut stack = vec![self.frame(folder, Relative::root(), &mut looked)?];
        while let Some(frame) = stack.last_mut() {
            let Some((name, kind)) = frame.names.pop() else {
                stack.pop();
                continue;
            };
            self.job.go_on()?;
            if self.timed && self.job.engine.clock.monotonic_us() - begun > PATTERN_US {
                return Err(
                    self.too_large("takes longer than 2 s to match; list a smaller folder".into())
                );
            }
            let below = frame.below.child(&name);
            let position = position(&below, self.after.as_ref());
            let descends =
                self.recursive && kind == FileType::Directory && position != Position::Before;
            let inner = if descends {
                self.inner(frame, &name)?
            } else {
                None
            };
            if position == Position::After
                && let Some(entry) = entry(&frame.folder, &name, below.clone(), kind)
                    .map_err(|e| self.failed(&below, e))?
                && visit(entry)? == Flow::Stop
            {
                return Ok(());
            }
            if let Some(inner) = inner {
                if stack.len() == DEPTH_MAX {
                    return Err(self.too_large(format!("is deeper than {DEPTH_MAX} folders")));
                }
                stack.push(self.frame(inner, below, &mut looked)?);
            }
        }
        Ok(())
    }

    /// Opens a folder that was met; none when it is gone.
    fn inner(&self, frame: &Frame, name: &str) -> Result<Option<Folder>, Error> {
        match frame.folder.folder(name) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(self.failed(&frame.below.child(name), e)),
        }
    }

    fn frame(&self, folder: Folder, below: Relative, looked: &mut usize) -> Result<Frame, Error> {
        let mut names = names(&folder).map_err(|e| self.failed(&below, e))?;
        *looked += names.len();
        if *looked > self.most {
            return Err(self.too_large(format!("has more than {} entries", self.most)));
        }
        names.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
        Ok(Frame {
            folder,
            below,
            names,
        })
    }

    fn failed(&self, below: &Relative, errno: Errno) -> Error {
        Error::system(&self.place.spell(below.as_str()), Act::Read, errno)
    }

    fn too_large(&self, why: String) -> Error {
        Error::TooLarge {
            path: self.place.spelled.clone(),
            why,
        }
    }
}

/// The names in a folder, without those of unfinished files.
fn names(folder: &Folder) -> Result<Vec<(String, FileType)>, Errno> {
    let mut names = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy();
        if name == "." || name == ".." || is_draft(&name) {
            continue;
        }
        let found = match entry.file_type() {
            // Some file systems do not say.
            FileType::Unknown => match folder.look(&name)? {
                Some(stat) => kind(&stat),
                None => continue,
            },
            known => known,
        };
        names.push((name.into_owned(), found));
    }
    Ok(names)
}

fn entry(
    folder: &Folder,
    name: &str,
    below: Relative,
    met: FileType,
) -> Result<Option<Entry>, Errno> {
    if met == FileType::Directory {
        let (size, linked) = (0, false);
        return Ok(Some(Entry {
            below,
            kind: met,
            size,
            linked,
        }));
    }
    Ok(folder.look(name)?.map(|stat| {
        let kind = kind(&stat);
        let size = if kind == FileType::RegularFile {
            size(&stat)
        } else {
            0
        };
        let linked = kind == FileType::RegularFile && stat.st_nlink > 1;
        Entry {
            below,
            kind,
            size,
            linked,
        }
    }))
}

/// Where an entry lies to the one after which the walk begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Position {
    Before,
    /// It, or a folder around it.
    At,
    After,
}

fn position(below: &Relative, after: Option<&Relative>) -> Position {
    let Some(after) = after else {
        return Position::After;
    };
    let (mut a, mut b) = (below.as_str().split('/'), after.as_str().split('/'));
    loop {
        match (a.next(), b.next()) {
            (None, _) => return Position::At,
            (Some(_), None) => return Position::After,
            (Some(x), Some(y)) => match x.cmp(y) {
                Ordering::Less => return Position::Before,
                Ordering::Greater => return Position::After,
                Ordering::Equal => {}
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::Bench;

    fn walk(
        bench: &Bench,
        recursive: bool,
        after: Option<&str>,
        most: usize,
    ) -> Result<Vec<String>, Error> {
        let job = bench.job();
        let place = job.place(".")?;
        let walk = Walk {
            job: &job,
            place: &place,
            recursive,
            after: after.map(|a| Relative::parse(a).unwrap()),
            most,
            timed: true,
        };
        let mut met = Vec::new();
        walk.each(place.folder()?, &mut |entry| {
            met.push(entry.below.to_string());
            Ok(Flow::On)
        })?;
        Ok(met)
    }

    fn tree() -> Bench {
        let bench = Bench::new();
        for path in ["a/x", "a/y/z", "a.txt", "b", ".gm-0000000000000000.part"] {
            bench.put(path, "1");
        }
        symlink("a", bench.work().join("link")).unwrap();
        bench
    }

    const ALL: [&str; 7] = ["a", "a/x", "a/y", "a/y/z", "a.txt", "b", "link"];

    #[test]
    fn folder_comes_before_what_is_in_it_and_links_are_not_followed() {
        assert_eq!(walk(&tree(), true, None, 100).unwrap(), ALL);
        assert_eq!(
            walk(&tree(), false, None, 100).unwrap(),
            ["a", "a.txt", "b", "link"]
        );
    }

    #[test]
    fn walk_goes_on_after_any_entry() {
        let bench = tree();
        for (at, name) in ALL.iter().enumerate() {
            assert_eq!(
                walk(&bench, true, Some(name), 100).unwrap(),
                ALL[at + 1..],
                "after {name}"
            );
        }
        assert_eq!(
            walk(&bench, true, Some("a/w"), 100).unwrap(),
            ALL[1..],
            "after one that is gone"
        );
    }

    #[test]
    fn too_many_entries_are_an_error() {
        assert!(walk(&tree(), true, None, 7).is_ok());
        let refused = walk(&tree(), true, None, 6).unwrap_err();
        assert!(matches!(refused, Error::TooLarge { .. }), "{refused:?}");
    }

    #[test]
    fn too_deep_a_tree_is_an_error() {
        let bench = Bench::new();
        bench.put(&format!("{}/f", vec!["d"; DEPTH_MAX - 1].join("/")), "");
        assert_eq!(walk(&bench, true, None, 100).unwrap().len(), DEPTH_MAX);
        bench.put(&format!("{}/f", vec!["d"; DEPTH_MAX].join("/")), "");
        assert!(matches!(
            walk(&bench, true, None, 100),
            Err(Error::TooLarge { .. })
        ));
    }

    #[test]
    fn cancelled_walk_ends() {
        let bench = tree();
        let job = bench.job();
        job.cancel();
        let place = job.place(".").unwrap();
        let walk = Walk {
            job: &job,
            place: &place,
            recursive: true,
            after: None,
            most: 100,
            timed: false,
        };
        let ended = walk.each(place.folder().unwrap(), &mut |_| Ok(Flow::On));
        assert!(matches!(ended, Err(Error::Cancelled)));
    }
}
