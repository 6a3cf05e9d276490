//! Making archives: the same sources give the same bytes.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustix::fs::FileType;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{ENTRIES_MAX, EXPANDED_MAX, Format};
use crate::copy::{kind, plain};
use crate::draft::{Draft, Durable, Existing};
use crate::engine::Job;
use crate::error::{Act, Error};
use crate::folder::size;
use crate::place::Place;
use crate::walk::{Flow, Walk};

/// The time of every entry: 1980-01-01 UTC, the first that a zip can tell.
const TIME: u64 = 315_532_800;

/// Permissions in the archive: what others may do is theirs to decide.
const FILE_MODE: u32 = 0o644;
const FOLDER_MODE: u32 = 0o755;

/// From this size on a zip entry needs the long form of its head.
const ZIP_LONG: u64 = u32::MAX as u64;

/// What becomes an entry.
enum Item {
    File(Place),
    Folder,
}

/// Packs files and folders; says how many entries the archive has.
pub(crate) fn create(
    job: &Job,
    format: Format,
    sources: &[Place],
    destination: &Place,
) -> Result<usize, Error> {
    let items = collect(job, sources, destination)?;
    let (folder, name) = destination.made_parent(Some(job.fsyncs()))?;
    let draft = Draft::begin(job, &folder, &destination.spelled)?;
    let draft = match format {
        Format::Zip => zip(job, &items, draft, destination)?,
        Format::Tar => tar(job, &items, draft, destination)?,
        Format::TarGz => {
            let encoder = GzEncoder::new(draft, Compression::default());
            let encoder = tar(job, &items, encoder, destination)?;
            encoder
                .finish()
                .map_err(|e| Error::io(&destination.spelled, Act::Write, e))?
        }
    };
    draft.commit(name, Existing::Replace, Durable::Now)?;
    Ok(items.len())
}

/// All entries by their names. A source keeps its own name; a root gives what is in it.
fn collect(
    job: &Job,
    sources: &[Place],
    destination: &Place,
) -> Result<BTreeMap<String, Item>, Error> {
    let itself = destination.real();
    let mut items = BTreeMap::new();
    let mut add = |name: String, item: Item| {
        if items.len() == ENTRIES_MAX {
            return Err(Error::TooLarge {
                path: destination.spelled.clone(),
                why: format!("would have more than {ENTRIES_MAX} entries"),
            });
        }
        match items.insert(name.clone(), item) {
            None => Ok(()),
            Some(_) => Err(Error::parameter(
                "sources",
                format!("has two with the name `{name}`"),
            )),
        }
    };
    for source in sources {
        let top = source.below.split().map_or("", |(_, name)| name);
        if kind(&source.facts()?) != FileType::Directory {
            add(top.to_owned(), Item::File(source.clone()))?;
            continue;
        }
        if !top.is_empty() {
            add(top.to_owned(), Item::Folder)?;
        }
        let walk = Walk {
            job,
            place: source,
            recursive: true,
            after: None,
            most: ENTRIES_MAX,
            timed: false,
        };
        walk.each(source.folder()?, &mut |entry| {
            let name = if top.is_empty() {
                entry.below.to_string()
            } else {
                format!("{top}/{}", entry.below)
            };
            let place = source.join(&entry.below);
            if entry.kind == FileType::Directory {
                add(name, Item::Folder)?;
            } else if place.real() != itself {
                plain(&entry, &place)?;
                add(name, Item::File(place))?;
            }
            Ok(Flow::On)
        })?;
    }
    Ok(items)
}

fn zip<'a>(
    job: &Job,
    items: &BTreeMap<String, Item>,
    draft: Draft<'a>,
    destination: &Place,
) -> Result<Draft<'a>, Error> {
    let failed = |e: zip::result::ZipError| Error::io(&destination.spelled, Act::Write, e.into());
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default());
    let mut writer = ZipWriter::new(BufWriter::new(draft));
    let mut total = 0;
    for (name, item) in items {
        match item {
            Item::Folder => {
                let options = options
                    .compression_method(CompressionMethod::Stored)
                    .unix_permissions(FOLDER_MODE);
                writer
                    .add_directory(name.as_str(), options)
                    .map_err(failed)?;
            }
            Item::File(place) => {
                let mut source = Source::open(job, place, &mut total)?;
                let options = options
                    .unix_permissions(FILE_MODE)
                    .large_file(source.size >= ZIP_LONG);
                writer.start_file(name.as_str(), options).map_err(failed)?;
                source.pour(&mut writer, destination)?;
            }
        }
    }
    let buffer = writer.finish().map_err(failed)?;
    buffer
        .into_inner()
        .map_err(|e| Error::io(&destination.spelled, Act::Write, e.into_error()))
}

fn tar<W: Write>(
    job: &Job,
    items: &BTreeMap<String, Item>,
    to: W,
    destination: &Place,
) -> Result<W, Error> {
    let failed = |e| Error::io(&destination.spelled, Act::Write, e);
    let mut builder = tar::Builder::new(BufWriter::new(to));
    let mut total = 0;
    for (name, item) in items {
        let mut header = tar::Header::new_gnu();
        header.set_mtime(TIME);
        match item {
            Item::Folder => {
                header.set_entry_type(tar::EntryType::Directory);
                header.set_mode(FOLDER_MODE);
                header.set_size(0);
                builder
                    .append_data(&mut header, format!("{name}/"), io::empty())
                    .map_err(failed)?;
            }
            Item::File(place) => {
                let mut source = Source::open(job, place, &mut total)?;
                header.set_entry_type(tar::EntryType::Regular);
                header.set_mode(FILE_MODE);
                header.set_size(source.size);
                let added = builder.append_data(&mut header, name, &mut source);
                source.check()?;
                added.map_err(failed)?;
            }
        }
    }
    let buffer = builder.into_inner().map_err(failed)?;
    buffer.into_inner().map_err(|e| failed(e.into_error()))
}

/// A file that is packed: exactly as many bytes as it had when it was opened.
struct Source<'a> {
    job: &'a Job,
    place: &'a Place,
    file: std::fs::File,
    size: u64,
    left: u64,
    failed: Option<Error>,
}

impl<'a> Source<'a> {
    fn open(job: &'a Job, place: &'a Place, total: &mut u64) -> Result<Self, Error> {
        let (file, stat) = place.root()?.file(place.below.as_str(), &place.spelled)?;
        let size = size(&stat);
        *total += size;
        if *total > EXPANDED_MAX {
            return Err(Error::TooLarge {
                path: place.spelled.clone(),
                why: format!(
                    "makes the archive hold more than {EXPANDED_MAX} bytes, which nobody here would unpack"
                ),
            });
        }
        let failed = None;
        Ok(Self {
            job,
            place,
            file,
            size,
            left: size,
            failed,
        })
    }

    fn pour(&mut self, to: &mut dyn Write, destination: &Place) -> Result<(), Error> {
        let poured = io::copy(self, to);
        self.check()?;
        poured.map_err(|e| Error::io(&destination.spelled, Act::Write, e))?;
        Ok(())
    }

    /// An error of the source, which the writer saw as one of its own.
    fn check(&mut self) -> Result<(), Error> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn fail(&mut self, error: Error) -> io::Error {
        self.failed = Some(error);
        io::Error::other("the source failed")
    }
}

impl Read for Source<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        if let Err(e) = self.job.go_on() {
            return Err(self.fail(e));
        }
        let most = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        match self.file.read(&mut buffer[..most]) {
            Ok(0) => {
                let cause = io::Error::other("it became shorter while it was read");
                let path = self.place.spelled.clone();
                Err(self.fail(Error::Read { path, cause }))
            }
            Ok(n) => {
                self.left -= n as u64;
                Ok(n)
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Err(e),
            Err(e) => {
                let error = Error::io(&self.place.spelled, Act::Read, e);
                Err(self.fail(error))
            }
        }
    }
}
