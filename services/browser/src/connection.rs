//! The server that a connection names.

use gearmesh_runtime::Context;
use url::Url;

use crate::config::ConnectionSettings;
use crate::error::Error;
use crate::gate::Opened;
use gearmesh_egress::Policy;

/// The kind of connections that this engine takes: servers of the web.
const KIND: &str = "http";

/// A server with a name.
#[derive(Debug)]
pub(crate) struct Connection {
    base: Url,
    opened: Option<Opened>,
}

impl Connection {
    /// The connection of this name.
    pub(crate) async fn find(cx: &Context, name: &str) -> Result<Self, Error> {
        let found = cx.connections().find(KIND, Some(name)).await?;
        let unusable = |reason: String| {
            Error::parameter("connection", format!("connection `{name}`: {reason}"))
        };
        let settings: ConnectionSettings =
            serde_json::from_value(found.settings).map_err(|e| unusable(e.to_string()))?;
        let mut base = Url::parse(&settings.url)
            .ok()
            .filter(|u| matches!(u.scheme(), "http" | "https"))
            .ok_or_else(|| unusable("`url` must be http or https".to_owned()))?;
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        let policy = Policy {
            private: settings.allow_private,
            metadata: settings.allow_metadata,
        };
        let opened = Opened::new(&base, policy);
        Ok(Self { base, opened })
    }

    /// What it opens for the session.
    pub(crate) fn opened(self) -> Option<Opened> {
        self.opened
    }

    /// The URL of a path below its address; a whole URL is itself.
    pub(crate) fn join(&self, url: &str) -> Result<Url, Error> {
        if let Ok(url) = Url::parse(url) {
            return Ok(url);
        }
        let relative = url.strip_prefix('/').unwrap_or(url);
        // `./` keeps a colon in the first segment from being read as a scheme.
        let joined = self
            .base
            .join(&format!("./{relative}"))
            .map_err(|e| Error::parameter("url", format!("`{url}` is no path: {e}")))?;
        if joined.origin() == self.base.origin() && joined.path().starts_with(self.base.path()) {
            return Ok(joined);
        }
        let text = format!("`{url}` does not stand below the address of the connection");
        Err(Error::parameter("url", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_stays_below_the_address() {
        let connection = Connection {
            base: Url::parse("http://a.test/base/").unwrap(),
            opened: None,
        };
        let join = |path: &str| connection.join(path).map(String::from).ok();
        assert_eq!(
            join("/items?q=1").as_deref(),
            Some("http://a.test/base/items?q=1")
        );
        assert_eq!(
            join("a:b").as_deref(),
            Some("a:b"),
            "a whole URL, refused later"
        );
        assert_eq!(join("../up"), None);
        assert_eq!(join("https://b.test/").as_deref(), Some("https://b.test/"));
    }
}
