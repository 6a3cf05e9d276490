//! `gearmesh test`: the cases of test files, played by the orchestrator.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::app::App;
use crate::args::{TestArgs, TestFormat};
use crate::client::Client;
use crate::error::Error;
use crate::exit::Exit;
use crate::file::{WORKFLOWS, WorkflowFile};
use crate::host::{self, Wants};
use crate::markup::{Case, Suite, junit};
use crate::output::Output;
use crate::report;
use crate::style::Tone;
use crate::text::{count, field, list, number, printable, texts};

/// Ends of the names of test files, each beside the one of [`WORKFLOWS`] at its place.
const CASES: [&str; 3] = [".test.yaml", ".test.yml", ".test.json"];

/// Ends of the names of workflow files that are called otherwise.
const PLAIN: [&str; 3] = [".yaml", ".yml", ".json"];

/// Where tests are looked for by name, or when nothing is named.
const FOLDERS: [&str; 2] = [".", "workflows"];

/// A test file and its workflow.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    workflow: PathBuf,
    cases: PathBuf,
}

/// The test files that are meant.
pub(crate) fn find(what: &[String]) -> Result<Vec<Pair>, Error> {
    let mut pairs = Vec::new();
    if what.is_empty() {
        for folder in FOLDERS {
            pairs.extend(of_folder(Path::new(folder))?);
        }
        if pairs.is_empty() {
            return Err(missing(
                "no test file in this folder and in ./workflows".to_owned(),
            ));
        }
    }
    for word in what {
        let path = Path::new(word);
        if path.is_dir() {
            let found = of_folder(path)?;
            if found.is_empty() {
                return Err(missing(format!("no test file in `{}`", printable(word))));
            }
            pairs.extend(found);
        } else if word.contains(['/', '.']) {
            pairs.push(of_file(path)?);
        } else {
            pairs.push(of_name(word)?);
        }
    }
    Ok(pairs)
}

fn missing(message: String) -> Error {
    Error::NotFound {
        code: "FILE_NOT_FOUND",
        message,
        help: Some("`NAME.test.yaml` beside `NAME.workflow.yaml` holds its cases".to_owned()),
    }
}

/// The test files of a folder, by name; none where there is no folder.
fn of_folder(folder: &Path) -> Result<Vec<Pair>, Error> {
    let failed = |source| Error::Read {
        path: folder.to_owned(),
        source,
    };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed(error)),
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| {
            let path = entry.path();
            // As people write it.
            let short = path.strip_prefix(".").map(Path::to_owned);
            short.unwrap_or(path)
        })
        .filter(|path| stem(path, &CASES).is_some())
        .collect();
    files.sort();
    files.iter().map(|file| of_file(file)).collect()
}

/// The path without the end of a test file, or of a workflow file.
fn stem(path: &Path, ends: &[&str]) -> Option<String> {
    let text = path.to_str()?;
    let mut stems = ends.iter().filter_map(|end| text.strip_suffix(end));
    stems.next().map(str::to_owned)
}

/// A test file with the workflow beside it, or the other way round.
fn of_file(path: &Path) -> Result<Pair, Error> {
    let first = |mut names: Vec<String>| {
        names.retain(|name| Path::new(name).is_file());
        names.into_iter().next().map(PathBuf::from)
    };
    let name = printable(&path.to_string_lossy()).into_owned();
    if let Some(stem) = stem(path, &CASES) {
        let ends = WORKFLOWS.into_iter().chain(PLAIN);
        let ends = ends.map(|end| format!("{stem}{end}"));
        return match first(ends.collect()) {
            Some(workflow) => Ok(Pair {
                workflow,
                cases: path.to_owned(),
            }),
            None => Err(missing(format!("no workflow file beside `{name}`"))),
        };
    }
    let stem = stem(path, &WORKFLOWS)
        .unwrap_or_else(|| path.with_extension("").to_string_lossy().into_owned());
    let ends = CASES.into_iter().map(|end| format!("{stem}{end}"));
    match first(ends.collect()) {
        Some(cases) => Ok(Pair {
            workflow: path.to_owned(),
            cases,
        }),
        None => Err(missing(format!("no test file beside `{name}`"))),
    }
}

fn of_name(name: &str) -> Result<Pair, Error> {
    let mut found = FOLDERS.iter().flat_map(|folder| {
        CASES
            .into_iter()
            .map(move |end| Path::new(folder).join(format!("{name}{end}")))
    });
    match found.find(|path| path.is_file()) {
        Some(cases) => of_file(&cases),
        None => Err(missing(format!(
            "no `{}.test.yaml` in this folder and in ./workflows",
            printable(name)
        ))),
    }
}

/// A test file and how its cases went.
#[derive(Debug)]
struct Tested {
    file: String,
    answer: Value,
}

/// Plays the cases at the server, or in this process.
pub(crate) async fn test(app: &mut App, pairs: &[Pair], args: &TestArgs) -> Result<Exit, Error> {
    let wants = Wants {
        demo: false,
        look: true,
        roots: false,
    };
    host::with_mesh(app, wants, async |app, client, _| {
        play(app, client, pairs, args).await
    })
    .await
}

async fn play(
    app: &mut App,
    client: &Client,
    pairs: &[Pair],
    args: &TestArgs,
) -> Result<Exit, Error> {
    let people = app.output.for_people() && args.format != Some(TestFormat::Junit);
    let mut all = Vec::with_capacity(pairs.len());
    let mut failed = Vec::new();
    for pair in pairs {
        match one(client, pair, &args.only).await {
            Ok(tested) => {
                if people {
                    show(&mut app.output, &tested)?;
                }
                all.push(tested);
            }
            Err(error @ (Error::Unreachable { .. } | Error::Closed)) => return Err(error),
            Err(error) => failed.push(error),
        }
    }
    if args.format == Some(TestFormat::Junit) {
        app.output.data(&junit(&suites(&all)))?;
    } else if !people {
        let list: Vec<Value> = all.iter().map(to_json).collect();
        app.output.list(&list, "file")?;
    } else if !all.is_empty() {
        let of = |name: &str| all.iter().map(|t| number(&t.answer, name)).sum::<u64>();
        let text = format!(
            "{}, {} failed",
            count(of("passed"), "passed case"),
            of("failed")
        );
        app.output.note(&text);
    }
    // The last is told by who asked, and gives the exit code.
    if let Some(last) = failed.pop() {
        for error in &failed {
            report::error(&mut app.output, error);
        }
        return Err(last);
    }
    let good = all
        .iter()
        .all(|tested| number(&tested.answer, "failed") == 0);
    Ok(if good { Exit::Done } else { Exit::RunFailed })
}

async fn one(client: &Client, pair: &Pair, only: &str) -> Result<Tested, Error> {
    let read = |path: &Path| WorkflowFile::read(&path.to_string_lossy());
    let (workflow, cases) = (read(&pair.workflow)?, read(&pair.cases)?);
    let params = json!({
        "source": workflow.text,
        "fileName": workflow.name,
        "cases": cases.text,
        "casesFileName": cases.name,
        "only": only,
    });
    let answer = client.call("orchestrator.test_workflow", params).await?;
    Ok(Tested {
        file: cases.name,
        answer,
    })
}

fn cases(answer: &Value) -> &[Value] {
    list(answer, "cases")
}

fn passed(case: &Value) -> bool {
    case.get("passed").and_then(Value::as_bool) == Some(true)
}

fn faults(case: &Value) -> impl Iterator<Item = &str> {
    texts(case, "faults")
}

fn show(output: &mut Output, tested: &Tested) -> Result<(), Error> {
    let style = output.out_style;
    let mut lines = vec![style.paint(Tone::Strong, &printable(&tested.file))];
    for case in cases(&tested.answer) {
        let (mark, tone) = if passed(case) {
            ("ok", Tone::Good)
        } else {
            ("!!", Tone::Bad)
        };
        let name = printable(field(case, "name")).into_owned();
        lines.push(format!("  {}  {name}", style.paint(tone, mark)));
        for fault in faults(case) {
            let fault = crate::text::printable_lines(fault);
            lines.extend(fault.lines().map(|line| format!("        {line}")));
        }
    }
    output.data(&lines.join("\n"))
}

fn suites(all: &[Tested]) -> Vec<Suite> {
    all.iter()
        .map(|tested| Suite {
            name: tested.file.clone(),
            cases: cases(&tested.answer)
                .iter()
                .map(|case| Case {
                    name: field(case, "name").to_owned(),
                    failures: match (passed(case), faults(case).next()) {
                        (true, _) => Vec::new(),
                        (false, None) => vec!["it did not do as expected".to_owned()],
                        (false, Some(_)) => faults(case).map(str::to_owned).collect(),
                    },
                })
                .collect(),
        })
        .collect()
}

fn to_json(tested: &Tested) -> Value {
    let mut answer = tested.answer.clone();
    answer["file"] = tested.file.clone().into();
    answer
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::{Format, capture};

    fn tested() -> Tested {
        Tested {
            file: "a.test.yaml".into(),
            answer: json!({"passed": 1, "failed": 1, "cases": [
                {"name": "good", "passed": true},
                {"name": "bad", "passed": false, "faults": ["status: expected \"succeeded\", found \"failed\"", "no mock answers `http.request` of task `fetch`"]},
            ]}),
        }
    }

    #[test]
    fn each_case_is_told_with_what_was_otherwise() {
        let (mut output, out, _) = capture::output(Format::Table);
        show(&mut output, &tested()).unwrap();
        expect![[r#"
            a.test.yaml
              ok  good
              !!  bad
                    status: expected "succeeded", found "failed"
                    no mock answers `http.request` of task `fetch`
        "#]]
        .assert_eq(&out.text());
        let suites = suites(&[tested()]);
        assert_eq!(suites[0].cases[0].failures.len(), 0);
        assert_eq!(suites[0].cases[1].failures.len(), 2);
    }

    #[test]
    fn test_file_and_workflow_find_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in [
            "b.workflow.yaml",
            "b.test.yml",
            "a.workflow.json",
            "a.test.yaml",
            "c.yaml",
        ] {
            std::fs::write(path(name), "x").unwrap();
        }
        let pair = |workflow: &str, cases: &str| Pair {
            workflow: path(workflow),
            cases: path(cases),
        };
        let both = [
            pair("a.workflow.json", "a.test.yaml"),
            pair("b.workflow.yaml", "b.test.yml"),
        ];
        let text = |name: &str| path(name).to_string_lossy().into_owned();
        assert_eq!(
            find(&[folder.path().to_string_lossy().into_owned()]).unwrap(),
            both
        );
        assert_eq!(find(&[text("b.workflow.yaml")]).unwrap(), both[1..]);
        assert_eq!(find(&[text("b.test.yml")]).unwrap(), both[1..]);
        for bad in ["c.yaml", "d.test.yaml", "d.workflow.yaml"] {
            let error = find(&[text(bad)]).unwrap_err();
            assert_eq!(error.exit() as u8, 5, "{bad}");
        }
        std::fs::write(path("c.test.yaml"), "x").unwrap();
        assert_eq!(
            find(&[text("c.yaml")]).unwrap(),
            [pair("c.yaml", "c.test.yaml")]
        );
        assert_eq!(
            find(&[text("c.test.yaml")]).unwrap(),
            [pair("c.yaml", "c.test.yaml")]
        );
    }
}
