//! Text within XML: JUnit reports and pictures.

/// Text as XML shows it. What XML cannot hold becomes a blank.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

/// Cases that belong together, as a JUnit report shows them.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
}

/// A case with what went wrong in it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) failures: Vec<String>,
}

/// A JUnit report, as CI servers read it.
pub(crate) fn junit(suites: &[Suite]) -> String {
    let mut lines = vec![
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>".to_owned(),
        "<testsuites>".to_owned(),
    ];
    for suite in suites {
        let failed = suite
            .cases
            .iter()
            .filter(|c| !c.failures.is_empty())
            .count();
        let name = escape(&suite.name);
        lines.push(format!(
            "  <testsuite name=\"{name}\" tests=\"{}\" failures=\"{failed}\">",
            suite.cases.len()
        ));
        for case in &suite.cases {
            let open = format!(
                "    <testcase classname=\"{name}\" name=\"{}\"",
                escape(&case.name)
            );
            if case.failures.is_empty() {
                lines.push(format!("{open}/>"));
                continue;
            }
            lines.push(format!("{open}>"));
            for failure in &case.failures {
                lines.push(format!("      <failure message=\"{}\"/>", escape(failure)));
            }
            lines.push("    </testcase>".to_owned());
        }
        lines.push("  </testsuite>".to_owned());
    }
    lines.push("</testsuites>".to_owned());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn report_names_what_failed_and_hides_what_xml_cannot_hold() {
        let case = |name: &str, failures: &[&str]| Case {
            name: name.into(),
            failures: failures.iter().map(|f| (*f).to_owned()).collect(),
        };
        let suite = Suite {
            name: "a & b".into(),
            cases: vec![
                case("good", &[]),
                case("<bad>", &["one\ntwo\u{1b}", "\"x\""]),
            ],
        };
        expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <testsuites>
              <testsuite name="a &amp; b" tests="2" failures="1">
                <testcase classname="a &amp; b" name="good"/>
                <testcase classname="a &amp; b" name="&lt;bad&gt;">
                  <failure message="one&#10;two "/>
                  <failure message="&quot;x&quot;"/>
                </testcase>
              </testsuite>
            </testsuites>"#]]
        .assert_eq(&junit(&[suite]));
    }
}
