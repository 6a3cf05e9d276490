//! From plain text to TLS, by hand: the clients keep what they had read before,
//! so that a text sent ahead of TLS would count as said within it (CVE-2011-0411).

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::error::Error;
use crate::server::{Kind, Server};
use crate::wire::tls;

/// Bytes of all that a server says before TLS.
const SAID_MAX: usize = 16 * 1024;

/// Our name before TLS; the true one follows within it.
const HELLO: &str = "[127.0.0.1]";

/// Asks for TLS. What is given back is the greeting that the client over TLS
/// still waits for: the server has greeted already.
pub(crate) async fn ask(
    tcp: &mut TcpStream,
    server: &Server,
    kind: Kind,
) -> Result<&'static [u8], Error> {
    let mut lines = Lines {
        tcp,
        server,
        buffer: Vec::new(),
        said: 0,
    };
    match kind {
        Kind::Smtp => lines.smtp().await?,
        Kind::Imap => lines.imap().await?,
    }
    if !lines.buffer.is_empty() {
        return Err(tls(
            server,
            "TLS_PIPELINED",
            "plain text came after its agreement to TLS, as from somebody on the way",
        ));
    }
    Ok(match kind {
        Kind::Smtp => b"220 within TLS\r\n",
        Kind::Imap => b"* OK within TLS\r\n",
    })
}

/// The lines of a server, before TLS.
struct Lines<'a> {
    tcp: &'a mut TcpStream,
    server: &'a Server,
    buffer: Vec<u8>,
    said: usize,
}

impl Lines<'_> {
    async fn smtp(&mut self) -> Result<(), Error> {
        self.smtp_reply("220", "its greeting").await?;
        self.say(&format!("EHLO {HELLO}\r\n")).await?;
        let offers = self.smtp_reply("250", "EHLO").await?;
        let offered = offers.iter().any(|o| o.eq_ignore_ascii_case("STARTTLS"));
        if !offered {
            return Err(tls(
                self.server,
                "TLS_REQUIRED",
                "it does not offer STARTTLS",
            ));
        }
        self.say("STARTTLS\r\n").await?;
        self.smtp_reply("220", "STARTTLS").await?;
        Ok(())
    }

    async fn imap(&mut self) -> Result<(), Error> {
        let greeting = self.line().await?;
        // PREAUTH would go on without TLS.
        if !greeting.starts_with("* OK") {
            return Err(self.unexpected("its greeting", &greeting));
        }
        self.say("T1 STARTTLS\r\n").await?;
        loop {
            let line = self.line().await?;
            if line.starts_with("T1 OK") {
                return Ok(());
            }
            if line.starts_with("T1 ") {
                return Err(tls(
                    self.server,
                    "TLS_REQUIRED",
                    "it does not offer STARTTLS",
                ));
            }
        }
    }

    /// The lines of one reply, without their codes.
    async fn smtp_reply(&mut self, code: &str, to: &str) -> Result<Vec<String>, Error> {
        let mut texts = Vec::new();
        loop {
            let line = self.line().await?;
            let Some(rest) = line.strip_prefix(code) else {
                return Err(if to == "STARTTLS" {
                    tls(self.server, "TLS_REQUIRED", "it refused STARTTLS")
                } else {
                    self.unexpected(to, &line)
                });
            };
            let (last, text) = match rest.strip_prefix('-') {
                Some(text) => (false, text),
                None => (true, rest),
            };
            texts.push(text.trim().to_owned());
            if last {
                return Ok(texts);
            }
        }
    }

    async fn say(&mut self, text: &str) -> Result<(), Error> {
        let said = self.tcp.write_all(text.as_bytes()).await;
        said.map_err(|e| self.lost(&e.to_string()))
    }

    async fn line(&mut self) -> Result<String, Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let mut chunk = [0; 1024];
            let n = match self.tcp.read(&mut chunk).await {
                Ok(0) => return Err(self.lost("it ended the connection")),
                Ok(n) => n,
                Err(e) => return Err(self.lost(&e.to_string())),
            };
            self.said += n;
            if self.said > SAID_MAX {
                return Err(self.lost(&format!("it said more than {SAID_MAX} bytes before TLS")));
            }
            self.buffer
                .extend_from_slice(chunk.get(..n).unwrap_or_default());
        }
    }

    fn lost(&self, reason: &str) -> Error {
        Error::Unreachable {
            server: self.server.shown(),
            reason: reason.to_owned(),
        }
    }

    fn unexpected(&self, to: &str, line: &str) -> Error {
        let line: String = line.chars().take(100).collect();
        self.lost(&format!(
            "{to} was `{}`, which this protocol does not know",
            line.escape_debug()
        ))
    }
}
