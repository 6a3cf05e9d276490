//! A message taken apart.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mail_parser::{
    Address, Encoding, HeaderValue, Message, MessageParser, MessagePart, MimeHeaders, PartType,
};

use crate::contents::Contents;
use crate::error::Error;
use crate::mime;

/// Headers that are told; a mail that passed many servers has some fifty.
const HEADERS_MAX: usize = 500;

/// Addresses of one header that are told.
const ADDRESSES_MAX: usize = 1000;

/// Characters of a subject, a sender, an id.
const SHORT_MAX: usize = 1000;

/// A message. All of it is what somebody wrote.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Mail {
    pub(crate) message_id: String,
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) reply_to: Vec<String>,
    pub(crate) subject: String,
    /// Seconds since 1970.
    pub(crate) date: Option<i64>,
    pub(crate) text: String,
    pub(crate) html: String,
    pub(crate) attachments: Vec<File>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) in_reply_to: String,
    pub(crate) references: Vec<String>,
    /// Something is missing.
    pub(crate) partial: bool,
}

/// A file that a message carries.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct File {
    pub(crate) filename: String,
    pub(crate) content_type: String,
    pub(crate) size: usize,
    pub(crate) content: Vec<u8>,
    pub(crate) content_id: String,
    pub(crate) omitted: bool,
}

impl Mail {
    /// Takes a raw message apart, as far as it is within the limits.
    pub(crate) fn parse(raw: &[u8], contents: &mut Contents) -> Result<Self, Error> {
        let bounded = mime::bounded(raw);
        // The parser is foreign and the message hostile: a fault of one ends this mail alone.
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            MessageParser::default()
                .parse(bounded)
                .map(|message| Self::read(&message, contents))
        }));
        let mut mail = match parsed {
            Ok(Some(mail)) if !mail.headers.is_empty() => mail,
            Ok(_) => return Err(Error::NoMail),
            Err(_) => Self {
                partial: true,
                ..Self::default()
            },
        };
        mail.partial |= bounded.len() < raw.len();
        Ok(mail)
    }

    fn read(message: &Message<'_>, contents: &mut Contents) -> Self {
        let (headers, mut partial) = headers(message);
        let headers = room(contents, headers, &mut partial, |h| {
            h.iter().map(|(k, v)| k.len() + v.len()).sum()
        });
        let mut list = |all: Vec<String>| {
            room(contents, all, &mut partial, |l| {
                l.iter().map(String::len).sum()
            })
        };
        let to = list(addresses(message.to()));
        let cc = list(addresses(message.cc()));
        let bcc = list(addresses(message.bcc()));
        let reply_to = list(addresses(message.reply_to()));
        let references = list(ids(message.references()));
        let (html, cut) = contents.text(&html(message));
        partial |= cut;
        let (text, cut) = contents.text(&text(message));
        partial |= cut;
        let attachments = files(message, contents, &mut partial);
        Self {
            message_id: short(message.message_id().unwrap_or_default()),
            from: short(
                &addresses(message.from())
                    .into_iter()
                    .next()
                    .unwrap_or_default(),
            ),
            to,
            cc,
            bcc,
            reply_to,
            subject: short(message.subject().unwrap_or_default()),
            date: message
                .date()
                .filter(|d| d.is_valid())
                .map(mail_parser::DateTime::to_timestamp),
            text,
            html,
            attachments,
            headers,
            in_reply_to: short(
                &ids(message.in_reply_to())
                    .into_iter()
                    .next()
                    .unwrap_or_default(),
            ),
            references,
            partial,
        }
    }
}

/// What there is room for in the answer: all of it, or nothing.
fn room<T: Default>(
    contents: &mut Contents,
    value: T,
    partial: &mut bool,
    size: impl Fn(&T) -> usize,
) -> T {
    if contents.names(size(&value)) {
        return value;
    }
    *partial = true;
    T::default()
}

fn files(message: &Message<'_>, contents: &mut Contents, partial: &mut bool) -> Vec<File> {
    let mut all = Vec::new();
    for part in message.attachments() {
        let filename = filename(part, all.len());
        let content_type = content_type(part);
        let content_id = short(part.content_id().unwrap_or_default());
        if !contents.names(filename.len() + content_type.len() + content_id.len()) {
            *partial = true;
            break;
        }
        let content = content(message, part);
        let given = contents.take(content.len());
        all.push(File {
            filename,
            content_type,
            size: content.len(),
            content: if given { content.to_vec() } else { Vec::new() },
            content_id,
            omitted: !given,
        });
    }
    all
}

/// A text that is told of every mail, whatever else there is room for.
fn short(text: &str) -> String {
    line(text).chars().take(SHORT_MAX).collect()
}

/// Texts of headers have no line breaks here, also where they were coded: who puts
/// one into another mail must not make two headers of it.
fn line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect::<String>()
        .trim()
        .to_owned()
}

fn headers(message: &Message<'_>) -> (BTreeMap<String, String>, bool) {
    let mut all: BTreeMap<String, String> = BTreeMap::new();
    let raw = &message.raw_message;
    for header in message.headers().iter().take(HEADERS_MAX) {
        let value = match &header.value {
            HeaderValue::Text(text) => line(text),
            _ => {
                let range = header.offset_start as usize..header.offset_end as usize;
                let value = raw.get(range).unwrap_or_default();
                line(&String::from_utf8_lossy(value).replace("\r\n", ""))
            }
        };
        let name = header.name.as_str().to_ascii_lowercase();
        // RFC 5322 2.2: what else stands before a colon is text.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
            continue;
        }
        all.entry(name)
            .and_modify(|lines| {
                lines.push('\n');
                lines.push_str(&value);
            })
            .or_insert(value);
    }
    (all, message.headers().len() > HEADERS_MAX)
}

fn addresses(header: Option<&Address<'_>>) -> Vec<String> {
    let Some(header) = header else {
        return Vec::new();
    };
    header
        .iter()
        .take(ADDRESSES_MAX)
        .map(|a| {
            let address = line(a.address.as_deref().unwrap_or_default());
            let name = line(a.name.as_deref().unwrap_or_default());
            match (name.is_empty(), address.is_empty()) {
                (true, _) => address,
                (false, true) => name,
                (false, false)
                    if name.contains(['"', '<', '>', ',', ';', ':', '@', '\\', '(', ')']) =>
                {
                    let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
                    format!("\"{quoted}\" <{address}>")
                }
                (false, false) => format!("{name} <{address}>"),
            }
        })
        .filter(|a| !a.is_empty())
        .collect()
}

fn ids(header: &HeaderValue<'_>) -> Vec<String> {
    let all: Vec<String> = match header {
        HeaderValue::Text(id) => vec![line(id)],
        HeaderValue::TextList(ids) => ids.iter().map(|id| line(id)).collect(),
        _ => Vec::new(),
    };
    all.into_iter().take(ADDRESSES_MAX).collect()
}

/// The plain bodies; made of the HTML when there is no other.
fn text(message: &Message<'_>) -> String {
    let plain: Vec<&str> = message
        .text_bodies()
        .filter_map(|p| match &p.body {
            PartType::Text(text) => Some(text.as_ref()),
            _ => None,
        })
        .collect();
    if plain.is_empty() {
        return message.body_text(0).unwrap_or_default().into_owned();
    }
    plain.join("\n")
}

fn html(message: &Message<'_>) -> String {
    let all: Vec<&str> = message
        .html_bodies()
        .filter_map(|p| match &p.body {
            PartType::Html(html) => Some(html.as_ref()),
            _ => None,
        })
        .collect();
    all.join("\n")
}

/// The bytes of an attachment; of a message within, the message.
fn content<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> &'a [u8] {
    match &part.body {
        PartType::Message(inner) if part.encoding == Encoding::None => {
            let range = part.raw_body_offset() as usize..part.raw_end_offset() as usize;
            let whole = message.raw_message.get(range);
            whole.unwrap_or_else(|| inner.raw_message())
        }
        _ => part.contents(),
    }
}

/// The name alone, without folders: it names a file, and never where.
fn filename(part: &MessagePart<'_>, index: usize) -> String {
    let name = part.attachment_name().unwrap_or_default();
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let name: String = name
        .chars()
        .map(|c| if c.is_control() { '_' } else { c })
        .take(255)
        .collect();
    match name.trim() {
        "" | "." | ".." => format!("attachment-{}", index + 1),
        name => name.to_owned(),
    }
}

fn content_type(part: &MessagePart<'_>) -> String {
    match part.content_type() {
        Some(t) => {
            let subtype = t.subtype().unwrap_or("octet-stream");
            short(&format!("{}/{subtype}", t.ctype())).to_ascii_lowercase()
        }
        None if part.is_text() => "text/plain".to_owned(),
        None => "application/octet-stream".to_owned(),
    }
}
