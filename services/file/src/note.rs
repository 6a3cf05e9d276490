//! Notes of what a call was about to do, under its key.
//!
//! A call is sent again when its answer was lost. A delete then finds nothing, a
//! move has no source, a copy meets its own destination: without memory each
//! would turn a success into a failure. So these write down, before they act,
//! that there was something to act on. A note outlives the call, since nobody
//! tells the engine that an answer arrived; the sweep takes old ones away.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;

use crate::draft::Existing;
use crate::engine::Job;
use crate::error::{Act, Error};
use crate::fsync::Fsyncs;
use crate::place::Place;

/// How long a note is kept: longer than any call is sent again.
pub(crate) const KEPT_MS: i64 = 30 * 24 * 3_600_000;

/// Largest note, in bytes.
const NOTE_MAX: u64 = 256;

/// The folder of the notes.
#[derive(Debug)]
pub(crate) struct Notes {
    folder: PathBuf,
}

impl Notes {
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a call with this key noted before about the same act.
    pub(crate) fn read(&self, job: &Job, act: &str) -> Result<Option<String>, Error> {
        let Some(key) = job.key() else {
            return Ok(None);
        };
        let failed = |e| Error::io("the notes of the engine", Act::Read, e);
        match std::fs::File::open(self.folder.join(name(key, act))) {
            Ok(file) => {
                let mut text = String::new();
                file.take(NOTE_MAX)
                    .read_to_string(&mut text)
                    .map_err(failed)?;
                Ok(Some(text))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(e)),
        }
    }

    /// Notes an act, durably. A call without key is never sent again and notes nothing.
    pub(crate) fn write(&self, job: &Job, act: &str, text: &str) -> Result<(), Error> {
        let Some(key) = job.key() else { return Ok(()) };
        self.store(&name(key, act), text, job.fsyncs())
            .map_err(|e| Error::io("the notes of the engine", Act::Write, e))
    }

    /// What a call may meet at a destination that it does not overwrite: nothing,
    /// or what it put there itself when it was sent before.
    pub(crate) fn existing(
        &self,
        job: &Job,
        act: &str,
        destination: &Place,
        overwrite: bool,
    ) -> Result<Existing, Error> {
        if overwrite {
            return Ok(Existing::Replace);
        }
        if self.read(job, act)?.is_some() {
            return Ok(Existing::Same);
        }
        if destination.facts_if_any()?.is_some() {
            return Err(Error::AlreadyExists {
                path: destination.spelled.clone(),
            });
        }
        self.write(job, act, "")?;
        Ok(Existing::Keep)
    }

    fn store(&self, name: &str, text: &str, syncs: &Fsyncs) -> std::io::Result<()> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let path = self.folder.join(name);
        let mut file = match options.open(&path) {
            Err(e) if e.kind() == ErrorKind::NotFound => {
                std::fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(&self.folder)?;
                options.open(&path)?
            }
            opened => opened?,
        };
        file.write_all(text.as_bytes())?;
        syncs.sync(&file)?;
        syncs.sync(std::fs::File::open(&self.folder)?)?;
        Ok(())
    }
}

/// The act is part of the name: one key may carry several, one per item.
fn name(key: &str, act: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(key.as_bytes());
    context.update(&[0]);
    context.update(act.as_bytes());
    hex::encode(context.finish())
}
