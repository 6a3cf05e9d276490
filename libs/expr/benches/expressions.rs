//! What expressions cost: `cargo bench -p gearmesh-expr`. It prints, and asserts nothing.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "a bench reads the clock and prints"
)]

use std::hint::black_box;
use std::time::Instant;

use gearmesh_expr::{Expression, Template};
use serde_json::{Map, Value, json};

/// How often each is evaluated.
const ROUNDS: u32 = 20_000;

fn world() -> Map<String, Value> {
    let items: Vec<Value> = (0..20)
        .map(|n| json!({"id": n, "name": format!("item {n}"), "open": n % 2 == 0, "price": n * 3}))
        .collect();
    let world = json!({
        "inputs": {"name": "Ada", "limit": 5, "to": "ada@example.test"},
        "now": "2026-01-25T12:00:00.000Z",
        "fetch": {"status": "succeeded", "result": {"data": {"items": items, "total": 20}}},
    });
    match world {
        Value::Object(world) => world,
        _ => Map::new(),
    }
}

/// Nanoseconds of one call.
fn each(rounds: u32, mut call: impl FnMut()) -> f64 {
    for _ in 0..rounds / 10 {
        call();
    }
    let start = Instant::now();
    for _ in 0..rounds {
        call();
    }
    start.elapsed().as_nanos() as f64 / f64::from(rounds)
}

fn main() {
    let world = world();
    println!("{:<64} {:>10} {:>10}", "expression", "parse ns", "value ns");
    for text in [
        "fetch.result.data.items[0].name",
        "fetch.status == 'succeeded' && fetch.result.data.total > 5",
        "fetch.result.data.items[?open && price > 10].name",
        "sum(fetch.result.data.items[*].price)",
        "date_format(now, 'yyyy-MM-dd', 'Europe/Chisinau')",
    ] {
        let parse = each(ROUNDS, || {
            let _ = black_box(Expression::parse(black_box(text)));
        });
        let Ok(expression) = Expression::parse(text) else {
            println!("{text}: no expression");
            continue;
        };
        let value = each(ROUNDS, || {
            let _ = black_box(expression.evaluate(black_box(&world)));
        });
        println!("{text:<64} {parse:>10.0} {value:>10.0}");
    }
    graph(&world);
}

/// What the planner does with ten tasks of four values each.
fn graph(world: &Map<String, Value>) {
    let texts = [
        "${fetch.result.data.items[0].name}",
        "Hello ${inputs.name}, ${fetch.result.data.total} of ${inputs.limit}",
        "${length(fetch.result.data.items)}",
        "no expression",
    ];
    let templates: Vec<Template> = (0..10)
        .flat_map(|_| texts)
        .filter_map(|text| Template::parse(text).ok())
        .collect();
    let all = each(ROUNDS / 20, || {
        for template in &templates {
            let _ = black_box(template.evaluate(black_box(world)));
        }
    });
    println!(
        "{} values of ten tasks: {:.1} us",
        templates.len(),
        all / 1_000.0
    );
}
