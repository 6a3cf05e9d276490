//! Several sources, and what is refused.

use super::*;

#[test]
fn alias_that_fixes_nonsense_is_refused() {
    for (from, to, message) in [
        (
            "\"site\"",
            "\"sight\"",
            "alias `linkedin.search` of `lab.search` cannot fix `sight`: the request has no such field",
        ),
        (
            "\"25\"",
            "\"many\"",
            "alias `linkedin.search` of `lab.search` cannot fix `page_size`: must be a whole number",
        ),
        (
            "\"linkedin\"",
            "\"LI\"",
            "alias `linkedin.search` of `lab.search` cannot fix `site`: does not match `[a-z]+`",
        ),
    ] {
        let error = fixture::catalog(&SEARCH.replace(from, to)).expect_err("nonsense");
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn names_and_routes_belong_to_one() {
    let two = |first: &str, second: &str| {
        fixture::catalog(&format!(
            "message Ask {{ string name = 1; }} service LabService {{ rpc One(Ask) returns (Ask) {{ {first} }} rpc Two(Ask) returns (Ask) {{ {second} }} }}"
        ))
        .map(|_| ())
        .map_err(|e| e.to_string())
    };
    let tool =
        |more: &str| format!("option (gearmesh.tool.v1.tool) = {{effect: EFFECT_READ {more}}};");
    let get = |template: &str| {
        format!(
            "option (google.api.http) = {{get: \"{template}\"}}; {}",
            tool("")
        )
    };
    assert_eq!(two(&tool(""), &tool("")), Ok(()));
    assert_eq!(
        two(&tool("aliases: {name: \"x\"}"), &tool("aliases: {name: \"x\"}")),
        Err("the name `x` stands for two tools: `/gearmesh.lab.v1.LabService/One` and `/gearmesh.lab.v1.LabService/Two`".into())
    );
    assert_eq!(
        two(&tool("aliases: {name: \"lab_two\"}"), &tool("")),
        Err("the name `lab_two` stands for two tools: `/gearmesh.lab.v1.LabService/One` and `/gearmesh.lab.v1.LabService/Two`".into())
    );
    assert_eq!(
        two(&get("/v1/things/{name}"), &get("/v1/things/{id}")),
        Err("route `GET /v1/things/{id}` belongs to two RPCs: `/gearmesh.lab.v1.LabService/One` and `/gearmesh.lab.v1.LabService/Two`".into())
    );
    assert_eq!(
        two(&get("/v1/lab/things"), &tool("")),
        Err("the route of `/gearmesh.lab.v1.LabService/One` is under `/v1/lab`, where the tools of engine `lab` are".into())
    );
}

#[test]
fn only_named_engines_count_and_equal_ones_count_once() {
    let lab = fixture::lab(SEARCH);
    let ours = gearmesh_api::DESCRIPTORS;
    let build = |sources: &[Source<'_>]| Catalog::build(sources);
    let state = build(&[Source {
        descriptors: ours,
        engines: Engines::Only(&["state"]),
    }])
    .expect("sound");
    assert!(state.tools().iter().all(|t| t.engine == "state"));
    assert_eq!(state.engines().len(), 1);
    assert!(
        state
            .rpc("/gearmesh.ledger.v1.LedgerService/Fence")
            .is_none()
    );
    let union = build(&[
        Source {
            descriptors: ours,
            engines: Engines::Only(&["state", "file"]),
        },
        Source {
            descriptors: ours,
            engines: Engines::Only(&["state"]),
        },
        Source {
            descriptors: &lab,
            engines: Engines::Only(&["lab"]),
        },
        Source {
            descriptors: &lab,
            engines: Engines::Only(&["lab"]),
        },
    ])
    .expect("equal services count once");
    let engines: Vec<_> = union.engines().iter().map(|e| e.id.as_str()).collect();
    assert_eq!(engines, ["file", "lab", "state"]);
    let other = fixture::lab(&SEARCH.replace("string query = 3", "string words = 3"));
    let error = build(&[
        Source {
            descriptors: &lab,
            engines: Engines::Only(&["lab"]),
        },
        Source {
            descriptors: &other,
            engines: Engines::Only(&["lab"]),
        },
    ])
    .expect_err("one service, two descriptions");
    assert!(
        matches!(error, Error::ServiceDiffers { service } if service == "gearmesh.lab.v1.LabService")
    );
}

#[test]
fn bytes_that_are_no_descriptors_are_refused() {
    let garbage = Source {
        descriptors: b"\xff\xff garbage",
        engines: Engines::All,
    };
    assert!(matches!(
        Catalog::build(&[garbage]),
        Err(Error::Descriptors(_))
    ));
    assert!(
        Catalog::build(&[])
            .expect("nothing is fine")
            .tools()
            .is_empty()
    );
}

#[test]
fn descriptors_that_passed_through_prost_types_have_lost_the_tools() {
    use prost::Message as _;
    let set =
        prost_types::FileDescriptorSet::decode(gearmesh_api::DESCRIPTORS).expect("descriptors");
    let bytes = set.encode_to_vec();
    let catalog = Catalog::build(&[Source {
        descriptors: &bytes,
        engines: Engines::All,
    }])
    .expect("still descriptors");
    assert!(
        catalog.tools().is_empty(),
        "prost_types keeps options now: the trap is gone"
    );
    assert!(!fixture::ours().tools().is_empty());
}
