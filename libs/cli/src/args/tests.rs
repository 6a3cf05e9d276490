use clap::CommandFactory;
use serde_json::json;

use super::*;
use crate::output::Format;
use crate::run_args::{ListArgs, RunCommand, Watch};

fn parse(line: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("gearmesh").chain(line.split_whitespace()))
}

fn run(line: &str) -> (Globals, RunArgs) {
    match parse(line).unwrap() {
        Cli {
            globals,
            command: Command::Run(args),
        } => (globals, *args),
        other => panic!("{other:?}"),
    }
}

#[test]
fn tree_of_commands_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn run_takes_a_file_or_a_verb() {
    let (_, args) = run("run x.yaml -i a=1 -i b=c=d --watch");
    assert_eq!(args.what.as_deref(), Some("x.yaml"));
    assert_eq!(
        args.flags.inputs,
        [("a".into(), "1".into()), ("b".into(), "c=d".into())]
    );
    assert_eq!(args.flags.watch, Some(Watch::Tree));
    assert_eq!(
        run("run --watch=json x.yaml").1.flags.watch,
        Some(Watch::Json)
    );
    assert!(matches!(
        run("run list --limit 3").1.command,
        Some(RunCommand::List(ListArgs {
            many: Many { limit: 3, .. },
            ..
        }))
    ));
    assert!(matches!(
        run("run show run_x").1.command,
        Some(RunCommand::Show { .. })
    ));
    assert!(parse("run").is_err());
    assert!(parse("run x.yaml --watch=xml").is_err());
    assert!(parse("run list --limit 0").is_err());
    assert!(parse("run list --limit 201").is_err());
}

#[test]
fn inputs_stand_behind_the_name_as_flags() {
    let (_, args) = run("run refund --version 3 --order-id 5 --watch -o json");
    assert_eq!(args.what.as_deref(), Some("refund"));
    assert_eq!(args.flags.version, Some(3));
    assert_eq!(args.rest, ["--order-id", "5", "--watch", "-o", "json"]);
    let (_, args) = run("run -- list --x 1");
    assert_eq!(args.what.as_deref(), Some("list"));
    assert_eq!(args.rest, ["--x", "1"]);
    for bad in [
        "run x --priority 0",
        "run x --priority 10",
        "run x --version 0",
        "run list --all --limit 3",
        "run decide run_a t maybe",
        "run decide run_a t done --result {",
        "run retry run_a --scope before",
        "run artifacts run_a --to x",
        "workflow list --state gone",
        "workflow rollback a 0",
        "workflow diff a x.yaml --to 3",
        "workflow delete",
        "approval approve",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    for good in [
        "run retry last --from t --scope task --version current --dry-run",
        "run decide last t done --item 2 --path 0,1 --result {}",
        "wf ls --state deleted nightly export",
        "wf apply a.yaml b/ -y --dry-run",
        "workflow fmt x.yaml --check --strict-jmespath",
        "approval approve run_a.t --note ok --form a=1 --form b=2",
    ] {
        assert!(parse(good).is_ok(), "{good}");
    }
}

#[test]
fn flags_that_do_not_go_together_are_refused_wherever_they_stand() {
    let flags = |line: &str| crate::request::flags(&mut run(line).1);
    for bad in [
        "run x --from a --only b",
        "run x --from a --key 2 --only b",
        "run x --key 1 --until a --only b",
        "run x --reuse run_a",
        "run x --key 1 --reuse run_a",
        "run x --until a --reuse run_a",
    ] {
        let error = flags(bad).unwrap_err();
        assert_eq!(error.exit() as u8, 2, "{bad}");
    }
    for good in [
        "run x --only b --reuse run_a",
        "run x --from a --key 1 --reuse last",
        "run x --key 1 --from a --reuse last",
        "run x --key 1",
        "run list",
    ] {
        assert!(flags(good).is_ok(), "{good}");
    }
}

#[test]
fn global_flags_work_before_and_after_the_verb() {
    for line in [
        "-o json --timeout 1m30s run x.yaml",
        "run x.yaml -o json --timeout 1m30s",
        "run list -o json --timeout 1m30s",
    ] {
        let (globals, _) = run(line);
        assert_eq!(globals.format(), Format::Json, "{line}");
        assert_eq!(
            globals.timeout,
            Some(std::time::Duration::from_secs(90)),
            "{line}"
        );
    }
    let error = parse("run x.yaml --timeout 30").unwrap_err().to_string();
    assert!(error.contains("unit"), "{error}");
}

#[test]
fn settings_and_roots_are_read() {
    let (globals, _) = run("run x.yaml --set http.ports=[81] --set a.b=c --root /results/=out");
    assert_eq!(
        globals.set,
        [
            ("http.ports".into(), json!([81])),
            ("a.b".into(), json!("c"))
        ]
    );
    assert_eq!(globals.root, [("/results".into(), "out".into())]);
    for bad in ["results=x", "/=x", "/a/../b=x", "/a=", "/a"] {
        assert!(parse(&format!("run x.yaml --root {bad}")).is_err(), "{bad}");
    }
    let error = parse("run x.yaml --root /a").unwrap_err().to_string();
    assert!(error.contains("PREFIX=DIR"), "{error}");
}

#[test]
fn call_leaves_the_flags_of_the_tool_alone() {
    let cli = parse("tool call file.copy --source a -o json --destination b").unwrap();
    let Command::Tool(ToolCommand::Call { name, rest }) = cli.command else {
        panic!("no call");
    };
    assert_eq!(name, "file.copy");
    assert_eq!(rest, ["--source", "a", "-o", "json", "--destination", "b"]);
}

#[test]
fn engine_and_verb_are_the_short_form_of_a_call() {
    let Command::Short(words) = parse("file copy --source a").unwrap().command else {
        panic!("no short form");
    };
    assert_eq!(words, ["file", "copy", "--source", "a"]);
}

#[test]
fn init_makes_one_thing() {
    for good in [
        "init",
        "init --trust-domain mesh.example --identity https://10.0.0.5:1 --host a --host b",
        "init --if-absent",
        "init --node vault",
        "init --node gateway --host gw.example",
        "init --client reports --scopes file:read,http:* --expires 10m",
        "init --renew reports",
    ] {
        assert!(parse(good).is_ok(), "{good}");
    }
    for bad in [
        "init --node vault --client reports --scopes a:b",
        "init --node vault --trust-domain x",
        "init --client reports",
        "init --scopes a:b",
        "init --renew a --if-absent",
        "init --client a --scopes a:b --host h",
        "token create --name a",
        "token create --name a --scopes b:c --expires 30",
        "token revoke",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let Command::Token(TokenCommand::Create {
        scopes, expires, ..
    }) = parse("token create --name a --scopes b:c,d:*")
        .unwrap()
        .command
    else {
        panic!("no token");
    };
    assert_eq!(scopes, ["b:c", "d:*"]);
    assert_eq!(expires, Duration::from_secs(30 * 86_400));
}
