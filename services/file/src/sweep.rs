//! Taking away what crashes left: names of unfinished files, and old notes.

use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType};
use rustix::io::Errno;

use crate::engine::Job;
use crate::folder::{Folder, kind};
use crate::note::KEPT_MS;
use crate::relative::{Relative, is_draft};

/// Age from which an unfinished file is nobody's any more: no call lasts as long.
const ABANDONED_MS: i64 = 24 * 3_600_000;

/// Most entries that one sweep looks at; the next one begins anew.
const LOOKED_MAX: usize = 100_000;

/// Deepest folder that it looks into.
const DEPTH_MAX: usize = 64;

/// Sweeps the folders that may be written, and the notes; says how many files it
/// took away. What cannot be read is left alone.
pub(crate) fn sweep(job: &Job) -> usize {
    let now = job.engine.clock.now_ms();
    let mut left = LOOKED_MAX;
    let mut swept = 0;
    for root in job.engine.roots.writable() {
        swept += folder(
            job,
            &root,
            &mut left,
            &|name, age| is_draft(name) && age > ABANDONED_MS,
            now,
        );
    }
    swept
        + folder(
            job,
            job.engine.notes.folder(),
            &mut left,
            &|_, age| age > KEPT_MS,
            now,
        )
}

type Old<'a> = &'a dyn Fn(&str, i64) -> bool;

fn folder(job: &Job, path: &Path, left: &mut usize, old: Old<'_>, now: i64) -> usize {
    let Ok(root) = Folder::ambient(path) else {
        return 0;
    };
    // Paths, not handles: a folder may have more folders in it than handles are allowed.
    let mut stack = vec![(Relative::root(), 0)];
    let mut swept = 0;
    while let Some((below, depth)) = stack.pop() {
        let Ok(folder) = root.folder(below.as_str()) else {
            continue;
        };
        let Ok(entries) = Dir::read_from(&folder) else {
            continue;
        };
        for entry in entries.flatten() {
            if *left == 0 || job.go_on().is_err() {
                return swept;
            }
            let name = entry.file_name().to_string_lossy();
            if name == "." || name == ".." {
                continue;
            }
            *left -= 1;
            let Ok(Some(stat)) = folder.look(&name) else {
                continue;
            };
            match kind(&stat) {
                FileType::Directory if depth < DEPTH_MAX => {
                    stack.push((below.child(&name), depth + 1))
                }
                FileType::RegularFile => {
                    let age = now - stat.st_mtime * 1000;
                    if old(&name, age) && unlink(&folder, &name).is_ok() {
                        swept += 1;
                    }
                }
                _ => {}
            }
        }
    }
    swept
}

fn unlink(folder: &Folder, name: &str) -> Result<(), Errno> {
    rustix::fs::unlinkat(folder, name, AtFlags::empty())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::testing::Bench;

    fn age(bench: &Bench, path: &Path, ms: i64) {
        let then = u64::try_from(bench.engine.clock.now_ms() - ms).unwrap();
        let file = std::fs::File::options().write(true).open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_millis(then))
            .unwrap();
    }

    #[test]
    fn only_abandoned_drafts_and_old_notes_are_swept() {
        let bench = Bench::new();
        for name in [
            "d/.gm-0000000000000001.part",
            "d/.gm-0000000000000002.part",
            "d/.gm-kept",
            "old",
        ] {
            bench.put(name, "x");
            age(&bench, &bench.work().join(name), ABANDONED_MS + 10_000);
        }
        age(
            &bench,
            &bench.work().join("d/.gm-0000000000000002.part"),
            ABANDONED_MS - 10_000,
        );
        for (key, ms) in [("old", KEPT_MS + 10_000), ("new", KEPT_MS - 10_000)] {
            let before: Vec<_> = std::fs::read_dir(bench.engine.notes.folder())
                .map(|d| d.map(|e| e.unwrap().path()).collect())
                .unwrap_or_default();
            bench
                .engine
                .notes
                .write(&bench.keyed(key), "act", "")
                .unwrap();
            let made = std::fs::read_dir(bench.engine.notes.folder())
                .unwrap()
                .map(|e| e.unwrap().path());
            let made: Vec<_> = made.filter(|p| !before.contains(p)).collect();
            age(&bench, &made[0], ms);
        }
        assert_eq!(sweep(&bench.job()), 2);
        assert_eq!(
            bench.names(""),
            ["d", "d/.gm-0000000000000002.part", "d/.gm-kept", "old"]
        );
        let noted = |key| bench.engine.notes.read(&bench.keyed(key), "act").unwrap();
        assert_eq!((noted("old"), noted("new")), (None, Some(String::new())));
    }
}
