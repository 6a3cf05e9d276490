//! Reading a page: what selectors find, and what scripts say.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::error::Error;
use crate::limit::Limit;
use crate::page::{Page, exception};

/// Largest data of an answer, in characters: what fits into one message with
/// room for its coding.
pub(crate) const DATA_MAX: usize = 4 * 1024 * 1024;

/// Reads what selectors find, by name.
pub(crate) async fn extract(
    page: &Page,
    selectors: &HashMap<String, String>,
    multiple: bool,
    limit: &Limit,
) -> Result<Vec<(String, String)>, Error> {
    let mut wanted = Vec::new();
    for (name, selector) in selectors {
        let (css, what) = split(selector);
        if css.trim().is_empty() {
            let text = format!("`{selector}` has no CSS selector before its suffix");
            return Err(Error::parameter(format!("selectors.{name}"), text));
        }
        wanted.push(json!([name, css, what]));
    }
    let arguments = json!({"selectors": wanted, "multiple": multiple, "max": DATA_MAX});
    let read = page.read("extract", arguments, limit);
    let data = limit.within("reading the page", read).await?;
    let Value::Object(data) = data else {
        return Err(Error::Protocol("no object".to_owned()));
    };
    Ok(data.into_iter().map(|(k, v)| (k, v.to_string())).collect())
}

/// A selector and what is read of what it finds. The suffix is a word after the
/// last `@`, so that an `@` inside of brackets or quotes is the selector's own.
fn split(selector: &str) -> (&str, &str) {
    match selector.rsplit_once('@') {
        Some((css, what))
            if !what.is_empty()
                && what
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':')) =>
        {
            (css, what)
        }
        _ => (selector, "text"),
    }
}

/// Runs a script; its value as JSON text.
pub(crate) async fn evaluate(
    page: &Page,
    script: &str,
    arguments: &str,
    limit: &Limit,
) -> Result<String, Error> {
    // The page may have its own `JSON`; the browser turns the value into one itself.
    // The newline ends a comment at the end of the script.
    let expression = format!("(async (args) => (\n{script}\n))({arguments})");
    let run = async {
        let run = json!({
            "expression": expression, "awaitPromise": true, "returnByValue": true,
            "userGesture": true, "allowUnsafeEvalBlockedByCSP": true,
        });
        page.call("Runtime.evaluate", run).await
    };
    let answer = limit.within("the script", run).await.map_err(|e| match e {
        Error::Protocol(text) if text.contains("reference chain") => {
            Error::Script("its value refers to itself, or is nested too deeply".to_owned())
        }
        e if e.is_moving() => Error::Script("it left the page before it ended".to_owned()),
        e => e,
    });
    let answer = answer.map_err(Error::begun)?;
    if let Some(details) = answer.get("exceptionDetails") {
        return Err(Error::Script(exception(details)).begun());
    }
    let text = answer["result"]["value"].to_string();
    if text.len() > DATA_MAX {
        let text = format!("the script gave more than {DATA_MAX} bytes; give less of it");
        return Err(Error::PageLimit(text).begun());
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suffix_is_a_word_after_the_last_at() {
        for (selector, css, what) in [
            ("h1", "h1", "text"),
            ("a.title@href", "a.title", "href"),
            ("div@data-id", "div", "data-id"),
            ("a[href*=\"x@y\"]", "a[href*=\"x@y\"]", "text"),
            ("a[href*=\"x@y\"]@href", "a[href*=\"x@y\"]", "href"),
            ("h1@", "h1@", "text"),
            ("@href", "", "href"),
        ] {
            assert_eq!(split(selector), (css, what), "{selector}");
        }
    }
}
