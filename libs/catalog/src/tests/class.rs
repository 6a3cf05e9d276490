//! The class of a call by its parameters.

use super::*;

#[test]
fn class_follows_the_parameters() {
    let catalog = fixture::ours();
    let of = |tool: &str, params: Value| catalog.get(tool).expect("there").tool.class_of(&params);
    let own = catalog.get("http.request").expect("there").tool.effect;
    for read in [
        json!({}),
        json!({"method": "GET"}),
        json!({"method": null}),
        json!({"method": "HEAD"}),
    ] {
        assert_eq!(
            of("http.request", read),
            class(Effect::Read, Keyed::Idempotent)
        );
    }
    assert_eq!(
        of("http.request", json!({"method": "PUT"})),
        class(own, Keyed::Idempotent)
    );
    assert_eq!(
        of("http.request", json!({"method": "POST"})),
        class(own, Keyed::AtMostOnce)
    );
    assert_eq!(
        of("http.request", json!({"method": "POST", "keyed": true})),
        class(own, Keyed::Queryable)
    );
    assert_eq!(
        of("http.request", json!({"method": "${inputs.method}"})),
        class(own, Keyed::AtMostOnce)
    );
    assert_eq!(
        of("file.write", json!({"path": "a"})).keyed,
        Keyed::Idempotent
    );
    assert_eq!(
        of("file.write", json!({"path": "a", "mode": "append"})).keyed,
        Keyed::AtMostOnce
    );
    assert_eq!(
        of("state.get", json!({})),
        class(Effect::Read, Keyed::Idempotent)
    );
}

#[test]
fn class_reads_every_scalar_and_both_spellings() {
    let catalog = fixture::catalog(
        r#"
enum How { HOW_UNSPECIFIED = 0; HOW_SAFE = 1; }
service LabService { rpc Do(Ask) returns (Ask) { option (gearmesh.tool.v1.tool) = {
  effect: EFFECT_DESTRUCTIVE keyed: KEYED_AT_MOST_ONCE
  narrow: {field: "how_to" values: "HOW_SAFE" effect: EFFECT_WRITE}
  narrow: {field: "count" values: ["0"] keyed: KEYED_TXN}
  narrow: {field: "only_read" values: "true" effect: EFFECT_READ keyed: KEYED_QUERYABLE}
}; } }
message Ask { How how_to = 1; int32 count = 2; bool only_read = 3; }
"#,
    )
    .expect("sound");
    let of = |params: Value| catalog.get("lab.do").expect("there").tool.class_of(&params);
    assert_eq!(
        of(json!({"count": 5})),
        class(Effect::Destructive, Keyed::AtMostOnce)
    );
    assert_eq!(of(json!({})), class(Effect::Destructive, Keyed::Txn));
    for spelled in [
        json!({"how_to": "HOW_SAFE"}),
        json!({"howTo": "HOW_SAFE"}),
        json!({"howTo": 1}),
    ] {
        assert_eq!(of(spelled).effect, Effect::Write);
    }
    // Two rules apply: the strongest of each part counts.
    assert_eq!(
        of(json!({"onlyRead": true})),
        class(Effect::Read, Keyed::Txn)
    );
    assert_eq!(
        of(json!({"onlyRead": true, "count": 1})),
        class(Effect::Read, Keyed::Queryable)
    );
    assert_eq!(
        of(json!({"count": [0]})),
        class(Effect::Destructive, Keyed::AtMostOnce)
    );
}
