//! References of the Oktyv dialect.

use gearmesh_expr::oktyv::Template;
use gearmesh_expr::{EXPRESSION_MAX, OUTPUT_MAX};
use serde_json::{Map, Value, json};

use crate::scope;

fn finished() -> Map<String, Value> {
    scope(json!({
        "fetch-data": {
            "status": "success", "duration": 12, "startTime": "2027-01-01T00:00:00Z",
            "result": {
                "id": 9_007_199_254_740_993_u64, "none": null, "ok": true, "ratio": 1.0,
                "items": [{"name": "a"}, {"name": "b"}],
                "matrix": [[1, 2], [3, 4]],
                "text": "größe", "again": "${fetch-data.status}",
                "box": {"length": "wide"},
            }
        }
    }))
}

fn run(text: &str) -> Result<Value, String> {
    let template = Template::parse(text).map_err(|errors| errors[0].to_string())?;
    template.evaluate(&finished()).map_err(|error| {
        assert_eq!(error.code, "VARIABLE_RESOLUTION_ERROR");
        error.to_string()
    })
}

#[test]
fn paths_resolve_and_keep_their_type() {
    let cases = [
        ("${fetch-data.result.items[0].name}", json!("a")),
        ("${fetch-data.result.items.1.name}", json!("b")),
        ("${fetch-data.result.matrix[1][0]}", json!(3)),
        ("${ fetch-data.status }", json!("success")),
        ("${fetch-data.duration}", json!(12)),
        ("${fetch-data.result.id}", json!(9_007_199_254_740_993_u64)),
        ("${fetch-data.result.none}", json!(null)),
        (
            "${fetch-data.result.items}",
            json!([{"name": "a"}, {"name": "b"}]),
        ),
        ("${fetch-data.result.items.length}", json!(2)),
        ("${fetch-data.result.items[0].name.length}", json!(1)),
        ("${fetch-data.result.text.length}", json!(5)),
        ("${fetch-data.result.box.length}", json!("wide")),
        ("${fetch-data.result.again}", json!("${fetch-data.status}")),
        ("none ${fetch-data.result.none}.", json!("none null.")),
        (
            "${fetch-data.result.ok}/${fetch-data.result.ratio}",
            json!("true/1.0"),
        ),
        (
            "x ${fetch-data.result.items}",
            json!("x [{\"name\":\"a\"},{\"name\":\"b\"}]"),
        ),
        ("$${fetch-data.status}", json!("${fetch-data.status}")),
        ("a ${ b", json!("a ${ b")),
        ("", json!("")),
    ];
    for (text, expected) in cases {
        assert_eq!(run(text), Ok(expected), "{text}");
    }
}

#[test]
fn what_does_not_resolve_says_so_in_the_dialects_words() {
    let cases = [
        (
            "${x.result}",
            "Cannot resolve variable ${x.result}: Task 'x' not found",
        ),
        (
            "${fetch-data.result.b}",
            "Cannot resolve variable ${fetch-data.result.b}: 'b' not found",
        ),
        (
            "see ${fetch-data.result.items[2]}",
            "Cannot resolve variable ${fetch-data.result.items[2]}: '2' not found",
        ),
        (
            "${fetch-data.result.none.length}",
            "Cannot resolve variable ${fetch-data.result.none.length}: 'length' not found",
        ),
        (
            "${}",
            "Cannot resolve variable ${}: expected task.result.path",
        ),
        (
            "${a..b}",
            "Cannot resolve variable ${a..b}: expected task.result.path",
        ),
        (
            "${a[x]}",
            "Cannot resolve variable ${a[x]}: expected task.result.path",
        ),
        (
            "${a[0}",
            "Cannot resolve variable ${a[0}: expected task.result.path",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(run(text), Err(expected.to_owned()), "{text}");
    }
}

#[test]
fn references_have_their_place() {
    let text = "$${no} ${a-b.result.x[0]} and ${c.status}";
    let template = Template::parse(text).unwrap();
    let found: Vec<_> = template
        .references()
        .iter()
        .map(|one| {
            (
                one.task.as_str(),
                one.path.join("/"),
                &text[one.span.start..one.span.end],
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("a-b", "result/x/0".to_owned(), "a-b.result.x[0]"),
            ("c", "status".to_owned(), "c.status"),
        ]
    );
    assert!(!template.is_whole() && !template.is_constant());
    assert_eq!(template.constant(), None);
    assert_eq!(Template::parse("$${x}").unwrap().constant(), Some("${x}"));
    assert_eq!(Template::parse("${a} ${} ${b[]}").unwrap_err().len(), 2);
}

#[test]
fn limits_hold_at_their_edge() {
    let path = |bytes: usize| format!("${{{}}}", "a".repeat(bytes));
    assert!(Template::parse(&path(EXPRESSION_MAX)).is_ok());
    let errors = Template::parse(&path(EXPRESSION_MAX + 1)).unwrap_err();
    assert_eq!(errors[0].code, "EXPRESSION_LIMIT");

    let answer = |text: &str, bytes: usize| {
        let mut scope = Map::new();
        scope.insert("t".to_owned(), json!({"result": "x".repeat(bytes)}));
        Template::parse(text).unwrap().evaluate(&scope)
    };
    assert!(answer("${t.result}", OUTPUT_MAX - 2).is_ok());
    assert_eq!(
        answer("${t.result}", OUTPUT_MAX - 1).unwrap_err().code,
        "EXPRESSION_LIMIT"
    );
    assert!(answer("-${t.result}", OUTPUT_MAX - 1).is_ok());
    assert_eq!(
        answer("-${t.result}", OUTPUT_MAX).unwrap_err().code,
        "EXPRESSION_LIMIT"
    );
}

#[test]
fn names_of_older_results_are_understood() {
    let scope = scope(json!({
        "page": {"result": {"data": {"title": "Items", "url": "/a", "names": ["Anvil"]}, "url": "/items"}},
        "text": {"result": {"content": "words", "data": ""}},
        "bytes": {"result": {"content": "", "data": "AAEC"}},
        "empty": {"result": {"content": "", "data": ""}},
        "made": {"result": {"schedule": {"id": "s1"}}},
        "all": {"result": {"schedules": [{"id": "s1"}], "data": {"tasks": 0}}},
        "own": {"result": {"task": 1, "schedule": 2, "inner": {"schedule": 3, "data": {"x": 4}}}},
    }));
    let run = |text: &str| {
        let template = Template::parse(text).expect("a path");
        template.evaluate(&scope).map_err(|e| e.message)
    };
    for (text, expected) in [
        ("${page.result.title}", json!("Items")),
        ("${page.result.names[0]}", json!("Anvil")),
        ("${page.result.data.title}", json!("Items")),
        // What the result itself holds comes first.
        ("${page.result.url}", json!("/items")),
        ("${text.result.content}", json!("words")),
        ("${bytes.result.content}", json!("AAEC")),
        ("${empty.result.content}", json!("")),
        ("${made.result.task.id}", json!("s1")),
        ("${all.result.tasks[0].id}", json!("s1")),
        ("${all.result.tasks.length}", json!(1)),
        ("${own.result.task}", json!(1)),
    ] {
        assert_eq!(run(text), Ok(expected), "{text}");
    }
    for text in [
        "${own.result.inner.task}",
        "${own.result.inner.x}",
        "${made.result.tasks}",
        "${page.result.task}",
    ] {
        let message = run(text).expect_err(text);
        assert!(message.contains("not found"), "{message}");
    }
}

#[test]
fn names_that_a_task_gave_itself_are_data() {
    let scope = scope(json!({"t": {"result": {"data": {"url": "/a"}, "url": "/items"}}}));
    let value = |names: &[&str], text: &str| {
        let template = Template::parse(text).expect("a path");
        let template = template.with_data(|task, name| task == "t" && names.contains(&name));
        template.evaluate(&scope).map_err(|e| e.message)
    };
    assert_eq!(value(&["url"], "${t.result.url}"), Ok(json!("/a")));
    assert_eq!(
        value(&["urls"], "at ${t.result.url}"),
        Ok(json!("at /items"))
    );
    let missing = value(&["title"], "${t.result.title}").expect_err("not there");
    assert_eq!(
        missing,
        "Cannot resolve variable ${t.result.title}: 'title' not found"
    );
}
