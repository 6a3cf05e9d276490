//! `now+24h` and `now-30m`, which no JMESPath can say.

/// Units of a shift.
const UNITS: [char; 5] = ['s', 'm', 'h', 'd', 'w'];

/// The text with `now+24h` written as a call, and whether places in it are those of the writer.
/// `template`: only inside of `${..}`.
pub(super) fn without_arithmetic(text: &str, template: bool) -> (String, bool) {
    let (mut out, mut exact) = (String::with_capacity(text.len()), true);
    // How many braces are open, the one of `${` included; without it the whole is an expression.
    let mut open = usize::from(!template);
    let mut at = 0;
    while let Some(next) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        let mut taken = next.len_utf8();
        if open == 0 {
            if rest.starts_with("${") {
                open = usize::from(!out.ends_with('$'));
                taken = 2;
            }
        } else if let Some((length, amount)) = shift_of_now(&out, rest) {
            out.push_str(&format!("date_add(now, '{amount}')"));
            at += length;
            exact = false;
            continue;
        } else {
            match next {
                '\'' | '"' | '`' => taken = quoted_length(rest, next),
                '{' => open += 1,
                '}' => open -= 1,
                _ => {}
            }
        }
        out.push_str(rest.get(..taken).unwrap_or_default());
        at += taken;
    }
    (out, exact)
}

/// The shift that a text begins with: how long it is written, and by how much, as `+24h`.
/// `before` stands in front of it.
fn shift_of_now(before: &str, text: &str) -> Option<(usize, String)> {
    let letter = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if before.ends_with(|c: char| letter(c) || c == '.') {
        return None;
    }
    let signed = text.strip_prefix("now")?.trim_start();
    let sign = signed.chars().next().filter(|c| matches!(c, '+' | '-'))?;
    let amount = signed.get(1..)?.trim_start();
    let mut length = 0;
    loop {
        let rest = amount.get(length..)?;
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let unit = rest.get(digits..)?.chars().next();
        if digits == 0 || unit.is_none_or(|unit| !UNITS.contains(&unit)) {
            break;
        }
        length += digits + 1;
    }
    let rest = amount.get(length..)?;
    if length == 0 || rest.starts_with(letter) {
        return None;
    }
    let amount = amount.get(..length)?;
    Some((text.len() - rest.len(), format!("{sign}{amount}")))
}

/// How long a quoted piece is; the rest when it is not closed.
fn quoted_length(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_arithmetic_on_now_is_written_over() {
        for (text, plain) in [
            ("${now+24h}", "${date_add(now, '+24h')}"),
            (
                "${ now - 1h30m } and now+1h",
                "${ date_add(now, '-1h30m') } and now+1h",
            ),
            ("${[{a: b}, now+1w]}", "${[{a: b}, date_add(now, '+1w')]}"),
            (
                "$${now+24h} ${now-30m}",
                "$${now+24h} ${date_add(now, '-30m')}",
            ),
            ("${now}", "${now}"),
            ("${'now+24h'} ${a.now}", "${'now+24h'} ${a.now}"),
            ("${snow+24h} ${now+24hours}", "${snow+24h} ${now+24hours}"),
            ("${now+}", "${now+}"),
            ("${'it", "${'it"),
            ("${now+2é}", "${now+2é}"),
        ] {
            assert_eq!(without_arithmetic(text, true).0, plain, "{text}");
        }
        assert_eq!(
            without_arithmetic("now+1d", false),
            ("date_add(now, '+1d')".to_owned(), false)
        );
    }
}
