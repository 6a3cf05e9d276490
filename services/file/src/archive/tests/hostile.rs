//! Archives made to do harm.

use super::*;

#[test]
fn entry_that_would_leave_the_folder_refuses_all() {
    for (name, why) in [
        ("../evil", "leads out"),
        ("a/../../evil", "leads out"),
        ("a/../b", "leads out"),
        ("/etc/evil", "absolute"),
        ("a\\..\\evil", "backslash"),
        ("nul.txt", "device"),
        ("trailing.", "dot or a space"),
    ] {
        let entries: [(&str, &[u8]); 2] = [("good", b"1"), (name, b"2")];
        check_unsafe("x.zip", zip_of(&entries), why);
        check_unsafe("x.tar", tar_of(&entries), why);
        check_unsafe("x.tar.gz", gz(&tar_of(&entries)), why);
    }
    let long = format!("{}/x", "n".repeat(NAME_LONG));
    check_unsafe("x.zip", zip_of(&[(&long, b"1")]), "longer than 255");
}

const NAME_LONG: usize = crate::relative::NAME_MAX + 1;

#[test]
fn links_and_devices_are_refused() {
    use tar::EntryType;
    for (kind, why) in [
        (EntryType::Symlink, "link"),
        (EntryType::Link, "link"),
        (EntryType::Char, "device"),
        (EntryType::Block, "device"),
        (EntryType::Fifo, "device"),
        (EntryType::GNUSparse, "sparse"),
        (EntryType::new(b'Z'), "not known"),
    ] {
        let mut builder = tar::Builder::new(Vec::new());
        tar_entry(&mut builder, "good", EntryType::Regular, b"1");
        tar_entry(&mut builder, "bad", kind, b"");
        check_unsafe("x.tar", builder.into_inner().unwrap(), why);
    }
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    writer
        .add_symlink("bad", "/etc/passwd", SimpleFileOptions::default())
        .unwrap();
    check_unsafe("x.zip", writer.finish().unwrap().into_inner(), "link");
}

#[test]
fn entry_twice_or_below_a_file_is_refused() {
    check_unsafe("x.tar", tar_of(&[("a", b"1"), ("./a", b"2")]), "twice");
    check_unsafe("x.zip", zip_of(&[("a", b"1"), ("./a", b"2")]), "twice");
    check_unsafe(
        "x.tar",
        tar_of(&[("a/b", b"1"), ("a", b"2")]),
        "below another entry",
    );
    let mut twice = zip_of(&[("a1", b"1"), ("a2", b"2")]);
    let at: Vec<_> = twice
        .windows(2)
        .enumerate()
        .filter(|(_, w)| w == b"a2")
        .map(|(at, _)| at)
        .collect();
    for at in at {
        twice[at + 1] = b'1';
    }
    check_unsafe("x.zip", twice, "twice");
}

#[test]
fn zip_whose_entries_overlap_is_refused() {
    // Both entries of the directory point at the first one's bytes.
    let stored = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for name in ["a", "b"] {
        writer.start_file(name, stored).unwrap();
        writer.write_all(b"0123456789").unwrap();
    }
    let mut bytes = writer.finish().unwrap().into_inner();
    let second = bytes
        .windows(4)
        .enumerate()
        .filter(|(_, w)| *w == b"PK\x01\x02")
        .map(|(at, _)| at)
        .nth(1)
        .unwrap();
    bytes[second + 42..second + 46].copy_from_slice(&0u32.to_le_bytes());
    check_unsafe("x.zip", bytes, "overlap");
}

#[test]
fn zip_whose_directory_and_entries_disagree_is_refused() {
    let mut bytes = zip_of(&[("good", b"1")]);
    // The name in the entry itself, which other readers believe.
    bytes[30..34].copy_from_slice(b"evil");
    check_invalid("x.zip", bytes);
}

#[test]
fn bombs_are_refused_by_the_bytes_that_come_out() {
    let zeros = vec![0; usize::try_from(RATIO_FREE).unwrap() + 1];
    check_unsafe("x.zip", zip_of(&[("zeros", &zeros)]), "times its size");
    check_unsafe(
        "x.tar.gz",
        gz(&tar_of(&[("zeros", &zeros)])),
        "times its size",
    );
    // Small ones may compress as well as they can.
    let bench = Bench::new();
    assert_eq!(
        unpack(
            &bench,
            "x.zip",
            zip_of(&[("zeros", &zeros[..RATIO_FREE as usize])])
        )
        .unwrap(),
        1
    );
}

#[test]
fn bomb_that_hides_behind_the_last_entry_is_found() {
    let mut bytes = tar_of(&[("a", b"1")]);
    bytes.extend(vec![0; usize::try_from(RATIO_FREE).unwrap()]);
    check_unsafe("x.tar.gz", gz(&bytes), "times its size");
}

#[test]
fn zip_that_lies_about_its_size_is_refused() {
    let mut bytes = zip_of(&[("a", &[0; 5000])]);
    let directory = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for at in [22, directory + 24] {
        bytes[at..at + 4].copy_from_slice(&10u32.to_le_bytes());
    }
    check_invalid("x.zip", bytes);
}

#[test]
fn archive_larger_than_the_limit_is_refused_by_its_own_word() {
    let bench = Bench::new();
    let job = bench.job();
    bench.put("x.zip", "");
    let place = job.place("x.zip").unwrap();
    let archive = Archive::open(&job, &place, None).unwrap();
    let head = |size| Head {
        name: "a".into(),
        size,
        kind: Kind::File,
    };
    assert!(archive.check(&[head(EXPANDED_MAX)]).is_ok());
    assert!(matches!(
        archive.check(&[head(EXPANDED_MAX + 1)]),
        Err(Error::UnsafeArchive { .. })
    ));
}

#[test]
fn headers_that_fill_the_memory_or_state_a_size_twice_are_refused() {
    let mut builder = tar::Builder::new(Vec::new());
    tar_entry(
        &mut builder,
        "././@LongLink",
        tar::EntryType::GNULongName,
        &vec![b'n'; 64 * 1024 + 1],
    );
    tar_entry(&mut builder, "a", tar::EntryType::Regular, b"1");
    check_unsafe(
        "x.tar",
        builder.into_inner().unwrap(),
        "header of more than",
    );

    let mut builder = tar::Builder::new(Vec::new());
    tar_entry(&mut builder, "pax", tar::EntryType::XHeader, b"9 size=0\n");
    tar_entry(&mut builder, "a", tar::EntryType::Regular, b"1");
    check_unsafe("x.tar", builder.into_inner().unwrap(), "size twice");
}
