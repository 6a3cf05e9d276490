//! What a crate may import, and how its sources are kept.
//!
//! Direct `[dependencies]` only: tests may use what they like.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use gearmesh_testkit::tree;

/// Which crates of ours a crate may import, and which features of the generated
/// types. What is not in the table may import nothing.
struct Row {
    name: &'static str,
    imports: &'static [&'static str],
    packages: &'static [&'static str],
}

const fn row(
    name: &'static str,
    imports: &'static [&'static str],
    packages: &'static [&'static str],
) -> Row {
    Row {
        name,
        imports,
        packages,
    }
}

/// What an engine may import.
const ENGINE: &[&str] = &["api", "fault", "link", "runtime", "store"];

const TABLE: &[Row] = &[
    row("api", &[], &[]),
    row("catalog", &["api"], &[]),
    row("fault", &["api"], &[]),
    row("egress", &[], &[]),
    row("faultdisk", &[], &[]),
    row("site", &[], &[]),
    row("expr", &[], &[]),
    row("schedule", &[], &[]),
    row("workflow", &["catalog", "expr", "schedule"], &[]),
    row("registry", &[], &[]),
    row("link", &["catalog", "fault", "registry"], &[]),
    row("store", &["fault", "site"], &[]),
    row("bus", &["fault"], &[]),
    row(
        "runtime",
        &[
            "api", "bus", "catalog", "expr", "fault", "link", "registry", "site", "store",
            "workflow",
        ],
        &["identity", "ledger", "vault"],
    ),
    row("state", ENGINE, &["state"]),
    row(
        "events",
        &["api", "bus", "fault", "link", "runtime"],
        &["events"],
    ),
    row("file", ENGINE, &["file"]),
    row(
        "http",
        &["api", "egress", "fault", "link", "runtime", "store"],
        &["http"],
    ),
    row("db", ENGINE, &["db"]),
    row(
        "browser",
        &["api", "egress", "fault", "link", "runtime", "store"],
        &["browser"],
    ),
    row("email", ENGINE, &["email", "file"]),
    row("vault", ENGINE, &["vault"]),
    row("identity", ENGINE, &["identity"]),
    row(
        "scheduler",
        &["api", "fault", "link", "runtime", "schedule", "store"],
        &["scheduler", "orchestrator"],
    ),
    row("demo", ENGINE, &[]),
    row(
        "orchestrator",
        &[
            "api", "bus", "catalog", "expr", "fault", "link", "runtime", "site", "store",
            "workflow",
        ],
        &["orchestrator", "journal", "ledger"],
    ),
    row(
        "gateway",
        &["api", "catalog", "fault", "link", "runtime", "workflow"],
        &["orchestrator", "identity"],
    ),
    row(
        "cli",
        &["api", "catalog", "fault", "link", "workflow"],
        &["orchestrator"],
    ),
    row(
        "gearmesh",
        &[
            "browser",
            "cli",
            "db",
            "demo",
            "email",
            "events",
            "file",
            "gateway",
            "http",
            "identity",
            "orchestrator",
            "runtime",
            "scheduler",
            "state",
            "vault",
        ],
        &[],
    ),
    row("testparts", &[], &[]),
    row(
        "testkit",
        &[
            "api",
            "catalog",
            "expr",
            "fault",
            "link",
            "runtime",
            "store",
            "testparts",
            "workflow",
        ],
        &["ledger"],
    ),
    // Its own `[dependencies]` are those of an engine that tests join to a mesh.
    row("tests", &["api", "runtime", "testkit"], &["ledger"]),
];

/// Imports beside the table, each with its reason.
const EXCEPTIONS: &[(&str, &str, &str)] = &[(
    "link",
    "api",
    "the faults that all tools share and the largest message; no engine's types",
)];

/// Crates that write the workspace's lints out, but for `unsafe_code`, with the reason.
const OWN_LINTS: &[(&str, &str)] = &[(
    "faultdisk",
    "SQLite calls a file system over pointers; tests alone import it",
)];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(tree().join("Cargo.toml"))
        .no_deps()
        .other_options(["--offline".to_owned()])
        .exec()
        .expect("cargo describes the workspace")
}

/// The crate's name without the project's.
fn short(name: &str) -> &str {
    name.strip_prefix("gearmesh-").unwrap_or(name)
}

fn is_ours(name: &str) -> bool {
    name == "gearmesh" || name.starts_with("gearmesh-")
}

fn imports(package: &Package) -> BTreeMap<String, BTreeSet<String>> {
    let normal = package
        .dependencies
        .iter()
        .filter(|d| d.kind == DependencyKind::Normal);
    normal
        .filter(|d| is_ours(&d.name))
        .map(|d| {
            (
                short(&d.name).to_owned(),
                d.features.iter().cloned().collect(),
            )
        })
        .collect()
}

#[test]
fn crates_import_what_the_table_allows() {
    let metadata = metadata();
    let mut broken = Vec::new();
    for package in metadata.workspace_packages() {
        let name = short(&package.name);
        let Some(row) = TABLE.iter().find(|r| r.name == name) else {
            broken.push(format!("{name} is not in the table"));
            continue;
        };
        for (import, packages) in imports(package) {
            let excepted = EXCEPTIONS
                .iter()
                .any(|(from, to, _)| (*from, *to) == (name, &import));
            if !row.imports.contains(&import.as_str()) && !excepted {
                broken.push(format!("{name} imports {import}"));
            }
            if import != "api" {
                continue;
            }
            for package in packages {
                if !row.packages.contains(&package.as_str()) {
                    broken.push(format!("{name} sees the types of {package}"));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn table_and_exceptions_name_nothing_that_is_not_there() {
    let metadata = metadata();
    let packages = metadata.workspace_packages();
    let mut gone = Vec::new();
    for row in TABLE {
        for name in row.imports.iter().chain([&row.name]) {
            if !packages.iter().any(|p| short(&p.name) == *name) {
                gone.push((*name).to_owned());
            }
        }
    }
    for (from, to, _) in EXCEPTIONS {
        let package = packages.iter().find(|p| short(&p.name) == *from);
        if !package.is_some_and(|p| imports(p).contains_key(*to)) {
            gone.push(format!("{from} -> {to}"));
        }
    }
    assert!(gone.is_empty(), "{gone:?}");
}

#[test]
fn default_member_is_the_binary() {
    let metadata = metadata();
    let names: Vec<&str> = metadata
        .workspace_default_packages()
        .iter()
        .map(|p| p.name.as_str())
        .collect();
    assert_eq!(names, ["gearmesh"]);
}

#[test]
fn lints_of_the_workspace_apply_everywhere() {
    for package in metadata().workspace_packages() {
        let manifest = std::fs::read_to_string(&package.manifest_path).expect("a manifest");
        if OWN_LINTS.iter().any(|(n, _)| *n == short(&package.name)) {
            assert_eq!(missing_lints(&manifest), ["unsafe_code = \"forbid\""]);
            continue;
        }
        assert!(
            manifest.contains("[lints]\nworkspace = true"),
            "{}",
            package.name
        );
    }
}

/// Lints of the workspace that a manifest does not have.
fn missing_lints(manifest: &str) -> Vec<String> {
    let root = std::fs::read_to_string(tree().join("Cargo.toml")).expect("the root's manifest");
    let (_, lints) = root.split_once("[workspace.lints.rust]").expect("lints");
    let (lints, _) = lints
        .split_once("\n[profile")
        .expect("profiles after the lints");
    let lints = lints.lines().filter(|l| l.contains('='));
    let missing = lints.filter(|lint| !manifest.lines().any(|l| l == *lint));
    missing.map(str::to_owned).collect()
}

#[test]
fn crates_with_lints_of_their_own_are_never_in_the_product() {
    for package in metadata().workspace_packages() {
        for (name, reason) in OWN_LINTS {
            let imported = imports(package).contains_key(*name);
            assert!(!imported, "{} imports {name}: {reason}", package.name);
        }
    }
}
