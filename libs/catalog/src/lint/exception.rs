//! What may break a rule, and why.

use super::Finding;

/// A rule that does not fit somewhere.
#[derive(Debug)]
pub(super) struct Exception {
    rule: &'static str,
    /// Beginning and end of the subject.
    subject: (&'static str, &'static str),
    /// Why the rule does not fit; for the reader.
    #[expect(
        dead_code,
        reason = "every exception carries its reason, and only people read it"
    )]
    reason: &'static str,
}

pub(super) const EXCEPTIONS: &[Exception] = &[
    Exception {
        rule: "field",
        subject: ("gearmesh.state.v1.", ".key"),
        reason: "names an entry of the store; opens nothing",
    },
    Exception {
        rule: "field",
        subject: ("gearmesh.ledger.v1.", ".key"),
        reason: "an idempotency key, known to both ends and worthless to others",
    },
    Exception {
        rule: "list",
        subject: ("/gearmesh.db.v1.", "/Update"),
        reason: "changes rows of a table by a condition, not a resource of ours",
    },
];

impl Exception {
    /// Whether a finding is meant to be.
    pub(super) fn covers(&self, finding: &Finding) -> bool {
        self.rule == finding.rule
            && finding.subject.starts_with(self.subject.0)
            && finding.subject.ends_with(self.subject.1)
    }
}
