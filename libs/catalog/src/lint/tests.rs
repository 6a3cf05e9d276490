//! Each rule by a proto that breaks it, and nothing else.

mod field;
mod route;
mod tool;

use expect_test::{Expect, expect};

use crate::{Catalog, Engines, Source, fixture, lint};

#[test]
fn protos_of_the_project_obey_every_rule() {
    assert_eq!(findings(&fixture::ours()), "");
}

fn findings(catalog: &Catalog) -> String {
    lint(catalog)
        .iter()
        .map(|f| format!("{}: {}: {}\n", f.rule, f.subject, f.message))
        .collect()
}

/// A sound engine of one tool. Tests replace parts of it.
const SOUND: &str = r#"
// The laboratory.
service LabService {
  option (gearmesh.tool.v1.engine) = {id: "lab"};
  // Does it.
  rpc Do(DoRequest) returns (DoResponse) {
    option (gearmesh.tool.v1.tool) = {
      effect: EFFECT_WRITE
      keyed: KEYED_IDEMPOTENT
      examples: {title: "Do it", request: '{"name": "a"}', response: '{"name": "a"}'}
    };
  }
}
// What to do.
message DoRequest {
  // Its name.
  string name = 1 [(google.api.field_behavior) = REQUIRED];
}
// What was done.
message DoResponse {
  // Its name.
  string name = 1;
}
"#;

fn body(changes: &[(&str, &str)]) -> String {
    let mut out = SOUND.to_owned();
    for (from, to) in changes {
        assert!(out.contains(from), "the fixture has no `{from}`");
        out = out.replace(from, to);
    }
    out
}

/// The findings for the sound engine with some parts replaced.
#[track_caller]
fn breaks(changes: &[(&str, &str)], expected: Expect) {
    let catalog = fixture::catalog(&body(changes)).expect("the lint, not the builder, is tested");
    expected.assert_eq(&findings(&catalog));
}

/// As [`breaks`], of an engine with another id.
#[track_caller]
fn breaks_as(engine: &str, changes: &[(&str, &str)], expected: Expect) {
    let id = format!("id: \"{engine}\"");
    let mut all = vec![("id: \"lab\"", id.as_str())];
    all.extend(changes);
    let bytes = fixture::lab(&body(&all));
    let catalog = Catalog::build(&[Source {
        descriptors: &bytes,
        engines: Engines::Only(&[engine]),
    }])
    .expect("the lint, not the builder, is tested");
    expected.assert_eq(&findings(&catalog));
}

#[test]
fn sound_engine_has_no_findings() {
    breaks(&[], expect![""]);
}

#[test]
fn every_exception_is_needed() {
    let all = super::findings(&fixture::ours());
    for exception in super::exception::EXCEPTIONS {
        assert!(all.iter().any(|f| exception.covers(f)), "{exception:?}");
    }
}

#[test]
fn exceptions_cover_only_what_they_name() {
    let finding = |rule, subject: &str| super::Finding {
        rule,
        subject: subject.to_owned(),
        message: String::new(),
    };
    let covers = |f: super::Finding| super::exception::EXCEPTIONS.iter().any(|e| e.covers(&f));
    assert!(covers(finding("field", "gearmesh.state.v1.GetRequest.key")));
    assert!(!covers(finding("field", "gearmesh.http.v1.GetRequest.key")));
    assert!(!covers(finding(
        "field",
        "gearmesh.state.v1.GetRequest.token"
    )));
    assert!(!covers(finding("text", "gearmesh.state.v1.GetRequest.key")));
}
