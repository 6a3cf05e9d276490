//! Which mails meet a search (RFC 3501 6.4.4).

use jiff::civil::Date;
use mail_parser::{Address, MessageParser};

use super::imap::Token;
use super::store::Stored;

/// How deep terms may stand in each other.
const DEPTH_MAX: usize = 16;

/// A mail, with what is searched in it, in lower case.
struct Looked<'a> {
    stored: &'a Stored,
    number: usize,
    subject: String,
    from: String,
    to: String,
    cc: String,
    body: String,
    written: Option<Date>,
}

/// Places of the mails that meet all keys; none when the keys are not understood.
pub(super) fn find(mails: &[Stored], keys: &[Token]) -> Option<Vec<usize>> {
    let keys = match keys {
        // Texts are UTF-8 whatever is said.
        [Token::Text(word), _, rest @ ..] if is(word, "CHARSET") => rest,
        keys => keys,
    };
    let mut found = Vec::new();
    for (i, stored) in mails.iter().enumerate() {
        let mail = look(stored, i + 1);
        let mut rest = keys;
        let mut meets = true;
        while !rest.is_empty() {
            meets &= key(&mail, &mut rest, mails.len(), 0)?;
        }
        if meets {
            found.push(i);
        }
    }
    Some(found)
}

fn look(stored: &Stored, number: usize) -> Looked<'_> {
    let message = MessageParser::default().parse(stored.raw.as_slice());
    let message = message.as_ref();
    let listed = |address: Option<&Address<'_>>| {
        let all = address.into_iter().flat_map(Address::iter);
        let texts = all.map(|a| {
            let name = a.name.as_deref().unwrap_or_default();
            format!("{name} <{}>", a.address.as_deref().unwrap_or_default())
        });
        texts.collect::<Vec<_>>().join(", ").to_lowercase()
    };
    Looked {
        stored,
        number,
        subject: message
            .and_then(|m| m.subject())
            .unwrap_or_default()
            .to_lowercase(),
        from: listed(message.and_then(|m| m.from())),
        to: listed(message.and_then(|m| m.to())),
        cc: listed(message.and_then(|m| m.cc())),
        body: message
            .and_then(|m| m.body_text(0))
            .unwrap_or_default()
            .to_lowercase(),
        written: message.and_then(|m| m.date()).and_then(|d| {
            let small = |n: u8| i8::try_from(n).ok();
            Date::new(i16::try_from(d.year).ok()?, small(d.month)?, small(d.day)?).ok()
        }),
    }
}

fn key(mail: &Looked<'_>, rest: &mut &[Token], last: usize, depth: usize) -> Option<bool> {
    if depth > DEPTH_MAX {
        return None;
    }
    let (first, after) = rest.split_first()?;
    *rest = after;
    let word = match first {
        Token::Open => {
            let mut meets = true;
            while !matches!(rest.first()?, Token::Close) {
                meets &= key(mail, rest, last, depth + 1)?;
            }
            *rest = rest.get(1..)?;
            return Some(meets);
        }
        Token::Close => return None,
        Token::Text(word) => word.to_ascii_uppercase(),
    };
    let flag = |name: &str| mail.stored.flags.contains(name);
    Some(match word.as_str() {
        "ALL" | "OLD" => true,
        "NEW" | "RECENT" => false,
        "SEEN" | "FLAGGED" | "ANSWERED" | "DELETED" | "DRAFT" => flag(&named(&word)),
        "UNSEEN" | "UNFLAGGED" | "UNANSWERED" | "UNDELETED" | "UNDRAFT" => {
            !flag(&named(word.get(2..)?))
        }
        "KEYWORD" => flag(text(rest)?),
        "UNKEYWORD" => !flag(text(rest)?),
        "NOT" => !key(mail, rest, last, depth + 1)?,
        "OR" => {
            let one = key(mail, rest, last, depth + 1)?;
            let other = key(mail, rest, last, depth + 1)?;
            one || other
        }
        "FROM" => mail.from.contains(&text(rest)?.to_lowercase()),
        "TO" => mail.to.contains(&text(rest)?.to_lowercase()),
        "CC" => mail.cc.contains(&text(rest)?.to_lowercase()),
        "BCC" => text(rest)?.is_empty(),
        "SUBJECT" => mail.subject.contains(&text(rest)?.to_lowercase()),
        "BODY" => mail.body.contains(&text(rest)?.to_lowercase()),
        "TEXT" => {
            let text = text(rest)?.to_lowercase();
            let all = [&mail.subject, &mail.from, &mail.to, &mail.cc, &mail.body];
            all.iter().any(|t| t.contains(&text))
        }
        "HEADER" => header(mail, text(rest)?, text(rest)?),
        "LARGER" => mail.stored.raw.len() > text(rest)?.parse().ok()?,
        "SMALLER" => mail.stored.raw.len() < text(rest)?.parse().ok()?,
        "BEFORE" => mail.stored.day < day(rest)?,
        "ON" => mail.stored.day == day(rest)?,
        "SINCE" => mail.stored.day >= day(rest)?,
        "SENTBEFORE" => mail.written < Some(day(rest)?),
        "SENTON" => mail.written == Some(day(rest)?),
        "SENTSINCE" => mail.written >= Some(day(rest)?),
        "UID" => within(text(rest)?, mail.stored.uid as usize, usize::MAX),
        set if set.starts_with(|c: char| c.is_ascii_digit() || c == '*') => {
            within(set, mail.number, last)
        }
        _ => return None,
    })
}

/// `SEEN` -> `\Seen`.
fn named(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    format!("\\{first}{}", rest.to_ascii_lowercase())
}

fn text<'a>(rest: &mut &'a [Token]) -> Option<&'a str> {
    let (Token::Text(text), after) = rest.split_first()? else {
        return None;
    };
    *rest = after;
    Some(text)
}

fn day(rest: &mut &[Token]) -> Option<Date> {
    Date::strptime("%d-%b-%Y", text(rest)?).ok()
}

fn header(mail: &Looked<'_>, name: &str, text: &str) -> bool {
    let raw = String::from_utf8_lossy(&mail.stored.raw);
    let head = raw.split("\r\n\r\n").next().unwrap_or_default();
    let text = text.to_lowercase();
    let mut lines = head.lines().filter_map(|l| l.split_once(':'));
    let raw = lines.any(|(n, v)| n.eq_ignore_ascii_case(name) && v.to_lowercase().contains(&text));
    raw || (name.eq_ignore_ascii_case("subject") && mail.subject.contains(&text))
}

fn is(word: &str, name: &str) -> bool {
    word.eq_ignore_ascii_case(name)
}

/// Whether a number is in a set as `1,5:9,*`.
pub(super) fn within(set: &str, number: usize, last: usize) -> bool {
    let read = |n: &str| if n == "*" { Some(last) } else { n.parse().ok() };
    set.split(',').any(|range| {
        let (from, to) = range.split_once(':').unwrap_or((range, range));
        match (read(from), read(to)) {
            (Some(from), Some(to)) => (from.min(to)..=from.max(to)).contains(&number),
            _ => false,
        }
    })
}
