//! How deep the lists of an IMAP answer stand in each other.
//!
//! The client's parser calls itself for each level, so that a server could end the
//! process with parentheses. They are counted on the way in.

/// Lists in lists. What is asked here is answered with two; the structure of a mail,
/// which may have any depth, is not asked for.
const DEPTH_MAX: usize = 16;

/// Digits of the length of a literal that is followed.
const DIGITS_MAX: usize = 10;

/// Where in an answer the stream is.
#[derive(Debug, Default)]
pub(crate) struct Nesting {
    depth: usize,
    state: State,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Plain,
    Quoted {
        escaped: bool,
    },
    /// `{` and the digits so far.
    Length {
        length: usize,
        digits: usize,
    },
    /// `}` was read: the literal begins with the next line.
    Announced(usize),
    Literal(usize),
}

impl Nesting {
    /// Follows what has come; false when it is too deep.
    pub(crate) fn follow(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((&byte, rest)) = bytes.split_first() {
            if let State::Literal(left) = &mut self.state {
                let skipped = (*left).min(bytes.len());
                *left -= skipped;
                if *left == 0 {
                    self.state = State::Plain;
                }
                bytes = bytes.get(skipped..).unwrap_or_default();
                continue;
            }
            bytes = rest;
            self.byte(byte);
            if self.depth > DEPTH_MAX {
                return false;
            }
        }
        true
    }

    fn byte(&mut self, byte: u8) {
        self.state = match (&self.state, byte) {
            (State::Quoted { escaped: true }, _) => State::Quoted { escaped: false },
            (State::Quoted { .. }, b'\\') => State::Quoted { escaped: true },
            // A line ends in a quoted string only where it is none.
            (State::Quoted { .. }, b'"' | b'\n') => State::Plain,
            (State::Quoted { .. }, _) => State::Quoted { escaped: false },
            (State::Announced(length), b'\n') if *length > 0 => State::Literal(*length),
            (State::Announced(length), b'\r') => State::Announced(*length),
            (State::Length { length, digits }, b'0'..=b'9') if *digits < DIGITS_MAX => {
                State::Length {
                    length: length
                        .saturating_mul(10)
                        .saturating_add(usize::from(byte - b'0')),
                    digits: digits + 1,
                }
            }
            (State::Length { length, digits }, b'}') if *digits > 0 => State::Announced(*length),
            (_, b'{') => State::Length {
                length: 0,
                digits: 0,
            },
            (_, b'"') => State::Quoted { escaped: false },
            (_, b'(') => {
                self.depth += 1;
                State::Plain
            }
            (_, b')') => {
                self.depth = self.depth.saturating_sub(1);
                State::Plain
            }
            // After a literal an answer goes on; after a line it does not.
            (_, b'\n') => {
                self.depth = 0;
                State::Plain
            }
            _ => State::Plain,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(bytes: &str) -> bool {
        let whole = Nesting::default().follow(bytes.as_bytes());
        let mut nesting = Nesting::default();
        let each = bytes.bytes().all(|b| nesting.follow(&[b]));
        assert_eq!(whole, each, "the same in pieces");
        whole
    }

    #[test]
    fn lists_are_counted_where_they_are_lists() {
        let open = |n: usize| "(".repeat(n);
        assert!(fits(&open(DEPTH_MAX)));
        assert!(!fits(&open(DEPTH_MAX + 1)));
        assert!(fits(&"* 1 FETCH (UID 1)\r\n".repeat(1000)));
        assert!(
            fits(&"* 1 FETCH (\r\n".repeat(1000)),
            "a line ends all of its lists"
        );
        let many = open(1000);
        assert!(
            fits(&format!("* 1 FETCH (BODY[] {{1000}}\r\n{many})\r\n")),
            "in a mail"
        );
        assert!(fits(&format!("* OK \"\\\"{many}\"\r\n")), "in a text");
        assert!(
            !fits(&format!(
                "* 1 FETCH (BODY[] {{2}}\r\n((BODYSTRUCTURE {many}"
            )),
            "behind a mail"
        );
        assert!(!fits(&format!("{{0}}\r\n{many}")));
        assert!(!fits(&format!("{{x}}\r\n{many}")));
        assert!(!fits(&format!("\"open\r\n{many}")));
    }
}
