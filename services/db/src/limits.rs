//! What one call may take.

use std::time::Duration;

/// Rows that one call gives or takes: enough for any page, and few enough that an
/// agent that forgets `limit` does not drown.
pub const ROWS_MAX: usize = 10_000;

/// JSON text of the rows of one answer; with what is around them it stays below
/// the 16 MiB of a message.
pub const RESULT_BYTES_MAX: usize = 12 * 1024 * 1024;

/// Parameters of one statement: `SQLite` takes 32,766, the others 65,535.
pub(crate) const PARAMS_MAX: usize = 32_766;

/// Characters of an identifier: `PostgreSQL` cuts at 63 bytes, `MySQL` refuses above
/// 64, `SQLite` has no bound; what is longer is no name.
pub(crate) const NAME_MAX: usize = 128;

/// Depth of `or` in a condition.
pub(crate) const DEPTH_MAX: usize = 16;

/// A statement's time unless the connection says otherwise.
pub(crate) const STATEMENT_DEFAULT: Duration = Duration::from_secs(30);

/// What is left of a call's deadline for the answer, so that the engine, which
/// knows whether anything happened, answers before the layers do.
pub(crate) const ANSWER_MARGIN: f64 = 0.9;

/// Longest wait for the word to the database that a statement is to end.
pub(crate) const CANCEL_MAX: Duration = Duration::from_secs(5);

/// First wait before a deadlock is tried again; it doubles each time.
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(100);

/// How often a deadlock is tried again when the caller does not say.
pub(crate) const RETRIES_DEFAULT: u32 = 3;

/// Logins of a pool, their rest and the wait for one, when nobody says otherwise.
pub(crate) const POOL_DEFAULT: u32 = 10;
pub(crate) const POOL_MAX: u32 = 100;
pub(crate) const IDLE_DEFAULT: Duration = Duration::from_secs(30);
pub(crate) const LOGIN_DEFAULT: Duration = Duration::from_secs(10);
