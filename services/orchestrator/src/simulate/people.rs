//! People and events, from the side of those who wait for them.

use serde_json::{Value, json};

use gearmesh_workflow::Kind;

use super::cases::Opinion;
use super::names;
use super::world::{Coming, World};
use crate::plan::{Input, InstanceStatus, Vote};
use crate::voter::{Question, Refused};

/// The name of an approver, without whether it is a person's or a role's.
fn bare(approver: &str) -> &str {
    approver.split_once(':').map_or(approver, |(_, name)| name)
}

impl World<'_> {
    /// Asks the people of the case.
    pub(super) fn ask(&mut self, task: usize, item: usize, name: &str) {
        let definition = self.state.task(task);
        if !matches!(definition.kind, Kind::Approve(_)) {
            return;
        }
        let approvals = &self.case.approvals;
        let opinions = approvals.get(name).or(approvals.get(&definition.id));
        let opinions = opinions.cloned();
        for (at, opinion) in opinions.into_iter().flatten().enumerate() {
            let at_ms = self.now_ms + opinion.delay_ms;
            let coming = Coming::Opinion {
                task,
                item,
                at,
                opinion,
            };
            self.expect_at(at_ms, coming);
        }
    }

    /// Somebody answers a question, if it is still there.
    pub(super) fn vote(&mut self, task: usize, item: usize, at: usize, opinion: Opinion) {
        let Kind::Approve(approve) = &self.state.task(task).kind else {
            return;
        };
        if !self.waits(task, item) {
            return;
        }
        let name = names::full(&self.state, task, item);
        let question = Question::of(&self.state, task, item, &name);
        let principal = match (&opinion.by, question.approvers().get(at)) {
            (Some(by), _) => by.clone(),
            // The quorum needs different people.
            (None, Some(approver)) => bare(approver).to_owned(),
            (None, None) => format!("tester{at}"),
        };
        // Who has a role is not known to a case.
        if let Err(refused) = question.admit(&principal, |_, _| true) {
            let (Refused::NotYours(text) | Refused::Answered(text)) = refused;
            return self.fault(text);
        }
        let form = match gearmesh_workflow::bind(&approve.form, &opinion.form) {
            Ok(form) => form,
            Err(errors) => {
                let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let texts = texts.join("; ");
                return self.fault(format!("the form of `{name}`: {texts}"));
            }
        };
        let vote = Vote {
            principal,
            approved: opinion.approved,
            note: opinion.note,
            form: Value::Object(form),
        };
        self.input(Input::Voted { task, item, vote });
    }

    pub(super) fn waits(&self, task: usize, item: usize) -> bool {
        let known = self.state.tasks.get(task);
        let known = known.and_then(|task| task.instances.get(item));
        known.is_some_and(|instance| instance.status == InstanceStatus::Waiting)
    }

    /// The instances that wait for a topic.
    pub(super) fn listeners(&self, event: usize) -> Vec<(usize, usize)> {
        let Some(event) = self.case.events.get(event) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (task, known) in self.state.tasks.iter().enumerate() {
            for (item, instance) in known.instances.iter().enumerate() {
                let topic = instance.what.get("topic").and_then(Value::as_str);
                let fits = topic.is_some_and(|topic| names::fits(topic, &event.topic));
                if fits && instance.status == InstanceStatus::Waiting {
                    found.push((task, item));
                }
            }
        }
        found
    }

    pub(super) fn tell(&mut self, task: usize, item: usize, event: usize) {
        let Some(told) = self.case.events.get(event) else {
            return;
        };
        let event = json!({
            "id": format!("evt_{}", event + 1),
            "topic": told.topic,
            "time": crate::render::instant(self.now_ms),
            "payload": told.payload,
        });
        self.input(Input::Event { task, item, event });
    }
}
