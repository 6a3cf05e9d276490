//! What an expression reads, and what a missing name on a plain path says.

use gearmesh_expr::{Expression, Step};
use serde_json::json;

use crate::{evaluate, world};

/// Roots, and paths with `=` where the whole expression is the path.
fn reads(text: &str) -> (Vec<String>, Vec<String>) {
    let expression = Expression::parse(text).expect(text);
    assert_eq!(expression.text(), text);
    let roots = expression
        .roots()
        .iter()
        .map(|root| format!("{}@{}", root.name, &text[root.span.start..root.span.end]))
        .collect();
    let paths = expression
        .paths()
        .iter()
        .map(|path| {
            assert_eq!(path.steps.len(), path.step_spans.len());
            let steps: String = path
                .steps
                .iter()
                .zip(&path.step_spans)
                .map(|(step, span)| {
                    let name = match step {
                        Step::Field(name) => name.clone(),
                        Step::Index(index) => index.to_string(),
                    };
                    format!("/{name}@{}", &text[span.start..span.end])
                })
                .collect();
            let exact = if path.exact { "=" } else { "" };
            assert_eq!(path.exact, expression.is_plain_path());
            let whole = &text[path.span.start..path.span.end];
            format!("{exact}{}{steps} in {whole}", path.root)
        })
        .collect();
    (roots, paths)
}

fn check(text: &str, roots: &[&str], paths: &[&str]) {
    let (found_roots, found_paths) = reads(text);
    assert_eq!(found_roots, roots, "roots of {text}");
    assert_eq!(found_paths, paths, "paths of {text}");
}

#[test]
fn a_plain_path_is_seen_as_such() {
    check(" a ", &["a@a"], &["=a in a"]);
    check(
        "a.b[0].\"c d\"[-1]",
        &["a@a"],
        &["=a/b@b/0@[0]/c d@\"c d\"/-1@[-1] in a.b[0].\"c d\"[-1]"],
    );
    check("(a . b)", &["a@a"], &["=a/b@b in a . b"]);
    check("\"a b\".c", &["a b@\"a b\""], &["=a b/c@c in \"a b\".c"]);
}

#[test]
fn paths_end_where_an_operator_begins() {
    check("a.b | c", &["a@a"], &["a/b@b in a.b"]);
    check("a.b[?c == d].e", &["a@a"], &["a/b@b in a.b"]);
    check("a.b[*].c", &["a@a"], &["a/b@b in a.b"]);
    check("a.b[1:2]", &["a@a"], &["a/b@b in a.b"]);
    check("a.{x: b}", &["a@a"], &["a in a"]);
    check("'x'", &[], &[]);
    check("!a.b", &["a@a"], &["a/b@b in a.b"]);
    check("!a.b | c", &["a@a"], &["a/b@b in a.b"]);
}

#[test]
fn names_on_top_are_roots_and_names_inside_are_not() {
    check(
        "a.b > 5 && c || !d.e",
        &["a@a", "c@c", "d@d"],
        &["a/b@b in a.b", "c in c", "d/e@e in d.e"],
    );
    check("sort_by(a.b, &c) | map(&d, @)", &["a@a"], &["a/b@b in a.b"]);
    check(
        "{x: a.b, y: [c, length(d)]}",
        &["a@a", "c@c", "d@d"],
        &["a/b@b in a.b", "c in c", "d in d"],
    );
    check("a == a", &["a@a", "a@a"], &["a in a", "a in a"]);
    check(
        "length(x) == 3 && y.z",
        &["x@x", "y@y"],
        &["x in x", "y/z@z in y.z"],
    );
}

// WF-4.4
#[test]
fn a_plain_path_must_exist() {
    let world = world();
    let message = |text: &str| {
        let error = evaluate(text, &world).unwrap_err();
        assert_eq!(error.code, "VARIABLE_RESOLUTION_ERROR", "{text}");
        let place = &text[error.span.start..error.span.end];
        let hints = error.hints.join("; ");
        format!("{place} | {error} | {hints}")
    };
    let cases = [
        (
            "fetch.result.itemz",
            "itemz | cannot resolve `fetch.result.itemz`: `itemz` is not in `fetch.result` | did you mean `items`?",
        ),
        (
            "fetch.result.itemz[0].name",
            "itemz | cannot resolve `fetch.result.itemz[0].name`: `itemz` is not in `fetch.result` | did you mean `items`?",
        ),
        (
            "fetch.result.items[3].name",
            "[3] | cannot resolve `fetch.result.items[3].name`: `[3]` is not in `fetch.result.items`, which has 3 items | ",
        ),
        (
            "fetch.result.items[-4]",
            "[-4] | cannot resolve `fetch.result.items[-4]`: `[-4]` is not in `fetch.result.items`, which has 3 items | ",
        ),
        (
            "fetch.status.x",
            "x | cannot resolve `fetch.status.x`: `x` is not in `fetch.status`, which is text | ",
        ),
        (
            "inputs.none.x",
            "x | cannot resolve `inputs.none.x`: `x` is not in `inputs.none`, which is null | ",
        ),
        (
            "fetch.result[0]",
            "[0] | cannot resolve `fetch.result[0]`: `[0]` is not in `fetch.result`, which is an object | ",
        ),
        (
            "fetsh.result",
            "fetsh | cannot resolve `fetsh.result`: nothing is called `fetsh` | ",
        ),
        (
            "fetch.result.headers.\"content-length\"",
            "\"content-length\" | cannot resolve `fetch.result.headers.\"content-length\"`: `content-length` is not in `fetch.result.headers` | ",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(message(text), expected, "{text}");
    }
}

// WF-4.4
#[test]
fn a_present_null_is_passed_on_and_operators_forgive() {
    let world = world();
    for (text, expected) in [
        ("inputs.none", json!(null)),
        ("inputs.nothing || 'none'", json!("none")),
        ("fetch.result.items[9] | [0]", json!(null)),
        ("nobody.at.all == null", json!(true)),
        ("fetch.result.items[*].nothing", json!([])),
        ("inputs.big", json!(9_007_199_254_740_993_u64)),
    ] {
        assert_eq!(evaluate(text, &world), Ok(expected), "{text}");
    }
}
