//! A text for each value, equal for two values exactly when `==` calls them equal.

use crate::error::{Outcome, Span};
use crate::limits::Meter;
use crate::number;
use crate::value::{Val, View};

/// Fuel of a value: it is looked at and written.
const VALUE_UNITS: usize = 8;

/// The text of a value, which `meter` pays for.
pub(crate) fn canonical(value: &Val<'_>, meter: &mut Meter, span: Span) -> Outcome<String> {
    let mut out = String::new();
    write(value, &mut out, meter, span)?;
    Ok(out)
}

fn write(value: &Val<'_>, out: &mut String, meter: &mut Meter, span: Span) -> Outcome<()> {
    meter.burn(VALUE_UNITS, span)?;
    match value.view() {
        View::Null => out.push('n'),
        View::Bool(true) => out.push('t'),
        View::Bool(false) => out.push('f'),
        View::Number(number) => {
            out.push('#');
            out.push_str(&number::canonical(number));
        }
        View::Text(text) => write_text(text, out, meter, span)?,
        View::List(items) => {
            out.push('[');
            for item in items.iter() {
                write(&item, out, meter, span)?;
                out.push(',');
            }
            out.push(']');
        }
        View::Object(fields) => {
            let mut entries = fields.entries();
            let rounds = 1 + entries.len().checked_ilog2().unwrap_or(0) as usize;
            meter.burn(entries.len() * rounds, span)?;
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            out.push('{');
            for (key, value) in entries {
                write_text(&key, out, meter, span)?;
                write(&value, out, meter, span)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

/// A text after its length, so that no text can look like something else.
fn write_text(text: &str, out: &mut String, meter: &mut Meter, span: Span) -> Outcome<()> {
    meter.write(text.len(), span)?;
    out.push('"');
    out.push_str(&text.len().to_string());
    out.push(':');
    out.push_str(text);
    Ok(())
}
