//! What the preview of a retry tells.

use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};

use crate::{call, ended, mesh};

/// `task effect repeats` of what a retry would run.
async fn again(mesh: &TestMesh, params: Value) -> Vec<String> {
    let mut params = params;
    params["preview"] = true.into();
    let preview = call(mesh, "retry_run", params).await;
    assert!(preview["run"].is_null(), "nothing is started: {preview}");
    let again = preview["again"].as_array().expect("tasks").iter();
    let shown = again.map(|t| {
        let word = |key: &str| t[key].as_str().unwrap_or_default().to_owned();
        format!(
            "{} {} {}",
            word("task"),
            word("effect"),
            t["repeats"] == true
        )
    });
    shown.collect()
}

/// Groups in groups, and one of each kind of end.
const GROUPS: &str = "
name: groups
onError: continue
inputs: {x: {}}
tasks:
  - id: outer
    tasks:
      - {id: look, tool: state.list, params: {}}
      - id: inner
        tasks:
          - {id: put, tool: state.put, params: {key: a, value: 1}}
          - {id: drop, needs: [put], tool: state.delete, params: {key: a}}
          - {id: fails, needs: [drop], tool: state.get, params: {key: none}}
  - id: reads
    tasks:
      - {id: never, when: '`false`', tool: state.put, params: {key: b, value: 1}}
      - {id: bad, tool: state.get, params: {key: none}}
  - id: idle
    tasks:
      - {id: bad_set, set: {x: '${inputs.x.y}'}}
      - {id: after_bad, needs: [bad_set], tool: state.put, params: {key: c, value: 1}}
  - {id: sure, tool: state.put, params: {key: a, value: 1, version: 7}}
  - {id: refused, tool: state.put, params: {key: d, value: 1}, expect: 'refused.result.key == ''other'''}
  - {id: puzzled, tool: state.put, params: {key: e, value: 1}, expect: length(puzzled.result.key)}
  - {id: unsent, tool: state.put, params: {key: '${inputs.x.y}', value: 1}}
  - {id: items, each: [d, none], needs: [refused], runIf: allDone, tool: state.delete, params: {key: '${item}', version: 1}}
  - {id: kept, set: {x: 1}}
";

#[tokio::test]
async fn effects_inside_of_groups_are_told() {
    // WF-6.6
    let mesh = mesh().await;
    let run = ended(&mesh, json!({"source": GROUPS}), "partial").await;
    let shown = call(&mesh, "get_run", json!({"runId": run})).await;
    for (task, code) in [
        ("sure", "VERSION_MISMATCH"),
        ("refused", "EXPECTATION_FAILED"),
        ("puzzled", "EXPRESSION_TYPE"),
        ("unsent", "VARIABLE_RESOLUTION_ERROR"),
    ] {
        assert_eq!(shown["run"]["tasks"][task]["error"]["code"], code);
    }
    assert_eq!(
        again(&mesh, json!({"runId": run})).await,
        [
            "outer DESTRUCTIVE true",
            "reads WRITE true",
            "idle WRITE false",
            "sure WRITE false",
            "refused WRITE true",
            "puzzled WRITE true",
            "unsent WRITE false",
            "items DESTRUCTIVE true",
        ]
    );
    let kept = again(&mesh, json!({"runId": run, "fromTask": "kept"})).await;
    assert_eq!(kept, ["kept  true"]);
    // A mock run calls nothing.
    let mock = json!({"source": GROUPS.replace("name: groups", "name: mocked"), "mock": true});
    let mock = crate::start(&mesh, mock).await;
    let open = json!({"runId": mock});
    let ended = |a: &Value| a["run"]["endTime"].is_string();
    crate::until(&mesh, "get_run", open.clone(), ended).await;
    let told = again(&mesh, json!({"runId": mock, "fromTask": "sure"})).await;
    assert!(told[0].starts_with("sure  "), "{told:?}");
}

const CHILD: &str = "
name: child
tasks:
  - id: group
    tasks:
      - {id: put, tool: state.put, params: {key: child, value: 1}}
  - {id: bad, needs: [group], tool: state.get, params: {key: none}}
";

const PARENT: &str = "
name: parent
tasks:
  - {id: other, workflow: child}
  - id: around
    needs: [other]
    tasks:
      - {id: same, workflow: child}
";

#[tokio::test]
async fn effects_of_sub_workflows_are_those_of_the_version_that_ran() {
    // WF-1.16, WF-6.6
    let mesh = mesh().await;
    let store = async |rpc: &str, name: &str, source: &str| {
        let params = json!({"workflow": name, "source": source});
        let params = match rpc {
            "create_workflow" => json!({"source": source}),
            _ => params,
        };
        call(&mesh, rpc, params).await;
    };
    store("create_workflow", "child", CHILD).await;
    store("create_workflow", "parent", PARENT).await;
    let run = ended(&mesh, json!({"workflow": "parent"}), "failed").await;
    let same = json!({"runId": run});
    let current = json!({"runId": run, "version": "current"});
    // The handlers of the child count as well, and it may start itself.
    let reads = "name: child\ntasks:\n  - {id: look, tool: state.list, params: {}}\n";
    let drops = "name: child\ntasks:\n  - {id: look, tool: state.list, params: {}}\nfinally:\n  - {id: drop, tool: state.delete, params: {key: x}}\n";
    let ring = "name: child\ntasks:\n  - {id: look, tool: state.list, params: {}}\n  - {id: up, when: '`false`', workflow: parent}\n";
    assert_eq!(
        again(&mesh, same.clone()).await,
        ["other WRITE true", "around WRITE false"]
    );
    for (child, effect) in [(reads, "READ"), (drops, "DESTRUCTIVE"), (ring, "READ")] {
        store("update_workflow", "child", child).await;
        let told = again(&mesh, current.clone()).await;
        let expected = [
            format!("other {effect} true"),
            format!("around {effect} false"),
        ];
        assert_eq!(told, expected);
        let pinned = again(&mesh, same.clone()).await;
        assert_eq!(
            pinned,
            ["other WRITE true", "around WRITE false"],
            "as it ran"
        );
    }
    // What cannot be looked through may do anything.
    call(&mesh, "disable_workflow", json!({"workflow": "child"})).await;
    let told = again(&mesh, current).await;
    assert_eq!(told, ["other DESTRUCTIVE true", "around DESTRUCTIVE false"]);
}
