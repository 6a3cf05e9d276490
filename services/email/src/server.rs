//! A mail server with a login there, as connections hold it.

use gearmesh_runtime::{Context, Found, Secret, Secrets};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;

/// What is spoken with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Smtp,
    Imap,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Smtp, Self::Imap];

    /// The kind of connection.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
        }
    }
}

/// The settings of a connection.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    /// TLS from the first byte on; else STARTTLS.
    #[serde(default)]
    pub(crate) secure: bool,
    #[serde(default)]
    pub(crate) username: String,
    /// The password or a reference to it; resolved when used.
    #[serde(default)]
    pub(crate) password: String,
    /// Certificates in PEM, trusted beside the public ones.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) ca: String,
    /// No TLS at all; holds for loopback alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) allow_plain: bool,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({})", self.shown())
    }
}

/// A user with the password.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) username: String,
    pub(crate) password: Secret,
}

/// What a vault entry may hold in place of the password alone.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pair {
    #[serde(default, alias = "user")]
    username: String,
    #[serde(alias = "pass")]
    password: String,
}

impl Server {
    /// Reads the settings of a connection.
    pub(crate) fn of(found: Found) -> Result<Self, Error> {
        let server: Self =
            serde_json::from_value(found.settings).map_err(|e| Error::Connection {
                name: found.name,
                // Serde names keys and types; the values of texts are not in it.
                reason: format!(
                    "its settings do not fit: {}",
                    without_values(&e.to_string())
                ),
            })?;
        Ok(server)
    }

    /// The settings, to be kept.
    pub(crate) fn settings(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// Host and port.
    pub(crate) fn shown(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The login, with references resolved; none without a user.
    pub(crate) async fn login(&self, cx: &Context) -> Result<Option<Login>, Error> {
        if self.password.is_empty() && self.username.is_empty() {
            return Ok(None);
        }
        let secret = cx.secrets().resolve(&self.password).await?;
        let referred = Secrets::is_reference(&self.password);
        let pair = referred.then(|| serde_json::from_str::<Pair>(secret.expose()).ok());
        let (username, password) = match pair.flatten() {
            Some(pair) => {
                let own = !self.username.is_empty();
                let username = if own {
                    self.username.clone()
                } else {
                    pair.username
                };
                (username, Secret::new(pair.password))
            }
            None => (self.username.clone(), secret),
        };
        if username.is_empty() {
            return Err(Error::parameter(
                "username",
                "`username` must name the user",
            ));
        }
        let bad = |text: &str| text.contains(['\r', '\n', '\0']);
        if bad(&username) || bad(password.expose()) {
            return Err(Error::parameter(
                "username",
                "user and password must have no line break and no zero byte",
            ));
        }
        Ok(Some(Login { username, password }))
    }
}

/// Cuts what serde quotes from the settings.
fn without_values(text: &str) -> String {
    match text.split_once("string \"") {
        Some((before, after)) => {
            let rest = after.split_once("\", ").map_or("", |(_, rest)| rest);
            format!("{before}text, {rest}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn of(settings: Value) -> Result<Server, Error> {
        Server::of(Found {
            name: "c".into(),
            settings,
            version: 0,
        })
    }

    #[test]
    fn settings_survive() {
        let settings = json!({"host": "h", "port": 25, "secure": true, "username": "u",
            "password": "vault://a/b", "ca": "PEM", "allowPlain": true});
        assert_eq!(of(settings.clone()).unwrap().settings(), settings);
    }

    #[test]
    fn mistake_in_the_settings_shows_no_value() {
        for bad in [
            json!({"host": "h", "port": "hunter2"}),
            json!({"host": "h", "port": 25, "pasword": "hunter2"}),
            json!({"host": "h", "port": 25, "secure": "hunter2"}),
            json!("hunter2"),
        ] {
            let text = of(bad).unwrap_err().to_string();
            assert!(!text.contains("hunter2"), "{text}");
        }
        let shown = format!(
            "{:?}",
            of(json!({"host": "h", "port": 25, "password": "hunter2"}))
        );
        assert_eq!(shown, "Ok(Server(h:25))");
    }
}
