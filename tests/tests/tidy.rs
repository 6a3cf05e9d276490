//! How sources are kept: rules that no compiler checks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use gearmesh_testkit::tree;

/// Longest source file without its tests, in lines. Files aim at 400; what is
/// longer than this holds two nouns.
const LINES_MAX: usize = 500;

/// Crates whose sources may read the environment or bind sockets, with the reason.
const OUTSIDE: &[(&str, &str)] = &[
    ("libs/runtime", "its job"),
    ("libs/testkit", "only tests import it"),
    (
        "libs/site",
        "the part for tests learns from its starter what to be; a release has none of it",
    ),
    ("libs/testparts", "only tests import it"),
    ("services/demo", "stands in for a server of somebody else"),
    (
        "services/browser",
        "the proxy of each session, by which alone pages leave, listens on loopback for its browser",
    ),
];

/// A source file of ours.
struct Source {
    path: PathBuf,
    /// Relative to the tree.
    name: String,
    text: String,
}

impl Source {
    /// The lines that are built into the product: no tests, no comments.
    fn product(&self) -> Vec<(usize, &str)> {
        let mut lines = Vec::new();
        let mut skipped: Option<String> = None;
        let mut test_follows = false;
        for (number, line) in self.text.lines().enumerate() {
            let code = line.trim_start();
            let indent = &line[..line.len() - code.len()];
            match &skipped {
                Some(end) => {
                    if line == end {
                        skipped = None;
                    }
                    continue;
                }
                None if code.starts_with("#[cfg(test)]") => test_follows = true,
                None if test_follows && code.starts_with("#[") => {}
                None if test_follows => {
                    test_follows = false;
                    if !code.ends_with(';') && !code.ends_with('}') {
                        skipped = Some(format!("{indent}}}"));
                    }
                }
                None if code.starts_with("//") => {}
                None => lines.push((number + 1, line)),
            }
        }
        lines
    }

    /// Files that belong to modules which are built for tests only.
    fn test_modules(&self) -> Vec<PathBuf> {
        let folder = self.path.parent().expect("a file lies in a folder");
        let stem = self.path.file_stem().expect("a file has a name");
        let folder = if ["lib", "main", "mod"].iter().any(|n| stem == *n) {
            folder.to_owned()
        } else {
            folder.join(stem)
        };
        let mut modules = Vec::new();
        let mut test = false;
        for line in self.text.lines().map(str::trim) {
            let module = line.strip_suffix(';').and_then(|l| {
                let l = l.strip_prefix("pub(crate) ").unwrap_or(l);
                l.strip_prefix("mod ")
            });
            if let Some(name) = module.filter(|_| test) {
                modules.push(folder.join(name));
            }
            test = line == "#[cfg(test)]" || (test && line.starts_with("#["));
        }
        modules
    }
}

fn collect(folder: &Path, sources: &mut Vec<Source>) {
    let entries = std::fs::read_dir(folder).expect("a folder of the tree");
    for path in entries.map(|e| e.expect("an entry").path()) {
        if path.is_dir() {
            collect(&path, sources);
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            let name = path
                .strip_prefix(tree())
                .expect("below the tree")
                .display()
                .to_string();
            sources.push(Source { path, name, text });
        }
    }
}

/// Every Rust file of the tree.
fn all() -> Vec<Source> {
    let mut sources = Vec::new();
    for folder in ["libs", "services", "gateway", "tests"] {
        collect(&tree().join(folder), &mut sources);
    }
    assert!(sources.len() > 100, "only {} sources", sources.len());
    sources
}

/// What is built into the product.
fn product() -> Vec<Source> {
    let all = all();
    let test: BTreeSet<PathBuf> = all.iter().flat_map(Source::test_modules).collect();
    let is_test = |source: &Source| {
        let bare = source.path.with_extension("");
        bare.ancestors().any(|a| test.contains(a))
            || source.name.contains("/tests/")
            || source.name.contains("/examples/")
            || source.name.starts_with("tests/")
            || source.name.ends_with("build.rs")
    };
    all.into_iter().filter(|s| !is_test(s)).collect()
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

/// Places of the product's lines in which one of the words stands.
fn places(sources: &[Source], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (number, line) in source.product() {
            if words.iter().any(|w| line.contains(w)) {
                found.push(format!("{}:{number}: {}", source.name, line.trim()));
            }
        }
    }
    found
}

#[test]
fn files_are_short() {
    let long = |s: &Source| {
        let lines = s.product().len();
        (lines > LINES_MAX).then(|| format!("{}: {lines} lines", s.name))
    };
    let found: Vec<String> = product().iter().filter_map(long).collect();
    assert_none(&found, "files are at most 500 lines long");
}

#[test]
fn runtime_alone_reads_the_environment_and_binds_sockets() {
    let sources: Vec<Source> = product()
        .into_iter()
        .filter(|s| !OUTSIDE.iter().any(|(c, _)| s.name.starts_with(c)))
        .collect();
    let words = [
        "env::var",
        "TcpListener::bind",
        "UdpSocket::bind",
        "UnixListener::bind",
        "TcpSocket::new",
        "axum::serve(",
    ];
    assert_none(
        &places(&sources, &words),
        "gearmesh-runtime alone reads the environment and binds sockets",
    );
}

#[test]
fn product_never_unwraps() {
    let found = places(&product(), &[".unwrap()", ".unwrap_err()"]);
    assert_none(&found, "`expect` says why it cannot fail");
}

#[test]
fn nothing_is_left_for_later() {
    // Put together, so that this file does not find itself.
    let words = [
        concat!("todo", "!("),
        concat!("unimplemented", "!("),
        concat!("#[", "ignore"),
        concat!("FIX", "ME"),
        concat!("XX", "X:"),
    ];
    let mut found = Vec::new();
    for source in all() {
        for (number, line) in source.text.lines().enumerate() {
            if words.iter().any(|w| line.contains(w)) {
                found.push(format!("{}:{}: {}", source.name, number + 1, line.trim()));
            }
        }
    }
    assert_none(&found, "what is not done is an issue, not a remark");
}

#[test]
fn crates_say_why_they_are() {
    let bare = |s: &Source| !s.text.starts_with("//!");
    let roots = product().into_iter().filter(|s| {
        let folder = Path::new(&s.name).parent().expect("a folder");
        folder.ends_with("src") && (s.name.ends_with("/lib.rs") || s.name.ends_with("/main.rs"))
    });
    let found: Vec<String> = roots.filter(bare).map(|s| s.name).collect();
    assert_none(&found, "a crate opens with what it is");
}

#[test]
fn scan_tells_tests_from_the_product() {
    let source = Source {
        path: PathBuf::from("/x/src/lib.rs"),
        name: "x/src/lib.rs".to_owned(),
        text: "//! x\nmod a;\n#[cfg(test)]\n#[path = \"x\"]\nmod b;\nfn f() {}\n    #[cfg(test)]\n    fn g() {\n        h();\n    }\nfn i() {}\n#[cfg(test)]\nmod tests {\n    fn j() {}\n}\n"
            .to_owned(),
    };
    let lines: Vec<usize> = source.product().into_iter().map(|(n, _)| n).collect();
    assert_eq!(lines, [2, 6, 11]);
    assert_eq!(source.test_modules(), [PathBuf::from("/x/src/b")]);
}
