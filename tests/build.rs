//! Compiles the proto of the fixture engine as a stranger would: a package of its
//! own that imports the options from `proto/`.

use std::path::{Path, PathBuf};

/// The one file; what it imports is found below the two folders.
const FILE: &str = "fixture/v1/fixture.proto";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folders = ["proto", "../proto"];
    for folder in folders {
        println!("cargo:rerun-if-changed={folder}");
    }
    #[expect(
        clippy::disallowed_methods,
        reason = "cargo tells a build script its folder by the environment"
    )]
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new(folders.map(Path::new))?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_file(FILE)?;
    std::fs::write(
        out.join("fixture.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    // The types of the options are those of the project; two sets of them would not meet.
    tonic_prost_build::configure()
        .bytes(".")
        .extern_path(".gearmesh.tool.v1", "::gearmesh_api::tool::v1")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
