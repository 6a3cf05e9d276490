//! A path that was understood.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::Statx;
use rustix::io::Errno;

use crate::error::{Act, Error};
use crate::folder::Folder;
use crate::fsync::Fsyncs;
use crate::relative::{Flaw, Relative};

/// A root, a path below it, and how it was spelled. Nothing is open.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) base: PathBuf,
    pub(crate) write: bool,
    /// The root is made at its first use, as that of a run is.
    pub(crate) made: bool,
    pub(crate) below: Relative,
    pub(crate) spelled: String,
}

impl Place {
    /// Opens the root.
    pub(crate) fn root(&self) -> Result<Folder, Error> {
        let opened = match Folder::ambient(&self.base) {
            Err(Errno::NOENT) if self.made => {
                make(&self.base).map_err(|e| Error::io(&self.spelled, Act::Write, e))?;
                Folder::ambient(&self.base)
            }
            opened => opened,
        };
        opened.map_err(|e| Error::system(&self.spelled, Act::Read, e))
    }

    /// What is known of it.
    pub(crate) fn facts(&self) -> Result<Statx, Error> {
        let facts = self.root()?.facts(self.below.as_str());
        facts.map_err(|e| Error::system(&self.spelled, Act::Read, e))
    }

    /// As [`facts`](Self::facts); none when nothing is there.
    pub(crate) fn facts_if_any(&self) -> Result<Option<Statx>, Error> {
        match self.facts() {
            Ok(facts) => Ok(Some(facts)),
            // Below a file is nothing, too.
            Err(Error::NotFound { .. } | Error::IsNoDirectory { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Opens it as a folder.
    pub(crate) fn folder(&self) -> Result<Folder, Error> {
        let folder = self.root()?.folder(self.below.as_str());
        folder.map_err(|e| Error::system(&self.spelled, Act::Read, e))
    }

    /// Opens it as a folder that it makes, with its parents.
    pub(crate) fn make_folder(&self, syncs: Option<&Fsyncs>) -> Result<(Folder, bool), Error> {
        self.writable()?;
        let made = self.root()?.make(self.below.as_str(), syncs);
        made.map_err(|e| Error::system(&self.spelled, Act::Write, e))
    }

    /// Opens the folder around it, for a change of the name that is given back.
    pub(crate) fn parent(&self) -> Result<(Folder, &str), Error> {
        let (parent, name) = self.name()?;
        let folder = self.root()?.folder(parent.as_str());
        Ok((
            folder.map_err(|e| Error::system(&self.spelled, Act::Write, e))?,
            name,
        ))
    }

    /// As [`parent`](Self::parent), and makes the folder when it is not there.
    pub(crate) fn made_parent(&self, syncs: Option<&Fsyncs>) -> Result<(Folder, &str), Error> {
        let (parent, name) = self.name()?;
        let made = self.root()?.make(parent.as_str(), syncs);
        Ok((
            made.map_err(|e| Error::system(&self.spelled, Act::Write, e))?
                .0,
            name,
        ))
    }

    fn name(&self) -> Result<(Relative, &str), Error> {
        self.writable()?;
        self.below.split().ok_or_else(|| {
            Flaw::Rule("is a root itself, which is not changed").error(&self.spelled)
        })
    }

    fn writable(&self) -> Result<(), Error> {
        if self.write {
            Ok(())
        } else {
            Err(Error::ReadOnly {
                path: self.spelled.clone(),
            })
        }
    }

    /// How a path below it is spelled.
    pub(crate) fn spell(&self, below: &str) -> String {
        let bare = self.spelled.trim_end_matches("./");
        match self.spelled.as_str() {
            "." | "./" => below.to_owned(),
            _ if below.is_empty() => self.spelled.clone(),
            _ if bare.is_empty() => below.to_owned(),
            spelled if spelled.ends_with('/') => format!("{spelled}{below}"),
            spelled => format!("{spelled}/{below}"),
        }
    }

    /// A place below it.
    pub(crate) fn join(&self, below: &Relative) -> Self {
        Self {
            below: self.below.join(below),
            spelled: self.spell(below.as_str()),
            ..self.clone()
        }
    }

    /// The place with this ending added to its name.
    pub(crate) fn with_ending(&self, ending: &str) -> Result<Self, Error> {
        let below = Relative::parse(&format!("{}{ending}", self.below));
        Ok(Self {
            below: below.map_err(|flaw| flaw.error(&self.spelled))?,
            spelled: format!("{}{ending}", self.spelled.trim_end_matches('/')),
            ..self.clone()
        })
    }

    /// The place with this ending taken from its name; none when it has another.
    pub(crate) fn without_ending(&self, ending: &str) -> Option<Self> {
        let below = self.below.as_str().strip_suffix(ending)?;
        let spelled = self.spelled.trim_end_matches('/').strip_suffix(ending)?;
        let below = Relative::parse(below).ok().filter(|b| !b.is_root())?;
        Some(Self {
            below,
            spelled: spelled.to_owned(),
            ..self.clone()
        })
    }

    /// Its path on this machine with links in the root resolved, to tell whether
    /// two places are one. Not for opening.
    pub(crate) fn real(&self) -> PathBuf {
        let base = self
            .base
            .canonicalize()
            .unwrap_or_else(|_| self.base.clone());
        if self.below.is_root() {
            base
        } else {
            base.join(self.below.as_str())
        }
    }
}

/// Makes a folder of the engine itself, with its parents.
pub(crate) fn make(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::testing::Bench;

    #[test]
    fn link_that_appears_between_two_calls_leads_nowhere() {
        let bench = Bench::new();
        bench.put("d/a", "inside");
        let place = bench.job().place("d/a").unwrap();
        assert!(place.facts().is_ok());
        let secret = bench.outside().join("secret");
        std::fs::create_dir(&secret).unwrap();
        std::fs::write(secret.join("a"), "outside").unwrap();
        std::fs::remove_dir_all(bench.work().join("d")).unwrap();
        symlink(&secret, bench.work().join("d")).unwrap();
        assert!(matches!(place.facts(), Err(Error::Link { .. })));
        assert!(matches!(place.parent(), Err(Error::Link { .. })));
        assert!(matches!(place.made_parent(None), Err(Error::Link { .. })));
        assert!(matches!(
            place.root().unwrap().file("d/a", "d/a"),
            Err(Error::Link { .. })
        ));
    }

    #[test]
    fn folder_that_turns_into_a_link_and_back_never_shows_what_is_outside() {
        let bench = Bench::new();
        bench.put("real/a", "inside");
        let secret = bench.outside().join("secret");
        std::fs::create_dir(&secret).unwrap();
        std::fs::write(secret.join("a"), "outside").unwrap();
        let (door, real) = (bench.work().join("door"), bench.work().join("real"));
        std::thread::scope(|threads| {
            let flipper = threads.spawn(|| {
                for _ in 0..2_000 {
                    std::fs::rename(&real, &door).unwrap();
                    std::fs::rename(&door, &real).unwrap();
                    symlink(&secret, &door).unwrap();
                    std::fs::remove_file(&door).unwrap();
                }
            });
            let place = bench.job().place("door/a").unwrap();
            while !flipper.is_finished() {
                if let Ok((text, _)) = crate::content::read_text(&place, Default::default()) {
                    assert_eq!(text, "inside");
                }
            }
        });
    }

    #[test]
    fn path_below_is_spelled_as_the_folder_was() {
        let bench = Bench::new();
        for (text, expected) in [
            (".", "x"),
            ("./", "x"),
            ("a", "a/x"),
            ("a/", "a/x"),
            ("work://", "work://x"),
            ("results://a", "results://a/x"),
            ("/results", "/results/x"),
        ] {
            assert_eq!(
                bench.job().place(text).unwrap().spell("x"),
                expected,
                "{text}"
            );
        }
    }
}
