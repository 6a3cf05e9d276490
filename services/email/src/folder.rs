//! Names of folders as IMAP writes them: modified UTF-7 (RFC 3501 5.1.3).

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};

use crate::error::Error;

const BASE64: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// The folder where mail arrives.
const INBOX: &str = "INBOX";

/// A folder of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder {
    name: String,
    wire: String,
}

impl Folder {
    /// Reads a name; empty is INBOX.
    pub(crate) fn parse(name: &str) -> Result<Self, Error> {
        let name = if name.is_empty() { INBOX } else { name };
        if name.chars().any(char::is_control) {
            return Err(Error::parameter(
                "folder",
                "`folder` must have no line break or other control character",
            ));
        }
        // `*` and `%` are names of no folder but patterns of many.
        if name.contains(['*', '%']) {
            return Err(Error::parameter("folder", "`folder` must name one folder"));
        }
        Ok(Self {
            name: name.to_owned(),
            wire: encode(name),
        })
    }

    /// As people write it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// As the protocol writes it; still to be quoted.
    pub(crate) fn wire(&self) -> &str {
        &self.wire
    }
}

fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some(c) = rest.chars().next() {
        if c.is_ascii() {
            out.push(c);
            if c == '&' {
                out.push('-');
            }
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        let end = rest.find(|c: char| c.is_ascii()).unwrap_or(rest.len());
        let (run, after) = rest.split_at(end);
        let units: Vec<u8> = run.encode_utf16().flat_map(u16::to_be_bytes).collect();
        out.push('&');
        out.push_str(&BASE64.encode(units));
        out.push('-');
        rest = after;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_is_written_as_the_rfc_says() {
        let wire = |name: &str| Folder::parse(name).map(|f| f.wire);
        assert_eq!(wire("").ok().as_deref(), Some("INBOX"));
        assert_eq!(wire("A & B").ok().as_deref(), Some("A &- B"));
        // RFC 3501 5.1.3's own example.
        assert_eq!(
            wire("~peter/mail/台北/日本語").ok().as_deref(),
            Some("~peter/mail/&U,BTFw-/&ZeVnLIqe-")
        );
        assert_eq!(
            wire("Entwürfe😀").ok().as_deref(),
            Some("Entw&APw-rfe&2D3eAA-")
        );
    }

    #[test]
    fn name_that_is_more_than_a_name_is_refused() {
        for bad in ["a\r\nA1 LOGOUT", "a\0", "*", "a/%"] {
            assert!(Folder::parse(bad).is_err(), "{bad:?}");
        }
    }
}
