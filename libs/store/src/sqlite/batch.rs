//! Statements over many rows.
//!
//! Each statement is a hop to the connection's thread and back, so many rows go
//! in one. Its text has one of few sizes, so that it is found prepared; places
//! that are left over stay NULL and are ignored by the text.

use std::sync::OnceLock;

use sqlx::Arguments;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};

use crate::counts::Counters;
use crate::error::Result;

/// Rows per statement.
const SIZES: [usize; 3] = [1, 8, 64];

/// A statement around a list of rows.
#[derive(Debug)]
pub(crate) struct Batch {
    head: &'static str,
    /// Columns of a row.
    width: usize,
    tail: &'static str,
    texts: [OnceLock<String>; SIZES.len()],
}

impl Batch {
    /// `head VALUES (?, ..), .. tail`. The text must ignore rows of NULLs.
    pub(crate) const fn new(head: &'static str, width: usize, tail: &'static str) -> Self {
        Self {
            head,
            width,
            tail,
            texts: [const { OnceLock::new() }; SIZES.len()],
        }
    }

    /// Runs the statement over the rows, as often as it takes; answers the rows
    /// that it returned.
    pub(crate) async fn run<T>(
        &'static self,
        connection: &mut SqliteConnection,
        counters: &Counters,
        rows: &[T],
        bind: impl Fn(&mut Args, &T),
    ) -> Result<Vec<SqliteRow>> {
        let mut returned = Vec::new();
        for chunk in rows.chunks(SIZES[SIZES.len() - 1]) {
            let (size, text) = self.text(chunk.len());
            let mut args = Args::with_capacity(size * self.width);
            for row in chunk {
                bind(&mut args, row);
            }
            for _ in 0..(size - chunk.len()) * self.width {
                args.maybe_int(None);
            }
            counters.statement();
            returned.extend(
                sqlx::query_with(text, args.0)
                    .fetch_all(&mut *connection)
                    .await?,
            );
        }
        Ok(returned)
    }

    /// The smallest text that takes so many rows.
    fn text(&'static self, rows: usize) -> (usize, &'static str) {
        let index = SIZES
            .iter()
            .position(|s| *s >= rows)
            .unwrap_or(SIZES.len() - 1);
        let size = SIZES[index];
        let text = self.texts[index].get_or_init(|| {
            let row = format!("({})", vec!["?"; self.width].join(","));
            format!(
                "{}VALUES {}{}",
                self.head,
                vec![row; size].join(","),
                self.tail
            )
        });
        (size, text)
    }
}

/// The values of a statement's places, in order.
#[derive(Debug, Default)]
pub(crate) struct Args(SqliteArguments);

/// Of the types below, none can fail to be encoded.
const ENCODES: &str = "numbers, texts and bytes are always encoded";

impl Args {
    fn with_capacity(places: usize) -> Self {
        let mut args = SqliteArguments::default();
        args.reserve(places, 0);
        Self(args)
    }

    pub(crate) fn int(&mut self, value: impl Into<i64>) -> &mut Self {
        self.0.add(value.into()).expect(ENCODES);
        self
    }

    pub(crate) fn maybe_int(&mut self, value: Option<i64>) -> &mut Self {
        self.0.add(value).expect(ENCODES);
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.0.add(value).expect(ENCODES);
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.0.add(value).expect(ENCODES);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smallest_size_that_fits_is_taken() {
        static BATCH: Batch = Batch::new("", 1, "");
        let size = |rows| BATCH.text(rows).0;
        assert_eq!([1, 2, 8, 9, 64].map(size), [1, 8, 8, 64, 64]);
    }

    #[test]
    fn text_has_a_place_per_column() {
        static BATCH: Batch = Batch::new("INSERT INTO t ", 2, " RETURNING a");
        assert_eq!(BATCH.text(1).1, "INSERT INTO t VALUES (?,?) RETURNING a");
        assert_eq!(BATCH.text(5).1.matches('?').count(), 16);
    }
}
