//! Expressions that only mean harm end with a coded error, or with a value that was paid for.

mod cases;

use gearmesh_expr::Expression;

/// WF-4.9
#[test]
fn every_attack_ends_with_its_code() {
    let mut wrong = String::new();
    for case in cases::all() {
        let result = Expression::parse(&case.text).and_then(|parsed| parsed.evaluate(&case.scope));
        let code = result.as_ref().err().map(|error| error.code);
        if code != case.code {
            let message = result.map_or_else(|error| error.to_string(), |_| "a value".to_owned());
            wrong += &format!(
                "{}: {code:?} instead of {:?}: {message}\n",
                case.name, case.code
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}
