//! What surfaces ask of the catalogue.

use super::*;

#[test]
fn every_tool_of_the_project_is_complete() {
    let catalog = fixture::ours();
    let ids: Vec<&str> = catalog.tools().iter().map(|t| t.id.as_str()).collect();
    assert!(ids.is_sorted());
    for id in [
        "state.get",
        "state.put",
        "file.archive_create",
        "http.request",
        "orchestrator.execute",
    ] {
        assert!(ids.contains(&id), "{id} in {ids:?}");
    }
    for tool in catalog.tools() {
        assert!(
            !tool.summary.is_empty() && !tool.summary.contains('\n'),
            "{}",
            tool.id
        );
        assert!(tool.description.starts_with(&tool.summary), "{}", tool.id);
        assert_eq!(tool.input_schema["type"], "object", "{}", tool.id);
        assert_eq!(
            tool.input_schema["additionalProperties"], false,
            "{}",
            tool.id
        );
        assert_eq!(tool.output_schema["type"], "object", "{}", tool.id);
        assert!(!tool.routes.is_empty() && !tool.foreign, "{}", tool.id);
        let found = catalog.by_path(&tool.path).expect("found by its path");
        assert_eq!(found.id, tool.id);
    }
}

#[test]
fn tool_is_found_by_id_spelling_and_alias() {
    let catalog = fixture::ours();
    for name in [
        "orchestrator.execute",
        "orchestrator_execute",
        "parallel_execute",
    ] {
        let found = catalog.get(name).expect("every name resolves");
        assert_eq!(found.tool.id, "orchestrator.execute");
        assert_eq!(
            found.alias.map(|a| a.listed),
            (name == "parallel_execute").then_some(true)
        );
    }
    assert!(catalog.get("orchestrator-execute").is_none());
    assert!(catalog.get("").is_none());
}

#[test]
fn options_become_what_surfaces_show() {
    let catalog = fixture::ours();
    let put = catalog.get("state.put").expect("there").tool;
    assert_eq!(
        (put.effect, put.keyed, put.idempotent),
        (Effect::Write, Keyed::Txn, false)
    );
    assert_eq!(put.scope(), "state:write");
    assert_eq!(put.mcp_name(), "state_put");
    assert_eq!(
        (put.timeout, put.timeout_max),
        (Duration::from_secs(5), Duration::from_secs(30))
    );
    assert_eq!(put.approval, Approval::Auto);
    let undo = put.undo.as_ref().expect("has one");
    assert_eq!(
        (undo.tool.as_str(), undo.fields.as_slice()),
        (
            "state.delete",
            [("key".to_owned(), "key".to_owned())].as_slice()
        )
    );
    assert_eq!(put.summary, "Stores a value under a key.");
    let delete = catalog.get("state.delete").expect("there").tool;
    assert_eq!(delete.approval, Approval::Confirm);
    let execute = catalog.get("orchestrator.execute").expect("there").tool;
    assert_eq!((execute.approval, execute.detach), (Approval::Auto, true));
    let watch = catalog.get("orchestrator.watch_run").expect("there").tool;
    assert!(watch.streaming && watch.usable_as_task());
    assert_eq!(watch.resume_field.as_deref(), Some("after"));
    let request = catalog.get("api_request").expect("an alias").tool;
    assert_eq!(
        request
            .connection
            .as_ref()
            .map(|c| (c.field.as_str(), c.kind.as_str())),
        Some(("connection", "http"))
    );
    assert!(request.egress && request.untrusted);
}

#[test]
fn routes_are_annotated_or_derived() {
    let catalog = fixture::ours();
    let routes = |id: &str| -> Vec<String> {
        let tool = catalog.get(id).expect("there").tool;
        tool.routes
            .iter()
            .map(|r| {
                format!(
                    "{} {} {} {} {}",
                    r.method, r.template, r.body, r.response_body, r.derived
                )
            })
            .collect()
    };
    assert_eq!(
        routes("file.archive_create"),
        ["POST /v1/file/archive-create *  true"]
    );
    assert_eq!(
        routes("orchestrator.start_run"),
        ["POST /v1/runs * run false"]
    );
    assert_eq!(
        routes("orchestrator.cancel_run"),
        ["POST /v1/runs/{run_id}:cancel *  false"]
    );
}

#[test]
fn rpc_that_is_no_tool_says_who_may_call() {
    let catalog = fixture::ours();
    let fence = catalog
        .rpc("/gearmesh.ledger.v1.LedgerService/Fence")
        .expect("there");
    let access = fence.access.as_ref().expect("has the option");
    assert_eq!(
        (access.peers.as_slice(), access.scope.as_str()),
        (["orchestrator".to_owned()].as_slice(), "ledger:admin")
    );
    assert!(fence.tool.is_none() && fence.routes.is_empty());
    assert!(catalog.by_path(&fence.path).is_none());
    assert!(
        catalog
            .rpc("/gearmesh.ledger.v1.LedgerService/Open")
            .is_none()
    );
    let put = catalog
        .rpc("/gearmesh.state.v1.StateService/Put")
        .expect("there");
    assert_eq!(put.tool.as_ref().map(|t| t.id.as_str()), Some("state.put"));
}

#[test]
fn alias_fixes_fields_with_values_of_their_type() {
    let catalog = fixture::catalog(SEARCH).expect("sound");
    for name in ["linkedin.search", "linkedin_search"] {
        let found = catalog.get(name).expect("an alias");
        assert_eq!(found.tool.id, "lab.search");
        assert_eq!(
            found.preset,
            [
                ("pageSize".to_owned(), json!(25)),
                ("site".to_owned(), json!("linkedin"))
            ]
        );
    }
    assert!(catalog.get("lab.search").expect("there").preset.is_empty());
}

#[test]
fn additional_bindings_are_routes_too() {
    let catalog = fixture::catalog(
        r#"message Ask { string name = 1; } service LabService { rpc Do(Ask) returns (Ask) {
        option (gearmesh.tool.v1.tool) = {effect: EFFECT_READ};
        option (google.api.http) = {get: "/v1/a/{name}" additional_bindings: {custom: {kind: "HEAD" path: "/v1/b"}} additional_bindings: {post: "/v1/c" body: "*"}};
    } }"#,
    )
    .expect("sound");
    let tool = catalog.get("lab.do").expect("there").tool;
    let routes: Vec<_> = tool
        .routes
        .iter()
        .map(|r| format!("{} {}", r.method, r.template))
        .collect();
    assert_eq!(routes, ["GET /v1/a/{name}", "HEAD /v1/b", "POST /v1/c"]);
}

#[test]
fn engines_tell_their_title_affinity_and_faults() {
    let catalog = fixture::ours();
    let state = catalog
        .engines()
        .iter()
        .find(|e| e.id == "state")
        .expect("there");
    assert_eq!(state.title, "State");
    assert_eq!(state.services, ["gearmesh.state.v1.StateService"]);
    assert_eq!(state.affinity, Affinity::None);
    let reasons: Vec<_> = state.faults.iter().map(|f| f.reason.as_str()).collect();
    assert_eq!(
        reasons,
        ["STATE_NOT_FOUND", "VERSION_MISMATCH", "VALUE_TOO_LARGE"]
    );
    let keyed = fixture::catalog(
        r#"message Ask { string site = 1; } service LabService {
        option (gearmesh.tool.v1.engine) = {title: "Lab" affinity: {by: AFFINITY_BY_KEY field: "site"}};
        rpc Do(Ask) returns (Ask) { option (gearmesh.tool.v1.tool) = {effect: EFFECT_READ}; } }"#,
    )
    .expect("sound");
    assert_eq!(keyed.engines()[0].affinity, Affinity::Key("site".into()));
}

#[test]
fn reasons_are_explained() {
    let catalog = fixture::ours();
    let timeout = catalog.fault("gearmesh", "TIMEOUT").expect("a common one");
    assert_eq!(
        (timeout.code, timeout.code_name.as_str(), timeout.retryable),
        (4, "DEADLINE_EXCEEDED", true)
    );
    assert!(timeout.text.starts_with("The call did not end"));
    assert!(catalog.common_faults().contains(timeout));
    assert!(catalog.fault("state.gearmesh", "TIMEOUT").is_none());
    let found = catalog.explain("outcome_unknown");
    let domains: Vec<_> = found.iter().map(|f| f.domain.as_str()).collect();
    assert_eq!(domains, ["gearmesh", "orchestrator.gearmesh"]);
    assert!(
        catalog
            .fault("http.gearmesh", "HTTP_STATUS")
            .is_some_and(|f| f.varies)
    );
}

#[test]
fn mistyped_tools_are_guessed() {
    let catalog = fixture::ours();
    let first = |name: &str| catalog.nearest(name).first().cloned();
    for (typed, meant) in [
        ("file.cpy", "file.copy"),
        ("file_archive_crate", "file.archive_create"),
        ("archive.create", "file.archive_create"),
        ("state.set", "state.get"),
        ("paralel_execute", "orchestrator.execute"),
    ] {
        assert_eq!(
            first(typed).as_deref(),
            Some(meant),
            "{typed}: {:?}",
            catalog.nearest(typed)
        );
    }
    assert_eq!(first("quantum"), None);
}

#[test]
fn paths_into_results_are_checked() {
    use Step::{Field, Index};
    let catalog = fixture::ours();
    let run = catalog.get("orchestrator.get_run").expect("there").tool;
    let unknown = |at: usize, nearest: Option<&str>| PathCheck::Unknown {
        at,
        nearest: nearest.map(str::to_owned),
    };
    for (steps, check) in [
        (vec![], PathCheck::Known),
        (vec![Field("run"), Field("runId")], PathCheck::Known),
        (vec![Field("run"), Field("run_id")], PathCheck::Known),
        (
            vec![Field("run"), Field("timings"), Field("criticalPath"), Index],
            PathCheck::Known,
        ),
        (
            vec![
                Field("run"),
                Field("timings"),
                Field("criticalPath"),
                Field("0"),
            ],
            PathCheck::Known,
        ),
        (
            vec![Field("run"), Field("outputs"), Field("x"), Index],
            PathCheck::Open,
        ),
        (
            vec![Field("run"), Field("tasks"), Field("a"), Field("status")],
            PathCheck::Open,
        ),
        (vec![Field("run"), Field("outputs")], PathCheck::Open),
        (
            vec![Field("run"), Field("stats")],
            unknown(1, Some("status")),
        ),
        (vec![Field("quantum")], unknown(0, None)),
        (vec![Field("run"), Index], unknown(1, None)),
        (
            vec![Field("run"), Field("status"), Field("x")],
            unknown(2, None),
        ),
        (
            vec![Field("run"), Field("startTime"), Field("seconds")],
            unknown(2, None),
        ),
        (
            vec![
                Field("run"),
                Field("timings"),
                Field("criticalPath"),
                Field("x"),
            ],
            unknown(3, None),
        ),
    ] {
        assert_eq!(run.output_path(&steps), check, "{steps:?}");
    }
}

#[test]
fn description_of_a_tool_is_whole() {
    let catalog = fixture::ours();
    let mut described = catalog.get("state.delete").expect("there").tool.describe();
    for schema in ["inputSchema", "outputSchema", "faults"] {
        assert!(!described[schema].take().is_null(), "{schema}");
    }
    expect![[r#"
        {
          "id": "state.delete",
          "mcpName": "state_delete",
          "engine": "state",
          "summary": "Deletes a key with its value.",
          "effect": "DESTRUCTIVE",
          "keyed": "TXN",
          "idempotent": false,
          "latency": "INSTANT",
          "approval": "CONFIRM",
          "streaming": false,
          "description": "Deletes a key with its value.\n\nA key without value is success. With `version` the key is deleted only if it still has that version; else it fails with VERSION_MISMATCH.",
          "timeout": "5s",
          "timeoutMax": "30s",
          "aliases": [],
          "route": "POST /v1/state/delete",
          "routes": [
            "POST /v1/state/delete"
          ],
          "grpc": "/gearmesh.state.v1.StateService/Delete",
          "scope": "state:destructive",
          "egress": false,
          "untrusted": false,
          "detach": false,
          "inputSchema": null,
          "outputSchema": null,
          "examples": [
            {
              "title": "Forget a cursor",
              "request": {
                "key": "inbox/cursor"
              },
              "response": {
                "deleted": true
              }
            }
          ],
          "faults": null
        }"#]]
    .assert_eq(&serde_json::to_string_pretty(&described).expect("JSON"));
    let brief = catalog.get("state.delete").expect("there").tool.brief();
    assert_eq!(brief["summary"], "Deletes a key with its value.");
    assert_eq!(brief.get("inputSchema"), None);
}

#[test]
fn description_tells_narrow_undo_and_presets() {
    let catalog = fixture::ours();
    let request = catalog.get("http.request").expect("there").tool.describe();
    assert_eq!(request["narrow"][0]["keyed"], "IDEMPOTENT");
    assert_eq!(
        request["connection"],
        json!({"field": "connection", "kind": "http"})
    );
    let put = catalog.get("state.put").expect("there").tool.describe();
    assert_eq!(
        put["undo"],
        json!({"tool": "state.delete", "fields": {"key": "key"}})
    );
    let search = fixture::catalog(SEARCH).expect("sound");
    let search = search.get("lab.search").expect("there").tool.describe();
    assert_eq!(
        search["aliases"],
        json!([{"name": "linkedin.search", "preset": {"pageSize": 25, "site": "linkedin"}, "listed": true}])
    );
}

#[test]
fn messages_are_found_by_name() {
    let catalog = fixture::ours();
    assert!(catalog.message("gearmesh.state.v1.PutRequest").is_some());
    assert!(catalog.message("gearmesh.state.v1.Nothing").is_none());
}

#[test]
fn examples_of_the_project_survive_the_mapping() {
    for tool in fixture::ours().tools() {
        for example in &tool.examples {
            let read = mapping::decode(&tool.method.input(), example.request.clone());
            let read = read.unwrap_or_else(|v| panic!("{}: {v:?}", tool.id));
            assert_eq!(mapping::validate(&read), [], "{}", tool.id);
            let written = mapping::encode(&read);
            let again = mapping::decode(&tool.method.input(), written.clone());
            let again = again.unwrap_or_else(|v| panic!("{}: {written}: {v:?}", tool.id));
            assert_eq!(mapping::encode(&again), written, "{}", tool.id);
        }
    }
}
