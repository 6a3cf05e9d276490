//! A mail to be sent, as bytes.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{ContentDisposition, ContentId, ContentTransferEncoding};
use lettre::message::{Body, Mailbox, MultiPart, SinglePart};

use crate::address::{self, RECIPIENTS_MAX, one_line};
use crate::attachment::Attachment;
use crate::error::Error;
use crate::smtp::Letter;

/// Who and what, checked.
#[derive(Debug)]
pub(crate) struct Outgoing {
    from: Mailbox,
    to: Vec<Mailbox>,
    cc: Vec<Mailbox>,
    bcc: Vec<Mailbox>,
    reply_to: Option<Mailbox>,
    subject: String,
    text: String,
    html: String,
}

/// The texts of a request.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) cc: Vec<String>,
    pub(crate) bcc: Vec<String>,
    pub(crate) reply_to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

impl Outgoing {
    pub(crate) fn parse(texts: Texts) -> Result<Self, Error> {
        let recipients = texts.to.len() + texts.cc.len() + texts.bcc.len();
        if recipients > RECIPIENTS_MAX {
            return Err(Error::parameter(
                "to",
                format!("{recipients} recipients are named; one mail has at most {RECIPIENTS_MAX}"),
            ));
        }
        if texts.text.is_empty() && texts.html.is_empty() {
            return Err(Error::parameter(
                "text",
                "give a body in `text`, `html` or both",
            ));
        }
        one_line("subject", &texts.subject)?;
        let reply_to = match texts.reply_to.as_str() {
            "" => None,
            text => Some(address::parse("replyTo", text)?),
        };
        Ok(Self {
            from: address::parse("from", &texts.from)?,
            to: address::parse_all("to", &texts.to)?,
            cc: address::parse_all("cc", &texts.cc)?,
            bcc: address::parse_all("bcc", &texts.bcc)?,
            reply_to,
            subject: texts.subject,
            text: crlf(&texts.text),
            html: crlf(&texts.html),
        })
    }

    /// The id of the message, made of what is unique to the send.
    pub(crate) fn message_id(&self, unique: &str) -> String {
        format!("{unique}@{}", self.from.email.domain())
    }

    /// The mail as it is sent. Hidden recipients are in the envelope alone.
    pub(crate) fn letter(
        self,
        message_id: &str,
        now_ms: i64,
        attachments: Vec<Attachment>,
    ) -> Result<Letter, Error> {
        let build = |e: lettre::error::Error| Error::Build(e.to_string());
        let all = self.to.iter().chain(&self.cc).chain(&self.bcc);
        let to: Vec<_> = all.map(|m| m.email.clone()).collect();
        let from = self.from.email.clone();
        let envelope = Envelope::new(Some(from.clone()), to.clone()).map_err(build)?;
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or_default());
        let mut builder = Message::builder()
            .envelope(envelope)
            .message_id(Some(format!("<{message_id}>")))
            .date(now)
            .from(self.from)
            .subject(self.subject);
        for to in self.to {
            builder = builder.to(to);
        }
        for cc in self.cc {
            builder = builder.cc(cc);
        }
        if let Some(reply_to) = self.reply_to {
            builder = builder.reply_to(reply_to);
        }
        let message = match body(self.text, self.html, attachments) {
            Part::Single(part) => builder.singlepart(part),
            Part::Multi(part) => builder.multipart(part),
        };
        let raw = message.map_err(build)?.formatted();
        Ok(Letter { from, to, raw })
    }
}

enum Part {
    Single(SinglePart),
    Multi(MultiPart),
}

impl Part {
    /// This part as the first of a group.
    fn within(self, group: lettre::message::MultiPartBuilder) -> MultiPart {
        match self {
            Self::Single(part) => group.singlepart(part),
            Self::Multi(part) => group.multipart(part),
        }
    }
}

/// mixed(related(alternative(text, html), inline ..), files ..), as far as there are some.
fn body(text: String, html: String, attachments: Vec<Attachment>) -> Part {
    let has_html = !html.is_empty();
    // Without HTML nobody names an inline part.
    let (inline, files): (Vec<_>, Vec<_>) = attachments
        .into_iter()
        .partition(|a| has_html && a.content_id.is_some());
    let mut part = match (text.is_empty(), has_html) {
        (false, true) => Part::Multi(MultiPart::alternative_plain_html(text, html)),
        (true, true) => Part::Single(SinglePart::html(html)),
        _ => Part::Single(SinglePart::plain(text)),
    };
    for (group, attachments) in [(MultiPart::related(), inline), (MultiPart::mixed(), files)] {
        if !attachments.is_empty() {
            let whole = part.within(group);
            part = Part::Multi(
                attachments
                    .into_iter()
                    .map(file)
                    .fold(whole, MultiPart::singlepart),
            );
        }
    }
    part
}

fn file(attachment: Attachment) -> SinglePart {
    let mut part = SinglePart::builder();
    part = match &attachment.content_id {
        Some(id) => part
            .header(ContentId::from(format!("<{id}>")))
            .header(ContentDisposition::inline_with_name(&attachment.filename)),
        None => part.header(ContentDisposition::attachment(&attachment.filename)),
    };
    let part = part.header(attachment.content_type);
    // Always base64: in any other coding a server may change line ends.
    let base64 = ContentTransferEncoding::Base64;
    match Body::new_with_encoding(attachment.content, base64) {
        Ok(body) => part.body(body),
        Err(content) => part.body(content),
    }
}

/// Lines end with CRLF: a lone CR or LF means different things to different
/// servers, which lets a body end early for one of them (SMTP smuggling).
fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n")
        .replace('\r', "\n")
        .replace('\n', "\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts() -> Texts {
        Texts {
            from: "Ann <ann@example.test>".into(),
            to: vec!["bob@example.test".into()],
            subject: "s".into(),
            text: "t".into(),
            ..Texts::default()
        }
    }

    fn raw(texts: Texts) -> String {
        let letter = Outgoing::parse(texts)
            .unwrap()
            .letter("id@example.test", 0, vec![])
            .unwrap();
        String::from_utf8(letter.raw).unwrap()
    }

    #[test]
    fn second_header_is_refused_everywhere() {
        let evil = "x\r\nBcc: eve@example.test";
        let evil_address = "Ann\nBcc: eve@example.test <ann@example.test>";
        for bad in [
            Texts {
                subject: evil.into(),
                ..texts()
            },
            Texts {
                subject: "a\0b".into(),
                ..texts()
            },
            Texts {
                from: evil_address.into(),
                ..texts()
            },
            Texts {
                to: vec![evil_address.into()],
                ..texts()
            },
            Texts {
                cc: vec![evil_address.into()],
                ..texts()
            },
            Texts {
                bcc: vec![evil_address.into()],
                ..texts()
            },
            Texts {
                reply_to: evil_address.into(),
                ..texts()
            },
        ] {
            let error = Outgoing::parse(bad).unwrap_err();
            assert!(matches!(error, Error::Address { .. }), "{error:?}");
        }
    }

    #[test]
    fn recipients_are_counted_over_all_kinds() {
        let some = |n: usize| vec!["a@b.test".to_owned(); n];
        let of = |to, cc, bcc| Texts {
            to: some(to),
            cc: some(cc),
            bcc: some(bcc),
            ..texts()
        };
        assert!(Outgoing::parse(of(98, 1, 1)).is_ok());
        assert!(Outgoing::parse(of(98, 2, 1)).is_err());
    }

    #[test]
    fn body_has_no_lone_line_ends_and_no_hidden_recipient() {
        let text = "a\n.\n\r.\r\n\n.\r\nMAIL FROM:<eve@example.test>\r\n.";
        let raw = raw(Texts {
            text: text.into(),
            bcc: vec!["eve@x.test".into()],
            ..texts()
        });
        let bare = raw.replace("\r\n", "");
        assert!(!bare.contains(['\r', '\n']), "{raw:?}");
        assert!(!raw.contains("eve@x.test"), "{raw}");
        assert!(raw.contains("Message-ID: <id@example.test>\r\n"), "{raw}");
    }

    #[test]
    fn text_beyond_ascii_is_coded() {
        let raw = raw(Texts {
            subject: "héllo ✓".into(),
            from: "Änn <ann@example.test>".into(),
            text: "grüße".into(),
            ..texts()
        });
        assert!(raw.is_ascii(), "{raw}");
    }
}
