//! How deep an expression is, told from its words: the parser recurses, so it must never see one that is too deep.

use crate::error::{Error, LIMIT, Span};
use crate::limits::{CHAIN_MAX, DEPTH_MAX, OPEN_MAX};
use crate::token::{Kind, Token};

/// What is open between two brackets, since the last comma.
#[derive(Clone, Copy, Default)]
struct Level {
    /// `&` before the place: each holds all that follows.
    references: usize,
    /// `!` and projections since the last binary operator: each holds what follows up to the next operator.
    prefixes: usize,
    /// One bit for each kind of operator on whose right side the place is, by binding power.
    operators: u8,
    /// Steps and operators in a row.
    links: usize,
}

impl Level {
    fn depth(self) -> usize {
        self.references + self.prefixes
    }

    /// An operator ends those on its left that bind as strongly or more.
    fn operator(&mut self, power: u8) {
        self.prefixes = 0;
        self.links += 1;
        self.operators = self.operators & ((1 << power) - 1) | 1 << power;
    }
}

/// The sums over the levels outside of the innermost.
#[derive(Default)]
struct Outer {
    depth: usize,
    operators: usize,
    links: usize,
}

impl Outer {
    fn open(&mut self, level: Level) {
        self.depth += 1 + level.depth();
        self.operators += level.operators.count_ones() as usize;
        self.links += level.links;
    }

    fn close(&mut self, level: Level) {
        self.depth -= 1 + level.depth();
        self.operators -= level.operators.count_ones() as usize;
        self.links -= level.links;
    }
}

/// Refuses expressions over [`DEPTH_MAX`], [`OPEN_MAX`] or [`CHAIN_MAX`].
pub(crate) fn check(tokens: &[Token]) -> Result<(), Error> {
    let mut open: Vec<Level> = Vec::new();
    let mut outer = Outer::default();
    let mut level = Level::default();
    for (at, token) in tokens.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| tokens[at].kind);
        match token.kind {
            Kind::OpenParen | Kind::OpenBracket | Kind::OpenBrace | Kind::Filter => {
                level.prefixes += usize::from(projects(tokens, at));
                level.links += 1 + usize::from(before.is_some_and(Kind::ends_value));
                outer.open(level);
                open.push(std::mem::take(&mut level));
            }
            Kind::CloseParen | Kind::CloseBracket | Kind::CloseBrace => {
                // Without an opening bracket the parser refuses the text.
                if let Some(around) = open.pop() {
                    outer.close(around);
                    level = around;
                }
            }
            Kind::Comma => level = Level::default(),
            Kind::Not => level.prefixes += 1,
            Kind::Reference => level.references += 1,
            Kind::Star if before != Some(Kind::OpenBracket) => {
                level.prefixes += 1;
                level.links += 2;
            }
            Kind::Flatten => level.links += 2,
            Kind::Dot => level.links += 1,
            Kind::Pipe => level.operator(0),
            Kind::Or => level.operator(1),
            Kind::And => level.operator(2),
            Kind::Equality | Kind::Order => level.operator(3),
            _ => {}
        }
        let depth = outer.depth + level.depth();
        if depth > DEPTH_MAX {
            return Err(over("nests deeper than", DEPTH_MAX, "levels", token.span));
        }
        if depth + outer.operators > OPEN_MAX {
            return Err(over(
                "has more than",
                OPEN_MAX,
                "operators and brackets open at once",
                token.span,
            ));
        }
        if outer.links + level.links > CHAIN_MAX {
            return Err(over(
                "has more than",
                CHAIN_MAX,
                "steps in a row",
                token.span,
            ));
        }
    }
    Ok(())
}

/// Whether the bracket at `at` is a filter, `[*]` or a slice: what follows it is parsed inside.
fn projects(tokens: &[Token], at: usize) -> bool {
    let kind = |ahead: usize| tokens.get(at + ahead).map(|token| token.kind);
    match tokens[at].kind {
        Kind::Filter => true,
        Kind::OpenBracket => match kind(1) {
            Some(Kind::Star | Kind::Colon) => true,
            Some(Kind::Number) => kind(2) == Some(Kind::Colon),
            _ => false,
        },
        _ => false,
    }
}

fn over(does: &str, limit: usize, of: &str, span: Span) -> Error {
    let message = format!("the expression {does} {limit} {of}");
    Error::new(LIMIT, message, span).hint("compute a part of it in a `set` task")
}
