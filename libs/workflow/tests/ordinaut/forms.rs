//! The one form of our files.

use expect_test::{Expect, expect};
use gearmesh_workflow::{FormatError, FormatOptions, Source, check, format};

use crate::support::files;

const PLAIN: FormatOptions = FormatOptions { strict: false };
const STRICT: FormatOptions = FormatOptions { strict: true };

fn formatted(text: &str) -> String {
    let out = format(text, PLAIN).unwrap_or_else(|error| panic!("{error}\n{text}"));
    // What has the form keeps it.
    assert_eq!(format(&out, PLAIN).as_deref(), Ok(out.as_str()), "\n{out}");
    out
}

fn check_form(text: &str, expected: &Expect) {
    expected.assert_eq(&formatted(text));
}

fn words(text: &str) -> Vec<&str> {
    let mut words: Vec<&str> = text.split_whitespace().collect();
    words.sort_unstable();
    words
}

#[test]
fn examples_are_formatted_without_a_loss() {
    let mut all = files("docs/examples", ".workflow.yaml");
    all.extend(files("tests/broken", ".workflow.yaml"));
    let mut count = 0;
    for (path, text) in all {
        let name = path.display();
        let Ok(out) = format(&text, PLAIN) else {
            assert!(path.to_string_lossy().contains("broken"), "{name}");
            continue;
        };
        count += 1;
        assert_eq!(format(&out, PLAIN).as_deref(), Ok(out.as_str()), "{name}");
        // Nothing but the order of lines and the space between them is another.
        assert_eq!(words(&text), words(&out), "{name}");
        let codes = |text: &str| {
            let source = Source {
                text,
                file_name: "f",
                dialect: None,
            };
            let mut codes: Vec<_> = check(&source, None)
                .errors
                .into_iter()
                .map(|e| (e.code, e.message))
                .collect();
            codes.sort();
            codes
        };
        if !name.to_string().contains("broken") {
            assert_eq!(codes(&out), codes(&text), "{name}");
        }
        let strict = format(&text, STRICT).expect("it is formatted");
        assert_eq!(
            format(&strict, STRICT).as_deref(),
            Ok(strict.as_str()),
            "{name}"
        );
    }
    assert!(count > 10, "{count} files");
}

#[test]
fn keys_come_in_the_order_of_the_documentation() {
    check_form(
        r#"
outputs: {x: 1}
x-mine: 1
tasks:
- params: {b: 1, a: 2}
  tool: a.b
  priority: 3
  needs: [b]
  id: a
- tasks:
  - tool: x.y
    id: inner
  id: group
  each: [1]
finally:
    -   set:
            z: 1
            a: 2
        id: end
name: x
"#,
        &expect![[r#"
            name: x
            tasks:
              - id: a
                needs: [b]
                tool: a.b
                params: {b: 1, a: 2}
                priority: 3
              - id: group
                each: [1]
                tasks:
                  - id: inner
                    tool: x.y
            outputs: {x: 1}
            finally:
              - id: end
                set:
                  z: 1
                  a: 2
            x-mine: 1
        "#]],
    );
}

#[test]
fn comments_stay_with_what_they_are_for() {
    check_form(
        r#"# Licence of the file.

# Of the name.
name: x   # beside the name

# Of the tasks.
tasks:   # beside the tasks
    # Of a.
    -   tool: a.b   # the tool
        # Of the id.
        id: a
        # retry: {attempts: 3}

    # Of b, first.

    # Of b, second.
    - # beside the dash
      id: b
      params:
          deep:
              - 1 # one
              # before two
              - 2
              # end of the list
          # end of params
      tool: c.d
    # end of the tasks
title: t
# the end
"#,
        &expect![[r#"
            # Licence of the file.

            # Of the name.
            name: x   # beside the name
            title: t

            # Of the tasks.
            tasks:   # beside the tasks
              # Of a.
              # Of the id.
              - id: a
                # retry: {attempts: 3}
                tool: a.b   # the tool

              # Of b, first.

              # Of b, second.
              # beside the dash
              - id: b
                tool: c.d
                params:
                  deep:
                    - 1 # one
                    # before two
                    - 2
                    # end of the list
                  # end of params
              # end of the tasks
            # the end
        "#]],
    );
}

#[test]
fn texts_keep_what_they_say() {
    check_form(
        "name: x\ntasks:\n      - id: a\n        set:\n              lines: |\n                    one\n                      two\n\n                    three # no comment\n\n\n              folded: >-   # header\n                 a\n                 b\n              keep: |+\n                 k\n\n              given: |2\n                   indented\n              plain: one\n                two\n              single: 'a\n\n                b'\n              double: \"a \\\n                b\"\n              flow: {a: 1, # in\n                b: [1,\n                  2]}\n              next:\n                value\n              nothing:\n              \"quoted key\": 'it''s'\n              nested:\n                - - 1\n                  - 2\n                -\n                - a: 1\n                  b: |\n                    t\n",
        &expect![[r#"
            name: x
            tasks:
              - id: a
                set:
                  lines: |
                    one
                      two

                    three # no comment

                  folded: >-   # header
                    a
                    b
                  keep: |+
                    k

                  given: |2
                       indented
                  plain: one
                    two
                  single: 'a

                    b'
                  double: "a \
                    b"
                  flow: {a: 1, # in
                    b: [1,
                      2]}
                  next: value
                  nothing:
                  "quoted key": 'it''s'
                  nested:
                    - - 1
                      - 2
                    -
                    - a: 1
                      b: |
                        t
        "#]],
    );
    check_form(
        "name: x\ndescription: |+\n   last\n\n\n",
        &expect![[r#"
        name: x
        description: |+
          last


    "#]],
    );
    check_form(
        "\u{feff}name: x\r\ntasks:\r\n- id: a\r\n  set: {}\r\n",
        &expect![[r#"
        name: x
        tasks:
          - id: a
            set: {}
    "#]],
    );
}

#[test]
fn documents_are_formatted_one_by_one() {
    check_form(
        "title: first\nname: a\n--- # second\n# head\n\ntitle: t\nname: b\n---\nname: c\n",
        &expect![[r#"
            name: a
            title: first
            --- # second
            # head

            name: b
            title: t
            ---
            name: c
        "#]],
    );
    check_form(
        "---\ntitle: first\nname: a\n",
        &expect![[r#"
        ---
        name: a
        title: first
    "#]],
    );
}

#[test]
fn what_has_no_form_is_refused() {
    let said: String = [
        "{\"name\": \"x\"}",
        "name: x\nvars: &a {}\n",
        "name: x\ntasks:\n  - id: a\n    set: {a: &x 1, b: *x}\n",
        "title: t\n---\nname: !!str x\n",
        "? name\n: x\n",
        "text",
        "name: x\nname: y\n",
        "a: 1\n---\nb: [\n",
    ]
    .iter()
    .map(|text| format!("{}\n", format(text, PLAIN).expect_err(text)))
    .collect();
    expect![[r#"
        line 1: the file is JSON; only YAML has this form
        line 2: an anchor; a file that has one is left as it is
        line 4: an anchor; a file that has one is left as it is
        line 3: a tag; a file that has one is left as it is
        line 1: a key after a question mark; write it as `key: value`
        line 1: a file of one value has no form
        line 2: DUPLICATE_KEY: `name` is used twice (first at line 1)
        line 3: YAML_SYNTAX: unclosed bracket '['
    "#]]
    .assert_eq(&said);
    assert!(matches!(format("a: [", PLAIN), Err(FormatError::Faults(_))));
}

#[test]
fn strict_form_has_no_widenings() {
    let text = r#"name: x
title: "${a > 5}"
inputs: {n: {type: number, default: 1}, day: {default: "${now == null}", description: "${a > 5}"}}
triggers:
  - {event: {topic: a.b, where: event.payload.n > 5}, when: trigger.id != null}
tasks:
  - id: a
    when: inputs.n > 5
    set: {x: "${inputs.n >= 5} and ${inputs.n}", when: n > 5, y: 'it''s ${inputs.n == null}'}
    expect: "a.result.x == true"
    repeat: {until: a.result.n == 3}
  - id: b
    params:
      until: n > 5
      text: |
        ${inputs.n != 4}
    tool: c.d
onFailure:
  - id: c
    when: run.status == 'failed' && inputs.n < 3
    set: {}
"#;
    let out = format(text, STRICT).expect("it is formatted");
    expect![[r#"
        name: x
        title: "${a > 5}"
        inputs: {n: {type: number, default: 1}, day: {default: "${now == `null`}", description: "${a > 5}"}}
        triggers:
          - {event: {topic: a.b, where: event.payload.n > `5`}, when: trigger.id != `null`}
        tasks:
          - id: a
            when: inputs.n > `5`
            set: {x: "${inputs.n >= `5`} and ${inputs.n}", when: n > 5, y: 'it''s ${inputs.n == `null`}'}
            expect: "a.result.x == `true`"
            repeat: {until: a.result.n == `3`}
          - id: b
            tool: c.d
            params:
              until: n > 5
              text: |
                ${inputs.n != `4`}
        onFailure:
          - id: c
            when: run.status == 'failed' && inputs.n < `3`
            set: {}
    "#]].assert_eq(&out);
    assert_eq!(format(&out, STRICT).as_deref(), Ok(out.as_str()));
    assert_eq!(format(text, PLAIN).as_deref(), Ok(text.replace("    params:\n      until: n > 5\n      text: |\n        ${inputs.n != 4}\n    tool: c.d\n", "    tool: c.d\n    params:\n      until: n > 5\n      text: |\n        ${inputs.n != 4}\n").as_str()));
}

/// Files put together by chance: whatever the notation, the form keeps the meaning and is kept.
#[test]
fn any_file_keeps_its_meaning() {
    let mut random = fastrand::Rng::with_seed(20_26);
    for _ in 0..500 {
        let text = any_file(&mut random);
        let out = format(&text, PLAIN).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(
            format(&out, PLAIN).as_deref(),
            Ok(out.as_str()),
            "\n{text}\n->\n{out}"
        );
        assert_eq!(
            text.matches('#').count(),
            out.matches('#').count(),
            "\n{text}\n->\n{out}"
        );
    }
}

fn any_file(random: &mut fastrand::Rng) -> String {
    let mut text = String::new();
    let mut keys = vec![
        "name",
        "title",
        "tasks",
        "outputs",
        "timeout",
        "x-a",
        "vars",
        "onFailure",
    ];
    random.shuffle(&mut keys);
    for key in keys.into_iter().take(random.usize(1..6)) {
        any_entry(random, key, 0, &mut text);
    }
    any_comment(random, 0, &mut text);
    text
}

fn any_comment(random: &mut fastrand::Rng, indent: usize, text: &mut String) {
    for _ in 0..random.usize(0..3) {
        match random.u8(0..5) {
            0 => text.push('\n'),
            1 => *text += &format!("{}# c{}\n", " ".repeat(indent), random.u8(..)),
            2 => *text += &format!("{}# d{}\n", " ".repeat(random.usize(0..8)), random.u8(..)),
            _ => {}
        }
    }
}

fn any_entry(random: &mut fastrand::Rng, key: &str, indent: usize, text: &mut String) {
    any_comment(random, indent, text);
    let beside = ["", "", " # e", "   # f"][random.usize(0..4)];
    let step = random.usize(1..5);
    *text += &format!("{}{key}:", " ".repeat(indent));
    match (key, random.u8(0..8)) {
        ("tasks" | "onFailure", 0..7) => {
            *text += &format!("{beside}\n");
            let indent = indent + random.usize(0..3);
            for at in 0..random.usize(1..4) {
                any_comment(random, indent, text);
                let gap = random.usize(1..4);
                *text += &format!("{}-{}id: t{at}\n", " ".repeat(indent), " ".repeat(gap));
                for key in ["tool", "params", "needs", "tasks"] {
                    if random.u8(0..3) == 0 && indent < 12 {
                        any_entry(random, key, indent + 1 + gap, text);
                    }
                }
            }
        }
        (_, 0..2) => *text += &format!(" plain{beside}\n"),
        (_, 2) => *text += &format!(" 'quo ted'{beside}\n"),
        (_, 3) => *text += &format!(" {{a: 1, b: [x, y]}}{beside}\n"),
        (_, 4) => {
            let pad = " ".repeat(indent + step);
            *text += &format!(" |{beside}\n{pad}one\n{pad}  two\n\n{pad}three\n");
        }
        (_, 5) => {
            let pad = " ".repeat(indent + step);
            *text += &format!(" first\n{pad}second{beside}\n");
        }
        (_, 6) if indent < 12 => {
            *text += &format!("{beside}\n");
            for at in 0..random.usize(1..4) {
                any_entry(random, &format!("k{at}"), indent + step, text);
            }
        }
        _ => *text += &format!("{beside}\n"),
    }
}
