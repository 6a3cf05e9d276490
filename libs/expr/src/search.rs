//! Regular expressions, each search of which ends soon: with an answer, or with an error.
//!
//! A text is searched in one pass by an automaton whose states are made as they are met. What it may hold is bounded, and a
//! pattern that would need more is given up: the engine that takes over elsewhere is linear in the text too, but at a cost
//! per byte that grows with the pattern.

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::syntax;
use regex_automata::{Input, MatchErrorKind};

use crate::error::{Error, LIMIT, Outcome, Span, TYPE};
use crate::limits::Meter;
use crate::token::shown;

/// Longest pattern, in bytes: what a person still reads.
pub const PATTERN_MAX: usize = 1_024;

/// Longest text that `regex_match` looks through, in bytes (256 KiB): what a page or a message has.
pub const SEARCHED_TEXT_MAX: usize = 256 * 1024;

/// Bytes of a compiled pattern: several classes of Unicode letters fit in, a hundredfold repetition of one does not.
const PROGRAM_MAX: usize = 256 * 1024;

/// Bytes of the states of one search (256 KiB): the longest pattern fits in.
const STATES_MAX: usize = 256 * 1024;

/// How often the states of one search may be thrown away to make room.
const CLEARS_MAX: usize = 2;

/// Deepest nesting of a pattern: its parser recurses.
const NEST_MAX: u32 = 32;

/// Fuel of compiling a pattern, beside a unit for each byte that it has then.
const COMPILE_UNITS: usize = 10_000;

/// A compiled pattern.
pub(crate) struct Search {
    pattern: String,
    dfa: DFA,
    cache: Cache,
}

impl Search {
    /// Compiles a pattern, or says in a sentence what is wrong with it, with the code for that.
    pub(crate) fn new(pattern: &str) -> Result<Self, (&'static str, String)> {
        within(pattern)?;
        let thompson = thompson::Config::new()
            .nfa_size_limit(Some(PROGRAM_MAX))
            .which_captures(WhichCaptures::None);
        let states = DFA::config()
            .cache_capacity(STATES_MAX)
            .skip_cache_capacity_check(true)
            .minimum_cache_clear_count(Some(CLEARS_MAX))
            .unicode_word_boundary(true);
        let dfa = DFA::builder()
            .configure(states)
            .thompson(thompson)
            .syntax(grammar())
            .build(pattern)
            .map_err(|_| refused(pattern))?;
        Ok(Self {
            pattern: pattern.to_owned(),
            cache: dfa.create_cache(),
            dfa,
        })
    }

    /// What is wrong with a pattern, told without compiling it, which would take long for hundreds of them.
    pub(crate) fn check(pattern: &str) -> Result<(), (&'static str, String)> {
        within(pattern)?;
        match syntax::parse_with(pattern, &grammar()) {
            Ok(_) => Ok(()),
            Err(error) => Err(not_regular(pattern, &error.to_string())),
        }
    }

    /// Compiles a pattern during an evaluation, which pays for it.
    pub(crate) fn paid(pattern: &str, meter: &mut Meter, span: Span) -> Outcome<Self> {
        meter.burn(COMPILE_UNITS, span)?;
        let search = Self::new(pattern)
            .map_err(|(code, message)| Box::new(Error::new(code, message, span)))?;
        meter.burn(search.dfa.get_nfa().memory_usage(), span)?;
        Ok(search)
    }

    pub(crate) fn is_of(&self, pattern: &str) -> bool {
        self.pattern == pattern
    }

    /// Whether the pattern is anywhere in the text.
    pub(crate) fn finds(&mut self, text: &str, meter: &mut Meter, span: Span) -> Outcome<bool> {
        let refuse = |message: String| Err(Box::new(Error::new(LIMIT, message, span)));
        if text.len() > SEARCHED_TEXT_MAX {
            let length = text.len();
            return refuse(format!(
                "`regex_match` looks through at most {SEARCHED_TEXT_MAX} bytes, not {length}"
            ));
        }
        meter.write(text.len(), span)?;
        if self.cache.clear_count() > 0 {
            // What was thrown away for earlier texts does not count for this one.
            self.cache.reset(&self.dfa);
        }
        let input = Input::new(text).earliest(true);
        let pattern = &self.pattern;
        match self.dfa.try_search_fwd(&mut self.cache, &input) {
            Ok(found) => Ok(found.is_some()),
            Err(error) => refuse(match error.kind() {
                MatchErrorKind::Quit { .. } => format!(
                    "{} has a word boundary, which ends at letters beyond ASCII; write `(?-u:\\b)`",
                    shown(pattern)
                ),
                _ => format!("{} takes too many states on this text", shown(pattern)),
            }),
        }
    }
}

fn grammar() -> syntax::Config {
    syntax::Config::new().nest_limit(NEST_MAX)
}

fn within(pattern: &str) -> Result<(), (&'static str, String)> {
    if pattern.len() <= PATTERN_MAX {
        return Ok(());
    }
    let length = pattern.len();
    let message = format!("the pattern has {length} bytes, more than {PATTERN_MAX}");
    Err((LIMIT, message))
}

/// Why a pattern was not compiled: it is none, or it is too large.
fn refused(pattern: &str) -> (&'static str, String) {
    match Search::check(pattern) {
        Err(wrong) => wrong,
        Ok(()) => {
            let pattern = shown(pattern);
            let message = format!("{pattern} takes more than {PROGRAM_MAX} bytes once compiled");
            (LIMIT, message)
        }
    }
}

fn not_regular(pattern: &str, report: &str) -> (&'static str, String) {
    // The last line says what is wrong; those before it draw the place.
    let why = report.lines().last().unwrap_or_default();
    let why = why.strip_prefix("error: ").unwrap_or(why);
    let message = format!("{} is not a regular expression: {why}", shown(pattern));
    (TYPE, message)
}
