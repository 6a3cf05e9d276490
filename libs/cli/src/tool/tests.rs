use expect_test::expect;

use super::*;
use crate::client::built_in;
use crate::output::{Format, capture};

#[test]
fn page_of_a_tool_has_all_that_a_caller_needs() {
    let catalog = built_in().unwrap();
    expect![[r#"
        state.get   read, idempotent, scope state:read

        Reads the value of a key.

        Fails with STATE_NOT_FOUND when the key has no value or its value has expired.

        Parameters
          --key *  text  The key: 1 to 512 characters, parts separated by `/`.
          * must be given

        Examples
          Read a cursor
            gearmesh tool call state.get --key inbox/cursor

        Faults of its own
          STATE_NOT_FOUND  The key has no value, or its value has expired. List the prefix to see what is there.
          VERSION_MISMATCH  Somebody changed the value meanwhile. Read it again and repeat with the version read.
          VALUE_TOO_LARGE  The value is larger than 64 KiB. Keep a file and store its path.

        Reached by
          REST  POST /v1/state/get
          gRPC  /gearmesh.state.v1.StateService/Get
          MCP   state_get"#]].assert_eq(&page(find(&catalog, "state.get").unwrap().tool, Style::default()));
}

#[test]
fn list_can_be_cut_to_an_engine() {
    let catalog = built_in().unwrap();
    let (mut output, out, _) = capture::output(Format::Name);
    list(&mut output, &catalog, Some("state")).unwrap();
    assert!(out.text().lines().count() >= 4);
    assert!(
        out.text().lines().all(|l| l.starts_with("state.")),
        "{}",
        out.text()
    );
    let error = list(&mut output, &catalog, Some("stat")).unwrap_err();
    assert_eq!(error.report().help, ["did you mean `state`?"]);
}

#[test]
fn search_puts_the_most_words_and_names_first() {
    let catalog = built_in().unwrap();
    let (mut output, out, _) = capture::output(Format::Name);
    search(&mut output, &catalog, &["RUN".into(), "start".into()]).unwrap();
    assert_eq!(out.text().lines().next(), Some("orchestrator.start_run"));
    let (mut output, out, _) = capture::output(Format::Name);
    search(&mut output, &catalog, &["copy a file".into()]).unwrap();
    assert_eq!(out.text().lines().next(), Some("file.copy"));
    for nothing in ["nosuchword", "the"] {
        let (mut output, ..) = capture::output(Format::Table);
        let error = search(&mut output, &catalog, &[nothing.into()]).unwrap_err();
        assert_eq!(error.exit() as u8, 5);
    }
}

#[test]
fn unknown_tool_names_the_nearest() {
    let catalog = built_in().unwrap();
    let error = find(&catalog, "state.gte").unwrap_err();
    assert_eq!(error.exit() as u8, 5);
    assert!(
        error.report().help[0].contains("state.get"),
        "{:?}",
        error.report()
    );
}

#[test]
fn example_is_written_for_a_shell() {
    let request = serde_json::json!({"path": "work://a b.txt", "all": true, "list": [1]});
    assert_eq!(
        flags(&request),
        " --path 'work://a b.txt' --all --list '[1]'"
    );
    assert_eq!(quoted("it's"), "'it'\\''s'");
}
