//! How instances of one service reach each other.

use std::fmt;

use gearmesh_link::{Connect, Error, Link};
use gearmesh_registry::Instance;

/// How other instances reach this process, and it them.
#[derive(Clone)]
pub(crate) struct Siblings {
    /// The address by which others reach this process; none when nobody does.
    pub(crate) endpoint: Option<String>,
    pub(crate) connect: Connect,
}

impl fmt::Debug for Siblings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Siblings")
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

impl Siblings {
    /// A link to the instance of a service at this address.
    pub(crate) fn link(&self, service: &str, url: &str) -> Result<Link, Error> {
        (self.connect)(&Instance {
            id: url.to_owned(),
            engine: service.to_owned(),
            url: url.to_owned(),
            tags: Vec::new(),
        })
    }
}
