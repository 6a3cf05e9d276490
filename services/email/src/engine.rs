//! What the tools do.

use gearmesh_runtime::{Call, Context, Secrets};

use crate::attachment::{self, ATTACHMENTS_MAX, Named};
use crate::contents::Contents;
use crate::error::Error;
use crate::imap::{Fetched, Mailbox, Wanted};
use crate::outgoing::Outgoing;
use crate::pool::Pool;
use crate::server::{Kind, Server};
use crate::smtp::Session;

/// The engine: connections by name, sessions by need.
#[derive(Debug)]
pub(crate) struct Engine {
    context: Context,
    pool: Pool,
}

/// A connection as a caller describes it.
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) host: String,
    pub(crate) port: i32,
    pub(crate) secure: bool,
    pub(crate) username: String,
    pub(crate) password: String,
    pub(crate) vault: String,
    pub(crate) credential: String,
    pub(crate) ca: String,
}

/// A mail that was sent.
#[derive(Debug)]
pub(crate) struct Sent {
    pub(crate) message_id: String,
    pub(crate) response: String,
}

impl Engine {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            pool: Pool::new(context.clone()),
            context,
        }
    }

    /// Verifies a login and keeps the connection.
    pub(crate) async fn connect(&self, kind: Kind, given: Given) -> Result<String, Error> {
        let name = given.name.clone();
        let server = given.server()?;
        let login = server.login(&self.context).await?;
        match kind {
            Kind::Smtp => {
                let mut session = Session::open(&server, login.as_ref()).await?;
                session.quit().await;
            }
            Kind::Imap => {
                let login = login.ok_or_else(|| {
                    Error::parameter("username", "a mailbox needs `username` and a password")
                })?;
                Mailbox::open(&server, &login).await?.close().await;
            }
        }
        let connections = self.context.connections();
        connections
            .save(kind.as_str(), &name, server.settings())
            .await?;
        self.pool.forget(&name);
        Ok(format!(
            "connected to {} as `{name}`{}",
            server.shown(),
            if server.username.is_empty() {
                ""
            } else {
                ", the login is verified"
            }
        ))
    }

    /// Sends one mail.
    pub(crate) async fn send(
        &self,
        connection: &str,
        call: &Call,
        outgoing: Outgoing,
        attachments: Vec<Named>,
    ) -> Result<Sent, Error> {
        let prepared = async {
            let found = self.find(Kind::Smtp, connection).await?;
            let attachments = attachment::load(&self.context, call, attachments).await?;
            let (key, server) = found;
            let message_id = outgoing.message_id(&self.unique(call));
            let now = self.context.clock().now_ms();
            let letter = outgoing.letter(&message_id, now, attachments)?;
            let session = self.pool.take(&key, &server).await?;
            Ok::<_, Error>((key, message_id, letter, session))
        };
        let (key, message_id, letter, mut session) = prepared.await.map_err(Error::before_send)?;
        let response = session.send(&letter).await?;
        self.pool.give(&key, session);
        Ok(Sent {
            message_id,
            response,
        })
    }

    /// Finds and reads mails.
    pub(crate) async fn mails(
        &self,
        connection: &str,
        wanted: Wanted,
    ) -> Result<Vec<Fetched>, Error> {
        let (_, server) = self.find(Kind::Imap, connection).await?;
        let login = server.login(&self.context).await?;
        let login = login.ok_or_else(|| Error::Connection {
            name: connection.to_owned(),
            reason: "it has no `username`".to_owned(),
        })?;
        let mut mailbox = Mailbox::open(&server, &login).await?;
        let mut contents = Contents::new(Some(ATTACHMENTS_MAX));
        let found = mailbox.mails(wanted, &mut contents).await;
        if found.is_ok() {
            mailbox.close().await;
        }
        found
    }

    /// The connections of a kind.
    pub(crate) async fn list(&self, kind: Kind) -> Result<Vec<(String, Server)>, Error> {
        let mut all = Vec::new();
        for name in self.context.connections().list(kind.as_str()).await? {
            let (_, server) = self.find(kind, &name).await?;
            all.push((name, server));
        }
        Ok(all)
    }

    /// Ends a connection and forgets it.
    pub(crate) async fn disconnect(&self, name: &str, kinds: &[Kind]) -> Result<String, Error> {
        let connections = self.context.connections();
        let mut removed = Vec::new();
        let mut configured = false;
        for kind in kinds {
            if self.context.link("vault").is_ok() && connections.remove(kind.as_str(), name).await?
            {
                removed.push(kind.as_str());
            }
            let left = connections.list(kind.as_str()).await?;
            configured |= left.iter().any(|n| n == name);
        }
        self.pool.forget(name);
        match (removed.is_empty(), configured) {
            (false, _) => Ok(format!("`{name}` ({}) is forgotten", removed.join(", "))),
            (true, true) => Err(Error::parameter(
                "connectionId",
                format!("`{name}` stands in the configuration; remove it there"),
            )),
            (true, false) => Err(Error::NoConnection(name.to_owned())),
        }
    }

    async fn find(&self, kind: Kind, name: &str) -> Result<((String, u64), Server), Error> {
        let name = (!name.is_empty()).then_some(name);
        let found = self.context.connections().find(kind.as_str(), name).await?;
        let key = (found.name.clone(), found.version);
        Ok((key, Server::of(found)?))
    }

    /// What is unique to a send: equal for all sends with one key, so that a reader
    /// sees that two are one.
    fn unique(&self, call: &Call) -> String {
        let seed = match &call.key {
            Some(key) => format!("{}\n{key}", call.principal.as_deref().unwrap_or_default()),
            None => {
                let rng = self.context.rng();
                format!("{:016x}{:016x}", rng.number(), rng.number())
            }
        };
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, seed.as_bytes());
        let half = digest.as_ref().iter().take(16);
        half.map(|b| format!("{b:02x}")).collect()
    }
}

impl Given {
    fn server(self) -> Result<Server, Error> {
        let password = match (self.vault.is_empty(), self.credential.is_empty()) {
            (true, true) => self.password,
            (false, false) if self.password.is_empty() => {
                Secrets::reference(&self.vault, &self.credential)
            }
            (false, false) => {
                return Err(Error::parameter(
                    "password",
                    "give either `password` or `vaultName` and `credentialName`",
                ));
            }
            _ => {
                return Err(Error::parameter(
                    "credentialName",
                    "`vaultName` and `credentialName` belong together",
                ));
            }
        };
        Ok(Server {
            host: self.host,
            port: u16::try_from(self.port)
                .map_err(|_| Error::parameter("port", "`port` must be 1 to 65535"))?,
            secure: self.secure,
            username: self.username,
            password,
            ca: self.ca,
            allow_plain: false,
        })
    }
}
