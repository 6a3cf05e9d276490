//! How much of mails one answer may hold.

use gearmesh_api::MESSAGE_MAX;

/// Bytes of the contents of attachments in one answer.
const FILES_MAX: usize = 10 * 1024 * 1024;

/// Bytes of bodies in one answer. With files, headers and names it fits into a message.
const TEXTS_MAX: usize = 2 * 1024 * 1024;

/// Bytes of headers, addresses and names of files in one answer.
const NAMES_MAX: usize = 1024 * 1024;

const _: () = assert!(FILES_MAX + TEXTS_MAX + NAMES_MAX < MESSAGE_MAX);

/// What of an answer's room is left.
#[derive(Debug)]
pub(crate) struct Contents {
    /// Largest file whose content is given; none: no contents.
    each_max: Option<usize>,
    files_left: usize,
    texts_left: usize,
    names_left: usize,
}

impl Contents {
    /// All room, for files up to a size.
    pub(crate) fn new(each_max: Option<usize>) -> Self {
        Self {
            each_max,
            files_left: FILES_MAX,
            texts_left: TEXTS_MAX,
            names_left: NAMES_MAX,
        }
    }

    /// Room for a file, if it is given.
    pub(crate) fn take(&mut self, size: usize) -> bool {
        let given = self.each_max.is_some_and(|max| size <= max) && size <= self.files_left;
        if given {
            self.files_left -= size;
        }
        given
    }

    /// Room for some names, if there is.
    pub(crate) fn names(&mut self, size: usize) -> bool {
        let given = size <= self.names_left;
        if given {
            self.names_left -= size;
        }
        given
    }

    /// As much of a text as there is room for, and whether that is less than all.
    pub(crate) fn text(&mut self, text: &str) -> (String, bool) {
        let mut end = text.len().min(self.texts_left);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        self.texts_left -= end;
        (
            text.get(..end).unwrap_or_default().to_owned(),
            end < text.len(),
        )
    }
}
