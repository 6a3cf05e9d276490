//! What the workflow does, in whatever shape the mesh has: `expected.json`.

use serde_json::{Value, json};

fn document() -> Value {
    serde_json::from_str(include_str!("expected.json")).expect("the document is JSON")
}

/// What the `n`th run says of itself.
pub(crate) fn run(n: u64) -> Value {
    let mut run = document()["run"].take();
    run["outputs"]["version"] = json!(n);
    run["tasks"]["kept"]["result"]["version"] = json!(n);
    run["tasks"]["told"]["result"]["sequence"] = json!(n);
    run
}

/// What can be found after the `n`th run: its report, the last mail, the last event, the note.
pub(crate) fn left(n: u64) -> Value {
    let mut left = document()["left"].take();
    // Three mails are in the inbox from the beginning.
    left["mail"][0]["uid"] = json!(3 + n);
    left["event"][0]["sequence"] = json!(n);
    left["state"]["version"] = json!(n);
    left
}

/// What the schedule keeps of its only fire, which started the `n`th run.
pub(crate) fn fire(n: u64) -> Value {
    let mut fire = document()["fire"].take();
    fire["result"]["version"] = json!(n);
    fire
}
