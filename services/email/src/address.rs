//! Addresses and the other texts of headers, so that none holds a second one.

use std::str::FromStr;

use lettre::Address;
use lettre::message::Mailbox;

use crate::error::Error;

/// Recipients of one mail: beyond it a list server is meant.
pub(crate) const RECIPIENTS_MAX: usize = 100;

/// Refuses what would end a header or a protocol line.
pub(crate) fn one_line(field: &str, text: &str) -> Result<(), Error> {
    if text
        .chars()
        .any(|c| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
    {
        return Err(Error::Address {
            field: field.to_owned(),
            reason: format!("`{field}` must have no line break or other control character"),
        });
    }
    Ok(())
}

/// Reads `ann@example.test` or `Ann <ann@example.test>`: one address, whole text.
pub(crate) fn parse(field: &str, text: &str) -> Result<Mailbox, Error> {
    one_line(field, text)?;
    let text = text.trim();
    let (name, address) = match text.strip_suffix('>').and_then(|t| t.rsplit_once('<')) {
        Some((name, address)) => (unquoted(name.trim()), address),
        None => (None, text),
    };
    let address = Address::from_str(address).map_err(|_| Error::Address {
        field: field.to_owned(),
        reason: format!(
            "`{text}` in `{field}` is no address; write one as `ann@example.test` or `Ann <ann@example.test>`"
        ),
    })?;
    Ok(Mailbox::new(name, address))
}

/// Reads several, one in each entry.
pub(crate) fn parse_all(field: &str, texts: &[String]) -> Result<Vec<Mailbox>, Error> {
    texts
        .iter()
        .enumerate()
        .map(|(i, text)| parse(&format!("{field}[{i}]"), text))
        .collect()
}

fn unquoted(name: &str) -> Option<String> {
    let inner = name.strip_prefix('"').and_then(|n| n.strip_suffix('"'));
    let name = match inner {
        Some(inner) => inner.replace("\\\"", "\"").replace("\\\\", "\\"),
        None => name.to_owned(),
    };
    (!name.is_empty()).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        match parse("to", text) {
            Ok(mailbox) => format!("{:?} {}", mailbox.name, mailbox.email),
            Err(e) => format!("refused: {e}"),
        }
    }

    #[test]
    fn address_is_read_with_and_without_name() {
        assert_eq!(read("ann@example.test"), "None ann@example.test");
        assert_eq!(read(" <ann@example.test> "), "None ann@example.test");
        assert_eq!(
            read("Änn B <a.b+c@example.test>"),
            "Some(\"Änn B\") a.b+c@example.test"
        );
        assert_eq!(
            read("\"B, \\\"A\\\"\" <a@b.test>"),
            "Some(\"B, \\\"A\\\"\") a@b.test"
        );
    }

    #[test]
    fn what_is_no_single_address_is_refused() {
        for bad in [
            "",
            "ann",
            "@b.test",
            "a@",
            "a@b.test, c@d.test",
            "a@b.test> RCPT TO:<c@d.test",
            "a@b.test>\r\nRCPT TO:<c@d.test",
            "A <a@b.test>\nBcc: <x@y.test>",
            "a\0@b.test",
            "a b@c.test",
            "<a@b.test> <c@d.test",
            "a@b .test",
            "a@b.test\u{2028}",
        ] {
            assert!(parse("to", bad).is_err(), "{bad:?}: {}", read(bad));
        }
    }
}
