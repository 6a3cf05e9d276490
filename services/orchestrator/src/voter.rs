//! Who may answer a question: one rule for runs and for the plays of test cases.

use serde_json::Value;

use crate::plan::State;

/// Whose word never counts: programs that log in as themselves.
const AGENT: &str = "agent/";

/// The user of this machine, where nobody logs in.
pub(crate) const LOCAL: &str = "local";

/// A question that waits for people.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// What it is called in messages.
    name: &'a str,
    /// Who started the run.
    starter: &'a str,
    /// Who may answer, as `user:x` or `role:x`; empty: everybody.
    approvers: Vec<&'a str>,
    /// What has been answered so far.
    answers: &'a [Value],
}

/// Why an answer does not count, in one sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    NotYours(String),
    Answered(String),
}

impl<'a> Question<'a> {
    /// The question of an instance that waits.
    pub(crate) fn of(state: &'a State, task: usize, item: usize, name: &'a str) -> Self {
        let known = state.tasks.get(task).and_then(|t| t.instances.get(item));
        let approvers = known.and_then(|i| i.what.get("approvers")?.as_array());
        let approvers = approvers.into_iter().flatten().filter_map(Value::as_str);
        Self {
            name,
            starter: &state.accepted.principal,
            approvers: approvers.collect(),
            answers: known.map_or(&[], |i| i.signals.as_slice()),
        }
    }

    /// Who may answer, in the order of the file.
    pub(crate) fn approvers(&self) -> &[&'a str] {
        &self.approvers
    }

    /// Whether somebody may answer now. `has_role` says who has a role.
    pub(crate) fn admit(
        &self,
        principal: &str,
        has_role: impl Fn(&str, &str) -> bool,
    ) -> Result<(), Refused> {
        let name = self.name;
        if principal.starts_with(AGENT) {
            let text = format!("`{principal}` is an agent; people answer `{name}`");
            return Err(Refused::NotYours(text));
        }
        // On a machine without logins there is but one person.
        let local = principal == LOCAL;
        let person = person(principal);
        if self.starter_is(principal) && !local {
            let text = format!("`{principal}` started the run; somebody else must answer `{name}`");
            return Err(Refused::NotYours(text));
        }
        let asked = |approver: &&str| match approver.split_once(':') {
            Some(("user", name)) => name == person,
            Some(("role", role)) => has_role(role, person),
            _ => *approver == person,
        };
        if !local && !self.approvers.is_empty() && !self.approvers.iter().any(asked) {
            let all = self.approvers.join(", ");
            let text = format!("`{name}` is for {all}, not for `{principal}`");
            return Err(Refused::NotYours(text));
        }
        let by = |answer: &Value| {
            let by = answer.get("by").and_then(Value::as_str);
            by.is_some_and(|by| self::person(by) == person)
        };
        if self.answers.iter().any(by) {
            let text = format!("`{principal}` has answered `{name}` before");
            return Err(Refused::Answered(text));
        }
        Ok(())
    }

    /// Whether a person started the run, with whatever login. An agent is none.
    fn starter_is(&self, principal: &str) -> bool {
        let of_agent = self.starter.starts_with(AGENT);
        principal == self.starter || (!of_agent && person(principal) == person(self.starter))
    }
}

/// The person for whom a principal stands: a token has the name of its person.
fn person(principal: &str) -> &str {
    let name = principal.split_once('/').map(|(_, name)| name);
    name.unwrap_or(principal)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn answer_counts_once_and_of_those_who_are_asked() {
        // WF-3.47, WF-3.48
        let answers = [json!({"by": "token/ann"}), json!({"by": "local"})];
        let question = |approvers: &[&'static str]| Question {
            name: "decide",
            starter: "token/sue",
            approvers: approvers.to_vec(),
            answers: &answers,
        };
        let asked = question(&["user:ann", "role:finance", "user:sue", "user:bot", "carl"]);
        let in_role = |role: &str, person: &str| (role, person) == ("finance", "fred");
        let not_yours = |who: &str, approvers: &Question<'_>| {
            let refused = approvers.admit(who, in_role);
            matches!(refused, Err(Refused::NotYours(_)))
        };
        for who in ["token/fred", "fred", "carl"] {
            assert_eq!(asked.admit(who, in_role), Ok(()), "{who}");
        }
        // The starter is named in vain, and so is an agent.
        for who in [
            "token/sue",
            "cert/sue",
            "agent/bot",
            "agent/ann",
            "token/eve",
            "finance",
        ] {
            assert!(not_yours(who, &asked), "{who}");
        }
        let all = question(&[]);
        assert_eq!(all.admit("token/eve", in_role), Ok(()));
        assert!(not_yours("token/sue", &all) && not_yours("agent/x", &all));
        for who in ["token/ann", "cert/ann", "local"] {
            let refused = asked.admit(who, in_role);
            assert!(matches!(refused, Err(Refused::Answered(_))), "{who}");
        }
    }
}
