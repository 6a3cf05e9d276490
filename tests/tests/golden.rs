//! What outsiders see of the tools: as files, so that a review shows each change,
//! and by reflection, where options are easily lost.

use std::collections::BTreeMap;

use gearmesh_api::DESCRIPTORS;
use gearmesh_catalog::{Catalog, Engines, Source, lint};
use gearmesh_gateway::{openapi, tools_json};
use gearmesh_link::{Link, remote};
use gearmesh_testkit::{TestMesh, golden, tree};
use prost::Message;
use prost_reflect::DescriptorPool;
use serde_json::Value;
use tonic_reflection::pb::{v1, v1alpha};

/// The service that is looked at, and the option that makes its RPCs tools.
const SERVICE: &str = "gearmesh.state.v1.StateService";
const OPTION: &str = "gearmesh.tool.v1.tool";

fn catalog() -> Catalog {
    let source = Source {
        descriptors: DESCRIPTORS,
        engines: Engines::All,
    };
    Catalog::build(&[source]).expect("the built-in descriptors")
}

fn check(file: &str, value: &Value) {
    golden(
        &tree().join("tests/golden").join(file),
        &format!("{value:#}\n"),
    );
}

#[test]
fn tools_are_as_reviewed() {
    check("tools.json", &tools_json(&catalog()));
}

#[test]
fn openapi_is_as_reviewed() {
    check("openapi.json", &openapi(&catalog(), None));
}

#[test]
fn descriptors_keep_every_rule() {
    let findings: Vec<String> = lint(&catalog())
        .into_iter()
        .map(|f| format!("{} {}: {}", f.rule, f.subject, f.message))
        .collect();
    assert!(findings.is_empty(), "{findings:#?}");
}

#[test]
fn every_tool_has_an_example() {
    let catalog = catalog();
    let bare: Vec<&str> = catalog
        .tools()
        .iter()
        .filter(|t| t.examples.is_empty())
        .map(|t| t.id.as_str())
        .collect();
    assert!(bare.is_empty(), "{bare:?}");
}

/// Asks for the file of a symbol and for all that it imports, by one version of
/// reflection; the encoded files by name.
macro_rules! files {
    ($name:ident, $version:ident) => {
        async fn $name(link: Link) -> BTreeMap<String, Vec<u8>> {
            use $version::server_reflection_client::ServerReflectionClient;
            use $version::server_reflection_request::MessageRequest;
            use $version::server_reflection_response::MessageResponse;
            let mut client = ServerReflectionClient::new(link);
            let mut files = BTreeMap::new();
            let mut wanted = vec![MessageRequest::FileContainingSymbol(SERVICE.to_owned())];
            while let Some(request) = wanted.pop() {
                let request = $version::ServerReflectionRequest {
                    host: String::new(),
                    message_request: Some(request),
                };
                let answer = client.server_reflection_info(futures::stream::iter([request]));
                let mut answer = answer.await.expect("reflection").into_inner();
                let message = answer.message().await.expect("an answer").expect("one");
                let Some(MessageResponse::FileDescriptorResponse(found)) = message.message_response
                else {
                    panic!("no file: {message:?}");
                };
                for bytes in found.file_descriptor_proto {
                    let file = prost_types::FileDescriptorProto::decode(bytes.as_slice());
                    let file = file.expect("a descriptor");
                    if files.insert(file.name().to_owned(), bytes).is_none() {
                        let missing = file.dependency.into_iter();
                        wanted.extend(missing.map(MessageRequest::FileByFilename));
                    }
                }
                wanted.retain(|w| !matches!(w, MessageRequest::FileByFilename(f) if files.contains_key(f)));
            }
            files
        }
    };
}

files!(files_v1, v1);
files!(files_v1alpha, v1alpha);

/// A pool of these files, in whatever order they need each other.
fn pool(files: &BTreeMap<String, Vec<u8>>) -> DescriptorPool {
    let mut set = Vec::new();
    for bytes in files.values() {
        // `repeated FileDescriptorProto file = 1`, put together from the raw bytes.
        prost::encoding::bytes::encode(1, bytes, &mut set);
    }
    DescriptorPool::decode(set.as_slice()).expect("files that fit each other")
}

/// RPCs of the service on which the option stands.
fn tools(pool: &DescriptorPool) -> usize {
    let service = pool.get_service_by_name(SERVICE).expect("the service");
    let option = pool.get_extension_by_name(OPTION).expect("the option");
    let marked = service
        .methods()
        .filter(|m| m.options().has_extension(&option));
    marked.count()
}

/// As a program that knows nothing of our options would pass the files on.
fn through_prost_types(files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    let decoded = |bytes: &Vec<u8>| {
        let file = prost_types::FileDescriptorProto::decode(bytes.as_slice());
        file.expect("a descriptor").encode_to_vec()
    };
    files.iter().map(|(n, b)| (n.clone(), decoded(b))).collect()
}

#[tokio::test]
async fn tool_option_is_found_by_both_versions_of_reflection() {
    let engine = TestMesh::start(&[gearmesh_state::SERVICE]).await;
    let door = TestMesh::start(&[gearmesh_state::SERVICE, gearmesh_gateway::SERVICE]).await;
    for mesh in [&engine, &door] {
        let link = || remote(&mesh.url()).expect("an address");
        for files in [files_v1(link()).await, files_v1alpha(link()).await] {
            assert_eq!(tools(&pool(&files)), 4, "{:?}", files.keys());
            assert_eq!(
                tools(&pool(&through_prost_types(&files))),
                0,
                "prost_types keeps options now: the raw bytes are no longer needed"
            );
        }
    }
    engine.stop().await;
    door.stop().await;
}
