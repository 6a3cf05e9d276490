//! Tasks that hold no slot: groups, sub-workflows, questions to people, waits.

use serde_json::{Value, json};

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::{Kind, Wait};
use journal::record::Fact;

use crate::plan::advance::{Child, Command, Planner, StartChild, Vote};
use crate::plan::fold::millis;
use crate::plan::instance::{problem, text};
use crate::plan::settle::key;
use crate::plan::state::{Phase, Problem, State};
use crate::plan::task_state::InstanceStatus;

/// The kinds of things that are waited for, in records and documents.
pub(crate) mod what {
    pub(crate) const APPROVAL: &str = "approval";
    pub(crate) const TIME: &str = "time";
    pub(crate) const EVENT: &str = "event";
    pub(crate) const WORKFLOW: &str = "workflow";
}

impl Planner<'_> {
    /// The run begins, or goes on after a restart: what it waits for outside of itself is
    /// asked for again.
    pub(crate) fn begin(&mut self) {
        for task in 0..self.state.tasks.len() {
            for item in 0..self.state.tasks[task].instances.len() {
                if self.state.tasks[task].instances[item].status == InstanceStatus::Waiting {
                    self.ask_again(task, item);
                }
            }
        }
    }

    fn ask_again(&mut self, task: usize, item: usize) {
        let instance = &self.state.tasks[task].instances[item];
        match instance.what.get("kind").and_then(Value::as_str) {
            Some(what::EVENT) => {
                let topic = instance.what.get("topic").and_then(Value::as_str);
                let (topic, since_ms) = (topic.unwrap_or_default().to_owned(), instance.since_ms);
                self.command(Command::Listen {
                    task,
                    item,
                    topic,
                    since_ms,
                });
            }
            Some(what::WORKFLOW) => {
                let child = self.child_of(task, item);
                self.command(Command::StartChild(Box::new(child)));
                if self.state.dying(self.state.tasks[task].frame) {
                    self.command(Command::CancelChild { task, item });
                }
            }
            _ => {}
        }
    }

    /// Lets an instance begin to wait.
    pub(crate) fn park(&mut self, task: usize, item: usize) {
        let waiting = self.state.waiting_for(task, item, self.moment.now_ms);
        let admitted = waiting.and_then(|(what, due)| {
            if what["kind"] == what::EVENT {
                self.moment.tools.may_listen()?;
            }
            Ok((what, due))
        });
        match admitted {
            Ok((what, due_ms)) => {
                let due_ms = due_ms.map(|d| self.moment.now_ms.saturating_add(d));
                self.record_waiting(task, item, &what, due_ms);
                self.ask_again(task, item);
            }
            Err(problem) => self.fail(task, item, 0, problem),
        }
    }

    fn record_waiting(&mut self, task: usize, item: usize, what: &Value, due_ms: Option<i64>) {
        let instance = &self.state.tasks[task].instances[item];
        let attempt = if what["kind"] == what::WORKFLOW {
            instance.attempt + 1
        } else {
            0
        };
        self.record(Fact::Waiting(journal::Waiting {
            task: self.state.task(task).id.clone(),
            path: self.state.path(task),
            item: self.item(task, item),
            due_ms,
            what: what.to_string().into(),
            pass: self.state.tasks[task].instances[item].pass,
            attempt,
        }));
    }

    /// Lets the graph of a group begin.
    pub(crate) fn open(&mut self, task: usize, item: usize) {
        self.record(Fact::Opened(journal::Opened {
            task: self.state.task(task).id.clone(),
            path: self.state.path(task),
            item: self.item(task, item),
            pass: self.state.tasks[task].instances[item].pass,
        }));
    }

    /// All tasks of a group's graph have ended.
    pub(crate) fn drained(&mut self, frame: usize) {
        let Some((task, item)) = self.state.frames[frame].parent else {
            return;
        };
        let instance = &self.state.tasks[task].instances[item];
        if instance.status != InstanceStatus::Waiting || instance.frame != Some(frame) {
            return;
        }
        if let Some(why) = self.state.frames[frame].ending.clone() {
            return self.failed(task, item, 0, why, None, 0);
        }
        if self.state.dying(frame) {
            let outcome = journal::Outcome::Cancelled;
            return self.end(task, item, 0, outcome, Value::Null, None);
        }
        match self.state.frames[frame].failed.clone() {
            Some((inner, problem)) => {
                let problem = Problem {
                    details: Box::new(json!({"task": inner, "details": problem.details})),
                    ..problem
                };
                self.failed(task, item, 0, problem, None, 0);
            }
            None => {
                let result = self.state.results(frame);
                self.completed(task, item, 0, result);
            }
        }
    }

    /// The run that an instance waits for.
    fn child_of(&self, task: usize, item: usize) -> StartChild {
        let definition = self.state.task(task);
        let instance = &self.state.tasks[task].instances[item];
        let path = self.state.path(task);
        let field = |name: &str| instance.what.get(name).cloned().unwrap_or_default();
        // Each attempt is a run of its own, and so is each round.
        let attempt = format!("{}.{}", instance.pass, instance.attempt);
        let place = (path.as_slice(), self.item(task, item));
        StartChild {
            task,
            item,
            attempt: instance.attempt,
            workflow: field("workflow").as_str().unwrap_or_default().to_owned(),
            inputs: field("inputs"),
            key: key(
                &self.state.run,
                &format!("{}/child/{attempt}", definition.id),
                place,
                1,
                None,
            ),
            path: path.clone(),
            item_field: self.item(task, item),
        }
    }

    /// The run of a sub-workflow ended, or could not be started.
    pub(crate) fn child_ended(&mut self, task: usize, item: usize, attempt: u32, child: Child) {
        let known = self
            .state
            .tasks
            .get(task)
            .and_then(|t| t.instances.get(item));
        let Some(instance) =
            known.filter(|i| i.status == InstanceStatus::Waiting && i.attempt == attempt)
        else {
            return;
        };
        if !matches!(self.state.task(task).kind, Kind::Workflow { .. }) {
            return;
        }
        if let Some(why) = instance
            .problem
            .clone()
            .filter(|p| p.code == "TASK_TIMEOUT")
        {
            return self.failed(task, item, attempt, why, None, 0);
        }
        let dying = self.state.dying(self.state.tasks[task].frame);
        match child.end {
            Ok(outputs) => self.completed(task, item, attempt, outputs),
            Err(_) if dying => {
                let outcome = journal::Outcome::Cancelled;
                self.end(task, item, attempt, outcome, Value::Null, None);
            }
            Err(problem) => self.failed(task, item, attempt, problem, None, 0),
        }
    }

    /// A person answered a question.
    pub(crate) fn voted(&mut self, task: usize, item: usize, vote: Vote) {
        let known = self
            .state
            .tasks
            .get(task)
            .and_then(|t| t.instances.get(item));
        let Some(instance) = known.filter(|i| i.status == InstanceStatus::Waiting) else {
            return;
        };
        let before: Vec<Value> = (instance.signals.iter())
            .filter_map(|s| s.get("by").cloned())
            .collect();
        let Kind::Approve(approve) = &self.state.task(task).kind else {
            return;
        };
        let by = Value::String(vote.principal.clone());
        if before.contains(&by) || self.state.dying(self.state.tasks[task].frame) {
            return;
        }
        let quorum = approve.quorum as usize;
        let at = crate::render::instant(self.moment.now_ms);
        let signal = json!({"by": by, "approved": vote.approved, "at": at,
            "note": vote.note, "form": vote.form});
        self.record(Fact::Signalled(journal::Signalled {
            task: self.state.task(task).id.clone(),
            path: self.state.path(task),
            item: self.item(task, item),
            signal: signal.to_string().into(),
            sealed: Vec::new(),
        }));
        if !vote.approved {
            let text = if vote.note.is_empty() {
                format!("`{}` rejected it", vote.principal)
            } else {
                format!("`{}` rejected it: {}", vote.principal, vote.note)
            };
            let problem = Problem {
                details: Box::new(signal),
                ..Problem::new("APPROVAL_REJECTED", text)
            };
            return self.fail(task, item, 0, problem);
        }
        if before.len() + 1 < quorum {
            return;
        }
        let mut all = before;
        all.push(by);
        let result = json!({"approved": true, "by": all, "at": at,
            "note": vote.note, "form": vote.form});
        self.completed(task, item, 0, result);
    }

    /// An event came on a topic for which an instance waits.
    pub(crate) fn event(&mut self, task: usize, item: usize, event: &Value) {
        let known = self
            .state
            .tasks
            .get(task)
            .and_then(|t| t.instances.get(item));
        let waits = known.is_some_and(|i| i.status == InstanceStatus::Waiting);
        if !waits || self.state.phase == Phase::Queued {
            return;
        }
        match self.state.fits(task, item, event) {
            Ok(true) => self.completed(task, item, 0, event.clone()),
            Ok(false) => {}
            Err(problem) => self.fail(task, item, 0, problem),
        }
    }
}

impl State {
    /// What an instance is to wait for, and for how many milliseconds at most.
    fn waiting_for(
        &self,
        task: usize,
        item: usize,
        now_ms: i64,
    ) -> Result<(Value, Option<i64>), Problem> {
        let definition = self.task(task);
        let view = self.view(task, item);
        let words = |node: &gearmesh_workflow::Node, key: &str| {
            text(&node.evaluate(&view).map_err(|e| problem(&e))?, key)
        };
        match &definition.kind {
            Kind::Approve(approve) => {
                let approvers = (approve.approvers.iter())
                    .map(|node| words(node, "approvers"))
                    .collect::<Result<Vec<_>, _>>()?;
                let what = json!({
                    "kind": what::APPROVAL,
                    "message": words(&approve.message, "message")?,
                    "approvers": approvers,
                });
                Ok((what, approve.timeout.map(millis)))
            }
            Kind::Wait(wait) => match &**wait {
                Wait::For(node) => {
                    let written = words(node, "for")?;
                    let wait = gearmesh_workflow::duration::parse(&written).map_err(|_| {
                        let text = format!("`wait.for` is no duration: {written}");
                        Problem::new("WAIT_INVALID", text)
                    })?;
                    Ok((json!({"kind": what::TIME}), Some(millis(wait))))
                }
                Wait::Until(node) => {
                    let written = words(node, "until")?;
                    let until: jiff::Timestamp = written.parse().map_err(|_| {
                        let text = format!("`wait.until` is no instant: {written}");
                        Problem {
                            hint: "as in 2027-03-28T09:00:00Z".into(),
                            ..Problem::new("WAIT_INVALID", text)
                        }
                    })?;
                    let wait = until.as_millisecond() - now_ms;
                    Ok((
                        json!({"kind": what::TIME, "until": written}),
                        Some(wait.max(0)),
                    ))
                }
                Wait::Event { topic, timeout, .. } => {
                    let what = json!({"kind": what::EVENT, "topic": words(topic, "topic")?});
                    Ok((what, timeout.map(millis)))
                }
            },
            Kind::Workflow { name, params } => {
                let inputs = params.evaluate(&view).map_err(|e| problem(&e))?;
                let what = json!({"kind": what::WORKFLOW, "workflow": name, "inputs": inputs});
                Ok((what, definition.timeout.map(millis)))
            }
            _ => Err(Problem::new("INTERNAL_ERROR", "only waits are parked")),
        }
    }

    /// Whether an event is one for which an instance waits.
    fn fits(&self, task: usize, item: usize, event: &Value) -> Result<bool, Problem> {
        let Kind::Wait(wait) = &self.task(task).kind else {
            return Ok(false);
        };
        match &**wait {
            Wait::Event {
                where_: Some(condition),
                ..
            } => {
                let view = self.view(task, item).with("event", event);
                condition.holds(&view).map_err(|e| problem(&e))
            }
            Wait::Event { .. } => Ok(true),
            _ => Ok(false),
        }
    }
}
