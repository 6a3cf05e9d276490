//! Colours, where they are wanted.

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Went well.
    Good,
    /// Went wrong.
    Bad,
    /// May go wrong, or is under way.
    Notice,
    /// Less important.
    Quiet,
    /// More important.
    Strong,
}

/// Whether colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    pub(crate) colour: bool,
}

impl Style {
    /// The text in its colour.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        if !self.colour || text.is_empty() {
            return text.to_owned();
        }
        let code = match tone {
            Tone::Good => "32",
            Tone::Bad => "31",
            Tone::Notice => "33",
            Tone::Quiet => "2",
            Tone::Strong => "1",
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

/// What the environment says about colours.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wishes {
    /// `--no-color`, `NO_COLOR`, `TERM=dumb` or `CI`.
    pub(crate) never: bool,
    /// `CLICOLOR_FORCE`; weaker than `never`.
    pub(crate) always: bool,
}

impl Wishes {
    /// The style of a stream.
    pub(crate) fn style(self, terminal: bool) -> Style {
        Style {
            colour: !self.never && (terminal || self.always),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_written_only_where_wanted() {
        let of = |never, always, terminal| Wishes { never, always }.style(terminal).colour;
        assert!(of(false, false, true));
        assert!(!of(false, false, false));
        assert!(!of(true, true, true));
        assert!(of(false, true, false));
        assert_eq!(
            Style { colour: true }.paint(Tone::Bad, "x"),
            "\u{1b}[31mx\u{1b}[0m"
        );
        assert_eq!(Style { colour: true }.paint(Tone::Bad, ""), "");
    }
}
