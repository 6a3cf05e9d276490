//! Compiles every proto of `proto/gearmesh` without protoc, into two outputs on
//! purpose: `descriptors.bin` keeps options and comments (the catalogue), the
//! generated types keep neither.

use std::path::{Path, PathBuf};

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells the folder by the environment"
)]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let protos = Path::new("../../proto");
    println!("cargo:rerun-if-changed={}", protos.display());
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let mut files = Vec::new();
    collect(&protos.join("gearmesh"), &mut files)?;
    files.sort();

    let mut compiler = protox::Compiler::new([protos])?;
    compiler.include_source_info(true).include_imports(true);
    compiler.open_files(&files)?;
    std::fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    tonic_prost_build::configure()
        .bytes(".")
        // Clients are made of links; their own `connect` would clash with an RPC of that name.
        .build_transport(false)
        .compile_fds(compiler.file_descriptor_set())?;
    let packages: Vec<_> = files
        .iter()
        .filter_map(|f| f.file_stem()?.to_str())
        .collect();
    std::fs::write(out.join("packages.rs"), format!("&{packages:?}"))?;
    Ok(())
}

/// All `.proto` files below a folder.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
