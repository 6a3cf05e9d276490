//! What one request may ask for.

use std::time::Duration;

/// Longest request target (path and query), in bytes: longer ones are bodies in disguise.
pub const URL_MAX: usize = 8 * 1024;

/// Largest JSON body, in bytes. Files go through the file engine, not through a body.
pub const BODY_MAX: usize = 4 * 1024 * 1024;

/// Deepest nesting of a JSON body: bounds the stack of whoever walks the value.
pub const DEPTH_MAX: usize = 64;

/// Values in a JSON body, counting each member and element: bounds what 4 MiB of `[[],[],..` allocate.
pub const ELEMENTS_MAX: usize = 100_000;

/// How long the headers of a stream wait for its first message, so that an early
/// error has its real status.
pub(crate) const HEAD_WAIT: Duration = Duration::from_secs(5);

/// A silent event stream sends a comment after this, so that proxies keep it open.
pub(crate) const COMMENT_AFTER: Duration = Duration::from_secs(15);

/// How long a body may take to come: a caller that dribbles must not hold a request for ever.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(60);
