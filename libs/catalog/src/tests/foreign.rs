//! Engines that join by configuration.

use super::*;

const FOREIGN: &str = r#"
syntax = "proto3";
package acme.crm.v2;
// Customers.
service CustomerService {
  // Finds a customer. Slowly.
  rpc Find(Query) returns (Customer);
  rpc Get(Query) returns (Customer);
  rpc Upload(stream Query) returns (Customer);
}
service OrderService { rpc Get(Query) returns (stream Customer); }
message Query { string name = 1; }
message Customer { string name = 1; Customer referrer = 2; }
"#;

#[test]
fn foreign_services_become_tools_of_the_weakest_class() {
    let bytes = fixture::compile("acme/crm.proto", FOREIGN);
    let catalog = Catalog::build(&[Source {
        descriptors: &bytes,
        engines: Engines::Foreign("crm"),
    }])
    .expect("sound");
    let ids: Vec<_> = catalog
        .tools()
        .iter()
        .map(|t| (t.id.as_str(), t.routes[0].template.as_str()))
        .collect();
    assert_eq!(
        ids,
        [
            ("crm.customer_get", "/v1/crm/customer-get"),
            ("crm.find", "/v1/crm/find"),
            ("crm.order_get", "/v1/crm/order-get"),
            ("crm.upload", "/v1/crm/upload"),
        ]
    );
    for tool in catalog.tools() {
        assert_eq!(
            tool.class_of(&json!({})),
            class(Effect::Destructive, Keyed::AtMostOnce)
        );
        assert!(tool.egress && tool.untrusted && tool.foreign);
        assert_eq!(tool.approval, Approval::Confirm);
    }
    let find = catalog.get("crm.find").expect("there").tool;
    assert_eq!(
        (find.summary.as_str(), find.path.as_str()),
        ("Finds a customer.", "/acme.crm.v2.CustomerService/Find")
    );
    assert!(
        !catalog
            .get("crm.upload")
            .expect("there")
            .tool
            .usable_as_task()
    );
    assert_eq!(crate::lint(&catalog), []);
    let value = json!({"name": "Ada", "referrer": {"name": "Bob"}});
    let message = mapping::decode(&find.method.output(), value.clone()).expect("fits");
    assert_eq!(mapping::encode(&message), value);
}

#[test]
fn foreign_name_must_be_free_and_speakable() {
    let bytes = fixture::compile("acme/crm.proto", FOREIGN);
    let join = |name: &str| {
        Catalog::build(&[
            Source {
                descriptors: gearmesh_api::DESCRIPTORS,
                engines: Engines::All,
            },
            Source {
                descriptors: &bytes,
                engines: Engines::Foreign(name),
            },
        ])
    };
    assert!(join("crm").is_ok());
    for name in ["", "CRM", "my-crm", "my_crm", "2crm"] {
        assert!(
            matches!(join(name), Err(Error::EngineName { .. })),
            "{name}"
        );
    }
    assert!(matches!(join("file"), Err(Error::DuplicateEngine { name, .. }) if name == "file"));
}

#[test]
fn foreign_engine_with_our_options_keeps_them() {
    let join = |bytes: &[u8]| {
        Catalog::build(&[Source {
            descriptors: bytes,
            engines: Engines::Foreign("search"),
        }])
        .expect("sound")
    };
    let catalog = join(&fixture::lab(SEARCH));
    let tool = catalog
        .get("search.search")
        .expect("named by the config")
        .tool;
    assert_eq!((tool.effect, tool.foreign), (Effect::Read, false));
    assert!(
        !crate::lint(&catalog).is_empty(),
        "its options are looked at"
    );
    let named = SEARCH.replace(
        "service LabService {",
        "service LabService { option (gearmesh.tool.v1.engine) = {id: \"own\"};",
    );
    assert!(join(&fixture::lab(&named)).get("own.search").is_some());
}

#[test]
fn services_of_grpc_itself_do_not_count() {
    let text = "syntax = \"proto3\"; package grpc.health.v1; message Ask {} service Health { rpc Check(Ask) returns (Ask); }";
    let bytes = fixture::compile("grpc/health.proto", text);
    let catalog = Catalog::build(&[Source {
        descriptors: &bytes,
        engines: Engines::Foreign("x"),
    }])
    .expect("sound");
    assert!(catalog.tools().is_empty() && catalog.engines().is_empty());
}
