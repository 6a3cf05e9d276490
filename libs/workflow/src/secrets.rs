//! What stands in the fields of a tool that take a secret, and what must not stand in others.

use serde_json::Value;

use crate::diagnostic::Report;
use crate::params::same_name;
use crate::tree::{Data, Tree};

/// Warns of every literal in a field that takes a secret, and refuses a named secret in any other.
///
/// That a named secret stands alone is seen where its expression is read.
pub(crate) fn check(
    report: &mut Report<'_>,
    params: &Tree,
    schema: &Value,
    dynamic: fn(&str) -> bool,
) {
    walk(report, params, Some(schema), false, dynamic);
}

fn walk(
    report: &mut Report<'_>,
    tree: &Tree,
    schema: Option<&Value>,
    around: bool,
    dynamic: fn(&str) -> bool,
) {
    let at = |key: &str| schema.and_then(|schema| schema.get(key));
    let secret = around || at("writeOnly") == Some(&Value::Bool(true));
    match &tree.data {
        Data::Text(text, _) if secret => literal(report, tree, text, dynamic),
        Data::Text(text, _) if dynamic(text) && names_one(text) => {
            let message = "a secret stands only in a field that the tool marks as secret";
            report.error("SECRET_EXPOSED", tree.span, message);
        }
        Data::Map(entries) => {
            let properties = at("properties").and_then(Value::as_object);
            for entry in entries {
                let mut known = properties.into_iter().flatten();
                let inner = known
                    .find(|(name, _)| same_name(name, &entry.key))
                    .map(|(_, inner)| inner);
                let inner = inner.or_else(|| at("additionalProperties"));
                walk(report, &entry.value, inner, secret, dynamic);
            }
        }
        Data::List(items) => {
            for item in items {
                walk(report, item, at("items"), secret, dynamic);
            }
        }
        _ => {}
    }
}

/// Warns of a text that is itself the secret.
fn literal(report: &mut Report<'_>, tree: &Tree, text: &str, dynamic: fn(&str) -> bool) {
    if dynamic(text) || text.is_empty() || text.starts_with("vault://") {
        return;
    }
    let message = "a secret stands in the file as it is";
    let diagnostic = report.warning("LITERAL_SECRET", tree.span, message);
    diagnostic.hint("keep it in the vault and write `vault://vault/secret`");
}

/// Whether a text is one name of a secret.
fn names_one(text: &str) -> bool {
    let inner = text.strip_prefix("${").and_then(|t| t.strip_suffix('}'));
    inner.is_some_and(|inner| inner.trim().starts_with("secrets."))
}
