//! The content of one file: reading a range, writing, adding.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use gearmesh_api::MESSAGE_MAX;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::draft::{Draft, Durable, Existing};
use crate::engine::Job;
use crate::error::{Act, Error};
use crate::folder::{FILE_MODE, regular, size};
use crate::place::Place;

/// Most bytes of one answer: a message less 1 MiB for what stands around them.
pub(crate) const READ_MAX: u64 = MESSAGE_MAX as u64 - 1024 * 1024;

/// Bytes that long work moves at once, between two looks whether to go on.
pub(crate) const CHUNK: usize = 128 * 1024;

/// Which bytes to read.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Range {
    pub(crate) start: u64,
    /// The byte after the last; none: the end of the file.
    pub(crate) end: Option<u64>,
}

/// What happens to the content that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Overwrite,
    Append,
}

/// Reads a range; says how large the whole file is.
pub(crate) fn read(place: &Place, range: Range) -> Result<(Vec<u8>, u64), Error> {
    let (file, stat) = place.root()?.file(place.below.as_str(), &place.spelled)?;
    let size = size(&stat);
    let start = range.start.min(size);
    let end = range.end.unwrap_or(size).clamp(start, size);
    if end - start > READ_MAX {
        return Err(Error::TooLarge {
            path: place.spelled.clone(),
            why: format!(
                "gives {} bytes; read at most {READ_MAX} at once with `start` and `end`",
                end - start
            ),
        });
    }
    let wanted = usize::try_from(end - start).unwrap_or(usize::MAX);
    let mut bytes = vec![0; wanted];
    let mut filled = 0;
    // A file that shrinks meanwhile ends early.
    while filled < wanted {
        match file.read_at(&mut bytes[filled..], start + filled as u64) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(Error::io(&place.spelled, Act::Read, e)),
        }
    }
    bytes.truncate(filled);
    Ok((bytes, size))
}

/// Reads a range as text.
pub(crate) fn read_text(place: &Place, range: Range) -> Result<(String, u64), Error> {
    let (bytes, size) = read(place, range)?;
    match String::from_utf8(bytes) {
        Ok(text) => Ok((text, size)),
        Err(e) => Err(Error::NotText {
            path: place.spelled.clone(),
            at: range.start + e.utf8_error().valid_up_to() as u64,
        }),
    }
}

/// Writes a file, with its parents; says how large it is now.
pub(crate) fn write(job: &Job, place: &Place, content: &Bytes, mode: Mode) -> Result<u64, Error> {
    match mode {
        Mode::Overwrite => {
            let (folder, name) = place.made_parent(Some(job.fsyncs()))?;
            let mut draft = Draft::begin(job, &folder, &place.spelled)?;
            draft.write_all(content).map_err(|e| draft.write_error(e))?;
            draft.commit(name, Existing::Replace, Durable::Now)
        }
        Mode::Append => append(job, place, content),
    }
}

/// Adds to the end. Not one step: a crash in the middle leaves a part, which is
/// why the runtime never repeats it by itself.
fn append(job: &Job, place: &Place, content: &Bytes) -> Result<u64, Error> {
    let failed = |e: Errno| Error::system(&place.spelled, Act::Write, e);
    let (folder, name) = place.made_parent(Some(job.fsyncs()))?;
    let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::NONBLOCK | OFlags::NOCTTY;
    let (fd, made) = match folder.open(name, flags, rustix::fs::Mode::empty()) {
        Err(Errno::NOENT) => (
            folder
                .open(name, flags | OFlags::CREATE, FILE_MODE)
                .map_err(failed)?,
            true,
        ),
        opened => (opened.map_err(failed)?, false),
    };
    let before = size(&regular(&fd, &place.spelled, Act::Write)?);
    let mut file = File::from(fd);
    if let Err(cause) = file.write_all(content) {
        // What was added of a part is taken back, unless somebody else added after it.
        let now = file.metadata().map_or(before, |m| m.len());
        if now > before && now - before < content.len() as u64 {
            let _ = file.set_len(before);
        }
        return Err(Error::io(&place.spelled, Act::Write, cause));
    }
    job.fsyncs().sync(&file).map_err(failed)?;
    if made {
        job.fsyncs().sync(&folder).map_err(failed)?;
    }
    let now = file
        .metadata()
        .map_err(|e| Error::io(&place.spelled, Act::Write, e))?;
    Ok(now.len())
}

/// Moves all bytes from a reader to a writer; each side says what its errors mean.
pub(crate) fn pump(
    job: &Job,
    from: &mut dyn Read,
    to: &mut dyn Write,
    read_error: &dyn Fn(std::io::Error) -> Error,
    write_error: &dyn Fn(std::io::Error) -> Error,
) -> Result<u64, Error> {
    let mut chunk = vec![0; CHUNK];
    let mut moved = 0;
    loop {
        job.go_on()?;
        let n = match from.read(&mut chunk) {
            Ok(0) => return Ok(moved),
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(read_error(e)),
        };
        to.write_all(&chunk[..n]).map_err(write_error)?;
        moved += n as u64;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType};

    use super::*;
    use crate::testing::Bench;

    fn put(bench: &Bench, path: &str, text: &str, mode: Mode) -> Result<u64, Error> {
        let job = bench.job();
        write(
            &job,
            &job.place(path)?,
            &Bytes::copy_from_slice(text.as_bytes()),
            mode,
        )
    }

    fn get(
        bench: &Bench,
        path: &str,
        start: u64,
        end: Option<u64>,
    ) -> Result<(String, u64), Error> {
        read_text(&bench.job().place(path)?, Range { start, end })
    }

    #[test]
    fn range_is_cut_to_the_file() {
        let bench = Bench::new();
        bench.put("a", "0123456789");
        for (start, end, expected) in [
            (0, None, "0123456789"),
            (0, Some(4), "0123"),
            (4, None, "456789"),
            (9, Some(10), "9"),
            (10, None, ""),
            (7, Some(99), "789"),
            (99, Some(100), ""),
            (5, Some(2), ""),
        ] {
            let (text, size) = get(&bench, "a", start, end).unwrap();
            assert_eq!((text.as_str(), size), (expected, 10), "{start}..{end:?}");
        }
    }

    #[test]
    fn answer_is_limited_and_the_message_names_the_way_out() {
        let bench = Bench::new();
        let path = bench.work().join("big");
        File::create(&path).unwrap().set_len(READ_MAX + 1).unwrap();
        let refused = get(&bench, "big", 0, None).unwrap_err();
        assert!(
            matches!(refused, Error::TooLarge { .. }) && refused.to_string().contains("`start`"),
            "{refused}"
        );
        assert_eq!(
            get(&bench, "big", 1, None).unwrap().0.len() as u64,
            READ_MAX
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_named_by_their_place() {
        let bench = Bench::new();
        bench.put("a", b"ok\xffno");
        assert!(matches!(
            get(&bench, "a", 0, None),
            Err(Error::NotText { at: 2, .. })
        ));
        assert!(matches!(
            get(&bench, "a", 1, None),
            Err(Error::NotText { at: 2, .. })
        ));
        bench.put("b", "ä");
        assert!(matches!(
            get(&bench, "b", 0, Some(1)),
            Err(Error::NotText { at: 0, .. })
        ));
    }

    #[test]
    fn only_regular_files_with_one_link_are_read_or_added_to() {
        let bench = Bench::new();
        let work = bench.work();
        bench.put("file", "x");
        std::fs::hard_link(work.join("file"), work.join("hard")).unwrap();
        symlink("/etc/hostname", work.join("link")).unwrap();
        symlink("/etc", work.join("folderlink")).unwrap();
        rustix::fs::mknodat(CWD, work.join("fifo"), FileType::Fifo, FILE_MODE, 0).unwrap();
        std::fs::create_dir(work.join("dir")).unwrap();
        let check = |path: &str, fits: fn(&Error) -> bool| {
            for failed in [
                get(&bench, path, 0, None).unwrap_err(),
                put(&bench, path, "y", Mode::Append).unwrap_err(),
            ] {
                assert!(fits(&failed), "{path}: {failed:?}");
            }
        };
        check("hard", |e| matches!(e, Error::HardLink { .. }));
        check("link", |e| matches!(e, Error::Link { .. }));
        check("folderlink/hostname", |e| matches!(e, Error::Link { .. }));
        check("fifo", |e| matches!(e, Error::InvalidPath { .. }));
        check("dir", |e| matches!(e, Error::IsDirectory { .. }));
        check("file/below", |e| matches!(e, Error::IsNoDirectory { .. }));
        assert_eq!(bench.read("file"), "x");
    }

    #[test]
    fn overwrite_replaces_and_append_adds() {
        let bench = Bench::new();
        assert_eq!(put(&bench, "a/b/c", "one", Mode::Overwrite).unwrap(), 3);
        assert_eq!(put(&bench, "a/b/c", "two!", Mode::Append).unwrap(), 7);
        assert_eq!(bench.read("a/b/c"), "onetwo!");
        assert_eq!(put(&bench, "a/b/c", "x", Mode::Overwrite).unwrap(), 1);
        assert_eq!(put(&bench, "new/log", "l", Mode::Append).unwrap(), 1);
        assert_eq!(bench.names(""), ["a", "a/b", "a/b/c", "new", "new/log"]);
    }

    #[test]
    fn overwrite_of_a_hard_linked_file_leaves_the_other_name_alone() {
        let bench = Bench::new();
        bench.put("a", "shared");
        std::fs::hard_link(bench.work().join("a"), bench.work().join("b")).unwrap();
        put(&bench, "a", "own", Mode::Overwrite).unwrap();
        assert_eq!(
            (bench.read("a").as_str(), bench.read("b").as_str()),
            ("own", "shared")
        );
    }

    #[test]
    fn reader_sees_the_old_content_or_the_new_never_a_part() {
        let bench = Bench::new();
        let (old, new) = ("o".repeat(1 << 20), "n".repeat(1 << 20));
        put(&bench, "a", &old, Mode::Overwrite).unwrap();
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for turn in 0..20 {
                    put(
                        &bench,
                        "a",
                        if turn % 2 == 0 { &new } else { &old },
                        Mode::Overwrite,
                    )
                    .unwrap();
                }
            });
            while !writer.is_finished() {
                let text = get(&bench, "a", 0, None).unwrap().0;
                assert!(text == old || text == new, "{} bytes, mixed", text.len());
            }
        });
        assert_eq!(bench.names(""), ["a"]);
    }
}
