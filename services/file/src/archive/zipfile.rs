//! Zip archives.

use std::io::BufReader;

use rustix::fs::FileType;
use zip::read::{Config, ZipFileEntry};
use zip::result::ZipError;
use zip::unstable::read::ZipIterable;
use zip::{CompressionMethod, ZipArchive};

use super::{Archive, ENTRIES_MAX, Head, Kind, Meter, Visit, broken};
use crate::error::Error;

/// Reads the directory and holds it against the entries themselves: readers that
/// believe the one and readers that believe the other must see the same files.
pub(super) fn heads(archive: &Archive<'_>) -> Result<Vec<Head>, Error> {
    let failed = |e| error(archive, e);
    // The count is looked at before the directory takes memory.
    let count =
        ZipIterable::try_new(BufReader::new(&archive.file), Config::default()).map_err(failed)?;
    if count.len() > ENTRIES_MAX {
        return Err(archive.too_many());
    }
    let mut zip = ZipArchive::new(BufReader::new(&archive.file)).map_err(failed)?;
    if zip.has_duplicate_names() {
        return Err(archive.unsafe_archive("it has an entry twice"));
    }
    if zip.has_overlapping_entries().map_err(failed)? {
        return Err(archive.unsafe_archive("its entries overlap"));
    }
    zip.validate_header_consistency().map_err(failed)?;
    let head = |index| -> Result<Head, Error> {
        let entry = zip.by_index_data(index).map_err(failed)?;
        Ok(Head {
            name: entry.name().map_err(failed)?.into_owned(),
            size: if entry.is_dir() { 0 } else { entry.size() },
            kind: kind(&entry),
        })
    };
    (0..zip.len()).map(head).collect()
}

pub(super) fn contents(
    archive: &Archive<'_>,
    meter: &Meter<'_>,
    visit: Visit<'_>,
) -> Result<(), Error> {
    let failed = |e| error(archive, e);
    let mut zip = ZipArchive::new(BufReader::new(&archive.file)).map_err(failed)?;
    for index in 0..zip.len() {
        let entry = zip.by_index(index).map_err(failed)?;
        visit(index, &mut meter.read(entry))?;
    }
    Ok(())
}

fn kind(entry: &ZipFileEntry<'_>) -> Kind {
    if entry.encrypted() {
        return Kind::Refused("is encrypted");
    }
    if !matches!(
        entry.compression(),
        CompressionMethod::Stored | CompressionMethod::Deflated
    ) {
        return Kind::Refused("is compressed in a way that is not offered");
    }
    let mode = entry.unix_mode().map(FileType::from_raw_mode);
    match mode {
        Some(FileType::Symlink) => Kind::Refused("is a link"),
        Some(
            FileType::Fifo | FileType::Socket | FileType::CharacterDevice | FileType::BlockDevice,
        ) => Kind::Refused("is a device"),
        _ if entry.is_symlink() => Kind::Refused("is a link"),
        _ if entry.is_dir() && entry.size() > 0 => Kind::Refused("is a folder with content"),
        _ if entry.is_dir() => Kind::Folder,
        _ => Kind::File,
    }
}

fn error(archive: &Archive<'_>, cause: ZipError) -> Error {
    match cause {
        ZipError::Io(e) => broken(archive.spelled, e),
        other => archive.invalid(other.to_string()),
    }
}
