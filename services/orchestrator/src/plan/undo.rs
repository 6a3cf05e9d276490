//! Taking back what had succeeded, the last first.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use gearmesh_api::journal::v1 as journal;
use journal::record::Fact;

use crate::plan::advance::{Command, Dispatch, Planner, Resolved};
use crate::plan::instance::{Prepared, problem};
use crate::plan::outcome::Answer;
use crate::plan::settle::key;
use crate::plan::state::{Problem, State};

/// Attempts to take one effect back: a failure may pass by itself, and nobody is there
/// to try again.
const ATTEMPTS_MAX: u32 = 3;

/// Wait before the second attempt; before the third it is twice as long.
const WAIT_MS: i64 = 1_000;

/// How far the undoing is.
#[derive(Debug, Default)]
pub(crate) struct Undoing {
    /// Instances that have succeeded, in the order of their ends.
    pub(crate) ended: Vec<(usize, usize)>,
    /// Those of them that are undone, the last first.
    pub(crate) order: Vec<(usize, usize)>,
    /// Those that are through.
    pub(crate) at: usize,
    pub(crate) attempt: u32,
    pub(crate) leased: bool,
    /// When the next attempt may start.
    pub(crate) due_ms: Option<i64>,
    pub(crate) done: usize,
    pub(crate) failed: usize,
    /// Nothing further is undone.
    pub(crate) stopped: bool,
    pub(crate) call: Option<UndoCall>,
}

/// The attempt under way, as its record says.
#[derive(Debug, Clone)]
pub(crate) struct UndoCall {
    pub(crate) class: String,
    pub(crate) key: String,
    pub(crate) tool: String,
    pub(crate) served_by: String,
}

impl Undoing {
    /// `all` or `part`; empty when nothing had to be undone.
    pub(crate) fn verdict(&self) -> &'static str {
        match (self.done, self.failed, self.stopped) {
            (0, 0, false) => "",
            (_, 0, false) => "all",
            _ => "part",
        }
    }
}

impl State {
    /// Lists what had succeeded, the last first.
    pub(crate) fn plan_undo(&mut self) {
        let undone = |(task, item): &(usize, usize)| {
            let known = &self.tasks[*task];
            let instance = known.instances.get(*item);
            let substituted = known.items.is_none() && known.substituted;
            // What stands in for a failure had no effect, nor had what was not called.
            self.task(*task).tool().is_some()
                && !known.reused
                && !substituted
                && instance.is_some_and(|i| !i.substituted && !i.cached)
        };
        // A group that was tried again has one effect for one key, however often it was sent.
        let mut keys = HashSet::new();
        let mut fresh = |(task, item): &(usize, usize)| {
            let known = &self.tasks[*task];
            let pass = known.instances.get(*item).map(|i| i.pass);
            let path = self.frame(*task).path.as_slice();
            keys.insert((known.definition, path, *item, pass))
        };
        let ended = self.undoing.ended.iter().rev().copied();
        let order = ended.filter(undone).filter(|at| fresh(at)).collect();
        self.undoing.order = order;
    }

    pub(crate) fn fold_undo_leased(&mut self, leased: &journal::Leased) {
        self.undoing.leased = true;
        self.undoing.due_ms = None;
        self.undoing.attempt = leased.attempt;
        self.undoing.call = Some(UndoCall {
            class: leased.class.clone(),
            key: leased.key.clone(),
            tool: leased.tool.clone(),
            served_by: leased.instance.clone(),
        });
        self.leased += 1;
    }

    pub(crate) fn fold_undo_backed_off(&mut self, backed: &journal::BackedOff) {
        if std::mem::take(&mut self.undoing.leased) {
            self.leased -= 1;
        }
        self.undoing.due_ms = Some(backed.due_ms);
    }

    pub(crate) fn fold_undo_ended(&mut self, ended: &journal::Ended) {
        if std::mem::take(&mut self.undoing.leased) {
            self.leased -= 1;
        }
        let undone = ended.outcome() == journal::Outcome::Succeeded;
        let skipped = ended.outcome() == journal::Outcome::Skipped;
        if let Some((task, item)) = self.undoing.order.get(self.undoing.at).copied()
            && !skipped
        {
            if let Some(instance) = self.tasks[task].instances.get_mut(item) {
                instance.undone = Some(undone);
            }
            if undone {
                self.undoing.done += 1;
            } else {
                self.undoing.failed += 1;
            }
        }
        self.undoing.at += 1;
        self.undoing.attempt = 0;
        self.undoing.due_ms = None;
        self.undoing.call = None;
    }

    /// The call that takes back what an instance did; none when nothing does.
    fn undo_call(
        &self,
        task: usize,
        item: usize,
        tools: &dyn crate::plan::advance::Tools,
    ) -> Result<Option<Prepared>, Problem> {
        let definition = self.task(task);
        let result = match &self.tasks[task].items {
            Some(_) => self.tasks[task].view.pointer(&format!("/result/{item}")),
            None => self.tasks[task].view.get("result"),
        };
        let result = result.cloned().unwrap_or_default();
        let Some(undo) = &definition.undo else {
            let done = self.prepare(task, item)?;
            let connection = done.connection.clone();
            let done = tools.resolve(done)?;
            let call = tools.undo(&done.tool, &done.params, &result);
            return Ok(call.map(|call| Prepared {
                connection: connection.filter(|_| tools.takes_connection(&call.tool)),
                ..call
            }));
        };
        let mut own = Map::new();
        own.insert("result".into(), result);
        own.insert("status".into(), "succeeded".into());
        let own = Value::Object(own);
        let view = self.view(task, item).with(&definition.id, &own);
        let params = undo.params.evaluate(&view).map_err(|e| problem(&e))?;
        let connection = match &definition.connection {
            Some(node) if params.get("connection").is_none() => {
                let value = node.evaluate(&view).map_err(|e| problem(&e))?;
                value.as_str().map(str::to_owned)
            }
            _ => None,
        };
        Ok(Some(Prepared {
            tool: undo.tool.clone(),
            params,
            // Not every tool that takes an effect back goes where the first one went.
            connection: connection.filter(|_| tools.takes_connection(&undo.tool)),
            key: None,
            vault: None,
        }))
    }
}

impl Planner<'_> {
    /// Gives the next attempt out; false when everything is through.
    pub(crate) fn undo_next(&mut self) -> bool {
        loop {
            let undoing = &self.state.undoing;
            if undoing.leased {
                return true;
            }
            let Some((task, item)) = undoing.order.get(undoing.at).copied() else {
                return false;
            };
            if undoing.stopped {
                return false;
            }
            if self.moment.draining || undoing.due_ms.is_some_and(|d| d > self.moment.now_ms) {
                return true;
            }
            let call = self.state.undo_call(task, item, self.moment.tools);
            match call {
                Ok(None) => self.undo_ended(task, item, journal::Outcome::Skipped, None),
                Ok(Some(call)) => match self.moment.tools.resolve(call) {
                    Ok(resolved) => {
                        self.undo_lease(task, item, resolved);
                        return true;
                    }
                    Err(why) => self.undo_ended(task, item, journal::Outcome::Failed, Some(why)),
                },
                Err(why) => self.undo_ended(task, item, journal::Outcome::Failed, Some(why)),
            }
        }
    }

    fn undo_lease(&mut self, task: usize, item: usize, resolved: Resolved) {
        let id = self.state.task(task).id.clone();
        let path = self.state.path(task);
        let item_field = self.item(task, item);
        let attempt = self.state.undoing.attempt + 1;
        let place = (path.as_slice(), item_field);
        // Two rounds of a group have two effects.
        let pass = self.state.tasks[task].instances[item].pass;
        let key = key(&self.state.run, &format!("{id}/undo"), place, pass, None);
        let served_by = match resolved.class {
            "TXN" | "AT_MOST_ONCE" => self.moment.tools.place(&resolved, &self.state.run),
            _ => String::new(),
        };
        self.record(Fact::Leased(journal::Leased {
            task: id,
            path,
            item: item_field,
            pass: 1,
            attempt,
            class: resolved.class.to_owned(),
            key: key.clone(),
            tool: resolved.tool.clone(),
            params_hash: bytes::Bytes::new(),
            instance: served_by.clone(),
            undo: true,
        }));
        self.command(Command::Dispatch(Box::new(Dispatch {
            task,
            item,
            pass: 1,
            attempt,
            epoch: 0,
            class: resolved.class.to_owned(),
            key,
            served_by,
            undo: true,
            cache: None,
            resolved,
        })));
    }

    fn undo_ended(
        &mut self,
        task: usize,
        item: usize,
        outcome: journal::Outcome,
        why: Option<Problem>,
    ) {
        let attempt = self.state.undoing.attempt;
        let mut ended = self.ended(task, outcome, attempt, Value::Null, why);
        ended.item = self.item(task, item);
        ended.undo = true;
        self.record(Fact::Ended(ended));
    }

    /// An attempt to take back an effect ended.
    pub(crate) fn undone(&mut self, attempt: u32, answer: Answer) {
        let undoing = &self.state.undoing;
        let Some((task, item)) = undoing.order.get(undoing.at).copied() else {
            return;
        };
        if !undoing.leased || undoing.attempt != attempt {
            return;
        }
        let stopped = undoing.stopped;
        let why = match answer {
            Answer::Done(_) | Answer::Cached(_) => {
                return self.undo_ended(task, item, journal::Outcome::Succeeded, None);
            }
            Answer::Unknown(why) => {
                return self.undo_ended(task, item, journal::Outcome::Failed, Some(why));
            }
            Answer::Failed { problem, .. } | Answer::Unsent(problem) => problem,
            Answer::Lost => Problem {
                retryable: true,
                ..Problem::new("LOST", "the process died during the call")
            },
            Answer::Cancelled => Problem {
                details: Box::new(json!({"undo": true})),
                ..Problem::new("RUN_CANCELLED", "the undoing was ended")
            },
        };
        if stopped || !why.retryable || attempt >= ATTEMPTS_MAX {
            return self.undo_ended(task, item, journal::Outcome::Failed, Some(why));
        }
        self.record(Fact::BackedOff(journal::BackedOff {
            task: self.state.task(task).id.clone(),
            path: self.state.path(task),
            item: self.item(task, item),
            attempt,
            problem: Some((&why).into()),
            due_ms: self.moment.now_ms + WAIT_MS * i64::from(attempt),
            lost: false,
            pass: 1,
            repeated: false,
            undo: true,
        }));
    }
}
