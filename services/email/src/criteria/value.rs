//! Values in a search, read and written anew.

use jiff::civil::Date;

use crate::error::Error;

/// Bytes of one text. Servers compare each mail with it.
pub(super) const TEXT_MAX: usize = 1000;

/// How dates may be written beside `2026-11-01`.
const DATE_FORMATS: &[&str] = &["%d-%b-%Y", "%b %d, %Y", "%B %d, %Y"];

/// A day as IMAP writes it.
pub(super) fn date(field: &str, text: &str) -> Result<String, Error> {
    let day = text.split('T').next().unwrap_or_default();
    let parsed = day.parse::<Date>().ok().or_else(|| {
        let formats = DATE_FORMATS.iter();
        formats.filter_map(|f| Date::strptime(f, text).ok()).next()
    });
    match parsed {
        Some(day) if (1..=9999).contains(&day.year()) => {
            // IMAP counts four digits.
            Ok(format!("{}-{:04}", day.strftime("%d-%b"), day.year()))
        }
        _ => Err(Error::parameter(
            field,
            format!("`{field}` must have a day as `2026-11-01`"),
        )),
    }
}

/// The name of a flag.
pub(super) fn atom(field: &str, text: &str) -> Result<String, Error> {
    let fits = |c: char| c.is_ascii_graphic() && !"(){%*\"\\]".contains(c);
    if text.is_empty() || text.len() > 100 || !text.chars().all(fits) {
        return Err(Error::parameter(
            field,
            format!(
                "a label in `{field}` must be ASCII without spaces and any of ( ) {{ % * \" \\ ]"
            ),
        ));
    }
    Ok(text.to_owned())
}

/// Numbers and ranges of numbers.
pub(super) fn uids(field: &str, text: &str) -> Result<String, Error> {
    let number = |n: &str| n == "*" || n.parse::<u32>().is_ok_and(|n| n > 0);
    let fits = text.split(',').all(|range| match range.split_once(':') {
        Some((from, to)) => number(from) && number(to),
        None => number(range),
    });
    if !fits || text.len() > TEXT_MAX {
        return Err(Error::parameter(
            field,
            format!("`UID` in `{field}` takes numbers and ranges, as `3,5:9`"),
        ));
    }
    Ok(text.to_owned())
}

/// A number of bytes.
pub(super) fn number(field: &str, text: &str) -> Result<String, Error> {
    match text.parse::<u32>() {
        Ok(number) => Ok(number.to_string()),
        Err(_) => Err(Error::parameter(
            field,
            format!("a size in `{field}` must be a number of bytes"),
        )),
    }
}
