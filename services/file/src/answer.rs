//! From what the domain knows to what the protocol says, and back.

use gearmesh_api::file::v1 as api;
use prost::Message;
use prost_types::Timestamp;
use rustix::fs::{FileType, Statx, StatxFlags, StatxTimestamp};
use tonic::{Response, Status};

use crate::archive::{Head, Kind};
use crate::content::READ_MAX;
use crate::copy::kind;
use crate::error::Error;
use crate::place::Place;
use crate::walk::Entry;

/// What a handler gives back.
pub(crate) type Answer<T> = Result<Response<T>, Status>;

pub(crate) fn answer<T>(response: T) -> Answer<T> {
    Ok(Response::new(response))
}

/// Refuses an answer that no message carries.
pub(crate) fn bounded<T: Message>(response: T, path: &str) -> Answer<T> {
    if response.encoded_len() as u64 > READ_MAX {
        let path = path.to_owned();
        return Err(Error::AnswerTooLarge {
            path,
            max: READ_MAX,
        }
        .into());
    }
    answer(response)
}

pub(crate) fn is_binary(encoding: &str) -> Result<bool, Error> {
    match encoding {
        "" | "utf-8" => Ok(false),
        "binary" => Ok(true),
        _ => Err(Error::parameter("encoding", "is utf-8 or binary")),
    }
}

pub(crate) fn offset(field: &str, value: Option<i64>) -> Result<Option<u64>, Error> {
    let offset = value.map(u64::try_from).transpose();
    offset.map_err(|_| Error::parameter(field, "is at least 0"))
}

pub(crate) fn signed(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(crate) fn listed(place: &Place, entry: &Entry) -> api::FileEntry {
    let below = entry.below.as_str();
    api::FileEntry {
        path: place.spell(below),
        name: below.rsplit('/').next().unwrap_or(below).to_owned(),
        is_directory: entry.kind == FileType::Directory,
        size: signed(entry.size),
    }
}

pub(crate) fn entry(head: Head) -> api::ArchiveEntry {
    api::ArchiveEntry {
        size: signed(head.size),
        is_directory: head.kind == Kind::Folder,
        path: match head.name.strip_suffix('/') {
            Some(bare) if head.kind == Kind::Folder => bare.to_owned(),
            _ => head.name,
        },
    }
}

pub(crate) fn stats(facts: &Statx) -> api::FileStats {
    let found = kind(facts);
    let size = if found == FileType::Directory {
        0
    } else {
        facts.stx_size
    };
    let known = StatxFlags::from_bits_retain(facts.stx_mask);
    api::FileStats {
        size: signed(size),
        created: known
            .contains(StatxFlags::BTIME)
            .then(|| timestamp(&facts.stx_btime)),
        modified: Some(timestamp(&facts.stx_mtime)),
        accessed: Some(timestamp(&facts.stx_atime)),
        is_file: found == FileType::RegularFile,
        is_directory: found == FileType::Directory,
        permissions: format!("{:o}", facts.stx_mode & 0o7777),
    }
}

pub(crate) fn timestamp(time: &StatxTimestamp) -> Timestamp {
    Timestamp {
        seconds: time.tv_sec,
        nanos: i32::try_from(time.tv_nsec).unwrap_or_default(),
    }
}
