//! Routes, queries and lists.

use super::*;

#[test]
fn routes_name_fields_and_get_only_reads() {
    let with = |http: &str| {
        format!("option (google.api.http) = {{{http}}};\n option (gearmesh.tool.v1.tool)")
    };
    let at = "option (gearmesh.tool.v1.tool)";
    breaks(
        &[(at, &with("get: \"/v1/things/{name}\""))],
        expect!["route: /gearmesh.lab.v1.LabService/Do: GET is only for READ\n"],
    );
    breaks(
        &[(
            at,
            &with("post: \"/v1/things/{nam}\" body: \"what\" response_body: \"what\""),
        )],
        expect![[r#"
            route: /gearmesh.lab.v1.LabService/Do: `body` names `what`, which `DoRequest` does not have
            route: /gearmesh.lab.v1.LabService/Do: `response_body` names `what`, which `DoResponse` does not have
            route: /gearmesh.lab.v1.LabService/Do: `{nam}` is no field of `DoRequest`
        "#]],
    );
    let more = "string name = 1 [(google.api.field_behavior) = REQUIRED];\n// Many.\nrepeated string many = 2;\n// Hidden.\nstring hidden = 3 [(google.api.field_behavior) = REQUIRED, (gearmesh.tool.v1.field) = {secret: true}];";
    breaks(
        &[
            (
                "string name = 1 [(google.api.field_behavior) = REQUIRED];",
                more,
            ),
            (
                "request: '{\"name\": \"a\"}'",
                "request: '{\"name\": \"a\", \"hidden\": \"vault://v/a\"}'",
            ),
            (
                at,
                &with("post: \"/v1/things/{many}/{hidden}\" body: \"*\""),
            ),
        ],
        expect![[r#"
            route: /gearmesh.lab.v1.LabService/Do: `{hidden}` is secret
            route: /gearmesh.lab.v1.LabService/Do: `{many}` is no scalar
            route: /gearmesh.lab.v1.LabService/Do: `{many}` is not REQUIRED
        "#]],
    );
}

#[test]
fn query_holds_no_message_that_holds_itself() {
    let tree =
        "// A tree.\nmessage Tree {\n// Branches.\nrepeated Tree trees = 1;\n}\n// What to do.";
    breaks(
        &[
            ("// What to do.", tree),
            (
                "string name = 1 [",
                "Tree tree = 2;\n// Name.\nstring name = 1 [",
            ),
            (
                "option (gearmesh.tool.v1.tool)",
                "option (google.api.http) = {get: \"/v1/things\"};\n option (gearmesh.tool.v1.tool)",
            ),
            ("effect: EFFECT_WRITE", "effect: EFFECT_READ"),
        ],
        expect![[r#"
            query: /gearmesh.lab.v1.LabService/Do: `tree` of the query holds itself
            schema: lab.do: `gearmesh.lab.v1.Tree` holds itself
        "#]],
    );
}

#[test]
fn wildcard_of_one_package_covers_no_literal_of_another() {
    let route = |http: &str| {
        body(&[(
            "option (gearmesh.tool.v1.tool)",
            &format!("option (google.api.http) = {{{http}}};\n option (gearmesh.tool.v1.tool)"),
        )])
    };
    let lab = fixture::lab(&route("post: \"/v1/things/{name}:go\" body: \"*\""));
    let header = "syntax = \"proto3\";\npackage gearmesh.other.v1;\nimport \"gearmesh/tool/v1/tool.proto\";\nimport \"google/api/annotations.proto\";\nimport \"google/api/field_behavior.proto\";\n";
    let other = |http: &str| {
        let text = format!(
            "{header}{}",
            route(http).replace("lab", "other").replace("Lab", "Other")
        );
        fixture::compile("gearmesh/other/v1/other.proto", &text)
    };
    let both = |http: &str| {
        let other = other(http);
        let sources = [
            Source {
                descriptors: &lab,
                engines: Engines::Only(&["lab"]),
            },
            Source {
                descriptors: &other,
                engines: Engines::Only(&["other"]),
            },
        ];
        findings(&Catalog::build(&sources).expect("the lint, not the builder, is tested"))
    };
    expect!["route: /gearmesh.lab.v1.LabService/Do: `/v1/things/{name}:go` covers `/v1/things/new:go` of `/gearmesh.other.v1.OtherService/Do`\n"]
        .assert_eq(&both("post: \"/v1/things/new:go\" body: \"*\""));
    assert_eq!(both("post: \"/v1/things/new:stop\" body: \"*\""), "");
    assert_eq!(both("put: \"/v1/things/new:go\" body: \"*\""), "");
}

#[test]
fn lists_have_pages_and_updates_have_masks() {
    let get = "option (google.api.http) = {get: \"/v1/things\"};\n option (gearmesh.tool.v1.tool)";
    breaks(
        &[
            ("rpc Do(", "rpc ListThings("),
            ("option (gearmesh.tool.v1.tool)", get),
            ("effect: EFFECT_WRITE", "effect: EFFECT_READ"),
        ],
        expect![[r#"
            list: /gearmesh.lab.v1.LabService/ListThings: `DoRequest` has no field `page_size`
            list: /gearmesh.lab.v1.LabService/ListThings: `DoRequest` has no field `page_token`
            list: /gearmesh.lab.v1.LabService/ListThings: `DoResponse` has no field `next_page_token`
        "#]],
    );
    breaks(&[("rpc Do(", "rpc ListThings(")], expect![""]);
    breaks(
        &[("rpc Do(", "rpc UpdateThing(")],
        expect![[r#"
            list: /gearmesh.lab.v1.LabService/UpdateThing: `DoRequest` has no field `update_mask`
            list: /gearmesh.lab.v1.LabService/UpdateThing: no request field `etag`
        "#]],
    );
    breaks(&[("rpc Do(", "rpc Updated(")], expect![""]);
}
