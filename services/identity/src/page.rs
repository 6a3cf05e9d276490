//! Pages of lists.

use crate::error::Error;

/// Entries of a page when the caller names no number, and at most.
const DEFAULT: i32 = 100;
const MAX: i32 = 1_000;

/// How a page token begins, so that a foreign text is told from one.
const PREFIX: &str = "after:";

/// Which page.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) size: usize,
    /// The id behind which it begins; empty: at the front.
    pub(crate) after: String,
}

impl Page {
    pub(crate) fn parse(size: i32, token: &str) -> Result<Self, Error> {
        let size = match size {
            0 => DEFAULT,
            n if n < 0 => {
                return Err(Error::Field {
                    field: "pageSize",
                    what: "must not be negative",
                });
            }
            n => n.min(MAX),
        };
        let after = match token {
            "" => "",
            token => token.strip_prefix(PREFIX).ok_or(Error::Field {
                field: "pageToken",
                what: "is no token of a page before",
            })?,
        };
        Ok(Self {
            size: usize::try_from(size).unwrap_or_default(),
            after: after.to_owned(),
        })
    }

    /// Rows to ask for: one more tells whether there is a next page.
    pub(crate) fn limit(&self) -> i64 {
        i64::try_from(self.size).unwrap_or(i64::MAX - 1) + 1
    }

    /// Cuts to the page; the token of the next, or none.
    pub(crate) fn cut<T>(&self, rows: &mut Vec<T>, id: impl Fn(&T) -> &str) -> String {
        let more = rows.len() > self.size;
        rows.truncate(self.size);
        match rows.last() {
            Some(last) if more => format!("{PREFIX}{}", id(last)),
            _ => String::new(),
        }
    }
}
