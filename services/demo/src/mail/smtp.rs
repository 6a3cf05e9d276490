//! The part of SMTP (RFC 5321) that a client needs to hand a mail over.

use std::io;

use tokio::net::TcpStream;

use super::MAIL_MAX;
use super::lines::Lines;
use super::store::Store;

/// Bytes of a command; RFC 5321 says 512, extensions add to it.
const COMMAND_MAX: usize = 4096;

/// Bytes of a line of a mail; RFC 5322 says 1,000, and some forget it.
const LINE_MAX: usize = 1024 * 1024;

/// Recipients of a mail.
const RECIPIENTS_MAX: usize = 100;

pub(super) async fn answer(stream: TcpStream, store: &Store) -> io::Result<()> {
    let mut lines = Lines::new(stream);
    lines.say("220 demo-mail\r\n").await?;
    let mut sender = false;
    let mut recipients = 0;
    while let Some(line) = lines.line(COMMAND_MAX).await? {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let verb = line
            .split([' ', ':'])
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let said = match verb.as_str() {
            "EHLO" => format!(
                "250-demo-mail\r\n250-AUTH PLAIN LOGIN\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE {MAIL_MAX}\r\n"
            ),
            "HELO" | "NOOP" => "250 ok\r\n".to_owned(),
            "AUTH" => {
                let Some(said) = login(&mut lines, &line).await? else {
                    return Ok(());
                };
                said.to_owned()
            }
            "RSET" => {
                (sender, recipients) = (false, 0);
                "250 ok\r\n".to_owned()
            }
            "MAIL" => {
                (sender, recipients) = (true, 0);
                "250 ok\r\n".to_owned()
            }
            "RCPT" if !sender => "503 MAIL comes first\r\n".to_owned(),
            "RCPT" if line.contains("<refuse@") => "550 no such user\r\n".to_owned(),
            "RCPT" if line.contains("<later@") => "450 come back later\r\n".to_owned(),
            "RCPT" if recipients == RECIPIENTS_MAX => "452 too many recipients\r\n".to_owned(),
            "RCPT" => {
                recipients += 1;
                "250 ok\r\n".to_owned()
            }
            "DATA" if recipients == 0 => "503 RCPT comes first\r\n".to_owned(),
            "DATA" => {
                lines.say("354 go on\r\n").await?;
                (sender, recipients) = (false, 0);
                match mail(&mut lines).await? {
                    Some(raw) => {
                        store.add(raw);
                        "250 kept\r\n".to_owned()
                    }
                    None => "552 too large\r\n".to_owned(),
                }
            }
            "QUIT" => {
                lines.say("221 bye\r\n").await?;
                return Ok(());
            }
            _ => "500 unknown\r\n".to_owned(),
        };
        lines.say(said).await?;
    }
    Ok(())
}

/// Takes any login.
async fn login(lines: &mut Lines, line: &str) -> io::Result<Option<&'static str>> {
    let mut words = line.split(' ').skip(1);
    let mechanism = words.next().unwrap_or_default().to_ascii_uppercase();
    let initial = usize::from(words.next().is_some());
    let asked: &[&str] = match mechanism.as_str() {
        "PLAIN" => &["334 \r\n"],
        "LOGIN" => &["334 VXNlcm5hbWU6\r\n", "334 UGFzc3dvcmQ6\r\n"],
        _ => return Ok(Some("504 unknown\r\n")),
    };
    for question in asked.iter().skip(initial) {
        lines.say(question).await?;
        if lines.line(COMMAND_MAX).await?.is_none() {
            return Ok(None);
        }
    }
    Ok(Some("235 welcome\r\n"))
}

/// A mail up to its lone dot; none when it is too large.
async fn mail(lines: &mut Lines) -> io::Result<Option<Vec<u8>>> {
    let mut raw = Vec::new();
    let mut too_large = false;
    while let Some(line) = lines.line(LINE_MAX).await? {
        if line == b".\r\n" {
            return Ok((!too_large).then_some(raw));
        }
        let line = line.strip_prefix(b".").unwrap_or(&line);
        too_large |= raw.len() + line.len() > MAIL_MAX;
        if !too_large {
            raw.extend_from_slice(line);
        }
    }
    Err(io::ErrorKind::UnexpectedEof.into())
}
