//! Tar archives, plain and compressed.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;
use tar::EntryType;

use super::{Archive, ENTRIES_MAX, Format, Head, Kind, Meter, Visit, broken};
use crate::error::Error;

/// Largest header extension, in bytes: room for a path of the greatest length
/// and some attributes. The decoder holds one in memory.
const EXTENSION_MAX: u64 = 64 * 1024;

/// Least length of a tar: one block. Nothing at all is no archive.
const BLOCK: u64 = 512;

/// Reads all headers. Once raw, to bound what the decoder will hold in memory,
/// and once as the decoder understands them.
pub(super) fn heads(archive: &Archive<'_>) -> Result<Vec<Head>, Error> {
    with(archive, &Meter::new(archive.job, archive.packed), |tar| {
        bound_extensions(archive, tar)
    })?;
    with(archive, &Meter::new(archive.job, archive.packed), |tar| {
        let mut heads = Vec::new();
        for entry in tar.entries().map_err(|e| broken(archive.spelled, e))? {
            let entry = entry.map_err(|e| broken(archive.spelled, e))?;
            let found = entry.header().entry_type();
            if found.is_pax_global_extensions() {
                continue;
            }
            if heads.len() == ENTRIES_MAX {
                return Err(archive.too_many());
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let kind = match std::str::from_utf8(&entry.path_bytes()) {
                Ok(_) => kind(found, entry.size()),
                Err(_) => Kind::Refused("has a name that is not UTF-8"),
            };
            heads.push(Head {
                name,
                size: entry.size(),
                kind,
            });
        }
        Ok(heads)
    })
}

pub(super) fn contents(
    archive: &Archive<'_>,
    meter: &Meter<'_>,
    visit: Visit<'_>,
) -> Result<(), Error> {
    with(archive, meter, |tar| {
        let mut index = 0;
        for entry in tar.entries().map_err(|e| broken(archive.spelled, e))? {
            let mut entry = entry.map_err(|e| broken(archive.spelled, e))?;
            if entry.header().entry_type().is_pax_global_extensions() {
                continue;
            }
            visit(index, &mut entry)?;
            index += 1;
        }
        Ok(())
    })
}

fn bound_extensions(
    archive: &Archive<'_>,
    tar: &mut tar::Archive<Box<dyn Read + '_>>,
) -> Result<(), Error> {
    let failed = |e| broken(archive.spelled, e);
    let mut entries = 0;
    for entry in tar.entries().map_err(failed)?.raw(true) {
        let mut entry = entry.map_err(failed)?;
        entries += 1;
        // Each entry may have a few extensions before it.
        if entries > ENTRIES_MAX * 4 {
            return Err(archive.too_many());
        }
        let found = entry.header().entry_type();
        if found.is_gnu_sparse() {
            return Err(archive.unsafe_archive("it has a sparse file"));
        }
        let extends = found.is_gnu_longname()
            || found.is_gnu_longlink()
            || found.is_pax_local_extensions()
            || found.is_pax_global_extensions();
        if !extends {
            continue;
        }
        if entry.size() > EXTENSION_MAX {
            return Err(archive.unsafe_archive(format!(
                "it has a header of more than {EXTENSION_MAX} bytes"
            )));
        }
        let mut text = Vec::new();
        entry.read_to_end(&mut text).map_err(failed)?;
        // A second size would let the two readings of the headers part ways.
        if found.is_pax_local_extensions() && text.windows(6).any(|w| w == b" size=") {
            return Err(archive.unsafe_archive("it has an entry that states its size twice"));
        }
    }
    Ok(())
}

/// Opens the archive from its beginning. What follows the last entry is read
/// too, since the checksum of the compression stands at the very end.
fn with<T>(
    archive: &Archive<'_>,
    meter: &Meter<'_>,
    work: impl FnOnce(&mut tar::Archive<Box<dyn Read + '_>>) -> Result<T, Error>,
) -> Result<T, Error> {
    let failed = |e| broken(archive.spelled, e);
    if archive.packed < BLOCK && archive.format == Format::Tar {
        return Err(archive.invalid("it is shorter than one block"));
    }
    (&archive.file).seek(SeekFrom::Start(0)).map_err(failed)?;
    let file = BufReader::new(&archive.file);
    let reader: Box<dyn Read + '_> = match archive.format {
        Format::TarGz => Box::new(meter.read(MultiGzDecoder::new(file))),
        Format::Zip | Format::Tar => Box::new(meter.read(file)),
    };
    let mut tar = tar::Archive::new(reader);
    let done = work(&mut tar).and_then(|done| {
        io::copy(&mut tar.into_inner(), &mut io::sink()).map_err(failed)?;
        Ok(done)
    });
    meter.check(archive.spelled)?;
    done
}

fn kind(found: EntryType, size: u64) -> Kind {
    match found {
        EntryType::Regular | EntryType::Continuous => Kind::File,
        EntryType::Directory if size > 0 => Kind::Refused("is a folder with content"),
        EntryType::Directory => Kind::Folder,
        EntryType::Symlink | EntryType::Link => Kind::Refused("is a link"),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Kind::Refused("is a device"),
        _ => Kind::Refused("is of a kind that is not known"),
    }
}
