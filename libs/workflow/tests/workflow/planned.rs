//! What a plan says before anything runs.

use std::fmt::Write;

use expect_test::expect;
use gearmesh_workflow::plan;

use crate::support::{catalog, workflow};

#[test]
fn plan_names_tools_effects_levels_and_what_is_open() {
    // WF-11.2
    let text = "name: x\ninputs: {m: {type: string}}\ntasks:\n  - id: look\n    tool: north_find\n    params: {pageSize: 5}\n  - id: draft\n    each: ${look.result.goods}\n    tool: shop.order\n    connection: ${inputs.m}\n    params: {mode: draft, lines: [{name: \"${item.name}\", count: 1}]}\n  - id: real\n    tool: shop.order\n    needs: [draft]\n    params: {mode: \"${inputs.m}\", lines: [{name: a}]}\n  - id: sum\n    set: {n: \"${look.result.count}\", fixed: 1}\n";
    let plan = plan(&workflow(text), catalog());
    let mut out = String::new();
    for task in &plan.tasks {
        let (effect, keyed) = (
            task.effect.map(|effect| effect.as_str()),
            task.keyed.map(|keyed| keyed.as_str()),
        );
        let _ = writeln!(
            out,
            "{} {} {:?} {effect:?} {keyed:?} {} {:?}",
            task.id, task.kind, task.tool, task.level, task.dynamic
        );
    }
    for edge in &plan.edges {
        let _ = writeln!(out, "{} -> {} by {}", edge.from, edge.to, edge.reason);
    }
    let _ = writeln!(out, "{:?} {:?}", plan.levels, plan.critical_path);
    expect![[r#"
        look tool Some("shop.find") Some("READ") Some("IDEMPOTENT") 0 []
        draft tool Some("shop.order") Some("READ") Some("IDEMPOTENT") 1 ["each", "connection", "params.lines[0].name"]
        real tool Some("shop.order") Some("WRITE") Some("AT_MOST_ONCE") 2 ["params.mode"]
        sum set None None None 1 ["set.n"]
        look -> draft by each
        draft -> real by needs
        look -> sum by set.n
        [["look"], ["draft", "sum"], ["real"]] ["look", "draft", "real"]
    "#]].assert_eq(&out);
}
