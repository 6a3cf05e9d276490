//! Protos that tests write, compiled with the options of the project.

use std::path::Path;

use prost_reflect::{DescriptorPool, MessageDescriptor};
use protox::Compiler;
use protox::file::{
    ChainFileResolver, File, FileResolver, GoogleFileResolver, IncludeFileResolver,
};

use crate::{Catalog, Engines, Error, Source};

/// A proto that is there under its name only.
struct Text {
    name: String,
    text: String,
}

impl FileResolver for Text {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        (path == Path::new(&self.name)).then(|| self.name.clone())
    }

    fn open_file(&self, name: &str) -> Result<File, protox::Error> {
        if name == self.name {
            File::from_source(name, &self.text)
        } else {
            Err(protox::Error::file_not_found(name))
        }
    }
}

/// Compiles a proto with everything that it imports, comments included.
pub(crate) fn compile(name: &str, text: &str) -> Vec<u8> {
    let mut resolver = ChainFileResolver::new();
    resolver.add(Text {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    resolver.add(IncludeFileResolver::new("../../proto".into()));
    resolver.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.include_source_info(true).include_imports(true);
    if let Err(e) = compiler.open_file(name) {
        panic!("{e:?}");
    }
    compiler.encode_file_descriptor_set()
}

/// A proto of package `gearmesh.lab.v1` with the usual imports and this body.
pub(crate) fn lab(body: &str) -> Vec<u8> {
    let text = format!(
        r#"syntax = "proto3";
package gearmesh.lab.v1;
import "gearmesh/tool/v1/tool.proto";
import "google/api/annotations.proto";
import "google/api/field_behavior.proto";
import "google/protobuf/any.proto";
import "google/protobuf/duration.proto";
import "google/protobuf/empty.proto";
import "google/protobuf/field_mask.proto";
import "google/protobuf/struct.proto";
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
{body}"#
    );
    compile("gearmesh/lab/v1/lab.proto", &text)
}

/// A message of a body as [`lab`] takes it.
pub(crate) fn message(body: &str, name: &str) -> MessageDescriptor {
    let pool = DescriptorPool::decode(lab(body).as_slice()).expect("the fixture compiles");
    pool.get_message_by_name(&format!("gearmesh.lab.v1.{name}"))
        .expect("the fixture has the message")
}

/// The catalogue of the engine of a body as [`lab`] takes it.
pub(crate) fn catalog(body: &str) -> Result<Catalog, Error> {
    Catalog::build(&[Source {
        descriptors: &lab(body),
        engines: Engines::Only(&["lab"]),
    }])
}

/// The catalogue of all engines of the project.
pub(crate) fn ours() -> Catalog {
    Catalog::build(&[Source {
        descriptors: gearmesh_api::DESCRIPTORS,
        engines: Engines::All,
    }])
    .expect("the protos of the project are sound")
}
