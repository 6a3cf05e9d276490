//! `gearmesh run artifacts`.

use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::StreamExt;
use serde_json::{Value, json};

use crate::client::{Client, Messages};
use crate::error::Error;
use crate::output::Output;
use crate::table;
use crate::text::{field, printable};

/// Lists what a run has kept: all of it, since a run keeps little and a list that ends
/// early looks whole.
pub(crate) async fn list(output: &mut Output, client: &Client, run: &str) -> Result<(), Error> {
    let params = json!({"runId": run});
    let (artifacts, _) = client
        .pages(
            "orchestrator.list_artifacts",
            params,
            "artifacts",
            usize::MAX,
        )
        .await?;
    show(output, &artifacts)
}

fn show(output: &mut Output, artifacts: &[Value]) -> Result<(), Error> {
    if !output.for_people() {
        return output.list(artifacts, "name");
    }
    if artifacts.is_empty() {
        output.note("no artifacts");
        return Ok(());
    }
    let cell = |artifact: &Value, name: &str| printable(field(artifact, name)).into_owned();
    let rows = artifacts
        .iter()
        .map(|artifact| {
            // As protobuf writes 64 bits, or as a number.
            let bytes = artifact.get("bytes").cloned().unwrap_or_default();
            let bytes = bytes
                .as_str()
                .map_or_else(|| bytes.to_string(), str::to_owned);
            vec![
                cell(artifact, "name"),
                printable(&bytes).into_owned(),
                cell(artifact, "mime"),
                cell(artifact, "task"),
            ]
        })
        .collect();
    output.data(&table::render(&["artifact", "bytes", "type", "task"], rows))
}

/// Writes an artifact to a file, or to standard output as it is.
pub(crate) async fn read(
    output: &mut Output,
    client: &Client,
    run: &str,
    name: &str,
    to: Option<&Path>,
) -> Result<(), Error> {
    let params = json!({"runId": run, "name": name});
    let mut pieces = client
        .call_stream("orchestrator.get_artifact", params)
        .await?;
    let Some(path) = to.filter(|path| path.as_os_str() != "-") else {
        return copy(client, &mut pieces, &mut |bytes| output.bytes(bytes)).await;
    };
    // Under another name until it is whole: what stands there is never half of it.
    let mut part = path.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let failed = |source| Error::Write {
        path: path.to_owned(),
        source,
    };
    let mut file = std::fs::File::create(&part).map_err(failed)?;
    let copied = copy(client, &mut pieces, &mut |bytes| {
        file.write_all(bytes).map_err(failed)
    })
    .await;
    let moved = copied.and_then(|()| std::fs::rename(&part, path).map_err(failed));
    if moved.is_err() {
        // What could not be removed is told by the name that it has.
        let _ = std::fs::remove_file(&part);
    }
    moved?;
    output.note(&format!("{}: {}", path.display(), printable(name)));
    Ok(())
}

async fn copy(
    client: &Client,
    pieces: &mut Messages,
    write: &mut impl FnMut(&[u8]) -> Result<(), Error>,
) -> Result<(), Error> {
    while let Some(piece) = pieces.next().await {
        let piece = piece.map_err(|status| client.failed(&status))?;
        let bytes = BASE64_STANDARD
            .decode(field(&piece, "data"))
            .map_err(|e| Error::Read {
                path: "the answer of the server".into(),
                source: std::io::Error::other(e),
            })?;
        write(&bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::{Format, capture};

    #[test]
    fn artifacts_are_listed_with_size_and_task() {
        let (mut output, out, _) = capture::output(Format::Table);
        let artifacts = [
            json!({"name": "hits.json", "bytes": "1234", "mime": "application/json", "task": "keep"}),
            json!({"name": "b", "bytes": 5, "mime": "text/plain", "task": "x"}),
        ];
        show(&mut output, &artifacts).unwrap();
        expect![[r#"
            ARTIFACT   BYTES  TYPE              TASK
            hits.json  1234   application/json  keep
            b          5      text/plain        x
        "#]]
        .assert_eq(&out.text());
    }
}
