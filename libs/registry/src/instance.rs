//! One of the processes that serve an engine.

/// One of the processes that serve an engine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instance {
    /// Its own among all instances of the engine. Where nobody gave one, as in
    /// `static:` and `dns:`, it is `host:port`.
    pub id: String,
    /// The engine that it serves.
    pub engine: String,
    /// Its address, as `https://10.0.0.7:8443`.
    pub url: String,
    /// What it says of itself, as `version=0.1.0`.
    pub tags: Vec<String>,
}

impl Instance {
    /// The value of a tag that is written `name=value`.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags
            .iter()
            .find_map(|t| t.strip_prefix(name)?.strip_prefix('='))
    }
}

/// In one order, each id once: so that two equal sets are equal values.
pub(crate) fn in_order(mut instances: Vec<Instance>) -> Vec<Instance> {
    instances.sort();
    instances.dedup_by(|a, b| a.id == b.id);
    instances
}
