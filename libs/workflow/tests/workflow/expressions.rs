//! Expressions: what they are, and what they may name.

use expect_test::expect;

use crate::support::{expect_said, listed, mended, said, with_task, workflow};

#[test]
fn broken_expression_is_marked_where_it_breaks() {
    // WF-9.9
    expect_said(
        &with_task("set: {v: \"a ${length(} b ${first.result.}\"}"),
        &expect![[r#"
            error[EXPRESSION_SYNTAX]: expected a name, a value or a function, found the end
             --> f.yaml:8:26
              |
            8 |     set: {v: "a ${length(} b ${first.result.}"}
              |                          ^
              = note: nothing was run
            error[EXPRESSION_SYNTAX]: expected a name after the dot, found the end
             --> f.yaml:8:45
              |
            8 |     set: {v: "a ${length(} b ${first.result.}"}
              |                                             ^
              = note: nothing was run
        "#]],
    );
    expect_said(
        &with_task("set: {v: \"${first.result\"}"),
        &expect![[r#"
        error[EXPRESSION_SYNTAX]: `${` is not closed by `}`
         --> f.yaml:8:15
          |
        8 |     set: {v: "${first.result"}
          |               ^^^^^^^^^^^^^^
          = help: a literal `${` is written `$${`
          = note: nothing was run
    "#]],
    );
}

#[test]
fn quoted_field_becomes_text() {
    // WF-9.10
    let text = with_task("set: {v: 1}\nwhen: first.status == \"succeeded\"");
    expect_said(
        &text,
        &expect![[r#"
        error[QUOTED_FIELD]: "succeeded" in double quotes is a field; text is 'succeeded'
         --> f.yaml:9:27
          |
        9 |     when: first.status == "succeeded"
          |                           ^^^^^^^^^^^
          = help: gearmesh validate --fix f.yaml
          = note: nothing was run
    "#]],
    );
    assert_eq!(said(&mended(&text)), "");
}

#[test]
fn condition_is_written_without_template() {
    // WF-4.1, WF-9.11
    for line in [
        "when: ${inputs.q == 'a'}",
        "when: \"${inputs.q}\"",
        "when: '${inputs.q == ''a''}'",
        "when: \"${!(inputs.q)}\"",
        "when: ${!inputs.q}",
    ] {
        let text = with_task(&format!("set: {{v: 1}}\n{line}"));
        assert!(said(&text).contains("TEMPLATE_IN_CONDITION"), "{line}");
        assert_eq!(said(&mended(&text)), "", "{line}: {}", mended(&text));
    }
    expect_said(
        &with_task("set: {v: 1}\nwhen: ${inputs.q == 'a'}"),
        &expect![[r#"
            error[TEMPLATE_IN_CONDITION]: write the condition without `${}`
             --> f.yaml:9:11
              |
            9 |     when: ${inputs.q == 'a'}
              |           ^^^^^^^^^^^^^^^^^^
              = help: gearmesh validate --fix f.yaml
              = note: nothing was run
        "#]],
    );
}

#[test]
fn condition_may_be_true_or_false() {
    assert_eq!(
        said(&with_task("set: {v: 1}\nwhen: true\nexpect: false")),
        ""
    );
}

#[test]
fn unknown_names_are_named_with_the_nearest() {
    // WF-4.2, WF-9.12
    let text = "name: x\ninputs: {city: {type: string}}\nvars: {a: \"${vars.b}\", b: \"${vars.a}\", c: \"${fetch.result}\", d: \"${vars.d}\"}\ntasks:\n  - id: fetch\n    tool: shop.find\n    params: {site: north}\n  - id: b\n    set:\n      p: ${fetsh.result.goods[0].name}\n      q: ${fetch.reslt}\n      r: ${inputs.citty}\n      s: ${city}\n      t: ${run.idd}\n      u: ${vars.bb}\n      v: ${nothing.like.it}\n      w: ${item} ${index}\n      x: ${trigger.body}\noutputs:\n  y: ${fetcb.status}\n  z: ${item}\n";
    expect![[r#"
        3:19 UNKNOWN_NAME `vars.b` can be used only after it is set
        3:46 UNKNOWN_NAME `fetch` is a task; `vars.c` is read before any task runs
        3:73 UNKNOWN_NAME `vars.d` can be used only after it is set
        10:12 UNKNOWN_NAME no task or input is called `fetsh`; did you mean `fetch`?
        11:18 UNKNOWN_NAME task `fetch` has no `reslt`; did you mean `result`?
        12:19 UNKNOWN_NAME no input is called `citty`; did you mean `city`?
        13:12 UNKNOWN_NAME no task or input is called `city`; did you mean `inputs.city`?
        14:16 UNKNOWN_NAME `run` has no `idd`; did you mean `id`?
        15:17 UNKNOWN_NAME no var is called `bb`
        16:12 UNKNOWN_NAME no task or input is called `nothing`
        17:12 UNKNOWN_NAME `item` exists only inside of a task with `each`, and not in its `when` and `each`
        17:20 UNKNOWN_NAME `index` exists only inside of a task with `each`, and not in its `when` and `each`
        20:8 UNKNOWN_NAME no task or input is called `fetcb`; did you mean `fetch`?
        21:8 UNKNOWN_NAME `item` exists only inside of a task with `each`, and not in its `when` and `each`
    "#]].assert_eq(&listed(text));
    expect![[r#"
        name: x
        inputs: {city: {type: string}}
        vars: {a: "${vars.b}", b: "${vars.a}", c: "${fetch.result}", d: "${vars.d}"}
        tasks:
          - id: fetch
            tool: shop.find
            params: {site: north}
          - id: b
            set:
              p: ${fetch.result.goods[0].name}
              q: ${fetch.result}
              r: ${inputs.city}
              s: ${inputs.city}
              t: ${run.id}
              u: ${vars.bb}
              v: ${nothing.like.it}
              w: ${item} ${index}
              x: ${trigger.body}
        outputs:
          y: ${fetch.status}
          z: ${item}
    "#]]
    .assert_eq(&mended(text));
}

#[test]
fn paths_into_results_are_checked() {
    // WF-4.10, WF-9.12
    let text = "name: x\ntasks:\n  - id: fetch\n    tool: shop.find\n    params: {site: north}\n  - id: pick\n    set: {first: \"${fetch.result.goods[0].nam}\", n: \"${length(fetch.result.good)}\", open: \"${fetch.result.extra.any.thing[0]}\"}\n  - id: many\n    each: [1, 2]\n    tool: shop.find\n    params: {site: north}\n  - id: spare\n    tool: shop.find\n    params: {site: north}\n    onError: {use: {other: 1}}\noutputs:\n  a: ${pick.result.frist}\n  b: ${many.result.count}\n  c: ${many.result[0].coumt}\n  d: ${many.result[].count}\n  e: ${spare.result.other}\n  f: ${fetch.result[0]}\n";
    expect_said(
        text,
        &expect![[r#"
        error[UNKNOWN_NAME]: `fetch.result.goods[0]` has no `nam`
         --> f.yaml:7:43
          |
        7 |     set: {first: "${fetch.result.goods[0].nam}", n: "${length(fetch.result.good)}", open: "${fetch.result.extra.any.thing[0]}"}
          |                                           ^^^
          = help: did you mean `name`?   gearmesh validate --fix f.yaml
          = note: nothing was run
        error[UNKNOWN_NAME]: `fetch.result` has no `good`
         --> f.yaml:7:76
          |
        7 |     set: {first: "${fetch.result.goods[0].nam}", n: "${length(fetch.result.good)}", open: "${fetch.result.extra.any.thing[0]}"}
          |                                                                            ^^^^
          = help: did you mean `goods`?   gearmesh validate --fix f.yaml
          = note: nothing was run
        error[UNKNOWN_NAME]: the result of `pick` has no `frist`
          --> f.yaml:17:20
           |
        17 |   a: ${pick.result.frist}
           |                    ^^^^^
           = help: did you mean `first`?   gearmesh validate --fix f.yaml
           = note: nothing was run
        error[UNKNOWN_NAME]: the result of `many` is a list, one value per item; take `[0]` or all by `[]`
          --> f.yaml:18:20
           |
        18 |   b: ${many.result.count}
           |                    ^^^^^
           = note: nothing was run
        error[UNKNOWN_NAME]: `many.result` has no `coumt`
          --> f.yaml:19:23
           |
        19 |   c: ${many.result[0].coumt}
           |                       ^^^^^
           = help: did you mean `count`?   gearmesh validate --fix f.yaml
           = note: nothing was run
        error[UNKNOWN_NAME]: `fetch.result` is no list and has no `[0]`
          --> f.yaml:22:20
           |
        22 |   f: ${fetch.result[0]}
           |                    ^^^
           = note: nothing was run
    "#]],
    );
}

#[test]
fn item_and_index_exist_where_instances_do() {
    // WF-3.15, WF-3.16
    let each = "each: [1, 2]\nas: n\n";
    for line in [
        "tool: shop.find\nparams: {site: \"${n}\", pageSize: \"${index}\"}",
        "tool: shop.order\nconnection: \"shop-${n}\"\nparams: {lines: [{name: \"${n}\"}]}",
        "tool: shop.find\nparams: {site: a}\nidempotencyKey: \"k${n}-${index}\"",
        "set: {v: \"${n}\"}\nexpect: a.result.v == n",
        "set: {v: 1}\nonError: {use: \"${n}\"}",
    ] {
        assert_eq!(said(&with_task(&format!("{each}{line}"))), "", "{line}");
        assert!(
            said(&with_task(line)).contains("UNKNOWN_NAME"),
            "without `each`: {line}"
        );
    }
    expect_said(
        &with_task("each: \"${n}\"\nas: n\nwhen: index == 1\nset: {v: \"${item}\"}"),
        &expect![[r#"
            error[UNKNOWN_NAME]: no task or input is called `n`
             --> f.yaml:8:14
              |
            8 |     each: "${n}"
              |              ^
              = note: nothing was run
            error[UNKNOWN_NAME]: `index` exists only inside of a task with `each`, and not in its `when` and `each`
              --> f.yaml:10:11
               |
            10 |     when: index == 1
               |           ^^^^^
               = note: nothing was run
            error[UNKNOWN_NAME]: the element of `each` is called `n` here
              --> f.yaml:11:17
               |
            11 |     set: {v: "${item}"}
               |                 ^^^^
               = note: nothing was run
        "#]],
    );
    expect_said(
        &with_task("each: [1]\nas: first\nset: {v: 1}"),
        &expect![[r#"
            error[INVALID_ID]: `first`: a task has this name
             --> f.yaml:9:9
              |
            9 |     as: first
              |         ^^^^^
              = note: nothing was run
        "#]],
    );
}

#[test]
fn own_name_is_the_instance_in_expect_and_a_cycle_elsewhere() {
    // WF-3.29
    assert_eq!(
        said(&with_task(
            "tool: shop.find\nparams: {site: a}\nexpect: a.result.count > 0"
        )),
        ""
    );
    assert_eq!(
        said(&with_task(
            "each: [1]\ntool: shop.find\nparams: {site: a}\nexpect: a.result.count > 0"
        )),
        ""
    );
    expect_said(
        &with_task("set: {v: \"${a.result.v}\"}"),
        &expect![[r#"
        error[CIRCULAR_DEPENDENCY]: Circular dependency detected: a -> a
         --> f.yaml:7:9
          |
        7 |   - id: a
          |         ^
          = note: nothing was run
    "#]],
    );
}

#[test]
fn expression_ends_at_its_limit() {
    // WF-4.9
    let file = |length: usize| {
        let path = "a".repeat(length - "inputs.q || ".len());
        with_task(&format!(
            "set: {{v: \"${{inputs.q || '{}'}}\"}}",
            &path[2..]
        ))
    };
    assert_eq!(said(&file(8 * 1024)), "");
    assert!(said(&file(8 * 1024 + 1)).contains("EXPRESSION_LIMIT"));
}

#[test]
fn escaped_expression_is_text() {
    // WF-4.1
    let workflow = workflow(&with_task("set: {v: \"$${inputs.q}\"}"));
    let gearmesh_workflow::Kind::Set {
        values: gearmesh_workflow::Node::Constant(values),
    } = &workflow.tasks[1].kind
    else {
        panic!("a set of constants");
    };
    assert_eq!(values["v"], "${inputs.q}");
}

#[test]
fn each_takes_a_list_or_one_expression() {
    // WF-3.14
    assert_eq!(
        said(&with_task(
            "each: ${first.result.goods}\nset: {v: \"${item.name}\"}"
        )),
        ""
    );
    expect_said(
        &with_task("each: a ${first.result.goods}\nset: {v: 1}"),
        &expect![[r#"
            error[INVALID_VALUE]: `each` of task `a`: expected a list or one `${...}`, found text "a ${first.result.goods}"
             --> f.yaml:8:11
              |
            8 |     each: a ${first.result.goods}
              |           ^^^^^^^^^^^^^^^^^^^^^^^
              = note: nothing was run
        "#]],
    );
    expect_said(
        &with_task("each: plain\nset: {v: 1}"),
        &expect![[r#"
        error[INVALID_VALUE]: `each` of task `a`: expected a list or one `${...}`, found text "plain"
         --> f.yaml:8:11
          |
        8 |     each: plain
          |           ^^^^^
          = note: nothing was run
    "#]],
    );
}
