//! Patterns of `date_format`: the letters of Unicode's date patterns that mean the same everywhere.

use std::fmt::Write as _;

use jiff::Zoned;

use crate::token::shown;

/// What is told of a letter that has no meaning.
const KNOWN: &str =
    "known are yyyy yy MMMM MMM MM M dd d EEEE EEE HH H hh h mm m ss s S a XXX xxx VV";

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

/// Digits that a fraction of a second has at most.
const FRACTION_MAX: usize = 9;

/// A pattern taken apart.
#[derive(Debug)]
pub(crate) struct Pattern {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Text(String),
    Field(Field),
}

#[derive(Clone, Copy, Debug)]
enum Field {
    Year,
    YearOfCentury,
    Month(usize),
    MonthName,
    MonthShort,
    Day(usize),
    DayName,
    DayShort,
    Hour(usize),
    HourOfHalf(usize),
    Half,
    Minute(usize),
    Second(usize),
    Fraction(usize),
    /// Whether zero is `Z`.
    Offset(bool),
    Zone,
}

impl Pattern {
    /// Takes a pattern apart, or says in a sentence what is wrong with it.
    pub(crate) fn parse(pattern: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut plain = String::new();
        let mut rest = pattern;
        while let Some(first) = rest.chars().next() {
            if first == '\'' {
                rest = quoted(&rest[1..], &mut plain).ok_or_else(|| {
                    format!(
                        "a quote in the date pattern {} is not closed",
                        shown(pattern)
                    )
                })?;
            } else if first.is_ascii_alphabetic() {
                let count = rest.chars().take_while(|c| *c == first).count();
                let field = field(first, count).ok_or_else(|| {
                    let (letters, pattern) = (shown(&rest[..count]), shown(pattern));
                    format!("{letters} has no meaning in the date pattern {pattern}; {KNOWN}")
                })?;
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain)));
                }
                pieces.push(Piece::Field(field));
                rest = &rest[count..];
            } else {
                plain.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain));
        }
        Ok(Self { pieces })
    }

    /// Writes an instant in its zone.
    pub(crate) fn format(&self, at: &Zoned) -> String {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Field(field) => field.write(at, &mut out),
            }
        }
        out
    }
}

/// Text in single quotes, in which two are one; what follows it.
fn quoted<'t>(text: &'t str, plain: &mut String) -> Option<&'t str> {
    if let Some(rest) = text.strip_prefix('\'') {
        plain.push('\'');
        return Some(rest);
    }
    let mut from = text;
    loop {
        let (inside, after) = from.split_once('\'')?;
        plain.push_str(inside);
        match after.strip_prefix('\'') {
            Some(more) => {
                plain.push('\'');
                from = more;
            }
            None => return Some(after),
        }
    }
}

fn field(letter: char, count: usize) -> Option<Field> {
    Some(match (letter, count) {
        ('y', 1 | 4) => Field::Year,
        ('y', 2) => Field::YearOfCentury,
        ('M', 1 | 2) => Field::Month(count),
        ('M', 3) => Field::MonthShort,
        ('M', 4) => Field::MonthName,
        ('d', 1 | 2) => Field::Day(count),
        ('E', 1..=3) => Field::DayShort,
        ('E', 4) => Field::DayName,
        ('H', 1 | 2) => Field::Hour(count),
        ('h', 1 | 2) => Field::HourOfHalf(count),
        ('a', 1) => Field::Half,
        ('m', 1 | 2) => Field::Minute(count),
        ('s', 1 | 2) => Field::Second(count),
        ('S', 1..=FRACTION_MAX) => Field::Fraction(count),
        ('X', 3) => Field::Offset(true),
        ('x', 3) => Field::Offset(false),
        ('V', 2) => Field::Zone,
        _ => return None,
    })
}

impl Field {
    fn write(self, at: &Zoned, out: &mut String) {
        let mut number = |number: i64, digits: usize| {
            // Writing to a string cannot fail.
            let _ = write!(out, "{number:0digits$}");
        };
        match self {
            Self::Year => number(at.year().into(), 4),
            Self::YearOfCentury => number(i64::from(at.year()).rem_euclid(100), 2),
            Self::Month(digits) => number(at.month().into(), digits),
            Self::Day(digits) => number(at.day().into(), digits),
            Self::Hour(digits) => number(at.hour().into(), digits),
            Self::HourOfHalf(digits) => number((i64::from(at.hour()) + 11) % 12 + 1, digits),
            Self::Minute(digits) => number(at.minute().into(), digits),
            Self::Second(digits) => number(at.second().into(), digits),
            Self::Fraction(digits) => {
                let nanoseconds = format!("{:09}", at.subsec_nanosecond());
                out.push_str(nanoseconds.get(..digits).unwrap_or_default());
            }
            Self::MonthName => out.push_str(month(at)),
            Self::MonthShort => out.push_str(month(at).get(..3).unwrap_or_default()),
            Self::DayName => out.push_str(day(at)),
            Self::DayShort => out.push_str(day(at).get(..3).unwrap_or_default()),
            Self::Half => out.push_str(if at.hour() < 12 { "AM" } else { "PM" }),
            Self::Offset(zulu) => write_offset(at.offset().seconds(), zulu, out),
            Self::Zone => out.push_str(at.time_zone().iana_name().unwrap_or("UTC")),
        }
    }
}

fn write_offset(seconds: i32, zulu: bool, out: &mut String) {
    if zulu && seconds == 0 {
        out.push('Z');
        return;
    }
    let sign = if seconds < 0 { '-' } else { '+' };
    let minutes = seconds.unsigned_abs() / 60;
    let _ = write!(out, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
}

fn month(at: &Zoned) -> &'static str {
    let index = usize::try_from(at.month() - 1).unwrap_or_default();
    MONTHS.get(index).copied().unwrap_or_default()
}

fn day(at: &Zoned) -> &'static str {
    let index = usize::try_from(at.weekday().to_monday_zero_offset()).unwrap_or_default();
    DAYS.get(index).copied().unwrap_or_default()
}
