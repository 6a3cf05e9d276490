//! What a tool says of itself.

use super::*;

#[test]
fn rpc_has_exactly_one_option() {
    let rpc = "// Plain.\n  rpc Plain(DoRequest) returns (DoResponse)";
    let access = "option (gearmesh.tool.v1.access)";
    breaks(
        &[("// Does it.", &format!("{rpc};\n// Does it."))],
        expect!["rpc: /gearmesh.lab.v1.LabService/Plain: carries neither `tool` nor `access`\n"],
    );
    breaks(
        &[(
            "option (gearmesh.tool.v1.tool)",
            &format!("{access} = {{peers: \"gateway\"}};\noption (gearmesh.tool.v1.tool)"),
        )],
        expect!["rpc: /gearmesh.lab.v1.LabService/Do: carries both `tool` and `access`\n"],
    );
    breaks(
        &[(
            "// Does it.",
            &format!("{rpc} {{ {access} = {{scope: \"x\"}}; }}\n// Does it."),
        )],
        expect!["rpc: /gearmesh.lab.v1.LabService/Plain: `access` names no peers\n"],
    );
}

#[test]
fn tool_says_effect_and_class() {
    breaks(
        &[("effect: EFFECT_WRITE", "")],
        expect!["tool: lab.do: `effect` is not set\n"],
    );
    breaks(
        &[("keyed: KEYED_IDEMPOTENT", "")],
        expect!["tool: lab.do: `keyed` is not set\n"],
    );
    breaks(
        &[("keyed: KEYED_IDEMPOTENT", "idempotent: true")],
        expect![""],
    );
}

#[test]
fn read_has_no_undo_and_undo_must_work() {
    let other = r#"
  // Takes it back.
  rpc Back(BackRequest) returns (DoResponse) {
    option (gearmesh.tool.v1.tool) = {
      effect: EFFECT_WRITE
      keyed: KEYED
      examples: {title: "Back", request: '{"what": "a", "size": 1}', response: '{}'}
    };
  }
  // Does it."#;
    let message = r#"
// What to take back.
message BackRequest {
  // Its name.
  string what = 1 [(google.api.field_behavior) = REQUIRED];
  // Its size.
  int32 size = 2 [(google.api.field_behavior) = REQUIRED];
}
// What to do."#;
    let once = other.replace("keyed: KEYED", "keyed: KEYED_AT_MOST_ONCE");
    let txn = other.replace("keyed: KEYED", "keyed: KEYED_TXN");
    let keyed = "effect: EFFECT_WRITE\n      keyed: KEYED_IDEMPOTENT";
    let undo = |text: &str| {
        format!("effect: EFFECT_WRITE undo: \"{text}\"\n      keyed: KEYED_IDEMPOTENT")
    };
    breaks(
        &[(keyed, &undo("lab.nothing"))],
        expect!["undo: lab.do: there is no tool `lab.nothing`\n"],
    );
    breaks(
        &[
            (keyed, &undo("lab.back(what=name)")),
            ("// Does it.", &once),
            ("// What to do.", message),
        ],
        expect![[r#"
            undo: lab.do: `lab.back` cannot undo: READ or AT_MOST_ONCE
            undo: lab.do: nothing fills `size` of `lab.back`
        "#]],
    );
    breaks(
        &[
            (keyed, &undo("lab.back(wat=nam, size=name)")),
            ("// Does it.", &txn),
            ("// What to do.", message),
        ],
        expect![[r#"
            undo: lab.do: `lab.back` has no field `wat`
            undo: lab.do: neither answer nor request has `nam`
            undo: lab.do: nothing fills `what` of `lab.back`
        "#]],
    );
    breaks(
        &[(keyed, "effect: EFFECT_READ undo: \"lab.do\"")],
        expect![[r#"
            tool: lab.do: a READ has nothing to undo
            undo: lab.do: `lab.do` cannot undo: READ or AT_MOST_ONCE
        "#]],
    );
}

#[test]
fn narrow_is_stronger_and_names_a_scalar() {
    let with = |narrow: &str| {
        format!(
            "examples: {{title: \"x\", request: '{{\"name\": \"a\"}}', response: '{{}}'}} narrow: {{{narrow}}}"
        )
    };
    let at =
        "examples: {title: \"Do it\", request: '{\"name\": \"a\"}', response: '{\"name\": \"a\"}'}";
    breaks(
        &[(at, &with("field: \"name\" values: \"a\" keyed: KEYED_TXN"))],
        expect![""],
    );
    breaks(
        &[(
            at,
            &with("field: \"name\" values: \"a\" keyed: KEYED_AT_MOST_ONCE"),
        )],
        expect!["tool: lab.do: `narrow` of `name` is weaker than the tool\n"],
    );
    breaks(
        &[(at, &with("field: \"nam\""))],
        expect![[r#"
            tool: lab.do: `narrow` names `nam`, which the request does not have
            tool: lab.do: `narrow` of `nam` changes nothing
            tool: lab.do: `narrow` of `nam` names no values
        "#]],
    );
    let flag = "string name = 1 [(google.api.field_behavior) = REQUIRED];\n// Flag.\nbool flag = 2;\n// Many.\nrepeated string many = 3;";
    let name = "string name = 1 [(google.api.field_behavior) = REQUIRED];";
    breaks(
        &[
            (name, flag),
            (
                at,
                &with("field: \"flag\" values: \"yes\" keyed: KEYED_TXN"),
            ),
        ],
        expect!["tool: lab.do: `narrow` of `flag` names `yes`, which is none of its values\n"],
    );
    breaks(
        &[
            (name, flag),
            (at, &with("field: \"many\" values: \"a\" keyed: KEYED_TXN")),
        ],
        expect!["tool: lab.do: `narrow` names `many`, which is no scalar\n"],
    );
}

#[test]
fn idempotency_level_agrees() {
    let at = "option (gearmesh.tool.v1.tool)";
    breaks(
        &[(
            at,
            "option idempotency_level = NO_SIDE_EFFECTS;\n option (gearmesh.tool.v1.tool)",
        )],
        expect!["tool: lab.do: `idempotency_level` says otherwise than the tool\n"],
    );
    breaks(
        &[(
            at,
            "option idempotency_level = IDEMPOTENT;\n option (gearmesh.tool.v1.tool)",
        )],
        expect![""],
    );
}

#[test]
fn names_are_short_and_without_acronyms() {
    breaks(
        &[("rpc Do(", "rpc DoHTTPThing(")],
        expect![
            "name: /gearmesh.lab.v1.LabService/DoHTTPThing: two capitals in a row: write acronyms as words\n"
        ],
    );
    // `lab_` and 36 letters are 40; one more is too many.
    let name = format!("D{}", "o".repeat(35));
    breaks(&[("rpc Do(", &format!("rpc {name}("))], expect![""]);
    breaks(
        &[("rpc Do(", &format!("rpc {name}o("))],
        expect![
            "name: lab.doooooooooooooooooooooooooooooooooooo: `lab_doooooooooooooooooooooooooooooooooooo` has 41 characters, more than 40\n"
        ],
    );
    let bytes = fixture::lab(&body(&[("id: \"lab\"", "id: \"la_b\"")]));
    let catalog = Catalog::build(&[Source {
        descriptors: &bytes,
        engines: Engines::Only(&["la_b"]),
    }]);
    expect!["name: /gearmesh.lab.v1.LabService/Do: `la_b.do` is no tool id\n"].assert_eq(
        &findings(&catalog.expect("the lint, not the builder, is tested")),
    );
}

#[test]
fn examples_are_there_and_fit() {
    let example =
        "examples: {title: \"Do it\", request: '{\"name\": \"a\"}', response: '{\"name\": \"a\"}'}";
    breaks(
        &[(example, "")],
        expect!["examples: lab.do: has no example\n"],
    );
    breaks(
        &[(
            example,
            "examples: {title: \"A\", request: '{\"nam\": 1}', response: '{\"size\": 1}'} examples: {request: '{', response: '[]'}",
        )],
        expect![[r#"
            examples: lab.do: `A`: request: `nam`: is no field here; `name`?
            examples: lab.do: `A`: request: `name`: is required
            examples: lab.do: `A`: response: `size`: is no field here
            examples: lab.do: ``: the request is no JSON object
            examples: lab.do: ``: the response is no JSON object
            examples: lab.do: an example has no title
        "#]],
    );
}

#[test]
fn secrets_are_in_no_example_answer_or_query() {
    let secret = "string name = 1 [(google.api.field_behavior) = REQUIRED, (gearmesh.tool.v1.field) = {secret: true}];";
    let field = "string name = 1 [(google.api.field_behavior) = REQUIRED];";
    breaks(
        &[(field, secret)],
        expect!["examples: lab.do: `Do it`: a secret is written out\n"],
    );
    breaks(
        &[
            (field, secret),
            (
                "request: '{\"name\": \"a\"}'",
                "request: '{\"name\": \"vault://v/a\"}'",
            ),
        ],
        expect![""],
    );
    breaks(
        &[(
            "string name = 1;",
            "string name = 1 [(gearmesh.tool.v1.field) = {secret: true}];",
        )],
        expect!["secret: lab.do: the answer holds the secret `gearmesh.lab.v1.DoResponse.name`\n"],
    );
    let get = "option (google.api.http) = {get: \"/v1/things\"};\n option (gearmesh.tool.v1.tool)";
    breaks(
        &[
            (field, secret),
            (
                "request: '{\"name\": \"a\"}'",
                "request: '{\"name\": \"vault://v/a\"}'",
            ),
            ("option (gearmesh.tool.v1.tool)", get),
            ("effect: EFFECT_WRITE", "effect: EFFECT_READ"),
        ],
        expect!["query: /gearmesh.lab.v1.LabService/Do: the query can hold the secret `name`\n"],
    );
}

#[test]
fn streams_can_be_resumed() {
    let rpc = "rpc Do(DoRequest) returns (DoResponse)";
    breaks(
        &[(rpc, "rpc Do(DoRequest) returns (stream DoResponse)")],
        expect!["stream: lab.do: a stream needs `resume_field`, and `cursor` in the answer\n"],
    );
    breaks(
        &[
            (rpc, "rpc Do(DoRequest) returns (stream DoResponse)"),
            (
                "effect: EFFECT_WRITE",
                "effect: EFFECT_WRITE resume_field: \"from\"",
            ),
            ("string name = 1;", "string cursor = 1;"),
            ("response: '{\"name\": \"a\"}'", "response: '{}'"),
        ],
        expect!["stream: lab.do: `from` is no text field of the request\n"],
    );
    breaks(
        &[
            (rpc, "rpc Do(stream DoRequest) returns (stream DoResponse)"),
            (
                "effect: EFFECT_WRITE",
                "effect: EFFECT_WRITE resume_field: \"name\"",
            ),
            ("string name = 1;", "string cursor = 1;"),
            ("response: '{\"name\": \"a\"}'", "response: '{}'"),
        ],
        expect!["stream: lab.do: streams both ways, and the comment does not say why\n"],
    );
}

#[test]
fn long_calls_say_what_a_lost_caller_means() {
    breaks(
        &[(
            "effect: EFFECT_WRITE",
            "effect: EFFECT_WRITE latency: LATENCY_LONG",
        )],
        expect!["long: lab.do: LONG without `on_disconnect`\n"],
    );
}

#[test]
fn answers_from_outside_are_marked() {
    breaks_as(
        "http",
        &[],
        expect![[r#"
            taint: http.do: `egress` is not set
            taint: http.do: no field of the answer is `untrusted`
        "#]],
    );
    breaks_as(
        "http",
        &[
            (
                "string name = 1;",
                "string name = 1 [(gearmesh.tool.v1.field) = {untrusted: true}];",
            ),
            ("effect: EFFECT_WRITE", "effect: EFFECT_WRITE egress: true"),
        ],
        expect![""],
    );
}
