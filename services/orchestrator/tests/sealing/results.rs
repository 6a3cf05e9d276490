//! Sensitive results and inputs.

use std::time::Duration;

use serde_json::json;

use crate::scene::{ALL, LITERAL, NO_VAULT, REPEATS, RESULT, Scene, holds};

const LOGIN: &str = "
name: login
tasks:
  - {id: login, tool: http.request, connection: site, params: {url: /login}, sensitive: true}
  - {id: large, tool: http.request, connection: site, params: {url: /large}, sensitive: true}
  - id: each
    each: [1, 2]
    tasks:
      - {id: key, sensitive: true, set: {k: '${login.result.data.token}'}}
      - {id: name, set: {n: '${length(key.result.k)}'}}
  - id: listed
    each: ['${login.result.data.token}', x]
    set: {n: '${length(item)}'}
  - {id: ok, needs: [each, large, listed], approve: {message: 'Go on?', approvers: [user:ada]}}
  - id: use
    needs: [ok]
    sensitive: true
    tool: http.request
    connection: site
    params: {url: '/use/${length(large.result.data.token)}', params: {t: '${each.result[1].key.k}'}}
outputs: {n: '${each.result[0].name.n}'}
";

#[tokio::test]
async fn sensitive_result_is_not_on_the_disk_and_is_there_after_a_restart() {
    // WF-3.37
    let mut scene = Scene::start(&ALL).await;
    let id = scene.begin(LOGIN, None).await.expect("it starts");
    scene.until(&id, "waiting").await;
    scene.assert_not_on_disk(RESULT);
    scene.restart(&ALL).await;
    scene.assert_not_on_disk(RESULT);
    scene.until(&id, "waiting").await;
    scene.approve().await;
    let run = scene.until(&id, "succeeded").await;
    assert!(!run.to_string().contains(RESULT), "{run:#}");
    assert_eq!(run["outputs"]["n"], RESULT.len(), "{run:#}");
    let used = format!("/use/{}?t={RESULT}", RESULT.len() * REPEATS);
    assert_eq!(scene.requests(&used), 1);
    assert_eq!(scene.requests("/login"), 1);
    scene.restart(&ALL).await;
    assert_eq!(scene.run(&id).await["outputs"]["n"], RESULT.len());
    scene.stop().await;
    scene.assert_not_on_disk(RESULT);
}

#[tokio::test]
async fn run_with_sensitive_results_waits_for_the_vault() {
    let mut scene = Scene::start(&NO_VAULT).await;
    let source = "
name: late
tasks:
  - {id: login, tool: http.request, connection: site, params: {url: /login}, sensitive: true}
  - {id: ok, needs: [login], approve: {message: 'Go on?', approvers: [user:ada]}}
  - {id: use, needs: [ok], sensitive: true, tool: http.request, connection: site, params: {url: '/use/${login.result.data.token}'}}
";
    let id = scene.begin(source, None).await.expect("it starts");
    while scene.requests("/login") == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    scene.assert_not_on_disk(RESULT);
    // The answer could not be written; it is asked for again.
    scene.restart(&ALL).await;
    scene.until(&id, "waiting").await;
    scene.assert_not_on_disk(RESULT);
    scene.restart(&NO_VAULT).await;
    let away = scene.call("orchestrator.get_run", json!({"runId": id}));
    let away = away.await.unwrap_err();
    assert_eq!(away.reason, "ENGINE_UNAVAILABLE");
    assert!(away.message.contains("vault"), "{}", away.message);
    scene.restart(&ALL).await;
    scene.until(&id, "waiting").await;
    scene.approve().await;
    scene.until(&id, "succeeded").await;
    assert_eq!(scene.requests(&format!("/use/{RESULT}")), 1);
    scene.stop().await;
    scene.assert_not_on_disk(RESULT);
}

#[tokio::test]
async fn sensitive_results_are_kept_for_no_later_run() {
    let scene = Scene::start(&ALL).await;
    let named = json!({"vaultName": "work", "credentialName": RESULT, "value": "x"});
    scene.call("vault.set", named).await.expect("stored");
    let source = |sensitive: bool| {
        format!(
            "name: cached\ntasks:\n  - {{id: names, tool: vault.list, params: {{vaultName: work}}, sensitive: {sensitive}, cache: {{key: 'k{sensitive}', ttl: 1h}}}}\n"
        )
    };
    scene.ended(&source(true)).await;
    assert!(!holds(&scene.journal(), RESULT));
    scene.ended(&source(false)).await;
    assert!(holds(&scene.journal(), RESULT));
}

#[tokio::test]
async fn sensitive_inputs_are_not_on_the_disk() {
    let mut scene = Scene::start(&ALL).await;
    let source = "
name: pin
inputs: {pin: {type: string, sensitive: true}}
vars: {again: '${inputs.pin}'}
tasks:
  - {id: ok, approve: {message: 'Go on?', approvers: [user:ada]}}
  - {id: use, needs: [ok], sensitive: true, tool: http.request, connection: site, params: {url: '/use/${inputs.pin}/${vars.again}'}}
";
    let params = json!({"source": source, "inputs": {"pin": LITERAL}, "trigger": {"kind": "manual", "body": LITERAL}});
    let answer = scene.call("orchestrator.start_run", params).await;
    let answer = answer.expect("it starts");
    let id = answer["run"]["runId"].as_str().expect("an id").to_owned();
    scene.until(&id, "waiting").await;
    scene.assert_not_on_disk(LITERAL);
    scene.restart(&ALL).await;
    scene.until(&id, "waiting").await;
    scene.approve().await;
    scene.until(&id, "succeeded").await;
    assert_eq!(scene.requests(&format!("/use/{LITERAL}/{LITERAL}")), 1);
    scene.stop().await;
    scene.assert_not_on_disk(LITERAL);
}
