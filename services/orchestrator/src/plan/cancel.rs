//! Ending what is under way before its time.

use serde_json::Value;

use gearmesh_api::journal::v1 as journal;
use gearmesh_workflow::Kind;
use journal::record::Fact;

use crate::plan::advance::{Command, Planner};
use crate::plan::frame::ROOT;
use crate::plan::state::{Phase, Problem};
use crate::plan::task_state::{Instance, InstanceStatus};

impl Planner<'_> {
    /// Somebody wants the run to end.
    pub(crate) fn cancel(&mut self, force: bool) {
        match self.state.phase {
            Phase::Queued | Phase::Running => self.end_run(false),
            Phase::Finishing { .. } if force => self.end_handlers(),
            _ => {}
        }
    }

    /// Ends the graph: what has not started is cancelled, what is under way is ended.
    pub(crate) fn end_run(&mut self, timed_out: bool) {
        self.record(Fact::Cancelling(journal::Cancelling { timed_out }));
        self.command_ends(ROOT);
        self.end_waiting_tasks(ROOT);
    }

    /// Ends the handlers, or the undoing, that are under way.
    pub(crate) fn end_handlers(&mut self) {
        if self.state.handlers_timed_out || self.state.undoing.stopped {
            return;
        }
        self.record(Fact::Cancelling(journal::Cancelling { timed_out: true }));
        if self.state.undoing.leased {
            self.command(Command::Abort);
        }
        for (_, frame) in self.state.handlers.clone() {
            self.command_ends(frame);
            self.end_waiting_tasks(frame);
        }
    }

    /// Ends one graph, of a group whose time is over.
    pub(crate) fn end_frame(&mut self, frame: usize, why: Problem) {
        self.state.frames[frame].ending = Some(why);
        self.command_ends(frame);
        self.end_waiting_tasks(frame);
    }

    /// The commands that end what is under way in a frame and in those inside of it.
    fn command_ends(&mut self, frame: usize) {
        let mut commands = Vec::new();
        for inside in self.inside(frame) {
            for task in self.state.tasks_of(inside) {
                let known = &self.state.tasks[task];
                for (item, instance) in known.instances.iter().enumerate() {
                    let workflow = matches!(self.state.task(task).kind, Kind::Workflow { .. });
                    match instance.status {
                        InstanceStatus::Leased => commands.push(Command::AbortOne { task, item }),
                        InstanceStatus::Waiting if workflow => {
                            commands.push(Command::CancelChild { task, item });
                        }
                        _ => {}
                    }
                }
            }
        }
        self.decided.commands.extend(commands);
    }

    /// A frame and all that are inside of it, the innermost first.
    pub(crate) fn inside(&self, frame: usize) -> Vec<usize> {
        let all = frame..self.state.frames.len();
        let mut inside: Vec<usize> = all
            .filter(|f| self.state.around(*f).any(|around| around == frame))
            .collect();
        inside.reverse();
        inside
    }

    /// Cancels all tasks of a frame, and of those inside of it, of which nothing is under
    /// way that has to answer first.
    pub(crate) fn end_waiting_tasks(&mut self, frame: usize) {
        for inside in self.inside(frame) {
            for task in self.state.tasks_of(inside) {
                if !self.state.tasks[task].ended() {
                    self.cancel_task(task);
                }
            }
        }
    }

    fn cancel_task(&mut self, task: usize) {
        let instances = 0..self.state.tasks[task].instances.len();
        let busy = instances.clone().any(|item| self.is_busy(task, item));
        if !busy {
            // The effect of a call may be there, cancelled or not.
            let doubt = |i: &&Instance| i.status == InstanceStatus::Unknown;
            let doubt = self.state.tasks[task].instances.iter().find(doubt);
            let doubt = doubt.and_then(|i| i.problem.clone());
            let ended = self.ended(task, journal::Outcome::Cancelled, 0, Value::Null, doubt);
            return self.record(Fact::Ended(ended));
        }
        if self.state.tasks[task].items.is_none() {
            return;
        }
        for item in instances {
            let instance = &self.state.tasks[task].instances[item];
            if !instance.status.ended() && !self.is_busy(task, item) {
                let attempt = instance.attempt;
                let outcome = journal::Outcome::Cancelled;
                let mut ended = self.ended(task, outcome, attempt, Value::Null, None);
                ended.item = self.item(task, item);
                self.record(Fact::Ended(ended));
            }
        }
    }

    /// Whether something has to answer before an instance can end.
    fn is_busy(&self, task: usize, item: usize) -> bool {
        let instance = &self.state.tasks[task].instances[item];
        match (instance.status, &self.state.task(task).kind) {
            (InstanceStatus::Leased, _) => true,
            (InstanceStatus::Waiting, Kind::Workflow { .. }) => true,
            (InstanceStatus::Waiting, Kind::Group { .. }) => instance
                .frame
                .is_some_and(|f| self.state.frames[f].open > 0),
            _ => false,
        }
    }
}
