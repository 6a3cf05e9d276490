//! The functions that make new text of text, or look for a pattern in it.

use crate::call::built;
use crate::error::{Error, Outcome, Span, TYPE};
use crate::eval::Machine;
use crate::function::Function;
use crate::search::Search;
use crate::value::{Val, View};

/// Compiled patterns that one evaluation keeps: more different ones are compiled again.
const PATTERNS_MAX: usize = 8;

/// Fuel of a part of a split text: it is a text of its own.
const PART_UNITS: usize = 10;

/// Fuel of a place where a text is replaced: it is found twice and copied.
const PLACE_UNITS: usize = 5;

impl<'a> Machine<'a> {
    pub(crate) fn rewritten(
        &mut self,
        function: Function,
        values: &[Val<'a>],
        span: Span,
    ) -> Outcome<Val<'a>> {
        let text = |at: usize| match values.get(at).map(Val::view) {
            Some(View::Text(text)) => text,
            _ => "",
        };
        let first = text(0);
        match function {
            Function::RegexMatch => self.regex_match(first, text(1), span),
            Function::Replace => self.replaced(first, text(1), text(2), span),
            Function::Split => self.split(first, text(1), span),
            Function::Trim => {
                self.meter.write(first.len(), span)?;
                Ok(Val::text(first.trim()))
            }
            Function::Upper => self.cased(first, str::to_uppercase, span),
            _ => self.cased(first, str::to_lowercase, span),
        }
    }

    /// Text in the other case, in which a letter has up to three bytes for one.
    fn cased(&mut self, text: &str, cased: fn(&str) -> String, span: Span) -> Outcome<Val<'a>> {
        self.meter.write(text.len(), span)?;
        let cased = cased(text);
        self.meter.write(cased.len(), span)?;
        Ok(built(cased))
    }

    fn replaced(&mut self, text: &str, old: &str, new: &str, span: Span) -> Outcome<Val<'a>> {
        if old.is_empty() {
            let message = "argument 2 of `replace` must be text that is not empty";
            return Err(Box::new(Error::new(TYPE, message, span)));
        }
        self.meter.write(text.len(), span)?;
        // No further than it can be paid.
        let most = self.meter.affordable(PLACE_UNITS).saturating_add(1);
        let count = text.matches(old).take(most).count();
        self.meter.burn(count.saturating_mul(PLACE_UNITS), span)?;
        // Paid before it is built.
        let grown = new.len().saturating_sub(old.len()).saturating_mul(count);
        self.meter.write(text.len().saturating_add(grown), span)?;
        Ok(built(text.replace(old, new)))
    }

    /// Between empty separators are the characters.
    fn split(&mut self, text: &str, separator: &str, span: Span) -> Outcome<Val<'a>> {
        self.meter.write(text.len(), span)?;
        let mut parts = Vec::new();
        if separator.is_empty() {
            let mut buffer = [0; 4];
            for character in text.chars() {
                self.meter.burn(PART_UNITS, span)?;
                let character: &str = character.encode_utf8(&mut buffer);
                parts.push(Val::text(character));
            }
        } else {
            for part in text.split(separator) {
                self.meter.burn(PART_UNITS, span)?;
                parts.push(Val::text(part));
            }
        }
        self.list(parts, span)
    }

    fn regex_match(&mut self, text: &str, pattern: &str, span: Span) -> Outcome<Val<'a>> {
        let known = self.searches.iter().position(|known| known.is_of(pattern));
        let at = match known {
            Some(at) => at,
            None => {
                let search = Search::paid(pattern, &mut self.meter, span)?;
                if self.searches.len() == PATTERNS_MAX {
                    self.searches.remove(0);
                }
                self.searches.push(search);
                self.searches.len() - 1
            }
        };
        let found = self.searches[at].finds(text, &mut self.meter, span)?;
        Ok(Val::Bool(found))
    }
}
