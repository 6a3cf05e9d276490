//! The command lines that documents, protos, explanations and messages quote: each is
//! understood by the command line as it is.

use std::path::Path;

use clap::Parser;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use gearmesh_catalog::Catalog;
use gearmesh_testkit::tree;
use gearmesh_workflow::{Source, check};

use crate::args::{Cli, Command, ToolCommand};
use crate::client::built_in;
use crate::output::{Format, capture};
use crate::run_args::RunArgs;
use crate::{explain, params, request, tool, words};

/// Where command lines are quoted.
const PLACES: [&str; 7] = [
    "README.md",
    "docs",
    "proto",
    "libs",
    "services",
    "gateway/src",
    "deploy/compose",
];

/// Command lines that all of these have at least; fewer are not found any more.
const SEEN_LEAST: usize = 150;

/// A command line and the place where it stands.
struct Quoted {
    at: String,
    line: String,
}

/// The command lines of a text: what follows a prompt, what stands in a line of its own
/// within a fence or an indented block, and what stands between backticks.
fn of_text(name: &str, text: &str, found: &mut Vec<Quoted>) {
    let is_document = name.ends_with(".md");
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let at = format!("{name}:{}", number + 1);
        let (indented, begun) = (line.starts_with("    "), line.trim_start());
        let begun = begun.trim_start_matches(['#', ' ']);
        let shown = begun.strip_prefix("$ ").unwrap_or(begun);
        let shown = shown.replace("cargo run --release -- ", "gearmesh ");
        let alone = begun.starts_with("$ ") || begun.starts_with("gearmesh ");
        if alone && shown.starts_with("gearmesh ") && (is_document || name.ends_with(".yaml")) {
            let prose = is_document && !indented && !begun.starts_with("$ ") && shown.contains('`');
            if !prose {
                let mut line = shown;
                while let Some(begin) = line.strip_suffix('\\') {
                    let next = lines.next().map_or("", |(_, next)| next.trim());
                    line = format!("{begin} {next}");
                }
                found.push(Quoted { at, line });
                continue;
            }
        }
        let quoted = line.split('`').skip(1).step_by(2);
        for line in quoted.filter(|line| line.starts_with("gearmesh ")) {
            found.push(Quoted {
                at: at.clone(),
                line: line.to_owned(),
            });
        }
    }
}

fn collect(place: &Path, found: &mut Vec<Quoted>) {
    if place.is_dir() {
        for entry in std::fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            // Tests quote what is wrong, too, and a report of times names its lines so.
            let left_out = ["tests", "target", "bench.md"];
            if !left_out.iter().any(|name| path.ends_with(name)) {
                collect(&path, found);
            }
        }
        return;
    }
    let kind = place.extension().and_then(|kind| kind.to_str());
    if matches!(kind, Some("md" | "yaml" | "proto" | "rs")) {
        let text = std::fs::read_to_string(place).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap_or_default();
        let name = place.strip_prefix(tree()).unwrap_or(place);
        of_text(&name.display().to_string(), text, found);
    }
}

/// Words as a shell sees them, up to a comment, a pipe or another redirection. What is
/// left out (`..`) goes, and so do the brackets around what need not be given.
fn split(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            ('\'' | '"', None) => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (letter, Some(open)) if letter == open => quote = None,
            (letter, None) if letter.is_whitespace() => {
                words.extend(word.take());
                if letters.peek().is_some_and(|next| "#>|&;".contains(*next)) {
                    break;
                }
            }
            ('[' | ']', None) => {}
            (letter, _) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words.retain(|word| !["..", "...", "…"].contains(&word.as_str()));
    words
}

/// The command lines of one with `a|b|c` in it.
fn variants(words: &[String]) -> Vec<Vec<String>> {
    let Some(at) = words.iter().position(|word| word.contains('|')) else {
        return vec![words.to_vec()];
    };
    let of = |one: &str| {
        let mut words = words.to_vec();
        one.clone_into(&mut words[at]);
        words
    };
    words[at].split('|').map(of).collect()
}

/// A name that stands for what a reader writes in its place, as `FILE` or `{name}`.
fn is_placeholder(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_uppercase() || "_-/.".contains(c);
    !word.is_empty() && (word.contains('{') || word.chars().all(plain))
}

/// Why a command line is not understood.
fn fault(catalog: &Catalog, words: &[String]) -> Option<String> {
    let command = match Cli::try_parse_from(words) {
        Ok(cli) => cli.command,
        Err(error) => return refused(&error),
    };
    match command {
        Command::Short(words) if is_placeholder(&words[0]) => None,
        Command::Short(words) => {
            let verb = words.get(1).map_or("", String::as_str).replace('-', "_");
            let rest = words.get(2..).unwrap_or_default();
            call(catalog, &format!("{}.{verb}", words[0]), rest)
        }
        Command::Tool(ToolCommand::Show { name }) => call(catalog, &name, &[]),
        Command::Tool(ToolCommand::Call { name, rest }) => call(catalog, &name, &rest),
        Command::Explain { code } if !["CODE", "TOPIC"].contains(&code.as_str()) => {
            let (mut output, ..) = capture::output(Format::Json);
            let told = explain::explain(&mut output, catalog, &code);
            told.err().map(|error| error.to_string())
        }
        Command::Run(args) => run(*args),
        _ => None,
    }
}

/// A quotation may leave out what must be given, and give names for values.
fn refused(error: &clap::Error) -> Option<String> {
    let value = match error.get(ContextKind::InvalidValue) {
        Some(ContextValue::String(value)) => value.as_str(),
        _ => "",
    };
    match error.kind() {
        ErrorKind::DisplayHelp
        | ErrorKind::DisplayVersion
        | ErrorKind::MissingRequiredArgument
        | ErrorKind::MissingSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => None,
        ErrorKind::InvalidValue if value.is_empty() => None,
        _ if is_placeholder(value) => None,
        _ => Some(error.to_string()),
    }
}

fn call(catalog: &Catalog, name: &str, rest: &[String]) -> Option<String> {
    if is_placeholder(name) {
        return None;
    }
    let found = match tool::find(catalog, name) {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    // Standard input is not for tests.
    if rest.iter().any(|word| word == "-" || word == "--help") {
        return None;
    }
    let given: Vec<_> = rest.into();
    let read = words::split(given).and_then(|(_, rest)| params::read(found.tool, &rest));
    read.err().map(|error| error.to_string())
}

/// A workflow of the tree has the inputs that are given to it.
fn run(mut args: RunArgs) -> Option<String> {
    if let Err(error) = request::flags(&mut args) {
        return Some(error.to_string());
    }
    let name = args.what?;
    if !name.starts_with("docs/") {
        return None;
    }
    let text = match std::fs::read_to_string(tree().join(&name)) {
        Ok(text) => text,
        Err(error) => return Some(format!("`{name}`: {error}")),
    };
    let source = Source {
        text: &text,
        file_name: &name,
        dialect: None,
    };
    let inputs = check(&source, None).workflow?.inputs;
    let given = args.flags.inputs.iter().map(|(name, _)| name);
    for input in given {
        if !inputs.iter().any(|spec| spec.name == *input) {
            return Some(format!("`{name}` has no input `{input}`"));
        }
    }
    let schema = request::schema(&inputs);
    let read = params::inputs(&name, &schema, &request::FLAGS, &args.rest);
    read.err().map(|error| error.to_string())
}

#[test]
fn quoted_command_lines_are_understood() {
    let catalog = built_in().unwrap();
    let mut found = Vec::new();
    for place in PLACES {
        collect(&tree().join(place), &mut found);
    }
    let mut faults = Vec::new();
    for quoted in &found {
        for words in variants(&split(&quoted.line)) {
            if let Some(fault) = fault(&catalog, &words) {
                let Quoted { at, line } = quoted;
                faults.push(format!("{at}: {line}\n    {}", fault.trim_end()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(found.len() >= SEEN_LEAST, "{} are quoted", found.len());
}

#[test]
fn wrong_command_lines_are_found() {
    let catalog = built_in().unwrap();
    let is_wrong = |line: &str| fault(&catalog, &split(line)).is_some();
    for wrong in [
        "gearmesh vault put",
        "gearmesh run watch RUN --wacth",
        "gearmesh workflow shwo x",
        "gearmesh tool show state.putt",
        "gearmesh tool call state.put --kye a",
        "gearmesh explain NO_SUCH_CODE",
        "gearmesh plan FILE --format picture",
        "gearmesh run docs/examples/hello.workflow.yaml --too you@example.test",
        "gearmesh run docs/examples/no-such.workflow.yaml",
    ] {
        assert!(is_wrong(wrong), "{wrong}");
    }
    for right in [
        "gearmesh vault set",
        "gearmesh run watch RUN",
        "gearmesh run",
        "gearmesh ENGINE VERB ..",
        "gearmesh tool call state.put --key a --value '\"b\"'",
        "gearmesh run docs/examples/hello.workflow.yaml --to you@example.test --watch",
        "gearmesh token create --name a --scopes b:c [--expires 30d] > a.token",
    ] {
        assert!(!is_wrong(right), "{right}");
    }
}

#[test]
fn command_lines_are_found_where_they_stand() {
    let text = "Use `gearmesh a|b x`, or\n\n```console\n$ gearmesh c 'd e'  # why\n$ echo x\n```\n    gearmesh f \\\n      --g > h\ngearmesh begins a sentence with `gearmesh i`.\n";
    let mut found = Vec::new();
    of_text("x.md", text, &mut found);
    let words: Vec<Vec<String>> = found
        .iter()
        .flat_map(|q| variants(&split(&q.line)))
        .collect();
    let words: Vec<String> = words.iter().map(|words| words.join("/")).collect();
    assert_eq!(
        words,
        [
            "gearmesh/a/x",
            "gearmesh/b/x",
            "gearmesh/c/d e",
            "gearmesh/f/--g",
            "gearmesh/i"
        ]
    );
}
