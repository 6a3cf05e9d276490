//! Names of processes and clients: SPIFFE ids.

use std::fmt;

/// A SPIFFE id of this mesh: `spiffe://<trust domain>/engine/<name>/<instance>`,
/// `/gateway/<instance>` or `/agent/<id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spiffe {
    domain: String,
    holder: Holder,
    instance: String,
}

/// What a SPIFFE id stands for, without the instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Holder {
    /// A service of this name.
    Engine(String),
    /// The gateway.
    Gateway,
    /// A client of this id.
    Agent(String),
}

/// Longest name of an engine: that of a part of a tool id.
const ENGINE_MAX: usize = 32;

/// Longest instance or client id; both stand in logs and in file names.
pub const ID_MAX: usize = 64;

/// Longest trust domain; a DNS name under it must still fit.
const DOMAIN_MAX: usize = 128;

/// Roles that no engine may have as its name.
const RESERVED: [&str; 3] = [Holder::GATEWAY, Holder::AGENT, Holder::STRANGER];

/// A text that is no name of this mesh.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no SPIFFE id of a mesh: expected spiffe://DOMAIN/engine/NAME/INSTANCE, /gateway/INSTANCE or /agent/ID"
)]
pub struct SpiffeError(String);

impl Holder {
    /// Role of the gateway.
    pub const GATEWAY: &'static str = "gateway";
    /// Role of every client with a certificate.
    pub const AGENT: &'static str = "agent";
    /// Role of whoever has shown no certificate.
    pub const STRANGER: &'static str = "stranger";

    /// The holder whose role is a service's name.
    #[must_use]
    pub fn of_service(name: &str) -> Self {
        if name == Self::GATEWAY {
            Self::Gateway
        } else {
            Self::Engine(name.to_owned())
        }
    }

    /// Reads `/engine/NAME`, `/gateway` or `/agent/ID`.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.strip_prefix('/')?.split('/').collect();
        match parts.as_slice() {
            ["engine", name] if is_engine(name) => Some(Self::Engine((*name).to_owned())),
            [Self::GATEWAY] => Some(Self::Gateway),
            [Self::AGENT, id] if is_id(id) => Some(Self::Agent((*id).to_owned())),
            _ => None,
        }
    }

    /// `gateway`, `agent`, or the engine's name: the row of the matrix.
    #[must_use]
    pub fn role(&self) -> &str {
        match self {
            Self::Engine(name) => name,
            Self::Gateway => Self::GATEWAY,
            Self::Agent(_) => Self::AGENT,
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Engine(name) => write!(f, "/engine/{name}"),
            Self::Gateway => f.write_str("/gateway"),
            Self::Agent(id) => write!(f, "/agent/{id}"),
        }
    }
}

impl Spiffe {
    /// The id of an instance; a client has none.
    ///
    /// # Errors
    /// When a part has characters that an id cannot have.
    pub fn new(domain: &str, holder: Holder, instance: &str) -> Result<Self, SpiffeError> {
        let id = Self {
            domain: domain.to_owned(),
            instance: match holder {
                Holder::Agent(_) => String::new(),
                _ => instance.to_owned(),
            },
            holder,
        };
        // One parser for what is written and for what is read.
        Self::parse(&id.to_string())
    }

    /// Reads an id.
    ///
    /// # Errors
    /// When the text is none of a mesh.
    pub fn parse(text: &str) -> Result<Self, SpiffeError> {
        Self::read(text).ok_or_else(|| SpiffeError(text.chars().take(200).collect()))
    }

    fn read(text: &str) -> Option<Self> {
        let (domain, path) = text.strip_prefix("spiffe://")?.split_once('/')?;
        if !is_domain(domain) {
            return None;
        }
        let path = format!("/{path}");
        let (holder, instance) = match Holder::parse(&path) {
            Some(agent @ Holder::Agent(_)) => (agent, ""),
            _ => {
                let (holder, instance) = path.rsplit_once('/')?;
                let holder = Holder::parse(holder).filter(|h| !matches!(h, Holder::Agent(_)))?;
                (holder, instance)
            }
        };
        let whole = matches!(holder, Holder::Agent(_)) || is_id(instance);
        whole.then(|| Self {
            domain: domain.to_owned(),
            instance: instance.to_owned(),
            holder,
        })
    }

    /// The trust domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// What the id stands for.
    #[must_use]
    pub fn holder(&self) -> &Holder {
        &self.holder
    }

    /// The instance; empty for a client.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }
}

impl fmt::Display for Spiffe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}{}", self.domain, self.holder)?;
        match self.holder {
            Holder::Agent(_) => Ok(()),
            _ => write!(f, "/{}", self.instance),
        }
    }
}

/// Whether a text can be a trust domain: a DNS name in lower case.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    text.len() <= DOMAIN_MAX
        && text.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

/// Whether a text can be an instance or a client.
#[must_use]
pub fn is_id(text: &str) -> bool {
    (1..=ID_MAX).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        && text != "."
        && text != ".."
}

fn is_engine(text: &str) -> bool {
    (1..=ENGINE_MAX).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        && !RESERVED.contains(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_survives_its_text() {
        for text in [
            "spiffe://gearmesh.local/engine/file/a1b2",
            "spiffe://gearmesh.local/gateway/0",
            "spiffe://x/agent/reports-1",
        ] {
            assert_eq!(Spiffe::parse(text).map(|s| s.to_string()), Ok(text.into()));
        }
        let id = Spiffe::parse("spiffe://d/engine/file/1").expect("an id");
        assert_eq!(
            (id.holder().role(), id.instance(), id.domain()),
            ("file", "1", "d")
        );
    }

    #[test]
    fn texts_that_are_no_ids_are_refused() {
        for text in [
            "",
            "http://d/engine/file/1",
            "spiffe://d",
            "spiffe:///engine/file/1",
            "spiffe://D/engine/file/1",
            "spiffe://d..e/engine/file/1",
            "spiffe://d/engine/file",
            "spiffe://d/engine/file/",
            "spiffe://d/engine/file/1/2",
            "spiffe://d/engine/../1",
            "spiffe://d/engine/file/*",
            "spiffe://d/engine/gateway/1",
            "spiffe://d/engine/agent/1",
            "spiffe://d/engine/stranger/1",
            "spiffe://d/gateway",
            "spiffe://d/agent/",
            "spiffe://d/agent/a/1",
            "spiffe://d/agent/a b",
            "spiffe://d/agent/..",
            "spiffe://d/engine/file/1?x",
            "spiffe://u@d/engine/file/1",
        ] {
            assert!(Spiffe::parse(text).is_err(), "{text}");
        }
        let long = "i".repeat(ID_MAX);
        assert!(Spiffe::new("d", Holder::Gateway, &long).is_ok());
        assert!(Spiffe::new("d", Holder::Gateway, &format!("{long}i")).is_err());
    }
}
