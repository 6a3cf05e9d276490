mod hostile;

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::meter::RATIO_FREE;
use super::*;
use crate::testing::Bench;

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer
            .start_file(*name, SimpleFileOptions::default())
            .unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A tar whose names are written as they are, whatever the builder would say.
fn tar_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, content) in entries {
        tar_entry(&mut builder, name, tar::EntryType::Regular, content);
    }
    builder.into_inner().unwrap()
}

fn tar_entry(
    builder: &mut tar::Builder<Vec<u8>>,
    name: &str,
    kind: tar::EntryType,
    content: &[u8],
) {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    builder.append(&header, content).unwrap();
}

fn gz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn unpack(bench: &Bench, name: &str, bytes: impl AsRef<[u8]>) -> Result<usize, Error> {
    bench.put(name, bytes);
    let job = bench.job();
    extract(&job, &job.place(name)?, &job.place("out")?, None)
}

/// The archive is refused and nothing was written.
fn check_unsafe(name: &str, bytes: impl AsRef<[u8]>, why: &str) {
    let bench = Bench::new();
    let refused = unpack(&bench, name, bytes).unwrap_err();
    assert!(
        matches!(
            refused,
            Error::UnsafeEntry { .. } | Error::UnsafeArchive { .. }
        ),
        "{why}: {refused:?}"
    );
    assert!(refused.to_string().contains(why), "{refused}");
    assert_eq!(bench.names(""), [name], "{why}");
}

fn check_invalid(name: &str, bytes: impl AsRef<[u8]>) {
    let bench = Bench::new();
    let refused = unpack(&bench, name, bytes).unwrap_err();
    assert!(
        matches!(refused, Error::ArchiveInvalid { .. }),
        "{name}: {refused:?}"
    );
    assert_eq!(bench.names(""), [name]);
}

fn source_tree(bench: &Bench) {
    bench.put("src/a.txt", "hello");
    bench.put("src/d/b.bin", [7; 100_000]);
    std::fs::create_dir_all(bench.work().join("src/empty")).unwrap();
    bench.put("single", "one");
}

fn pack(
    bench: &Bench,
    format: Format,
    sources: &[&str],
    destination: &str,
) -> Result<usize, Error> {
    let job = bench.job();
    let sources: Vec<_> = sources.iter().map(|s| job.place(s).unwrap()).collect();
    create(&job, format, &sources, &job.place(destination)?)
}

#[test]
fn tree_survives_the_way_through_each_format() {
    for (format, name) in [
        (Format::Zip, "p.zip"),
        (Format::Tar, "p.tar"),
        (Format::TarGz, "p.tar.gz"),
        (Format::TarGz, "p.tgz"),
    ] {
        let bench = Bench::new();
        source_tree(&bench);
        assert_eq!(pack(&bench, format, &["src", "single"], name).unwrap(), 6);
        let job = bench.job();
        let heads = list(&job, &job.place(name).unwrap(), None).unwrap();
        let names: Vec<_> = heads.iter().map(|h| h.name.trim_end_matches('/')).collect();
        assert_eq!(
            names,
            [
                "single",
                "src",
                "src/a.txt",
                "src/d",
                "src/d/b.bin",
                "src/empty"
            ]
        );
        assert_eq!(heads[4].size, 100_000);
        assert_eq!(
            extract(
                &job,
                &job.place(name).unwrap(),
                &job.place("out").unwrap(),
                None
            )
            .unwrap(),
            6
        );
        assert_eq!(
            bench.names("out"),
            [
                "single",
                "src",
                "src/a.txt",
                "src/d",
                "src/d/b.bin",
                "src/empty"
            ]
        );
        assert_eq!(bench.read("out/src/a.txt"), "hello");
        assert_eq!(
            std::fs::read(bench.work().join("out/src/d/b.bin")).unwrap(),
            [7; 100_000]
        );
        bench.put("out/single", "changed");
        assert_eq!(
            extract(
                &job,
                &job.place(name).unwrap(),
                &job.place("out").unwrap(),
                None
            )
            .unwrap(),
            6
        );
        assert_eq!(
            bench.read("out/single"),
            "one",
            "files that are there are replaced"
        );
    }
}

#[test]
fn same_sources_give_the_same_bytes() {
    for (format, name) in [
        (Format::Zip, "zip"),
        (Format::Tar, "tar"),
        (Format::TarGz, "tar.gz"),
    ] {
        let bench = Bench::new();
        source_tree(&bench);
        let bytes = |path: &str| std::fs::read(bench.work().join(path)).unwrap();
        pack(&bench, format, &["src", "single"], name).unwrap();
        let first = bytes(name);
        let touched = std::fs::File::options()
            .write(true)
            .open(bench.work().join("single"))
            .unwrap();
        touched
            .set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000))
            .unwrap();
        pack(&bench, format, &["single", "src"], name).unwrap();
        assert_eq!(
            first,
            bytes(name),
            "{name}: order of sources and times do not count"
        );
    }
}

#[test]
fn archive_does_not_hold_itself() {
    let bench = Bench::new();
    bench.put("a", "1");
    assert_eq!(pack(&bench, Format::Zip, &["."], "all.zip").unwrap(), 1);
    assert_eq!(pack(&bench, Format::Zip, &["."], "all.zip").unwrap(), 1);
}

#[test]
fn sources_with_one_name_or_with_links_are_refused() {
    let bench = Bench::new();
    bench.put("x/a", "1");
    bench.put("y/a", "2");
    assert!(matches!(
        pack(&bench, Format::Tar, &["x/a", "y/a"], "p.tar"),
        Err(Error::Parameter { .. })
    ));
    std::os::unix::fs::symlink("/etc/hostname", bench.work().join("x/l")).unwrap();
    assert!(matches!(
        pack(&bench, Format::Tar, &["x"], "p.tar"),
        Err(Error::Link { .. })
    ));
    assert!(matches!(
        pack(&bench, Format::Tar, &["none"], "p.tar"),
        Err(Error::NotFound { .. })
    ));
    assert!(!bench.work().join("p.tar").exists());
}

#[test]
fn too_many_entries_are_refused() {
    let tar_with = |count: usize| {
        let mut builder = tar::Builder::new(Vec::new());
        for n in 0..count {
            tar_entry(&mut builder, &format!("{n}"), tar::EntryType::Regular, b"");
        }
        builder.into_inner().unwrap()
    };
    let bench = Bench::new();
    bench.put("x.tar", tar_with(ENTRIES_MAX));
    let job = bench.job();
    let heads = list(&job, &job.place("x.tar").unwrap(), None).unwrap();
    assert_eq!(heads.len(), ENTRIES_MAX);
    bench.put("x.tar", tar_with(ENTRIES_MAX + 1));
    let refused = list(&job, &job.place("x.tar").unwrap(), None).unwrap_err();
    assert!(
        matches!(refused, Error::UnsafeArchive { .. }),
        "{refused:?}"
    );
}

#[test]
fn long_names_and_global_headers_are_understood() {
    let bench = Bench::new();
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(120));
    let mut builder = tar::Builder::new(Vec::new());
    tar_entry(
        &mut builder,
        "pax_global_header",
        tar::EntryType::XGlobalHeader,
        b"11 comment=\n",
    );
    let mut header = tar::Header::new_gnu();
    header.set_size(1);
    builder.append_data(&mut header, &long, &b"1"[..]).unwrap();
    tar_entry(&mut builder, "./", tar::EntryType::Directory, b"");
    assert_eq!(
        unpack(&bench, "x.tar", builder.into_inner().unwrap()).unwrap(),
        1
    );
    assert_eq!(bench.read(&format!("out/{long}")), "1");
}

#[test]
fn damaged_archives_are_told_from_unsafe_ones() {
    let entries: [(&str, &[u8]); 1] = [("a", &[7; 3000])];
    check_invalid("x.zip", b"not an archive");
    check_invalid("x.tar", vec![7; 1024]);
    check_invalid("x.tar", b"");
    check_invalid("x.tar.gz", b"not an archive");
    let tar = tar_of(&entries);
    check_invalid("x.tar", &tar[..2000]);
    let packed = gz(&tar);
    check_invalid("x.tar.gz", &packed[..packed.len() - 8]);
    let mut zip = zip_of(&entries);
    zip[35] ^= 0xff;
    check_invalid("x.zip", zip);
}

#[test]
fn format_comes_from_the_name_unless_it_is_given() {
    let bench = Bench::new();
    bench.put("data", zip_of(&[("a", b"1")]));
    let job = bench.job();
    let place = job.place("data").unwrap();
    assert!(matches!(
        list(&job, &place, None),
        Err(Error::Parameter { .. })
    ));
    assert_eq!(list(&job, &place, Some(Format::Zip)).unwrap().len(), 1);
    assert!(matches!(
        list(&job, &place, Some(Format::Tar)),
        Err(Error::ArchiveInvalid { .. })
    ));
    assert!(matches!(Format::parse("rar"), Err(Error::Parameter { .. })));
}
