//! Reads an answer's body within bounds.
//!
//! The client's own decompression is off: it hides how many bytes came over the
//! wire, and without that number a small answer that inflates without end is
//! found too late.

use std::io::{self, Write};

use flate2::write::MultiGzDecoder;
use http::{HeaderMap, header};

/// Bytes of a body after decompression.
pub(crate) const BODY_MAX: usize = 32 * 1024 * 1024;

/// How often a body may inflate to more than came over the wire. Text reaches
/// 20, deflate's bound is 1,032.
const RATIO_MAX: usize = 100;

/// Bytes that any body may inflate to: long runs of spaces are common in small ones.
const RATIO_FLOOR: usize = 1024 * 1024;

/// How a body is coded on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Plain,
    Gzip,
}

impl Coding {
    /// The coding that the headers name, or the name of one that is not read here.
    pub(crate) fn of(headers: &HeaderMap) -> Result<Self, String> {
        let mut coding = Self::Plain;
        for value in headers.get_all(header::CONTENT_ENCODING) {
            let text = String::from_utf8_lossy(value.as_bytes())
                .trim()
                .to_ascii_lowercase();
            coding = match (text.as_str(), coding) {
                ("" | "identity", _) => coding,
                ("gzip" | "x-gzip", Self::Plain) => Self::Gzip,
                _ => return Err(text),
            };
        }
        Ok(coding)
    }
}

/// Why a body is not read to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("it is larger than {0} bytes")]
    TooLarge(usize),
    #[error("it inflates to more than {RATIO_MAX} times its size")]
    Bomb,
    #[error("its compression is broken: {0}")]
    Broken(io::Error),
}

/// Collects a body chunk by chunk.
#[derive(Debug)]
pub(crate) struct Reader {
    decoder: Decoder,
}

#[derive(Debug)]
enum Decoder {
    Plain(Sink),
    Gzip(Box<MultiGzDecoder<Sink>>),
}

/// Takes bytes up to a bound that rises with what came over the wire.
#[derive(Debug)]
struct Sink {
    bytes: Vec<u8>,
    max: usize,
    received: usize,
    /// Why a write was refused: `io::Error` would lose it.
    refused: Option<Error>,
}

impl Reader {
    /// A reader that takes at most `max` bytes after decompression.
    pub(crate) fn new(coding: Coding, max: usize) -> Self {
        let sink = Sink {
            bytes: Vec::new(),
            max,
            received: 0,
            refused: None,
        };
        let decoder = match coding {
            Coding::Plain => Decoder::Plain(sink),
            Coding::Gzip => Decoder::Gzip(Box::new(MultiGzDecoder::new(sink))),
        };
        Self { decoder }
    }

    /// Takes a chunk as it came over the wire.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.sink().received += chunk.len();
        let written = match &mut self.decoder {
            Decoder::Plain(sink) => sink.write_all(chunk),
            Decoder::Gzip(decoder) => decoder.write_all(chunk),
        };
        self.settle(written)
    }

    /// The whole body; an error when its compression ends in the middle.
    pub(crate) fn finish(mut self) -> Result<Vec<u8>, Error> {
        let ended = match &mut self.decoder {
            Decoder::Gzip(decoder) if decoder.get_ref().received > 0 => decoder.try_finish(),
            _ => Ok(()),
        };
        self.settle(ended)?;
        Ok(self.into_bytes())
    }

    /// What has been read so far.
    pub(crate) fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut self.sink().bytes)
    }

    fn sink(&mut self) -> &mut Sink {
        match &mut self.decoder {
            Decoder::Plain(sink) => sink,
            Decoder::Gzip(decoder) => decoder.get_mut(),
        }
    }

    fn settle(&mut self, outcome: io::Result<()>) -> Result<(), Error> {
        outcome.map_err(|e| self.sink().refused.take().unwrap_or(Error::Broken(e)))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len() + bytes.len();
        let inflated = self.received.saturating_mul(RATIO_MAX).max(RATIO_FLOOR);
        if length > self.max {
            // What fits is kept: the beginning of a refused answer is shown.
            let room = self.max - self.bytes.len();
            self.bytes.extend_from_slice(&bytes[..room]);
            self.refused = Some(Error::TooLarge(self.max));
        } else if length > inflated {
            self.refused = Some(Error::Bomb);
        } else {
            self.bytes.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        Err(io::Error::other("bound reached"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn read(coding: Coding, max: usize, wire: &[u8]) -> Result<Vec<u8>, Error> {
        let mut reader = Reader::new(coding, max);
        for chunk in wire.chunks(1000) {
            reader.push(chunk)?;
        }
        reader.finish()
    }

    #[test]
    fn body_is_bounded_to_the_byte() {
        for coding in [Coding::Plain, Coding::Gzip] {
            let wire = |n: usize| match coding {
                Coding::Plain => vec![7; n],
                Coding::Gzip => gzip(&vec![7; n]),
            };
            assert_eq!(read(coding, 5000, &wire(5000)).unwrap().len(), 5000);
            let refused = read(coding, 5000, &wire(5001));
            assert!(
                matches!(refused, Err(Error::TooLarge(5000))),
                "{coding:?} {refused:?}"
            );
        }
    }

    #[test]
    fn bomb_is_refused_while_it_inflates() {
        assert_eq!(
            read(Coding::Gzip, BODY_MAX, &gzip(&vec![0; RATIO_FLOOR]))
                .unwrap()
                .len(),
            RATIO_FLOOR
        );
        let refused = read(Coding::Gzip, BODY_MAX, &gzip(&vec![0; RATIO_FLOOR + 1]));
        assert!(matches!(refused, Err(Error::Bomb)), "{refused:?}");
    }

    #[test]
    fn dense_text_above_the_floor_is_read() {
        let text: Vec<u8> = (0..400_000_u32)
            .flat_map(|n| n.to_string().into_bytes())
            .collect();
        let wire = gzip(&text);
        assert!(text.len() > RATIO_FLOOR && text.len() / wire.len() < RATIO_MAX);
        assert_eq!(read(Coding::Gzip, BODY_MAX, &wire).unwrap(), text);
    }

    #[test]
    fn broken_compression_is_told_apart() {
        let whole = gzip(b"hello");
        assert_eq!(read(Coding::Gzip, 10, &whole).unwrap(), b"hello");
        assert_eq!(read(Coding::Gzip, 10, &[]).unwrap(), b"");
        for broken in [&whole[..whole.len() - 1], b"not gzip at all, really"] {
            assert!(matches!(
                read(Coding::Gzip, 10, broken),
                Err(Error::Broken(_))
            ));
        }
    }

    #[test]
    fn what_fits_is_kept_when_the_bound_is_reached() {
        let mut reader = Reader::new(Coding::Plain, 4);
        assert!(reader.push(b"abcdef").is_err());
        assert_eq!(reader.into_bytes(), b"abcd");
    }

    #[test]
    fn coding_is_known_or_named() {
        let of = |values: &[&str]| {
            let headers = values
                .iter()
                .map(|v| (header::CONTENT_ENCODING, v.parse().unwrap()))
                .collect();
            Coding::of(&headers)
        };
        assert_eq!(of(&[]), Ok(Coding::Plain));
        assert_eq!(of(&["identity"]), Ok(Coding::Plain));
        assert_eq!(of(&["X-Gzip"]), Ok(Coding::Gzip));
        assert_eq!(of(&["br"]), Err("br".to_owned()));
        assert_eq!(of(&["gzip, gzip"]), Err("gzip, gzip".to_owned()));
        assert_eq!(of(&["gzip", "gzip"]), Err("gzip".to_owned()));
    }
}
