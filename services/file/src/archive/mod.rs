//! Archives: what is in them, and what may come out.
//!
//! An archive is somebody else's text that becomes files of ours. So it is gone
//! through twice: once to read its directory, refuse every entry that must not
//! be written and inflate the rest into nothing, counting; and only when all of
//! it passed, once more to write. An archive within an archive is a file.

mod create;
mod meter;
mod tarball;
mod zipfile;

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};

pub(crate) use create::create;
pub(crate) use meter::{ENTRIES_MAX, EXPANDED_MAX, Meter};

use crate::content::pump;
use crate::draft::{Draft, Durable, Existing};
use crate::engine::Job;
use crate::error::{Act, Error};
use crate::folder::size;
use crate::place::Place;
use crate::relative::{Flaw, Relative};

/// A kind of archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Zip,
    Tar,
    TarGz,
}

/// What an archive says of one entry.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) name: String,
    pub(crate) size: u64,
    pub(crate) kind: Kind,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    /// Never unpacked, and why.
    Refused(&'static str),
}

/// An open archive.
#[derive(Debug)]
struct Archive<'a> {
    job: &'a Job,
    file: File,
    packed: u64,
    format: Format,
    spelled: &'a str,
}

/// Takes the content of the entry with this index.
type Visit<'v> = &'v mut dyn FnMut(usize, &mut dyn Read) -> Result<(), Error>;

impl Format {
    /// Reads a name; none when it is empty.
    pub(crate) fn parse(name: &str) -> Result<Option<Self>, Error> {
        match name {
            "" => Ok(None),
            "zip" => Ok(Some(Self::Zip)),
            "tar" => Ok(Some(Self::Tar)),
            "tar.gz" => Ok(Some(Self::TarGz)),
            _ => Err(Error::parameter("format", "is zip, tar or tar.gz")),
        }
    }

    /// The format that a file's name tells.
    fn of(place: &Place) -> Result<Self, Error> {
        let name = place.below.as_str().to_ascii_lowercase();
        let endings = [
            (".zip", Self::Zip),
            (".tar", Self::Tar),
            (".tar.gz", Self::TarGz),
            (".tgz", Self::TarGz),
        ];
        let found = endings
            .into_iter()
            .find(|(ending, _)| name.ends_with(ending));
        found.map(|(_, format)| format).ok_or_else(|| {
            Error::parameter(
                "format",
                "is not told by the archive's name; give zip, tar or tar.gz",
            )
        })
    }
}

/// What is in an archive, as it says itself.
pub(crate) fn list(job: &Job, place: &Place, format: Option<Format>) -> Result<Vec<Head>, Error> {
    Archive::open(job, place, format)?.heads()
}

/// Unpacks an archive into a folder; says how many entries it had.
pub(crate) fn extract(
    job: &Job,
    place: &Place,
    destination: &Place,
    format: Option<Format>,
) -> Result<usize, Error> {
    let archive = Archive::open(job, place, format)?;
    let heads = archive.heads()?;
    let paths = archive.check(&heads)?;
    archive.contents(&mut |index, content| {
        let mut nowhere = io::sink();
        archive.take(&heads[index], content, &mut nowhere, &|e| {
            Error::io(archive.spelled, Act::Read, e)
        })
    })?;

    let (made, _) = destination.make_folder(None)?;
    for (head, path) in heads
        .iter()
        .zip(&paths)
        .filter(|(head, _)| head.kind == Kind::Folder)
    {
        debug_assert!(head.size == 0);
        destination.join(path).make_folder(None)?;
    }
    archive.contents(&mut |index, content| {
        if heads[index].kind == Kind::Folder {
            return Ok(());
        }
        let to = destination.join(&paths[index]);
        let (folder, name) = to.made_parent(None)?;
        let mut draft = Draft::begin(job, &folder, &to.spelled)?;
        archive.take(&heads[index], content, &mut draft, &|e| {
            Error::io(&to.spelled, Act::Write, e)
        })?;
        draft.commit(name, Existing::Replace, Durable::Later)?;
        Ok(())
    })?;
    let synced = job.fsyncs().sync_all(&made);
    synced.map_err(|e| Error::system(&destination.spelled, Act::Write, e))?;
    Ok(paths.iter().filter(|path| !path.is_root()).count())
}

impl<'a> Archive<'a> {
    fn open(job: &'a Job, place: &'a Place, format: Option<Format>) -> Result<Self, Error> {
        let format = format.map_or_else(|| Format::of(place), Ok)?;
        let (file, stat) = place.root()?.file(place.below.as_str(), &place.spelled)?;
        Ok(Self {
            job,
            file,
            packed: size(&stat),
            format,
            spelled: &place.spelled,
        })
    }

    /// Reads the directory; an archive without one is gone through.
    fn heads(&self) -> Result<Vec<Head>, Error> {
        match self.format {
            Format::Zip => zipfile::heads(self),
            Format::Tar | Format::TarGz => tarball::heads(self),
        }
    }

    /// Shows the content of each entry, in the order of the heads.
    fn contents(&self, visit: Visit<'_>) -> Result<(), Error> {
        let meter = Meter::new(self.job, self.packed);
        let done = match self.format {
            Format::Zip => zipfile::contents(self, &meter, visit),
            Format::Tar | Format::TarGz => tarball::contents(self, &meter, visit),
        };
        // A passed limit looks to the decoders like a damaged archive.
        meter.check(self.spelled)?;
        done
    }

    /// Moves one entry's content, which must be as long as its head says.
    fn take(
        &self,
        head: &Head,
        content: &mut dyn Read,
        to: &mut dyn io::Write,
        write_error: &dyn Fn(io::Error) -> Error,
    ) -> Result<(), Error> {
        let broken = |e| broken(self.spelled, e);
        let moved = pump(self.job, content, to, &broken, write_error)?;
        if moved == head.size {
            return Ok(());
        }
        Err(self.invalid(format!(
            "entry `{}` has {moved} bytes, not {}",
            head.name, head.size
        )))
    }

    /// Refuses the archive for its worst entry; gives the path of each.
    fn check(&self, heads: &[Head]) -> Result<Vec<Relative>, Error> {
        let mut total: u64 = 0;
        let mut paths = Vec::with_capacity(heads.len());
        for head in heads {
            let path = Relative::parse_entry(&head.name).map_err(|flaw| match flaw {
                Flaw::Escapes => self.unsafe_entry(&head.name, "leads out of the folder"),
                Flaw::Rule(why) => self.unsafe_entry(&head.name, why),
            })?;
            match head.kind {
                Kind::Refused(why) => return Err(self.unsafe_entry(&head.name, why)),
                Kind::File if path.is_root() => {
                    return Err(self.unsafe_entry(&head.name, "has no name"));
                }
                Kind::File | Kind::Folder => {}
            }
            total = total.saturating_add(head.size);
            paths.push(path);
        }
        if total > EXPANDED_MAX {
            return Err(self.unsafe_archive(format!("it becomes larger than {EXPANDED_MAX} bytes")));
        }
        let mut kinds = HashMap::with_capacity(paths.len());
        for (head, path) in heads.iter().zip(&paths) {
            if kinds.insert(path.as_str(), head.kind).is_some() {
                return Err(self.unsafe_entry(&head.name, "is there twice"));
            }
        }
        for (head, path) in heads.iter().zip(&paths) {
            if path
                .ancestors()
                .any(|above| kinds.get(above) == Some(&Kind::File))
            {
                return Err(self.unsafe_entry(&head.name, "is below another entry that is a file"));
            }
        }
        Ok(paths)
    }

    fn too_many(&self) -> Error {
        self.unsafe_archive(format!("it has more than {ENTRIES_MAX} entries"))
    }

    fn invalid(&self, why: impl Into<String>) -> Error {
        Error::ArchiveInvalid {
            path: self.spelled.to_owned(),
            why: why.into(),
        }
    }

    fn unsafe_archive(&self, why: impl Into<String>) -> Error {
        Error::UnsafeArchive {
            path: self.spelled.to_owned(),
            why: why.into(),
        }
    }

    fn unsafe_entry(&self, entry: &str, why: &'static str) -> Error {
        Error::UnsafeEntry {
            path: self.spelled.to_owned(),
            entry: entry.to_owned(),
            why,
        }
    }
}

/// What an error of a decoder means: of the system, or of the archive.
pub(crate) fn broken(spelled: &str, cause: io::Error) -> Error {
    if cause.raw_os_error().is_some() {
        return Error::io(spelled, Act::Read, cause);
    }
    Error::ArchiveInvalid {
        path: spelled.to_owned(),
        why: cause.to_string(),
    }
}

#[cfg(test)]
mod tests;
