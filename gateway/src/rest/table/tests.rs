use expect_test::{Expect, expect};

use super::*;

fn table(routes: &[(&str, &str)]) -> Table {
    let mut table = Table {
        routes: Vec::new(),
        root: Node::default(),
        verbs: BTreeSet::new(),
    };
    for (method, template) in routes {
        table.add(method, template, Target::List);
    }
    table
}

/// The template that a request matches, with its values; else why none does.
fn find(table: &Table, method: &str, path: &str) -> String {
    let path = Path::parse(path).unwrap();
    match table.find(&method.parse().unwrap(), &path) {
        Ok(m) => {
            let values: Vec<_> = m
                .values
                .iter()
                .map(|(f, v)| format!("{}={v}", f.join(".")))
                .collect();
            format!("{} [{}]", m.route.template.text, values.join(" "))
        }
        Err(unmatched) => format!("{unmatched:?}"),
    }
}

fn check(routes: &[(&str, &str)], requests: &[(&str, &str)], expected: Expect) {
    let lines = |table: &Table| -> String {
        let line = |(m, p): &(&str, &str)| format!("{m} {p} -> {}\n", find(table, m, p));
        requests.iter().map(line).collect()
    };
    let forward = lines(&table(routes));
    let mut reversed = routes.to_vec();
    reversed.reverse();
    assert_eq!(
        forward,
        lines(&table(&reversed)),
        "the order of the routes must not matter"
    );
    expected.assert_eq(&forward);
}

#[test]
fn literal_comes_before_one_segment_before_many() {
    check(
        &[
            ("GET", "/v1/{all=**}"),
            ("GET", "/v1/{one}"),
            ("GET", "/v1/two"),
            ("GET", "/v1/{a}/x"),
            ("GET", "/v1/two/{b}"),
        ],
        &[
            ("GET", "/v1/two"),
            ("GET", "/v1/%74wo"),
            ("GET", "/v1/three"),
            ("GET", "/v1/two/x"),
            ("GET", "/v1/three/x"),
            ("GET", "/v1/three/y"),
            ("GET", "/v1/"),
            ("GET", "/v1"),
            ("GET", "/v2"),
        ],
        expect![[r#"
            GET /v1/two -> /v1/two []
            GET /v1/%74wo -> /v1/two []
            GET /v1/three -> /v1/{one} [one=three]
            GET /v1/two/x -> /v1/two/{b} [b=x]
            GET /v1/three/x -> /v1/{a}/x [a=three]
            GET /v1/three/y -> /v1/{all=**} [all=three/y]
            GET /v1/ -> /v1/{all=**} [all=]
            GET /v1 -> /v1/{all=**} [all=]
            GET /v2 -> Path { nearest: [] }
        "#]],
    );
}

#[test]
fn verb_is_one_only_where_a_template_has_it() {
    check(
        &[
            ("GET", "/r/{id}"),
            ("POST", "/r/{id}:cancel"),
            ("POST", "/r:cancel"),
            ("GET", "/f/{p=**}/meta"),
            ("GET", "/f/{p=**}"),
        ],
        &[
            ("POST", "/r/7:cancel"),
            ("GET", "/r/7:cancel"),
            ("GET", "/r/a:b"),
            ("GET", "/r/a%3Acancel"),
            ("POST", "/r:cancel"),
            ("POST", "/r/7:cancel/"),
            ("POST", "/r/:cancel"),
            ("GET", "/f/a/b/meta"),
            ("GET", "/f/a/meta/b"),
        ],
        expect![[r#"
            POST /r/7:cancel -> /r/{id}:cancel [id=7]
            GET /r/7:cancel -> Method { allow: ["POST"] }
            GET /r/a:b -> /r/{id} [id=a:b]
            GET /r/a%3Acancel -> /r/{id} [id=a:cancel]
            POST /r:cancel -> /r:cancel []
            POST /r/7:cancel/ -> Path { nearest: [] }
            POST /r/:cancel -> Method { allow: ["GET", "HEAD"] }
            GET /f/a/b/meta -> /f/{p=**}/meta [p=a/b]
            GET /f/a/meta/b -> /f/{p=**} [p=a/meta/b]
        "#]],
    );
}

#[test]
fn other_methods_and_near_routes_are_named() {
    check(
        &[
            ("GET", "/v1/runs"),
            ("POST", "/v1/runs"),
            ("POST", "/v1/file/read"),
            ("*", "/v1/any"),
        ],
        &[
            ("HEAD", "/v1/runs"),
            ("DELETE", "/v1/runs"),
            ("PATCH", "/v1/any"),
            ("POST", "/v1/file/raed"),
            ("POST", "/v1/Runs"),
            ("POST", "/nothing/like/it"),
        ],
        expect![[r#"
            HEAD /v1/runs -> /v1/runs []
            DELETE /v1/runs -> Method { allow: ["GET", "HEAD", "POST"] }
            PATCH /v1/any -> /v1/any []
            POST /v1/file/raed -> Path { nearest: ["POST /v1/file/read"] }
            POST /v1/Runs -> Path { nearest: ["GET /v1/runs", "POST /v1/runs"] }
            POST /nothing/like/it -> Path { nearest: [] }
        "#]],
    );
}
