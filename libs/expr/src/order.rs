//! Equality of values and the order of what can be sorted.

use std::cmp::Ordering;

use crate::error::{Outcome, Span};
use crate::limits::{FIELD_UNITS, Meter};
use crate::number;
use crate::value::{Val, View};

/// Whether two values are equal: numbers by value, objects in any order of keys.
pub(crate) fn equal(a: &Val<'_>, b: &Val<'_>, meter: &mut Meter, span: Span) -> Outcome<bool> {
    meter.burn(1, span)?;
    Ok(match (a.view(), b.view()) {
        (View::Null, View::Null) => true,
        (View::Bool(a), View::Bool(b)) => a == b,
        (View::Number(a), View::Number(b)) => number::compare(a, b) == Ordering::Equal,
        (View::Text(a), View::Text(b)) => {
            meter.read(a.len().min(b.len()), span)?;
            a == b
        }
        (View::List(a), View::List(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            for (a, b) in a.iter().zip(b.iter()) {
                if !equal(&a, &b, meter, span)? {
                    return Ok(false);
                }
            }
            true
        }
        (View::Object(a), View::Object(b)) => {
            if a.len() != b.len() {
                return Ok(false);
            }
            meter.burn(a.len().saturating_mul(FIELD_UNITS), span)?;
            for (key, left) in a.entries() {
                match b.get(&key) {
                    Some(right) if equal(&left, &right, meter, span)? => {}
                    _ => return Ok(false),
                }
            }
            true
        }
        _ => false,
    })
}

/// The order of two numbers or two texts (by code points); other pairs have none.
pub(crate) fn compare(a: &Val<'_>, b: &Val<'_>) -> Option<Ordering> {
    match (a.view(), b.view()) {
        (View::Number(a), View::Number(b)) => Some(number::compare(a, b)),
        (View::Text(a), View::Text(b)) => Some(a.cmp(b)),
        _ => None,
    }
}
