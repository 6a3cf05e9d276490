//! Parts of a workflow, with the results of an earlier run.

use serde_json::json;

use crate::{call, ended, fault, mesh, start, status};

const TWO: &str = "
name: two
tasks:
  - {id: a, set: {x: 1}}
  - {id: b, needs: [a], set: {x: '${a.result.x}'}}
";

/// Results of mock runs are no results of real ones, and the other way round.
#[tokio::test]
async fn last_run_of_the_same_kind_gives_the_results() {
    let mesh = mesh().await;
    let run = |mock: bool| json!({"source": TWO, "mock": mock});
    let part = |mock: bool| json!({"source": TWO, "mock": mock, "part": {"only": "b"}});
    let none = fault(&mesh, "start_run", part(false)).await;
    assert!(
        none.message.contains("no run of `two` has ended"),
        "{none:?}"
    );
    let real = ended(&mesh, run(false), "succeeded").await;
    let none = fault(&mesh, "start_run", part(true)).await;
    assert!(none.message.contains("no mock run of `two`"), "{none:?}");
    let mock = ended(&mesh, run(true), "succeeded").await;
    for (kind, reused) in [(true, mock), (false, real)] {
        let id = start(&mesh, part(kind)).await;
        let shown = status(&mesh, &id, "succeeded").await;
        assert_eq!(shown["reuses"], reused, "{kind}");
        assert_eq!(shown["tasks"]["a"]["reused"], true, "{shown:#}");
    }
}

/// The last 200 runs are looked at, and no more.
#[tokio::test]
async fn results_are_looked_for_in_so_many_runs() {
    let mesh = mesh().await;
    for (name, mocks) in [("first", 199), ("second", 200)] {
        let source = TWO.replace("two", name);
        let real = ended(&mesh, json!({"source": source}), "succeeded").await;
        for _ in 0..mocks {
            start(&mesh, json!({"source": source, "mock": true})).await;
        }
        let part = json!({"source": source, "part": {"only": "b"}});
        if mocks < 200 {
            let id = start(&mesh, part).await;
            assert_eq!(status(&mesh, &id, "succeeded").await["reuses"], real);
        } else {
            let refused = fault(&mesh, "start_run", part).await;
            assert_eq!(refused.reason, "INVALID_PARAMETERS");
            assert!(refused.message.contains("last 200 runs"), "{refused:?}");
        }
    }
}

#[tokio::test]
async fn run_of_a_part_names_one_task_of_its_own() {
    let mesh = mesh().await;
    ended(&mesh, json!({"source": TWO}), "succeeded").await;
    for (part, reason) in [
        (json!({}), "INVALID_PARAMETERS"),
        (json!({"from": "a", "only": "b"}), "INVALID_PARAMETERS"),
        (json!({"only": "c"}), "TASK_NOT_FOUND"),
    ] {
        let refused = fault(&mesh, "start_run", json!({"source": TWO, "part": part})).await;
        assert_eq!(refused.reason, reason, "{part}");
    }
    let until = json!({"source": TWO, "part": {"until": "a"}});
    let id = start(&mesh, until).await;
    let shown = status(&mesh, &id, "succeeded").await;
    assert_eq!(shown["tasks"]["b"]["reason"], "LEFT_OUT");
    let listed = call(&mesh, "list_runs", json!({"workflow": "two"})).await;
    assert_eq!(listed["runs"].as_array().map(Vec::len), Some(2));
}
