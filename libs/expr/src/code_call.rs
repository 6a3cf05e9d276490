//! The functions that write text in another alphabet, and those that are digests of it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::call::built;
use crate::error::{Error, Outcome, RESOLUTION, Span, TYPE};
use crate::eval::Machine;
use crate::function::Function;
use crate::value::{Val, View};

/// What the digest of a [`uuid`](Machine::uuid) begins with, so that it is that of nothing else.
const UUID_CONTEXT: &str = "gearmesh expression uuid";

/// Fuel of a digest, whatever its length.
const DIGEST_UNITS: usize = 60;

/// Bytes of a digest for a unit of fuel: where the processor has no instructions for it, each takes a nanosecond or two.
const DIGESTED_BYTES: usize = 3;

/// Fuel of a UUID: a digest of five parts, and a text made of it.
const UUID_UNITS: usize = 150;

impl<'a> Machine<'a> {
    pub(crate) fn encoded(
        &mut self,
        function: Function,
        value: &Val<'a>,
        span: Span,
    ) -> Outcome<Val<'a>> {
        let View::Text(text) = value.view() else {
            return Ok(Val::Null);
        };
        match function {
            Function::Base64 => {
                self.meter
                    .write(text.len().div_ceil(3).saturating_mul(4), span)?;
                Ok(built(STANDARD.encode(text)))
            }
            Function::Base64Decode => {
                self.meter.write(text.len(), span)?;
                let refuse = |message: &str| Box::new(Error::new(TYPE, message, span));
                let bytes = STANDARD
                    .decode(text)
                    .map_err(|_| refuse("the text given to `base64_decode` is not base64"))?;
                let decoded = String::from_utf8(bytes)
                    .map_err(|_| refuse("what `base64_decode` decoded is not UTF-8 text"))?;
                Ok(built(decoded))
            }
            Function::UrlEncode => {
                self.meter.read(text.len(), span)?;
                let others = text.bytes().filter(|byte| !is_unreserved(*byte)).count();
                self.meter
                    .write(text.len().saturating_add(2 * others), span)?;
                Ok(built(url_encoded(text)))
            }
            _ => {
                self.meter
                    .burn(DIGEST_UNITS + text.len() / DIGESTED_BYTES, span)?;
                Ok(built(hex(&Sha256::digest(text))))
            }
        }
    }

    /// A UUID of version 8 that is the same whenever this run evaluates for this task and element again, and different from
    /// those of all others; `name` tells several in one place apart.
    pub(crate) fn uuid(&mut self, name: Option<&Val<'a>>, span: Span) -> Outcome<Val<'a>> {
        self.meter.burn(UUID_UNITS, span)?;
        let run = self.known("run", span)?.and_then(|run| run.field("id"));
        let Some(View::Text(run)) = run.as_ref().map(Val::view) else {
            let message = "`uuid` is made from the run, and there is none here";
            return Err(Box::new(Error::new(RESOLUTION, message, span)));
        };
        let place = match self.instance() {
            Some(place) => place.into_owned(),
            None => self.element_index(span)?,
        };
        let name = match name.map(Val::view) {
            Some(View::Text(name)) => name,
            _ => "",
        };
        self.meter.burn(name.len() / DIGESTED_BYTES, span)?;
        let mut digest = Sha256::new();
        for part in [UUID_CONTEXT, run, &place, name] {
            // The length before each part tells `ab`, `c` from `a`, `bc`.
            digest.update((part.len() as u64).to_be_bytes());
            digest.update(part);
        }
        let digest = digest.finalize();
        let mut bytes = [0; 16];
        for (byte, from) in bytes.iter_mut().zip(digest) {
            *byte = from;
        }
        bytes[6] = bytes[6] & 0x0f | 0x80;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let hex = hex(&bytes);
        Ok(built(format!(
            "{}-{}-{}-{}-{}",
            &hex[..8],
            &hex[8..12],
            &hex[12..16],
            &hex[16..20],
            &hex[20..]
        )))
    }

    /// The position of the element, where a scope says no more than that.
    fn element_index(&mut self, span: Span) -> Outcome<String> {
        Ok(match self.known("index", span)? {
            Some(index) => match index.view() {
                View::Number(number) => number.to_string(),
                _ => String::new(),
            },
            None => String::new(),
        })
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(out, "{byte:02x}");
    }
    out
}

/// Whether RFC 3986 leaves the character as it is everywhere.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// All but the unreserved characters as `%XX`.
fn url_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_unreserved(byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}
