//! The roots: what the first part of a path means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::config::Config;
use crate::error::Error;
use crate::place::{Place, make};
use crate::relative::{Flaw, NAME_MAX, Relative};

/// The root of relative paths: the folder of the run.
const WORK: &str = "work";
/// The root of the folder of the workflow file.
const FILE: &str = "file";
/// Names that mean something else elsewhere.
const KEPT: [&str; 6] = [WORK, FILE, "artifact", "vault", "http", "https"];

/// Longest id of a run that becomes the name of a folder, in bytes.
const RUN_MAX: usize = 64;

/// A setting of `[file.roots]` that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("`file.roots.{name}` {why}")]
pub(crate) struct RootError {
    name: String,
    why: String,
}

/// All roots of the engine.
#[derive(Debug)]
pub(crate) struct Roots {
    state: PathBuf,
    named: BTreeMap<String, Named>,
    /// Absolute prefixes and the roots that they stand for, longest first.
    mapped: Vec<(String, String)>,
}

#[derive(Debug)]
struct Named {
    path: PathBuf,
    write: bool,
}

/// Whose paths they are: two roots differ from call to call.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    /// The run of the call.
    pub(crate) run: Option<String>,
    /// The folder of its workflow file.
    pub(crate) folder: Option<PathBuf>,
}

impl Roots {
    pub(crate) fn new(state: &Path, config: &Config) -> Result<Self, RootError> {
        let mut named = BTreeMap::new();
        let mut mapped: Vec<(String, String)> = Vec::new();
        for (name, root) in &config.roots {
            let wrong = |why: &str| RootError {
                name: name.clone(),
                why: why.to_owned(),
            };
            if !is_root_name(name) {
                return Err(wrong(
                    "is no name of a root: lower-case letters, digits and `-`, `_`, but none of ours",
                ));
            }
            if let Some(at) = &root.at {
                let below = at.strip_prefix('/').map(Relative::parse);
                let Some(Ok(below)) = below.filter(|b| b.as_ref().is_ok_and(|b| !b.is_root()))
                else {
                    return Err(wrong("has an `at` that is no absolute path, as `/results`"));
                };
                let prefix = format!("/{below}");
                if mapped.iter().any(|(other, _)| *other == prefix) {
                    return Err(wrong("has the `at` of another root"));
                }
                mapped.push((prefix, name.clone()));
            }
            let path = state.join(&root.path);
            if root.write {
                make(&path)
                    .map_err(|e| wrong(&format!("cannot be made at `{}`: {e}", path.display())))?;
            }
            let write = root.write;
            named.insert(name.clone(), Named { path, write });
        }
        mapped.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        Ok(Self {
            state: state.to_owned(),
            named,
            mapped,
        })
    }

    /// Understands a path; nothing is looked at on disk.
    pub(crate) fn place(&self, scope: &Scope, text: &str) -> Result<Place, Error> {
        if text.is_empty() {
            return Err(Flaw::Rule("is empty").error(text));
        }
        if let Some((name, rest)) = text.split_once("://") {
            return self.named(scope, text, name, rest);
        }
        if text.starts_with('/') {
            return self.absolute(scope, text);
        }
        self.named(scope, text, WORK, text)
    }

    fn named(&self, scope: &Scope, text: &str, name: &str, rest: &str) -> Result<Place, Error> {
        let (base, write, made) = match name {
            WORK => (self.work(scope, text)?, true, true),
            FILE => match &scope.folder {
                Some(folder) => (folder.clone(), false, false),
                None => {
                    return Err(Error::NoWorkflow {
                        path: text.to_owned(),
                    });
                }
            },
            name => match self.named.get(name) {
                Some(root) => (root.path.clone(), root.write, false),
                None => {
                    return Err(Error::NoRoot {
                        path: text.to_owned(),
                        name: name.to_owned(),
                    });
                }
            },
        };
        Ok(Place {
            base,
            write,
            made,
            below: Relative::parse(rest).map_err(|flaw| flaw.error(text))?,
            spelled: text.to_owned(),
        })
    }

    fn absolute(&self, scope: &Scope, text: &str) -> Result<Place, Error> {
        // `..` and doubled slashes are taken away first: they must not reach past a prefix.
        let below = Relative::parse(text).map_err(|flaw| flaw.error(text))?;
        let clean = format!("/{below}");
        for (prefix, name) in &self.mapped {
            match clean.strip_prefix(prefix.as_str()) {
                Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                    return self.named(scope, text, name, rest);
                }
                _ => {}
            }
        }
        Err(Error::Unmapped {
            path: text.to_owned(),
            prefix: format!("/{}", below.as_str().split('/').next().unwrap_or_default()),
        })
    }

    fn work(&self, scope: &Scope, text: &str) -> Result<PathBuf, Error> {
        let Some(run) = &scope.run else {
            return Ok(self.state.join("work"));
        };
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if run.is_empty() || run.len() > RUN_MAX || !run.chars().all(plain) {
            return Err(Flaw::Rule("belongs to a run whose id is no name of a folder").error(text));
        }
        Ok(self.state.join("runs").join(run))
    }

    /// The folders that may be written, for the sweep: those of the runs, too.
    pub(crate) fn writable(&self) -> impl Iterator<Item = PathBuf> {
        let own = ["work", "runs"]
            .into_iter()
            .map(|name| self.state.join(name));
        own.chain(
            self.named
                .values()
                .filter(|r| r.write)
                .map(|r| r.path.clone()),
        )
    }
}

fn is_root_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_';
    !name.is_empty() && name.len() <= NAME_MAX && name.bytes().all(plain) && !KEPT.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::RootConfig;
    use crate::testing::Bench;

    fn scope(run: Option<&str>, folder: Option<&Path>) -> Scope {
        Scope {
            run: run.map(str::to_owned),
            folder: folder.map(Path::to_owned),
        }
    }

    #[test]
    fn first_part_of_a_path_names_its_root() {
        let bench = Bench::new();
        let out = bench.outside();
        let flow = out.join("flow");
        let scope = scope(Some("run_36zn0sv00pg07"), Some(&flow));
        for (text, expected) in [
            ("a/b", "state/runs/run_36zn0sv00pg07/a/b"),
            (".", "state/runs/run_36zn0sv00pg07"),
            ("work://a", "state/runs/run_36zn0sv00pg07/a"),
            ("file://a.yaml", "flow/a.yaml"),
            ("results://x", "results/x"),
            ("results://", "results"),
            ("/results", "results"),
            ("/results/x/../y", "results/y"),
            ("//results//x", "results/x"),
            ("/given/x", "given/x"),
        ] {
            let place = bench.engine.roots.place(&scope, text).unwrap();
            assert_eq!(place.real(), out.join(expected), "{text}");
            assert_eq!(place.spelled, text);
        }
        let without = bench.job().place("a").unwrap();
        assert_eq!(without.real(), out.join("state/work/a"));
    }

    #[test]
    fn what_no_root_holds_is_refused() {
        let bench = Bench::new();
        let refused = |text: &str| bench.job().place(text).unwrap_err();
        for text in [
            "..",
            "a/../../b",
            "results://..",
            "/results/../../etc/passwd",
            "work://../runs/other",
        ] {
            assert!(
                matches!(refused(text), Error::Escapes { .. }),
                "{text}: {:?}",
                refused(text)
            );
        }
        for text in ["/etc/passwd", "/resultsx/a", "/results/../given2", "/"] {
            assert!(
                matches!(refused(text), Error::Unmapped { .. }),
                "{text}: {:?}",
                refused(text)
            );
        }
        assert!(
            refused("/etc/passwd")
                .to_string()
                .contains("--root /etc=DIR")
        );
        assert!(matches!(refused("other://a"), Error::NoRoot { .. }));
        assert!(matches!(refused("://a"), Error::NoRoot { .. }));
        assert!(matches!(refused("file://a"), Error::NoWorkflow { .. }));
        assert!(matches!(refused(""), Error::InvalidPath { .. }));
    }

    #[test]
    fn run_that_is_no_name_of_a_folder_is_refused() {
        let bench = Bench::new();
        for run in ["..", "a/b", "", ".", &"r".repeat(RUN_MAX + 1)] {
            let refused = bench
                .engine
                .roots
                .place(&scope(Some(run), None), "a")
                .unwrap_err();
            assert!(
                matches!(refused, Error::InvalidPath { .. }),
                "{run}: {refused:?}"
            );
        }
        assert!(
            bench
                .engine
                .roots
                .place(&scope(Some(&"r".repeat(RUN_MAX)), None), "a")
                .is_ok()
        );
    }

    #[test]
    fn folder_of_a_run_is_made_at_its_first_use() {
        let bench = Bench::new();
        let place = bench
            .engine
            .roots
            .place(&scope(Some("run_a"), None), ".")
            .unwrap();
        assert!(place.facts().is_ok());
        assert!(bench.outside().join("state/runs/run_a").is_dir());
    }

    #[test]
    fn root_that_may_only_be_read_is_not_changed() {
        let bench = Bench::new();
        for text in ["given://x", "/given/x"] {
            let place = bench.job().place(text).unwrap();
            assert!(matches!(place.parent(), Err(Error::ReadOnly { .. })));
            assert!(matches!(
                place.make_folder(None),
                Err(Error::ReadOnly { .. })
            ));
        }
        let flow = bench.outside().join("flow");
        let place = bench
            .engine
            .roots
            .place(&scope(None, Some(&flow)), "file://x")
            .unwrap();
        assert!(matches!(
            place.made_parent(None),
            Err(Error::ReadOnly { .. })
        ));
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, at: Option<&str>| {
            let root = RootConfig {
                path: "r".into(),
                write: true,
                at: at.map(str::to_owned),
            };
            let config = Config {
                roots: [(name.to_owned(), root)].into(),
                ..Config::default()
            };
            Roots::new(folder.path(), &config).map_err(|e| e.to_string())
        };
        assert!(make("results", Some("/results")).is_ok());
        assert!(
            folder.path().join("r").is_dir(),
            "a root that may be written is made"
        );
        for name in ["work", "file", "https", "Results", "a b", ""] {
            assert!(
                make(name, None)
                    .unwrap_err()
                    .contains(&format!("file.roots.{name}")),
                "{name}"
            );
        }
        for at in ["results", "/", "/..", "/a/../.."] {
            assert!(
                make("results", Some(at)).unwrap_err().contains("`at`"),
                "{at}"
            );
        }
    }
}
