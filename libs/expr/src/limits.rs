//! What one expression may cost.

use crate::error::{Error, LIMIT, Outcome, Span};

/// Longest expression, in bytes (8 KiB), without the `${` and `}` around it.
pub const EXPRESSION_MAX: usize = 8 * 1024;

/// Deepest nesting of an expression: brackets, `!`, `&` and projections that are open at one place. The parser recurses
/// once or more per level, so this is checked on the text before parsing.
pub const DEPTH_MAX: usize = 64;

/// Most brackets, prefixes and projections, and operators with one of them on their right side, that are open at one place.
/// It bounds the stack of an expression in which every level also has operators of every kind.
pub const OPEN_MAX: usize = 128;

/// Most steps and operators in a row, such as `a.b.c` or `a || b || c`, summed over the brackets that are open. The parser
/// builds a tree of this height.
pub const CHAIN_MAX: usize = 1_024;

/// Fuel of one evaluation. A step of the evaluator, 64 bytes of text read and 8 bytes written each cost one unit, an element
/// of a list [`ELEMENT_UNITS`], a name looked up [`FIELD_UNITS`]. Every price is such that a unit stands for less than
/// 10 ns of a usual processor: all of the fuel is gone within 10 ms, whatever it was spent on.
pub const FUEL_MAX: u64 = 1_000_000;

/// Fuel of an element of a list that is visited or kept: it is cloned, and the list that it goes into grows.
pub(crate) const ELEMENT_UNITS: usize = 4;

/// Fuel of finding a name in an object: it is hashed, and of a long list its place is in no cache.
pub(crate) const FIELD_UNITS: usize = 14;

/// Largest result of one evaluation, and largest text built on the way, in bytes of compact JSON (4 MiB).
pub const OUTPUT_MAX: usize = 4 * 1024 * 1024;

/// Deepest list or object that an evaluation answers: what a JSON parser with the usual limit of 128 reads back.
pub const VALUE_DEPTH_MAX: usize = 127;

const BYTES_READ_PER_UNIT: usize = 64;
const BYTES_WRITTEN_PER_UNIT: usize = 8;

/// Pays for an evaluation.
#[derive(Debug)]
pub(crate) struct Meter {
    fuel: u64,
}

impl Meter {
    pub(crate) fn new() -> Self {
        Self { fuel: FUEL_MAX }
    }

    /// Takes `units` of fuel for what is at `span`.
    #[inline]
    pub(crate) fn burn(&mut self, units: usize, span: Span) -> Outcome<()> {
        match self.fuel.checked_sub(units as u64) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => {
                self.fuel = 0;
                Err(Box::new(
                    Error::new(
                        LIMIT,
                        format!("the expression takes more than {FUEL_MAX} steps"),
                        span,
                    )
                    .hint("filter the list earlier, or split the work over several tasks"),
                ))
            }
        }
    }

    /// How many times `units` can still be paid.
    pub(crate) fn affordable(&self, units: usize) -> usize {
        let times = self.fuel.checked_div(units as u64).unwrap_or(u64::MAX);
        usize::try_from(times).unwrap_or(usize::MAX)
    }

    /// Pays for visiting or keeping `count` elements.
    pub(crate) fn elements(&mut self, count: usize, span: Span) -> Outcome<()> {
        self.burn(count.saturating_mul(ELEMENT_UNITS), span)
    }

    /// Pays for looking through `bytes` of text.
    pub(crate) fn read(&mut self, bytes: usize, span: Span) -> Outcome<()> {
        self.burn(bytes / BYTES_READ_PER_UNIT, span)
    }

    /// Pays for building `bytes` of text.
    pub(crate) fn write(&mut self, bytes: usize, span: Span) -> Outcome<()> {
        if bytes > OUTPUT_MAX {
            return Err(Box::new(too_large(span)));
        }
        self.burn(bytes / BYTES_WRITTEN_PER_UNIT, span)
    }
}

pub(crate) fn too_large(span: Span) -> Error {
    Error::new(
        LIMIT,
        format!("the value is larger than {OUTPUT_MAX} bytes"),
        span,
    )
    .hint("pass large data between tasks as files")
}

pub(crate) fn too_deep(span: Span) -> Error {
    Error::new(
        LIMIT,
        format!("the value nests deeper than {VALUE_DEPTH_MAX} levels"),
        span,
    )
}
