//! The engine through its generated client and by JSON, over a local link behind
//! the real layers.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod archive;
mod content;
mod resend;
mod root;
mod tree;

use std::path::Path;

use gearmesh_api::file::v1::file_service_client::FileServiceClient;
use gearmesh_api::file::v1::{ReadRequest, StatRequest, WriteRequest};
use gearmesh_fault::Failure;
use gearmesh_link::Call;
use gearmesh_testkit::TestMesh;
use serde_json::{Value, json};
use tonic::Code;

/// An engine with a root that may be written and one that may only be read.
struct Scene {
    mesh: TestMesh,
}

impl Scene {
    async fn start() -> Self {
        let mesh = TestMesh::start_with(&[gearmesh_file::SERVICE], |config| {
            let folder = config.folder().to_owned();
            std::fs::create_dir_all(folder.join("given")).unwrap();
            std::fs::write(folder.join("given/a.txt"), "given").unwrap();
            config.set("file.roots.results.path", "roots/results");
            config.set("file.roots.results.write", true);
            config.set("file.roots.results.at", "/results");
            config.set(
                "file.roots.given.path",
                folder.join("given").to_str().unwrap(),
            );
        });
        Self { mesh: mesh.await }
    }

    async fn call(&self, tool: &str, params: Value) -> Result<Value, Failure> {
        self.call_as(tool, params, Call::default()).await
    }

    async fn call_as(&self, tool: &str, params: Value, call: Call) -> Result<Value, Failure> {
        let answer = self.mesh.call_as(tool, params, call).await;
        answer.map_err(|status| Failure::of(&status))
    }

    async fn ok(&self, tool: &str, params: Value) -> Value {
        let shown = params.to_string();
        let answer = self.call(tool, params).await;
        answer.unwrap_or_else(|e| panic!("{tool} {shown}: {e:?}"))
    }

    async fn refused(&self, tool: &str, params: Value) -> String {
        self.call(tool, params).await.unwrap_err().reason
    }

    fn folder(&self) -> &Path {
        self.mesh.folder()
    }
}

fn keyed(key: &str) -> Call {
    Call {
        key: Some(key.to_owned()),
        run: Some("run_36zn0sv00pg07".to_owned()),
        task: Some("task".to_owned()),
        attempt: 1,
        epoch: 1,
        pass: 1,
        ..Call::default()
    }
}
