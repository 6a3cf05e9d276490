//! Durations as text: `250ms`, `1h30m`. Expressions read them, too, so the grammar is theirs.

pub use gearmesh_expr::duration::{Error, Text, parse};
