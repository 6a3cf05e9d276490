//! Values that are sealed for a run: who gets them, and when they are gone.

mod scene;

use gearmesh_api::tool::v1::Json;
use gearmesh_api::vault::v1 as api;
use gearmesh_fault::Failure;
use gearmesh_link::Call;
use gearmesh_vault::{SEALED_MAX, SERVICE, VALUE_MAX};
use scene::{Scene, contains};
use serde_json::json;

const SCOPE: &str = "00000000000000000000000000000001";
const OTHER: &str = "00000000000000000000000000000002";
const SECRET: &str = "s3cret-of-the-run";

async fn seal_from(
    scene: &Scene,
    (scope, run, from): (&str, &str, &str),
    values: &[&str],
) -> Result<Vec<String>, Failure> {
    let request = api::SealRunRequest {
        scope: scope.to_owned(),
        run: run.to_owned(),
        values: values.iter().map(|v| (*v).to_owned()).collect(),
        from_run: from.to_owned(),
    };
    let answer = scene.client().seal_run(request).await;
    answer
        .map(|a| a.into_inner().references)
        .map_err(|s| Failure::of(&s))
}

async fn seal(scene: &Scene, scope: &str, run: &str, value: &str) -> String {
    let references = seal_from(scene, (scope, run, ""), &[value]).await;
    references.expect("sealed").remove(0)
}

async fn resolve(scene: &Scene, run: &str, reference: &str) -> Result<String, Failure> {
    let request = api::ResolveRequest {
        references: vec![reference.to_owned()],
        run: run.to_owned(),
    };
    let answer = scene.client().resolve(request).await;
    answer
        .map(|a| a.into_inner().values.remove(0).value)
        .map_err(|s| Failure::of(&s))
}

async fn reason(scene: &Scene, run: &str, reference: &str) -> String {
    let failure = resolve(scene, run, reference)
        .await
        .expect_err("it is refused");
    assert!(!failure.message.contains(SECRET), "{}", failure.message);
    failure.reason
}

async fn unseal(scene: &Scene, run: &str, references: &[String]) -> Result<Vec<String>, String> {
    let request = api::UnsealRunRequest {
        run: run.to_owned(),
        references: references.to_vec(),
    };
    let answer = scene.client().unseal_run(request).await;
    answer
        .map(|a| a.into_inner().values)
        .map_err(|s| Failure::of(&s).reason)
}

async fn drop_run(scene: &Scene, run: &str) -> bool {
    let request = api::DropRunRequest {
        run: run.to_owned(),
    };
    let answer = scene.client().drop_run(request).await;
    answer.expect("answered").into_inner().dropped
}

#[tokio::test]
async fn value_is_answered_to_its_run_alone_after_a_restart_too() {
    let mut scene = Scene::start().await;
    let reference = seal(&scene, SCOPE, "run_a", SECRET).await;
    assert!(reference.starts_with(&format!("vault://~run/{SCOPE}-")));
    for _ in 0..2 {
        assert_eq!(resolve(&scene, "run_a", &reference).await.unwrap(), SECRET);
        assert_eq!(
            unseal(&scene, "run_a", std::slice::from_ref(&reference)).await,
            Ok(vec![SECRET.to_owned()])
        );
        for other in ["", "run_b"] {
            assert_eq!(reason(&scene, other, &reference).await, "NOT_SEALED_HERE");
        }
        let foreign = unseal(&scene, "run_b", std::slice::from_ref(&reference)).await;
        assert_eq!(foreign, Err("NOT_SEALED_HERE".to_owned()));
        scene.restart().await.unwrap();
    }
    // A scope of the run's own does not open another.
    seal(&scene, OTHER, "run_b", "x").await;
    assert_eq!(reason(&scene, "run_b", &reference).await, "NOT_SEALED_HERE");
    let unknown = format!("vault://~run/{SCOPE}-{}", "0".repeat(32));
    assert_eq!(reason(&scene, "run_a", &unknown).await, "NOT_SEALED_HERE");
    let versioned = format!("{reference}@1");
    assert_eq!(
        reason(&scene, "run_a", &versioned).await,
        "INVALID_REFERENCE"
    );
    scene.stop().await;
    assert!(!contains(&scene.bytes(), SECRET));
}

#[tokio::test]
async fn same_value_in_the_same_scope_has_the_same_reference() {
    let scene = Scene::start().await;
    let first = seal(&scene, SCOPE, "run_a", SECRET).await;
    assert_eq!(seal(&scene, SCOPE, "run_a", SECRET).await, first);
    assert_eq!(seal(&scene, SCOPE, "run_b", SECRET).await, first);
    assert_ne!(seal(&scene, SCOPE, "run_a", "other").await, first);
    assert_ne!(seal(&scene, OTHER, "run_a", SECRET).await, first);
    // Also after the scope was gone: a request that failed may be sent again.
    assert!(drop_run(&scene, "run_a").await && drop_run(&scene, "run_b").await);
    assert_eq!(seal(&scene, SCOPE, "run_c", SECRET).await, first);
    assert_eq!(reason(&scene, "run_a", &first).await, "NOT_SEALED_HERE");
}

#[tokio::test]
async fn scope_is_gone_with_the_last_of_its_runs() {
    let mut scene = Scene::start().await;
    let reference = seal(&scene, SCOPE, "run_a", SECRET).await;
    seal(&scene, SCOPE, "run_b", SECRET).await;
    assert!(drop_run(&scene, "run_a").await);
    assert!(!drop_run(&scene, "run_a").await);
    assert_eq!(reason(&scene, "run_a", &reference).await, "NOT_SEALED_HERE");
    assert_eq!(resolve(&scene, "run_b", &reference).await.unwrap(), SECRET);
    assert!(drop_run(&scene, "run_b").await);
    assert_eq!(reason(&scene, "run_b", &reference).await, "NOT_SEALED_HERE");
    let left = "DELETE FROM credential WHERE vault LIKE '~run/%'";
    assert_eq!(scene.outside(left).await, 0);
    let keys = "DELETE FROM vault WHERE name LIKE '~run/%'";
    assert_eq!(scene.outside(keys).await, 0);
}

#[tokio::test]
async fn references_of_an_earlier_run_are_taken_over() {
    let scene = Scene::start().await;
    let first = seal(&scene, SCOPE, "run_a", SECRET).await;
    let both = [first.as_str(), "plain"];
    let taken = seal_from(&scene, (OTHER, "run_b", "run_a"), &both);
    let taken = taken.await.unwrap();
    assert!(drop_run(&scene, "run_a").await);
    assert_eq!(
        unseal(&scene, "run_b", &taken).await,
        Ok(vec![SECRET.to_owned(), "plain".to_owned()])
    );
    // Of a run that has it not, and without one: the text is no more than a text.
    let foreign = seal_from(&scene, (OTHER, "run_c", "run_a"), &[&first]).await;
    assert_eq!(foreign.unwrap_err().reason, "NOT_SEALED_HERE");
    let text = seal(&scene, OTHER, "run_c", &taken[0]).await;
    assert_eq!(resolve(&scene, "run_c", &text).await.unwrap(), taken[0]);
}

#[tokio::test]
async fn runs_are_listed_in_pages_once_nothing_was_sealed_for_a_while() {
    let scene = Scene::start().await;
    for run in ["run_c", "run_a", "run_b"] {
        seal(&scene, SCOPE, run, SECRET).await;
        seal(&scene, OTHER, run, SECRET).await;
    }
    let list = async |page_size: Option<i32>, token: &str, seconds: Option<i64>| {
        let request = api::ListSealedRunsRequest {
            before: seconds.map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
            page_size,
            page_token: token.to_owned(),
        };
        let answer = scene.client().list_sealed_runs(request).await;
        answer.map(|answer| {
            let answer = answer.into_inner();
            (answer.runs, answer.next_page_token)
        })
    };
    let (runs, next) = list(Some(2), "", None).await.unwrap();
    assert_eq!(runs, ["run_a", "run_b"]);
    let (runs, next) = list(Some(2), &next, None).await.unwrap();
    assert_eq!((runs, next.as_str()), (vec!["run_c".to_owned()], ""));
    let (runs, _) = list(None, "", Some(1)).await.unwrap();
    assert!(runs.is_empty(), "{runs:?}");
    for wrong in [0, -1, 1_001] {
        assert!(list(Some(wrong), "", None).await.is_err());
    }
}

#[tokio::test]
async fn sealing_is_bounded() {
    let scene = Scene::start().await;
    let reason = async |scope: &str, run: &str, values: &[&str]| {
        let sealed = seal_from(&scene, (scope, run, ""), values).await;
        sealed.map_err(|f| f.reason)
    };
    let many = vec!["x"; SEALED_MAX];
    assert_eq!(
        reason(SCOPE, "run_a", &many).await.unwrap().len(),
        SEALED_MAX
    );
    let long = "v".repeat(VALUE_MAX);
    assert!(reason(SCOPE, "run_a", &[&long]).await.is_ok());
    let wrong = Err("INVALID_PARAMETERS".to_owned());
    assert_eq!(reason(SCOPE, "run_a", &[]).await, wrong);
    assert_eq!(
        reason(SCOPE, "run_a", &vec!["x"; SEALED_MAX + 1]).await,
        wrong
    );
    assert_eq!(reason(SCOPE, "run_a", &[&format!("{long}v")]).await, wrong);
    assert_eq!(reason("0", "run_a", &["x"]).await, wrong);
    assert_eq!(reason(SCOPE, "", &["x"]).await, wrong);
    let large = vec![long.as_str(); 9];
    assert_eq!(
        reason(SCOPE, "run_a", &large).await,
        Err("TOO_LARGE".to_owned())
    );
}

#[tokio::test]
async fn large_values_are_unsealed_in_several_answers() {
    let scene = Scene::start().await;
    let values: Vec<_> = (0..9)
        .map(|n| format!("{n}{}", "v".repeat(VALUE_MAX - 1)))
        .collect();
    let mut references = Vec::new();
    for value in &values {
        references.push(seal(&scene, SCOPE, "run_a", value).await);
    }
    let first = unseal(&scene, "run_a", &references).await.unwrap();
    assert_eq!(first, values[..8]);
    let rest = unseal(&scene, "run_a", &references[8..]).await.unwrap();
    assert_eq!(rest, values[8..]);
}

#[tokio::test]
async fn scopes_are_no_vaults_of_people() {
    let scene = Scene::start().await;
    scene.set_value("work", "token", "t0ken").await;
    let reference = seal(&scene, SCOPE, "run_a", SECRET).await;
    let listed = scene.call("vault.list_vaults", json!({})).await.unwrap();
    assert_eq!(listed["vaults"], json!(["work"]));
    let name = format!("~run/{SCOPE}");
    for (tool, params) in [
        ("vault.list", json!({"vaultName": name})),
        ("vault.delete_vault", json!({"vaultName": name})),
        (
            "vault.get",
            json!({"vaultName": "~run", "credentialName": &reference["vault://~run/".len()..]}),
        ),
    ] {
        let failure = scene.call(tool, params).await.unwrap_err();
        assert_eq!(failure.reason, "INVALID_VAULT_NAME", "{tool}");
    }
}

#[tokio::test]
async fn sealed_value_is_stored_under_a_name_by_its_own_run_alone() {
    let scene = Scene::start().await;
    let reference = seal(&scene, SCOPE, "run_a", SECRET).await;
    let copy = async |run: Option<&str>| {
        let params = json!({"vaultName": "work", "credentialName": "token", "value": reference});
        let call = Call {
            run: run.map(str::to_owned),
            ..Call::default()
        };
        scene.call_as("vault.set", params, call).await
    };
    for run in [None, Some("run_b")] {
        assert_eq!(copy(run).await.unwrap_err().reason, "NOT_SEALED_HERE");
    }
    copy(Some("run_a")).await.unwrap();
    drop_run(&scene, "run_a").await;
    assert_eq!(scene.resolve("vault://work/token").await.unwrap(), SECRET);
}

#[tokio::test]
async fn connection_holds_the_value_itself_since_it_outlives_the_run() {
    let mut scene = Scene::start_with(&[SERVICE], &[]).await;
    let reference = seal(&scene, SCOPE, "run_a", SECRET).await;
    let settings = json!({"deep": [{"password": reference}], "user": "vault://work/user"});
    let save = async |run: &str| {
        let request = api::SaveConnectionRequest {
            kind: "sql".to_owned(),
            name: "shop".to_owned(),
            settings: Some(Json {
                text: settings.to_string().into(),
            }),
            run: run.to_owned(),
        };
        let answer = scene.client().save_connection(request).await;
        answer.map(|_| ()).map_err(|s| Failure::of(&s).reason)
    };
    assert_eq!(save("run_b").await, Err("NOT_SEALED_HERE".to_owned()));
    assert_eq!(save("run_a").await, Ok(()));
    drop_run(&scene, "run_a").await;
    let request = api::FindConnectionRequest {
        kind: "sql".to_owned(),
        name: Some("shop".to_owned()),
    };
    let found = scene.client().find_connection(request).await.unwrap();
    let found: serde_json::Value =
        serde_json::from_slice(&found.into_inner().settings.unwrap().text).unwrap();
    assert_eq!(
        found,
        json!({"deep": [{"password": SECRET}], "user": "vault://work/user"})
    );
    scene.stop().await;
    assert!(!contains(&scene.bytes(), SECRET));
}
