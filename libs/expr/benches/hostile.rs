//! How soon expressions that only mean harm are refused: `cargo bench -p gearmesh-expr --bench hostile`.
//!
//! It prints, and asserts nothing. What counts is the processor's time of this thread: a busy machine makes the wall clock
//! late, not the work.
#![allow(clippy::print_stdout, reason = "a bench prints")]

#[path = "../tests/hostile/cases.rs"]
mod cases;

use std::hint::black_box;

use gearmesh_expr::Expression;
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Map, Value, json};

/// How often each attack is made.
const ROUNDS: usize = 9;

/// How often what is usual is done: a single time is below what the clock can tell.
const REPEATS: u32 = 10_000;

/// Within so many milliseconds each attack is to end.
const AIM_MS: f64 = 10.0;

/// Processor time of this thread, in milliseconds.
fn spent() -> f64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as f64 * 1e3 + now.tv_nsec as f64 / 1e6
}

/// Median and worst of the rounds, in milliseconds.
fn measured(mut work: impl FnMut()) -> (f64, f64) {
    let mut all: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = spent();
            work();
            spent() - start
        })
        .collect();
    all.sort_by(f64::total_cmp);
    let at = |place: usize| all.get(place).copied().unwrap_or_default();
    (at(ROUNDS / 2), at(ROUNDS - 1))
}

fn reference(name: &str, scope: &Map<String, Value>, text: &str) {
    let repeated = |work: &dyn Fn()| {
        let (median, _) = measured(|| (0..REPEATS).for_each(|_| work()));
        median / f64::from(REPEATS)
    };
    let parse = repeated(&|| drop(black_box(Expression::parse(black_box(text)))));
    let Ok(expression) = Expression::parse(text) else {
        println!("{name}: no expression");
        return;
    };
    let value = repeated(&|| drop(black_box(expression.evaluate(black_box(scope)))));
    println!("{name:<36} {:>9.4} {:>9.4}", parse, value);
}

fn main() {
    let items: Vec<Value> = (0..20)
        .map(|n| json!({"name": n, "open": n % 2 == 0}))
        .collect();
    let scope = match json!({"fetch": {"result": {"items": items}}}) {
        Value::Object(scope) => scope,
        _ => Map::new(),
    };
    println!("processor time, in ms");
    println!("{:<36} {:>9} {:>9}", "for comparison", "parse", "value");
    reference("a path", &scope, "fetch.result.items[0].name");
    reference("a filter of 20", &scope, "fetch.result.items[?open].name");
    println!("\n{:<36} {:>9} {:>9}  gives", "attack", "median", "worst");
    let (mut late, mut slowest) = (0, 0.0_f64);
    let all = cases::all();
    for case in &all {
        let run = || Expression::parse(&case.text).and_then(|parsed| parsed.evaluate(&case.scope));
        let gives = run().map_or_else(|error| error.code, |_| "a value");
        let (median, worst) = measured(|| drop(black_box(run())));
        let other = match case.code.unwrap_or("a value") == gives {
            true => "",
            false => " (unexpected)",
        };
        println!(
            "{:<36} {median:>9.2} {worst:>9.2}  {gives}{other}",
            case.name
        );
        late += usize::from(median > AIM_MS);
        slowest = slowest.max(median);
    }
    println!(
        "{} attacks, {late} of them above {AIM_MS} ms, the slowest {slowest:.2} ms",
        all.len()
    );
}
