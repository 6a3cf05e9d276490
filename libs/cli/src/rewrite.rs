//! `gearmesh workflow convert` and `gearmesh workflow fmt`: files alone, no server.

use gearmesh_workflow::{FormatError, FormatOptions, convert as native, format};
use serde_json::{Value, json};

use crate::app::App;
use crate::error::Error;
use crate::exit::Exit;
use crate::file::WorkflowFile;
use crate::report;
use crate::text::printable;
use crate::validate::expand;
use crate::workflow::write;
use crate::workflow_args::FmtArgs;

/// Writes a file of another dialect as native YAML.
pub(crate) fn convert(
    app: &mut App,
    name: &str,
    to: Option<&std::path::Path>,
) -> Result<Exit, Error> {
    let file = WorkflowFile::read(name)?;
    let text = native(&file.source(None)).map_err(|found| Error::Invalid {
        found,
        text: file.text.clone(),
    })?;
    if app.output.for_people() || to.is_some() {
        write(&mut app.output, &text, to)?;
    } else {
        app.output
            .list_one(&json!({"file": file.name, "source": text}), "file")?;
    }
    Ok(Exit::Done)
}

/// Writes files in the usual form.
pub(crate) fn fmt(app: &mut App, args: &FmtArgs) -> Result<Exit, Error> {
    let options = FormatOptions {
        strict: args.strict_jmespath,
    };
    let (mut told, mut failed) = (Vec::new(), Vec::new());
    for name in args.files.iter().flat_map(|name| expand(name)) {
        match name.and_then(|name| one(app, &name, options, args.check)) {
            Ok(None) => {}
            Ok(Some(one)) => told.push(one),
            Err(error) => failed.push(error),
        }
    }
    let changed = told.iter().any(|one| one["changed"] == true);
    if app.output.for_people() {
        for one in told.iter().filter(|one| one["changed"] == true) {
            let name = printable(one["file"].as_str().unwrap_or_default()).into_owned();
            app.output.data(&name)?;
        }
    } else {
        app.output.list(&told, "file")?;
    }
    // The last is told by who asked, and gives the exit code.
    let Some(last) = failed.pop() else {
        return Ok(if args.check && changed {
            Exit::Invalid
        } else {
            Exit::Done
        });
    };
    for error in &failed {
        report::error(&mut app.output, error);
    }
    Err(last)
}

/// Formats one file; what became of it. Of standard input the text itself is the answer.
fn one(
    app: &mut App,
    name: &str,
    options: FormatOptions,
    check: bool,
) -> Result<Option<Value>, Error> {
    let file = WorkflowFile::read(name)?;
    let text = format(&file.text, options).map_err(|error| refused(&file, error))?;
    let changed = text != file.text;
    if name == "-" && !check {
        app.output.bytes(text.as_bytes())?;
        return Ok(None);
    }
    if changed && !check {
        file.replace(&text)?;
    }
    Ok(Some(json!({"file": file.name, "changed": changed})))
}

fn refused(file: &WorkflowFile, error: FormatError) -> Error {
    match error {
        FormatError::Faults(mut found) => {
            for diagnostic in &mut found {
                file.name.clone_into(&mut diagnostic.location.file);
            }
            let text = file.text.clone();
            Error::Invalid { found, text }
        }
        other => Error::Unformatted {
            file: file.name.clone(),
            reason: other.to_string(),
        },
    }
}
