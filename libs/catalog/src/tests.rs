//! The catalogue of the project, and of engines that tests write.

mod class;
mod foreign;
mod shown;
mod union;

use std::time::Duration;

use expect_test::expect;
use serde_json::{Value, json};

use crate::{
    Affinity, Approval, Catalog, Class, Effect, Engines, Error, Keyed, PathCheck, Source, Step,
    fixture, json as mapping,
};

fn class(effect: Effect, keyed: Keyed) -> Class {
    Class { effect, keyed }
}

const SEARCH: &str = r#"
service LabService { rpc Search(Ask) returns (Ask) { option (gearmesh.tool.v1.tool) = {
  effect: EFFECT_READ
  aliases: {name: "linkedin.search" preset: {key: "site" value: "linkedin"} preset: {key: "page_size" value: "25"} listed: true}
}; } }
message Ask {
  string site = 1 [(google.api.field_behavior) = REQUIRED, (gearmesh.tool.v1.field) = {pattern: "[a-z]+"}];
  int32 page_size = 2; string query = 3 [(google.api.field_behavior) = REQUIRED];
}
"#;
