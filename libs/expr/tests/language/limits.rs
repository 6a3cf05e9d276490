//! Every limit at its edge, and texts that only mean harm.

use gearmesh_expr::{
    CHAIN_MAX, DEPTH_MAX, EXPRESSION_MAX, Expression, FUEL_MAX, OPEN_MAX, OUTPUT_MAX, Template,
    VALUE_DEPTH_MAX,
};
use serde_json::{Map, Value, json};

use crate::{evaluate, scope};

fn refused(result: Result<Value, gearmesh_expr::Error>) -> bool {
    match result {
        Ok(_) => false,
        Err(error) => {
            assert_eq!(error.code, "EXPRESSION_LIMIT", "{error}");
            true
        }
    }
}

/// Whether the text is let through to evaluation, and what happens there is no limit before parsing.
fn parses(text: &str) -> bool {
    match Expression::parse(text) {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.code, "EXPRESSION_LIMIT", "{error}");
            false
        }
    }
}

// WF-4.9
#[test]
fn an_expression_has_at_most_8_kib() {
    let text = |bytes: usize| format!("'{}'", "x".repeat(bytes - 2));
    assert!(parses(&text(EXPRESSION_MAX)));
    assert!(!parses(&text(EXPRESSION_MAX + 1)));
    // The limit is on each expression, not on the text around it.
    let around = format!(
        "{}${{{}}}",
        "y".repeat(EXPRESSION_MAX),
        text(EXPRESSION_MAX)
    );
    assert!(Template::parse(&around).is_ok());
}

// WF-4.9
#[test]
fn nesting_ends_at_its_depth() {
    let wrapped = |open: &str, inner: &str, close: &str, times: usize| {
        format!("{}{inner}{}", open.repeat(times), close.repeat(times))
    };
    for (open, inner, close) in [
        ("(", "a", ")"),
        ("[", "a", "]"),
        ("{k: ", "a", "}"),
        ("length(", "a", ")"),
        ("!", "a", ""),
    ] {
        assert!(parses(&wrapped(open, inner, close, DEPTH_MAX)), "{open}");
        assert!(
            !parses(&wrapped(open, inner, close, DEPTH_MAX + 1)),
            "{open}"
        );
    }
    // A filter is a bracket and a projection, and what follows it is parsed inside.
    assert!(parses(&wrapped("a[?", "b", "]", DEPTH_MAX / 2)));
    assert!(!parses(&wrapped("a[?", "b", "]", DEPTH_MAX / 2 + 1)));
    assert!(parses(&format!("a{}", ".*".repeat(DEPTH_MAX))));
    assert!(!parses(&format!("a{}", ".*".repeat(DEPTH_MAX + 1))));
    assert!(parses(&format!("a{}", "[*]".repeat(DEPTH_MAX - 1))));
    assert!(!parses(&format!("a{}", "[*]".repeat(DEPTH_MAX + 1))));
    // Side by side is not deep.
    let wide = vec!["!a[*].b[?c]"; 80].join(" || ");
    assert!(parses(&wide));
    assert!(parses(&format!("[{}]", vec!["(!a)"; 500].join(","))));
}

#[test]
fn a_chain_ends_at_its_length() {
    let steps = |count: usize| format!("a{}", ".b".repeat(count));
    assert!(parses(&steps(CHAIN_MAX)));
    assert!(!parses(&steps(CHAIN_MAX + 1)));
    let operators = |count: usize| format!("a{}", "||a".repeat(count));
    assert!(parses(&operators(CHAIN_MAX)));
    assert!(!parses(&operators(CHAIN_MAX + 1)));
    let flattened = |count: usize| format!("a{}", "[]".repeat(count));
    assert!(parses(&flattened(CHAIN_MAX / 2)));
    assert!(!parses(&flattened(CHAIN_MAX / 2 + 1)));
}

#[test]
fn hostile_texts_are_refused_before_they_are_parsed() {
    for unit in [
        "(", "!", "[", "{a:", "a[?", "&", "& ", "*.", "a(", "&a||", "[*]", "a.[", "!(", "a[]", "`",
        "'", "[[",
    ] {
        let text = unit.repeat(5_000 / unit.len());
        let error = Expression::parse(&text).unwrap_err();
        assert!(
            matches!(error.code, "EXPRESSION_LIMIT" | "EXPRESSION_SYNTAX"),
            "{unit}: {}",
            error.code
        );
        let template = format!("${{{text}}}");
        assert!(Template::parse(&template).is_err(), "{unit}");
    }
    assert_eq!(
        Expression::parse(&"(".repeat(5_000)).unwrap_err().code,
        "EXPRESSION_LIMIT"
    );
    assert_eq!(
        Expression::parse(&"!".repeat(5_000)).unwrap_err().code,
        "EXPRESSION_LIMIT"
    );
    let deep = format!("`{}`", "[".repeat(5_000));
    assert_eq!(
        Expression::parse(&deep).unwrap_err().code,
        "EXPRESSION_SYNTAX"
    );
}

#[test]
fn operators_that_are_open_count() {
    let nested =
        |level: &str, times: usize| format!("{}a{}", level.repeat(times), ")".repeat(times));
    // One bracket and one operator per level.
    assert!(parses(&nested("(a==", OPEN_MAX / 2)));
    assert!(!parses(&nested("(a|a==", OPEN_MAX / 2)));
    // Those of the innermost level hold no bracket: 26 brackets and 25 times 4 operators are open.
    let inner = nested("(a|a||a&&a==", 26);
    assert!(parses(&inner));
    assert!(!parses(&nested("(a|a||a&&a==", 27)));
    assert!(parses(&inner.replace("==a)", "==a && a || a | a)")));
}

/// The deepest expressions that pass the limits, on a part of a worker's stack of 2 MiB.
#[test]
fn the_deepest_expressions_leave_stack_to_the_caller() {
    const STACK: usize = 1_536 * 1024;
    let nested = |level: &str, close: &str, cost: usize| {
        let times = (OPEN_MAX / cost).min(DEPTH_MAX);
        format!("{}a{}", level.repeat(times), close.repeat(times))
    };
    let chained = |step: &str, cost: usize| format!("a{}", step.repeat(CHAIN_MAX / cost));
    let texts = [
        nested("(a|a||a&&a==", ")", 5),
        nested("(a==", ")", 2),
        nested("!(a|a||a&&a==", ")", 6),
        nested("[a|a||a&&a==", "]", 5),
        nested("{k: a==", "}", 2),
        nested("length(a==", ")", 2),
        nested("sort_by(a,&a||a&&a==", ")", 5),
        nested("a[?a|a||a&&a==", "]", 6),
        nested("[a|", "]", 2),
        format!("a{}", ".*".repeat(DEPTH_MAX)),
        chained(" | [@]", 2),
        chained(".b", 1),
        chained("||a", 1),
        chained("==a", 1),
        chained("[]", 2),
    ];
    let run = move || {
        let scope = scope(json!({"a": [[1]]}));
        for text in texts {
            let expression = match Expression::parse(&text) {
                Ok(expression) => expression,
                Err(error) => panic!("{error}: {text}"),
            };
            // Some give a value, some an error; each comes back.
            if let Err(error) = expression.evaluate(&scope) {
                assert!(!error.message.is_empty());
            }
            if let Err(error) = expression.holds(&scope) {
                assert!(!error.message.is_empty());
            }
        }
    };
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(run)
        .unwrap()
        .join()
        .unwrap();
}

// WF-4.9
#[test]
fn fuel_ends_an_evaluation_exactly() {
    // Each element costs four units and a step; the chain, the name and the projection cost a step each.
    let numbers = |count: usize| {
        let mut scope = Map::new();
        scope.insert("l".to_owned(), Value::from(vec![Value::Null; count]));
        scope
    };
    let fixed = 3;
    let most = (FUEL_MAX as usize - fixed) / 5;
    assert!(!refused(evaluate("l[*]", &numbers(most))));
    assert!(refused(evaluate("l[*]", &numbers(most + 1))));
    // Two calls and a literal, and each number of the range.
    let range = |count: u64| evaluate(&format!("length(range(`{count}`))"), &Map::new());
    let most = (FUEL_MAX - 3) / 4;
    assert_eq!(range(most), Ok(json!(most)));
    assert!(refused(range(most + 1)));
}

/// The most of something that can be paid, where each further one costs more.
fn most(cost: impl Fn(usize) -> usize) -> usize {
    let (mut low, mut high) = (0, FUEL_MAX as usize);
    while low < high {
        let middle = (low + high).div_ceil(2);
        match cost(middle) <= FUEL_MAX as usize {
            true => low = middle,
            false => high = middle - 1,
        }
    }
    low
}

// WF-4.9
#[test]
fn prices_are_those_that_are_documented() {
    let ends_at = |most: usize, run: &dyn Fn(usize) -> Result<Value, gearmesh_expr::Error>| {
        assert!(!refused(run(most)), "{most}");
        assert!(refused(run(most + 1)), "{most}");
    };
    // A field: an element, a step and the name; the call and the list cost a step each.
    let fields = |count: usize| scope(json!({"l": vec![json!({"a": 1}); count]}));
    ends_at(most(|n| 2 + n * (4 + 1 + 14)), &|n| {
        evaluate("map(&a, l)", &fields(n))
    });
    // A group: also its key, and its place in the answer.
    let groups = |count: usize| {
        let items: Vec<Value> = (0..count).map(|n| json!({"a": n})).collect();
        scope(json!({"l": items}))
    };
    ends_at(most(|n| 3 + n * (4 + 8 + 1 + 14 + 80)), &|n| {
        evaluate("length(group_by(l, &a))", &groups(n))
    });
    // A part of a text, beside the text itself.
    let text = |count: usize| scope(json!({"t": "a".repeat(count)}));
    ends_at(most(|n| 4 + n * 10 + n / 8), &|n| {
        evaluate("length(split(t, ''))", &text(n))
    });
    // A place that is replaced, beside the text before and after.
    ends_at(most(|n| 5 + n * 5 + 2 * (n / 8) + n / 64), &|n| {
        evaluate("length(replace(t, 'a', 'b'))", &text(n))
    });
}

#[test]
fn multiplying_lists_run_out_of_fuel() {
    let items: Vec<Value> = (0..1_000)
        .map(|n| json!({"n": n, "tags": [1, 2, 3]}))
        .collect();
    let scope = scope(json!({"items": items}));
    let ten = "[@,@,@,@,@,@,@,@,@,@][]";
    for text in [
        format!("items | {ten} | {ten} | {ten}"),
        format!("items | {ten} | {ten} | {ten} | length(@)"),
        format!("items[].[tags,tags,tags,tags][].{ten}[].{ten}[]"),
        format!("items | {ten} | {ten} | sort_by(@, &n)"),
        format!("map(&map(&n, @), [{}])", vec!["items"; 600].join(",")),
        format!("[{}]", vec!["items == items"; 200].join(",")),
    ] {
        assert!(refused(evaluate(&text, &scope)), "{text}");
    }
    // Three hundred searches of 1,000 elements are within the fuel.
    let searches = vec!["contains(items, 'x')"; 300].join(",");
    assert!(evaluate(&format!("[{searches}]"), &scope).is_ok());
}

// WF-4.9
#[test]
fn output_ends_at_4_mib() {
    let text = |bytes: usize| scope(json!({"t": "x".repeat(bytes)}));
    // Quotes and a separator count.
    assert!(!refused(evaluate("t", &text(OUTPUT_MAX - 3))));
    assert!(refused(evaluate("t", &text(OUTPUT_MAX - 2))));
    let template = Template::parse("${t}-").unwrap();
    assert!(template.evaluate(&text(OUTPUT_MAX - 1)).is_ok());
    assert!(refused(template.evaluate(&text(OUTPUT_MAX))));
    let twice = Template::parse("${t}${t}").unwrap();
    assert!(twice.evaluate(&text(OUTPUT_MAX / 2)).is_ok());
    assert!(refused(twice.evaluate(&text(OUTPUT_MAX / 2 + 1))));
    let list = Template::parse("l ${[t, t]}").unwrap();
    assert!(list.evaluate(&text(OUTPUT_MAX / 2 - 10)).is_ok());
    assert!(refused(list.evaluate(&text(OUTPUT_MAX / 2))));
}

#[test]
fn texts_built_on_the_way_are_bounded() {
    let joined = |bytes: usize| {
        let scope = scope(json!({"t": "x".repeat(bytes)}));
        evaluate("length(join('', [t, t]))", &scope)
    };
    assert_eq!(joined(OUTPUT_MAX / 2), Ok(json!(OUTPUT_MAX)));
    assert!(refused(joined(OUTPUT_MAX / 2 + 1)));
    let json = |bytes: usize| {
        let scope = scope(json!({"t": "x".repeat(bytes)}));
        evaluate("length(to_json(t))", &scope)
    };
    assert_eq!(json(OUTPUT_MAX - 2), Ok(json!(OUTPUT_MAX)));
    assert!(refused(json(OUTPUT_MAX - 1)));
    let large = scope(json!({"t": "x".repeat(100_000)}));
    let doubling = format!("t{}", " | join('', [@, @])".repeat(40));
    assert!(refused(evaluate(&doubling, &large)));
    let often = format!("[{}]", vec!["length(to_json(t))"; 300].join(","));
    assert!(refused(evaluate(&often, &large)));
    let glue = scope(json!({"t": "x".repeat(1_000_000), "l": vec![""; 1_000]}));
    assert!(refused(evaluate("join(t, l)", &glue)));
}

#[test]
fn values_nest_no_deeper_than_json_reads() {
    let nested = |levels: usize| {
        let wrapped = (1..levels).fold(json!([]), |inner, _| json!([inner]));
        scope(json!({"v": wrapped}))
    };
    let deepest = evaluate("v", &nested(VALUE_DEPTH_MAX)).unwrap();
    let back: Value = serde_json::from_str(&deepest.to_string()).unwrap();
    assert_eq!(back, deepest);
    assert!(refused(evaluate("v", &nested(VALUE_DEPTH_MAX + 1))));
    assert!(refused(evaluate("[v]", &nested(VALUE_DEPTH_MAX))));
    let made = |levels: usize| format!("`1`{}", " | [@]".repeat(levels));
    assert!(evaluate(&made(VALUE_DEPTH_MAX), &Map::new()).is_ok());
    assert!(refused(evaluate(&made(VALUE_DEPTH_MAX + 1), &Map::new())));
    let objects = |levels: usize| format!("`1`{}", " | {k: @}".repeat(levels));
    assert!(evaluate(&objects(VALUE_DEPTH_MAX), &Map::new()).is_ok());
    assert!(refused(evaluate(
        &objects(VALUE_DEPTH_MAX + 1),
        &Map::new()
    )));
}
