//! Statements over many rows.
//!
//! Many rows go in one statement. Its text has one of few sizes, so that it is
//! found prepared; places that are left over stay NULL and are ignored by it.

use std::sync::OnceLock;

use sqlx::Arguments;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnection, SqliteRow};

use crate::counts::Counters;
use crate::error::Result;

/// Rows per statement, by shape; shape 0 is no statement at all.
const SIZES: [usize; SHAPES] = [0, 1, 8, SIZE_MAX];
pub(crate) const SHAPES: usize = 4;
/// Most rows of one statement.
pub(crate) const SIZE_MAX: usize = 64;

/// A statement around a list of rows.
#[derive(Debug)]
pub(crate) struct Batch {
    head: &'static str,
    /// Columns of a row.
    width: usize,
    tail: &'static str,
    texts: [OnceLock<String>; SHAPES],
}

impl Batch {
    /// `head VALUES (?, ..), .. tail`. The text must ignore rows of NULLs.
    pub(crate) const fn new(head: &'static str, width: usize, tail: &'static str) -> Self {
        Self {
            head,
            width,
            tail,
            texts: [const { OnceLock::new() }; SHAPES],
        }
    }

    /// The smallest shape that takes so many rows, of at most [`SIZE_MAX`].
    pub(crate) fn shape(rows: usize) -> usize {
        SIZES
            .iter()
            .position(|s| *s >= rows)
            .expect("callers send chunks of SIZE_MAX")
    }

    /// The statement of a shape; none for no rows.
    pub(crate) fn text(&'static self, shape: usize) -> Option<&'static str> {
        if shape == 0 {
            return None;
        }
        let text = self.texts[shape].get_or_init(|| {
            let row = format!("({})", vec!["?"; self.width].join(","));
            let rows = vec![row; SIZES[shape]].join(",");
            format!("{}VALUES {rows}{}", self.head, self.tail)
        });
        Some(text)
    }

    /// Adds the values of the rows' statement.
    pub(crate) fn bind<T>(&self, args: &mut Args, rows: &[T], bind: impl Fn(&mut Args, &T)) {
        for row in rows {
            bind(args, row);
        }
        for _ in 0..(SIZES[Self::shape(rows.len())] - rows.len()) * self.width {
            args.maybe_int(None);
        }
    }

    /// Runs the statement over at most [`SIZE_MAX`] rows; answers what it returns.
    pub(crate) async fn run<T>(
        &'static self,
        connection: &mut SqliteConnection,
        counters: &Counters,
        rows: &[T],
        bind: impl Fn(&mut Args, &T),
    ) -> Result<Vec<SqliteRow>> {
        let Some(text) = self.text(Self::shape(rows.len())) else {
            return Ok(Vec::new());
        };
        let mut args = Args::default();
        self.bind(&mut args, rows, bind);
        counters.statement();
        Ok(args.query(text).fetch_all(connection).await?)
    }
}

/// The values of a text's places, in order.
#[derive(Debug, Default)]
pub(crate) struct Args(SqliteArguments);

/// Of the types below, none can fail to be encoded.
const ENCODES: &str = "numbers, texts and bytes are always encoded";

impl Args {
    pub(crate) fn query(self, text: &'static str) -> Query<'static, Sqlite, SqliteArguments> {
        sqlx::query_with(text, self.0)
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
    fn smallest_shape_that_fits_is_taken() {
        let shapes = [0, 1, 2, 8, 9, SIZE_MAX].map(Batch::shape);
        assert_eq!(shapes, [0, 1, 2, 2, 3, 3]);
    }

    #[test]
    fn text_has_a_place_per_column_of_each_row() {
        static BATCH: Batch = Batch::new("INSERT INTO t ", 2, " RETURNING a");
        let places = |shape| BATCH.text(shape).map(|t| t.matches('?').count());
        assert_eq!(
            BATCH.text(1),
            Some("INSERT INTO t VALUES (?,?) RETURNING a")
        );
        assert_eq!(
            [0, 1, 2, 3].map(places),
            [None, Some(2), Some(16), Some(128)]
        );
    }
}
