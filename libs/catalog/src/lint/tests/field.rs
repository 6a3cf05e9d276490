//! Comments, fields, messages and enums.

use super::*;

#[test]
fn everything_has_a_comment_and_summaries_are_short() {
    breaks(
        &[
            ("  // Does it.\n", ""),
            ("  // Its name.\n  string name = 1;", "string name = 1;"),
        ],
        expect![[r#"
            text: /gearmesh.lab.v1.LabService/Do: has no comment
            text: gearmesh.lab.v1.DoResponse.name: has no comment
        "#]],
    );
    let long = format!("// {}.", "x".repeat(119));
    breaks(&[("// Does it.", &long)], expect![""]);
    breaks(
        &[("// Does it.", &format!("// x{}", &long[3..]))],
        expect![
            "text: /gearmesh.lab.v1.LabService/Do: the summary has 121 characters, more than 120\n"
        ],
    );
}

#[test]
fn options_of_fields_fit_their_type() {
    let fields = r#"string name = 1 [(google.api.field_behavior) = REQUIRED];
      // A.
      int32 a = 2 [(gearmesh.tool.v1.field) = {min: 2, max: 1, pattern: "x", path_kind: PATH_KIND_ROOTED, url_kind: URL_KIND_EGRESS}];
      // B.
      string b = 3 [(gearmesh.tool.v1.field) = {pattern: "(", example: "{"}];
      // C.
      bool c = 4 [(gearmesh.tool.v1.field) = {max: 1, connection: "s3", artifact: "image/png"}];
      // D.
      google.protobuf.Duration d = 5 [(gearmesh.tool.v1.field) = {unit: "px"}];
      // E.
      string e = 6 [(gearmesh.tool.v1.field) = {connection: "s3"}];"#;
    let catalog = fixture::catalog(&body(&[(
        "string name = 1 [(google.api.field_behavior) = REQUIRED];",
        fields,
    )]));
    let found = findings(&catalog.expect("the lint, not the builder, is tested"));
    let lines: Vec<_> = found
        .lines()
        .map(|l| l.split(" (?:").next().unwrap_or(l))
        .collect();
    for expected in [
        "field: gearmesh.lab.v1.DoRequest.a: `min` 2 is above `max` 1",
        "field: gearmesh.lab.v1.DoRequest.a: `pattern` is only for text",
        "field: gearmesh.lab.v1.DoRequest.a: `path_kind` is only for text",
        "field: gearmesh.lab.v1.DoRequest.a: `url_kind` is only for text",
        "field: gearmesh.lab.v1.DoRequest.b: `pattern` does not compile: regex parse error:",
        "field: gearmesh.lab.v1.DoRequest.b: `example` is no JSON",
        "field: gearmesh.lab.v1.DoRequest.c: `min` and `max` say nothing of this type",
        "field: gearmesh.lab.v1.DoRequest.c: `connection` is only for text",
        "field: gearmesh.lab.v1.DoRequest.c: `artifact` is only for bytes and text",
        "field: gearmesh.lab.v1.DoRequest.d: `px` is no unit of a Duration",
        "field: gearmesh.lab.v1.DoRequest: more than one field takes a connection",
    ] {
        assert!(lines.contains(&expected), "{expected}\n{found}");
    }
}

#[test]
fn telling_names_have_their_option() {
    for (name, option) in [
        ("path", "path_kind"),
        ("url", "url_kind"),
        ("password", "secret"),
        ("token", "secret"),
        ("key", "secret"),
    ] {
        let field = format!("string {name} = 1 [(google.api.field_behavior) = REQUIRED];");
        let example = format!("request: '{{\"{name}\": \"vault://a/b\"}}'");
        let catalog = fixture::catalog(&body(&[
            (
                "string name = 1 [(google.api.field_behavior) = REQUIRED];",
                &field,
            ),
            ("request: '{\"name\": \"a\"}'", &example),
        ]));
        assert_eq!(
            findings(&catalog.expect("the lint, not the builder, is tested")),
            format!(
                "field: gearmesh.lab.v1.DoRequest.{name}: a text named `{name}` needs `{option}`\n"
            )
        );
    }
}

#[test]
fn messages_are_shallow_finite_and_typed() {
    let deep = |levels: usize| {
        let chain: String = (1..=levels)
            .map(|i| {
                let inner = if i == levels {
                    "string".to_owned()
                } else {
                    format!("L{}", i + 1)
                };
                format!("// Level.\nmessage L{i} {{\n// Next.\n{inner} next = 1;\n}}\n")
            })
            .collect();
        format!("{chain}// What to do.")
    };
    let field = (
        "string name = 1;",
        "string name = 1;\n// Levels.\nL1 levels = 2;",
    );
    breaks(&[field, ("// What to do.", &deep(5))], expect![""]);
    breaks(
        &[field, ("// What to do.", &deep(6))],
        expect!["schema: lab.do: `gearmesh.lab.v1.DoResponse` is 7 messages deep, more than 6\n"],
    );
    let loose = r#"string name = 1;
      // Struct.
      google.protobuf.Struct open = 2;
      // Values.
      map<string, google.protobuf.Value> values = 3;
      // Any.
      google.protobuf.Any any = 4;
      // Any, because the type is the caller's.
      google.protobuf.Any meant = 5;"#;
    breaks(
        &[("string name = 1;", loose)],
        expect![[r#"
            schema: gearmesh.lab.v1.DoResponse.any: `Any` without a `because` in the comment
            schema: gearmesh.lab.v1.DoResponse.open: `Struct` loses integers: use `gearmesh.tool.v1.Json`
            schema: gearmesh.lab.v1.DoResponse.values: `Value` loses integers: use `gearmesh.tool.v1.Json`
        "#]],
    );
}

#[test]
fn enums_begin_unspecified_and_faults_have_codes() {
    let enums = r#"
// Colours.
enum Color {
  // Red.
  RED = 0;
  BLUE = 1;
}
// Why not.
enum LabFault {
  // No reason.
  LAB_FAULT_UNSPECIFIED = 0;
  // Forgotten.
  LAB_FAULT_PLAIN = 1;
  // As if all were well.
  LAB_FAULT_FINE = 2 [(gearmesh.tool.v1.fault) = {code: OK}];
  // Sound.
  LAB_FAULT_LOST = 3 [(gearmesh.tool.v1.fault) = {code: NOT_FOUND}];
}
// What to do."#;
    breaks(
        &[("// What to do.", enums)],
        expect![[r#"
            enum: gearmesh.lab.v1.Color: the value 0 does not end in `_UNSPECIFIED`
            enum: gearmesh.lab.v1.LAB_FAULT_FINE: a fault needs the option `fault` with a code
            enum: gearmesh.lab.v1.LAB_FAULT_PLAIN: a fault needs the option `fault` with a code
            text: gearmesh.lab.v1.BLUE: has no comment
        "#]],
    );
}
