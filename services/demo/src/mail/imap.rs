//! The part of IMAP (RFC 3501) that a client needs to find, read and mark mails.

use std::io;

use tokio::net::TcpStream;

use super::lines::Lines;
use super::search::{find, within};
use super::store::{Store, Stored};

/// Bytes of a command, with its literals.
const COMMAND_MAX: usize = 64 * 1024;

/// A piece of a command.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// An atom, a quoted string or a literal.
    Text(String),
    Open,
    Close,
}

pub(super) async fn answer(stream: TcpStream, store: &Store) -> io::Result<()> {
    let mut lines = Lines::new(stream);
    lines.say("* OK demo-mail\r\n").await?;
    let mut session = Session {
        store,
        logged_in: false,
        selected: None,
    };
    while let Some(tokens) = command(&mut lines).await? {
        let mut words = tokens.iter().map(|t| match t {
            Token::Text(text) => text.clone(),
            _ => String::new(),
        });
        let tag = words.next().unwrap_or_default();
        let mut verb = words.next().unwrap_or_default().to_ascii_uppercase();
        let mut args = tokens.get(2..).unwrap_or_default();
        let by_uid = verb == "UID";
        if by_uid {
            verb = words.next().unwrap_or_default().to_ascii_uppercase();
            args = tokens.get(3..).unwrap_or_default();
        }
        if verb == "LOGOUT" {
            return lines.say(format!("* BYE bye\r\n{tag} OK done\r\n")).await;
        }
        let mut out = Vec::new();
        let ended = session.run(&verb, args, by_uid, &mut out);
        lines.say(out).await?;
        lines.say(format!("{tag} {ended}\r\n")).await?;
    }
    Ok(())
}

struct Session<'a> {
    store: &'a Store,
    logged_in: bool,
    /// The mails as they were selected; numbers count in it.
    selected: Option<Vec<Stored>>,
}

impl Session<'_> {
    fn run(&mut self, verb: &str, args: &[Token], by_uid: bool, out: &mut Vec<u8>) -> &'static str {
        match verb {
            "CAPABILITY" => {
                out.extend_from_slice(b"* CAPABILITY IMAP4rev1\r\n");
                "OK done"
            }
            "NOOP" => "OK done",
            "LOGIN" if args.len() == 2 => {
                self.logged_in = true;
                "OK welcome"
            }
            _ if !self.logged_in => "BAD log in first",
            "LIST" => {
                out.extend_from_slice(b"* LIST () \"/\" \"INBOX\"\r\n");
                "OK done"
            }
            "SELECT" | "EXAMINE" => self.select(args, verb == "SELECT", out),
            "CLOSE" => {
                self.selected = None;
                "OK done"
            }
            "SEARCH" => self.search(args, by_uid, out),
            "FETCH" => self.fetch(args, by_uid, out),
            "STORE" => self.mark(args, by_uid),
            _ => "BAD unknown",
        }
    }

    fn select(&mut self, args: &[Token], write: bool, out: &mut Vec<u8>) -> &'static str {
        let inbox = matches!(args, [Token::Text(name)] if name.eq_ignore_ascii_case("INBOX"));
        if !inbox {
            self.selected = None;
            return "NO no such folder";
        }
        let mails = self.store.all();
        let text = format!(
            "* FLAGS (\\Seen \\Answered \\Flagged \\Deleted \\Draft)\r\n* {} EXISTS\r\n* 0 RECENT\r\n\
             * OK [UIDVALIDITY 1] ok\r\n* OK [UIDNEXT {}] ok\r\n",
            mails.len(),
            self.store.next()
        );
        out.extend_from_slice(text.as_bytes());
        self.selected = Some(mails);
        if write {
            "OK [READ-WRITE] done"
        } else {
            "OK [READ-ONLY] done"
        }
    }

    fn search(&mut self, args: &[Token], by_uid: bool, out: &mut Vec<u8>) -> &'static str {
        let Some(mails) = &self.selected else {
            return "BAD select first";
        };
        let Some(found) = find(mails, args) else {
            return "BAD these keys are not known here";
        };
        out.extend_from_slice(b"* SEARCH");
        for place in found {
            let uid = mails.get(place).map_or(0, |m| m.uid as usize);
            let number = if by_uid { uid } else { place + 1 };
            out.extend_from_slice(format!(" {number}").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        "OK done"
    }

    fn fetch(&mut self, args: &[Token], by_uid: bool, out: &mut Vec<u8>) -> &'static str {
        let (Some(mails), Some((Token::Text(set), items))) = (&self.selected, args.split_first())
        else {
            return "BAD select first";
        };
        let items: Vec<String> = items
            .iter()
            .filter_map(|t| match t {
                Token::Text(item) => Some(item.to_ascii_uppercase()),
                _ => None,
            })
            .collect();
        let now = self.store.all();
        for (i, mail) in chosen(mails, set, by_uid) {
            let flags = now.iter().find(|m| m.uid == mail.uid).map(|m| &m.flags);
            let flags: Vec<&str> = flags.into_iter().flatten().map(String::as_str).collect();
            out.extend_from_slice(format!("* {} FETCH (UID {}", i + 1, mail.uid).as_bytes());
            for item in &items {
                match item.as_str() {
                    "UID" => {}
                    "FLAGS" => {
                        out.extend_from_slice(format!(" FLAGS ({})", flags.join(" ")).as_bytes())
                    }
                    "RFC822.SIZE" => {
                        out.extend_from_slice(
                            format!(" RFC822.SIZE {}", mail.raw.len()).as_bytes(),
                        );
                    }
                    "BODYSTRUCTURE" => {
                        out.extend_from_slice(b" BODYSTRUCTURE ");
                        out.extend_from_slice(structure(&mail.raw));
                    }
                    "BODY[]" | "BODY.PEEK[]" => literal(out, "BODY[]", &mail.raw),
                    "BODY[HEADER]" | "BODY.PEEK[HEADER]" => {
                        literal(out, "BODY[HEADER]", head(&mail.raw));
                    }
                    _ => return "BAD these items are not known here",
                }
                if item.starts_with("BODY[") {
                    self.store.flag(mail.uid, |f| {
                        f.insert("\\Seen".to_owned());
                    });
                }
            }
            out.extend_from_slice(b")\r\n");
        }
        "OK done"
    }

    fn mark(&mut self, args: &[Token], by_uid: bool) -> &'static str {
        let (Some(mails), [Token::Text(set), Token::Text(how), flags @ ..]) =
            (&self.selected, args)
        else {
            return "BAD select first";
        };
        let flags: Vec<String> = flags
            .iter()
            .filter_map(|t| match t {
                Token::Text(flag) => Some(flag.clone()),
                _ => None,
            })
            .collect();
        let adds = how.to_ascii_uppercase().starts_with("+FLAGS");
        let takes = how.to_ascii_uppercase().starts_with("-FLAGS");
        for (_, mail) in chosen(mails, set, by_uid) {
            self.store.flag(mail.uid, |kept| {
                if !adds && !takes {
                    kept.clear();
                }
                for flag in &flags {
                    if takes {
                        kept.remove(flag);
                    } else {
                        kept.insert(flag.clone());
                    }
                }
            });
        }
        "OK done"
    }
}

fn chosen<'a>(
    mails: &'a [Stored],
    set: &'a str,
    by_uid: bool,
) -> impl Iterator<Item = (usize, &'a Stored)> {
    let last = mails.last().map_or(0, |m| m.uid as usize);
    mails.iter().enumerate().filter(move |(i, mail)| {
        if by_uid {
            within(set, mail.uid as usize, last)
        } else {
            within(set, i + 1, mails.len())
        }
    })
}

fn literal(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    out.extend_from_slice(format!(" {name} {{{}}}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
}

fn head(raw: &[u8]) -> &[u8] {
    let end = raw.windows(4).position(|w| w == b"\r\n\r\n");
    raw.get(..end.map_or(raw.len(), |e| e + 4)).unwrap_or(raw)
}

/// Of the structure only whether there is a file: that is what clients ask it for.
fn structure(raw: &[u8]) -> &'static [u8] {
    let text = String::from_utf8_lossy(raw).to_ascii_lowercase();
    if text.contains("content-disposition: attachment") {
        b"((\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1)(\"APPLICATION\" \"OCTET-STREAM\" (\"NAME\" \"file\") NIL NIL \"BASE64\" 1) \"MIXED\")"
    } else {
        b"(\"TEXT\" \"PLAIN\" NIL NIL NIL \"7BIT\" 1 1)"
    }
}

/// The next command in pieces; none when the caller has gone.
async fn command(lines: &mut Lines) -> io::Result<Option<Vec<Token>>> {
    let mut tokens = Vec::new();
    let mut left = COMMAND_MAX;
    loop {
        let Some(line) = lines.line(left).await? else {
            return Ok(None);
        };
        left = left.saturating_sub(line.len());
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let literal = line.strip_suffix('}').and_then(|l| l.rsplit_once('{'));
        let counted = literal.and_then(|(before, n)| Some((before, n.parse::<usize>().ok()?)));
        let Some((before, count)) = counted else {
            split(&line, &mut tokens);
            return Ok(Some(tokens));
        };
        if count > left {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a literal is too large",
            ));
        }
        split(before, &mut tokens);
        lines.say("+ go on\r\n").await?;
        let bytes = lines.bytes(count).await?;
        left -= count;
        tokens.push(Token::Text(String::from_utf8_lossy(&bytes).into_owned()));
    }
}

fn split(line: &str, tokens: &mut Vec<Token>) {
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            ' ' => {}
            '(' => tokens.push(Token::Open),
            ')' => tokens.push(Token::Close),
            '"' => {
                let mut text = String::new();
                while let Some(c) = chars.next() {
                    match c {
                        '"' => break,
                        '\\' => text.extend(chars.next()),
                        c => text.push(c),
                    }
                }
                tokens.push(Token::Text(text));
            }
            c => {
                let mut text = String::from(c);
                while let Some(c) = chars.next_if(|c| !" ()\"".contains(*c)) {
                    text.push(c);
                }
                tokens.push(Token::Text(text));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn command_comes_in_pieces() {
        let mut tokens = Vec::new();
        split("a UID SEARCH FROM \"x \\\"y\" (SEEN)", &mut tokens);
        let text = |t: &str| Token::Text(t.to_owned());
        assert_eq!(
            tokens,
            [
                text("a"),
                text("UID"),
                text("SEARCH"),
                text("FROM"),
                text("x \"y"),
                Token::Open,
                text("SEEN"),
                Token::Close
            ]
        );
    }

    #[test]
    fn sets_have_ranges_and_an_end() {
        assert!(within("1,5:*", 7, 9) && within("*", 9, 9) && within("9:7", 8, 9));
        assert!(!within("1,5:6", 7, 9) && !within("x", 7, 9));
    }
}
