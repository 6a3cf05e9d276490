//! Pages of what is below a folder.

use globset::{GlobBuilder, GlobMatcher};
use rustix::fs::FileType;

use crate::engine::Job;
use crate::error::Error;
use crate::place::Place;
use crate::relative::Relative;
use crate::walk::{Entry, Flow, LISTED_MAX, Walk};

/// Entries of a page when the caller names no number, and at most.
pub(crate) const PAGE_MAX: usize = 10_000;

/// How a page token begins, so that a foreign text is told from one.
const TOKEN_PREFIX: &str = "after:";

/// What to list.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) recursive: bool,
    pub(crate) pattern: Option<GlobMatcher>,
    pub(crate) page: usize,
    pub(crate) after: Option<Relative>,
}

/// Reads a pattern; empty: none.
pub(crate) fn pattern(text: &str) -> Result<Option<GlobMatcher>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    // INVARIANT: globset compiles to an automaton: a match takes time linear in the path.
    let glob = GlobBuilder::new(text)
        .literal_separator(true)
        .backslash_escape(true)
        .build();
    match glob {
        Ok(glob) => Ok(Some(glob.compile_matcher())),
        Err(e) => Err(Error::parameter(
            "pattern",
            format!("is no glob: {}", e.kind()),
        )),
    }
}

/// Reads the size of a page; 0 means the default, too large is reduced.
pub(crate) fn page(asked: i32) -> Result<usize, Error> {
    match usize::try_from(asked) {
        Ok(0) => Ok(PAGE_MAX),
        Ok(n) => Ok(n.min(PAGE_MAX)),
        Err(_) => Err(Error::parameter("pageSize", "is at least 1")),
    }
}

/// Reads a page token; empty: the first page.
pub(crate) fn token(text: &str) -> Result<Option<Relative>, Error> {
    if text.is_empty() {
        return Ok(None);
    }
    let after = text.strip_prefix(TOKEN_PREFIX);
    let after =
        after.ok_or_else(|| Error::parameter("pageToken", "is no token of a page before"))?;
    Ok(Some(Relative::unchecked(after)))
}

/// One page, and the token of the next; empty: this was the last.
pub(crate) fn list(
    job: &Job,
    place: &Place,
    wanted: Wanted,
) -> Result<(Vec<Entry>, String), Error> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut next = String::new();
    let walk = Walk {
        job,
        place,
        recursive: wanted.recursive,
        after: wanted.after,
        most: LISTED_MAX,
        timed: wanted.pattern.is_some(),
    };
    walk.each(place.folder()?, &mut |entry| {
        if wanted
            .pattern
            .as_ref()
            .is_some_and(|p| !p.is_match(entry.below.as_str()))
        {
            return Ok(Flow::On);
        }
        if entries.len() == wanted.page {
            if let Some(last) = entries.last() {
                next = format!("{TOKEN_PREFIX}{}", last.below);
            }
            return Ok(Flow::Stop);
        }
        entries.push(entry);
        Ok(Flow::On)
    })?;
    Ok((entries, next))
}

/// All regular files below a folder, with one link each: others have content
/// that is somebody else's.
pub(crate) fn files(
    job: &Job,
    place: &Place,
    recursive: bool,
    pattern: Option<GlobMatcher>,
) -> Result<Vec<Entry>, Error> {
    let mut files = Vec::new();
    let walk = Walk {
        job,
        place,
        recursive,
        after: None,
        most: LISTED_MAX,
        timed: pattern.is_some(),
    };
    walk.each(place.folder()?, &mut |entry| {
        let matches = pattern
            .as_ref()
            .is_none_or(|p| p.is_match(entry.below.as_str()));
        if entry.kind == FileType::RegularFile && !entry.linked && matches {
            files.push(entry);
        }
        Ok(Flow::On)
    })?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    fn run(
        bench: &Bench,
        glob: &str,
        recursive: bool,
        size: i32,
        after: &str,
    ) -> Result<(Vec<String>, String), Error> {
        let job = bench.job();
        let wanted = Wanted {
            recursive,
            pattern: pattern(glob)?,
            page: page(size)?,
            after: token(after)?,
        };
        let (entries, next) = list(&job, &job.place(".")?, wanted)?;
        Ok((
            entries.into_iter().map(|e| e.below.to_string()).collect(),
            next,
        ))
    }

    fn tree() -> Bench {
        let bench = Bench::new();
        for path in ["a.txt", "b.rs", "d/c.txt", "d/e/f.txt", "d/e/g.rs"] {
            bench.put(path, "x");
        }
        bench
    }

    #[test]
    fn star_stays_in_its_folder_and_two_do_not() {
        let bench = tree();
        let names = |glob, recursive| run(&bench, glob, recursive, 0, "").unwrap().0;
        assert_eq!(names("*.txt", true), ["a.txt"]);
        assert_eq!(names("**/*.txt", true), ["a.txt", "d/c.txt", "d/e/f.txt"]);
        assert_eq!(names("d/*", true), ["d/c.txt", "d/e"]);
        assert_eq!(names("**/*.{rs,txt}", false), ["a.txt", "b.rs"]);
        assert_eq!(names("", false), ["a.txt", "b.rs", "d"]);
        assert_eq!(names("nothing", true).len(), 0);
    }

    #[test]
    fn pages_together_are_the_whole_list() {
        let bench = tree();
        let (all, end) = run(&bench, "", true, 0, "").unwrap();
        assert_eq!((all.len(), end.as_str()), (7, ""));
        for size in 1..=8 {
            let (mut met, mut after) = (Vec::new(), String::new());
            loop {
                let (page, next) = run(&bench, "", true, size, &after).unwrap();
                assert!(page.len() <= size as usize);
                met.extend(page);
                if next.is_empty() {
                    break;
                }
                after = next;
            }
            assert_eq!(met, all, "pages of {size}");
        }
    }

    #[test]
    fn limits_of_a_page_hold() {
        assert_eq!(page(0).unwrap(), PAGE_MAX);
        assert_eq!(page(10_000).unwrap(), PAGE_MAX);
        assert_eq!(page(10_001).unwrap(), PAGE_MAX);
        assert_eq!(page(1).unwrap(), 1);
        assert!(matches!(page(-1), Err(Error::Parameter { .. })));
        assert!(matches!(token("x"), Err(Error::Parameter { .. })));
        assert!(matches!(pattern("a{b"), Err(Error::Parameter { .. })));
    }

    #[test]
    fn file_is_no_folder_to_list() {
        let bench = tree();
        let job = bench.job();
        let wanted = Wanted {
            recursive: false,
            pattern: None,
            page: 1,
            after: None,
        };
        let refused = list(&job, &job.place("a.txt").unwrap(), wanted).unwrap_err();
        assert!(
            matches!(refused, Error::IsNoDirectory { .. }),
            "{refused:?}"
        );
    }
}
