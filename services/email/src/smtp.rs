//! One mail over one connection, and how far it came.

use std::net::Ipv4Addr;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use tokio::time::timeout;

use crate::error::Error;
use crate::server::{Kind, Login, Server};
use crate::wire::{CONNECT_MAX, Wire};

/// How long one command may take.
const COMMAND_MAX: Duration = Duration::from_secs(30);

/// How long a server may take over a whole mail. RFC 5321 grants it ten minutes;
/// the deadline of the call ends earlier.
const DATA_MAX: Duration = Duration::from_secs(600);

/// Characters of a server's answer that are shown.
const SHOWN: usize = 300;

/// Our name: who logs in needs none, and that of the machine is nobody's business.
const HELLO: ClientId = ClientId::Ipv4(Ipv4Addr::LOCALHOST);

/// Mechanisms by which a password is shown to a server, within TLS.
const MECHANISMS: &[Mechanism] = &[Mechanism::Plain, Mechanism::Login];

/// A session with an SMTP server, logged in.
pub(crate) struct Session {
    connection: AsyncSmtpConnection,
    server: String,
}

/// From whom to whom, and what.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) from: Address,
    pub(crate) to: Vec<Address>,
    pub(crate) raw: Vec<u8>,
}

type Failed = lettre::transport::smtp::Error;

impl Session {
    /// Reaches a server and logs in.
    pub(crate) async fn open(server: &Server, login: Option<&Login>) -> Result<Self, Error> {
        let wire = Wire::open(server, Kind::Smtp).await?;
        let shown = server.shown();
        let unreachable = |reason: String| Error::Unreachable {
            server: shown.clone(),
            reason,
        };
        let greeted = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &HELLO);
        let mut connection = timeout(CONNECT_MAX, greeted)
            .await
            .map_err(|_| unreachable("it did not greet".to_owned()))?
            .map_err(|e| unreachable(e.to_string()))?;
        if let Some(login) = login {
            let credentials =
                Credentials::new(login.username.clone(), login.password.expose().to_owned());
            let asked = timeout(COMMAND_MAX, connection.auth(MECHANISMS, &credentials)).await;
            match asked {
                Ok(Ok(_)) => {}
                Ok(Err(e)) if e.is_permanent() => {
                    return Err(Error::Login {
                        server: shown,
                        code: e.status().map(number),
                    });
                }
                // What it says may hold what it was sent.
                Ok(Err(e)) if e.is_client() => {
                    return Err(unreachable(
                        "it offers no login that is known here".to_owned(),
                    ));
                }
                Ok(Err(_)) => return Err(unreachable("the login broke off".to_owned())),
                Err(_) => return Err(unreachable("it did not answer the login".to_owned())),
            }
        }
        Ok(Self {
            connection,
            server: shown,
        })
    }

    /// Says goodbye.
    pub(crate) async fn quit(&mut self) {
        // The server notices a missing one too.
        let _ = timeout(Duration::from_secs(2), self.connection.quit()).await;
    }

    /// Whether the server still answers.
    pub(crate) async fn lives(&mut self) -> bool {
        let asked = timeout(Duration::from_secs(3), self.connection.test_connected()).await;
        !self.connection.has_broken() && asked.unwrap_or_default()
    }

    /// Sends one mail; gives what the server answered. A session that failed once
    /// is of no use any more.
    pub(crate) async fn send(&mut self, letter: &Letter) -> Result<String, Error> {
        let ascii = |address: &Address| address.to_string().is_ascii();
        let utf8 = !ascii(&letter.from) || !letter.to.iter().all(ascii);
        let mut options = vec![MailParameter::Size(letter.raw.len())];
        let offers = |e| self.connection.server_info().supports_feature(e);
        if utf8 {
            if !offers(Extension::SmtpUtfEight) {
                return Err(Error::NotSent {
                    reason: format!("`{}` takes no addresses beyond ASCII", self.server),
                });
            }
            options.push(MailParameter::SmtpUtfEight);
        }
        self.command(Mail::new(Some(letter.from.clone()), options), "the sender")
            .await?;
        for to in &letter.to {
            let what = format!("the recipient `{to}`");
            self.command(Rcpt::new(to.clone(), Vec::new()), &what)
                .await?;
        }
        self.command(Data, "the mail").await?;
        // From here on the server may have it, whatever is heard of it.
        let sent = timeout(DATA_MAX, self.connection.message(&letter.raw)).await;
        let server = self.server.clone();
        let unanswered = |reason: String| Error::Unanswered { server, reason };
        match sent {
            Ok(Ok(response)) => {
                let text: Vec<&str> = response.message().collect();
                Ok(shown(&text.join(" ")))
            }
            Ok(Err(e)) => match e.status() {
                Some(_) => Err(self.refused(&e, "the mail")),
                None => Err(unanswered(e.to_string())),
            },
            Err(_) => Err(unanswered("it took too long".to_owned())),
        }
    }

    async fn command(&mut self, command: impl std::fmt::Display, what: &str) -> Result<(), Error> {
        match timeout(COMMAND_MAX, self.connection.command(command)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) if e.status().is_some() => Err(self.refused(&e, what)),
            Ok(Err(e)) => Err(Error::NotSent {
                reason: format!("`{}` broke off before {what}: {e}", self.server),
            }),
            Err(_) => Err(Error::NotSent {
                reason: format!("`{}` did not answer to {what}", self.server),
            }),
        }
    }

    fn refused(&self, error: &Failed, what: &str) -> Error {
        let text = std::error::Error::source(error).map(ToString::to_string);
        Error::Refused {
            server: self.server.clone(),
            what: what.to_owned(),
            code: error.status().map(number).unwrap_or_default(),
            text: shown(&text.unwrap_or_default()),
        }
    }
}

fn number(code: lettre::transport::smtp::response::Code) -> u16 {
    code.into()
}

fn shown(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN)
        .collect()
}
