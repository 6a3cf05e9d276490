//! The rules of sections 5 and 6, as the reference goes by them.

use gearmesh_workflow::{OnItemError, RunIf};
use serde_json::{Value, json};

use super::reference::{Item, Known, Reference, Stage, Status};
use super::spec::{Job, JobKind, Then, When};

impl Reference<'_> {
    /// The needs of a task have ended.
    pub(super) fn decide(&mut self, graph: usize, task: usize) {
        let job = self.job(graph, task);
        if let Some(reason) = self.kept_back(graph, task) {
            return self.skip(graph, task, reason);
        }
        match job.when {
            When::Always => {}
            When::False => return self.skip(graph, task, "CONDITION"),
            When::Succeeded(need) => {
                if self.graphs[graph].tasks[need].status != Status::Succeeded {
                    return self.skip(graph, task, "CONDITION");
                }
            }
            When::Fault => {
                let (status, result, code) = outcome_of_failure(job, "EXPRESSION_TYPE");
                return self.task_ends(graph, task, status, result, code);
            }
        }
        let item = Item {
            stage: Stage::Ready,
            code: String::new(),
            attempts: 0,
            result: Value::Null,
        };
        let count = job.each.unwrap_or(1);
        let known = &mut self.graphs[graph].tasks[task];
        known.status = Status::Active;
        known.items = vec![item; count];
        if count == 0 {
            return self.task_ends(graph, task, Status::Succeeded, json!([]), String::new());
        }
        // A `set` calls nothing, so it takes no time.
        for item in 0..count {
            if matches!(job.kind, JobKind::Set) && self.is_ready(graph, task, item) {
                match self.read(graph, task) {
                    Ok(v) => {
                        self.item_ends(graph, task, item, Stage::Succeeded, json!({"v": v}), "")
                    }
                    Err(code) => self.item_fails(graph, task, item, code),
                }
            }
        }
    }

    pub(super) fn is_ready(&self, graph: usize, task: usize, item: usize) -> bool {
        let known = &self.graphs[graph].tasks[task];
        known.status == Status::Active && known.items[item].stage == Stage::Ready
    }

    /// What the parameters of a task come to.
    pub(super) fn read(&self, graph: usize, task: usize) -> Result<Value, &'static str> {
        let job = self.job(graph, task);
        let Some(need) = job.reads else {
            return Ok(json!(job.id));
        };
        let read = self.graphs[graph].tasks[need].result.get("v");
        read.cloned().ok_or("VARIABLE_RESOLUTION_ERROR")
    }

    /// Section 5.
    pub(super) fn kept_back(&self, graph: usize, task: usize) -> Option<&'static str> {
        let job = self.job(graph, task);
        let tasks = &self.graphs[graph].tasks;
        let succeeded = |n: &&usize| tasks[**n].status == Status::Succeeded;
        let failed = job.needs.iter().any(|n| counts_as_failed(&tasks[*n]));
        let good = job.needs.iter().filter(succeeded).count();
        let runs = match job.run_if {
            RunIf::Ready => !failed && (good > 0 || job.needs.is_empty()),
            RunIf::NoneFailed => !failed,
            RunIf::AllSucceeded => good == job.needs.len(),
            RunIf::AllDone => true,
            RunIf::AnySucceeded => good > 0,
            RunIf::AnyFailed => failed,
        };
        match (runs, failed) {
            (false, true) => Some("NEED_FAILED"),
            (false, false) => Some("NEEDS_SKIPPED"),
            (true, _) if self.stopped(graph) && !runs_after_failures(job) => Some("RUN_STOPPED"),
            (true, _) => None,
        }
    }

    /// Whether a failure keeps further tasks of a graph from starting: one in it, or in a
    /// graph around it unless the group is there for failures.
    pub(super) fn stopped(&self, graph: usize) -> bool {
        self.graphs[graph].stopping
            || self.graphs[graph].group.is_some_and(|(outer, task, _)| {
                !runs_after_failures(&self.graphs[outer].jobs[task]) && self.stopped(outer)
            })
    }

    pub(super) fn item_fails(&mut self, graph: usize, task: usize, item: usize, code: &str) {
        let job = self.job(graph, task);
        let (status, result, code) = outcome_of_failure(job, code);
        let stage = match status {
            Status::Succeeded => Stage::Succeeded,
            _ => Stage::Failed,
        };
        self.item_ends(graph, task, item, stage, result, &code);
    }

    pub(super) fn item_ends(
        &mut self,
        graph: usize,
        task: usize,
        item: usize,
        stage: Stage,
        result: Value,
        code: &str,
    ) {
        let job = self.job(graph, task);
        let known = &mut self.graphs[graph].tasks[task];
        known.items[item] = Item {
            stage,
            code: code.to_owned(),
            attempts: known.items[item].attempts,
            result: result.clone(),
        };
        if job.each.is_none() {
            let status = match stage {
                Stage::Succeeded => Status::Succeeded,
                _ => Status::Failed,
            };
            return self.task_ends(graph, task, status, result, code.to_owned());
        }
        if stage == Stage::Failed && job.on_item_error == OnItemError::Stop && !known.items_stopped
        {
            known.items_stopped = true;
            for other in &mut known.items {
                other.stage = match other.stage {
                    Stage::Ready if other.attempts == 0 => Stage::Skipped,
                    Stage::Ready | Stage::Waits => Stage::Failed,
                    stage => stage,
                };
            }
        }
        let ended = |i: &Item| matches!(i.stage, Stage::Succeeded | Stage::Failed | Stage::Skipped);
        if known.items.iter().all(ended) {
            self.each_ends(graph, task);
        } else if self.graphs[graph].stopping {
            self.stop(graph);
        }
    }

    fn each_ends(&mut self, graph: usize, task: usize) {
        let job = self.job(graph, task);
        let items = &self.graphs[graph].tasks[task].items;
        let any = |stage| items.iter().any(|i| i.stage == stage);
        let result: Value = items.iter().map(|i| i.result.clone()).collect();
        let lenient = job.on_item_error == OnItemError::Continue && any(Stage::Succeeded);
        if any(Stage::Failed) && !lenient {
            self.task_ends(graph, task, Status::Failed, result, "ITEM_FAILED".into());
        } else {
            self.task_ends(graph, task, Status::Succeeded, result, String::new());
        }
    }

    fn skip(&mut self, graph: usize, task: usize, reason: &'static str) {
        let known = &mut self.graphs[graph].tasks[task];
        known.status = Status::Skipped;
        known.reason = reason;
    }

    /// Section 6.
    fn task_ends(
        &mut self,
        graph: usize,
        task: usize,
        status: Status,
        result: Value,
        code: String,
    ) {
        let job = self.job(graph, task);
        let stops = match job.on_error {
            Some(Then::Stop) => true,
            Some(_) => false,
            None => self.spec.stop,
        };
        let here = &mut self.graphs[graph];
        here.tasks[task].status = status;
        here.tasks[task].result = result;
        here.tasks[task].code.clone_from(&code);
        if status == Status::Failed {
            here.failed.get_or_insert(code);
            here.stopping |= stops;
        }
        if self.graphs[graph].stopping {
            self.stop(graph);
        }
    }

    /// Of what has not begun nothing starts any more, but what is there for failures.
    fn stop(&mut self, graph: usize) {
        for task in 0..self.graphs[graph].tasks.len() {
            let job = self.job(graph, task);
            if runs_after_failures(job) {
                continue;
            }
            let known = &self.graphs[graph].tasks[task];
            match known.status {
                Status::Blocked => {
                    let tasks = &self.graphs[graph].tasks;
                    let failed = job.needs.iter().any(|n| counts_as_failed(&tasks[*n]));
                    let kept_back = self.kept_back(graph, task).filter(|_| failed);
                    self.skip(graph, task, kept_back.unwrap_or("RUN_STOPPED"));
                }
                Status::Active => self.stop_active(graph, task),
                _ => {}
            }
        }
    }

    /// What has begun ends as it will, but is not tried again.
    fn stop_active(&mut self, graph: usize, task: usize) {
        let known = &self.graphs[graph].tasks[task];
        let started = known.started;
        let stages: Vec<Stage> = known.items.iter().map(|i| i.stage).collect();
        for stage in &stages {
            if let Stage::Open(inner) = stage {
                self.stop(*inner);
            }
        }
        let job = self.job(graph, task);
        if !started {
            self.skip(graph, task, "RUN_STOPPED");
            let nothing = vec![Value::Null; stages.len()];
            if job.each.is_some() {
                self.graphs[graph].tasks[task].result = nothing.into();
            }
            return;
        }
        if job.each.is_none() && matches!(stages[0], Stage::Ready | Stage::Waits) {
            let code = self.graphs[graph].tasks[task].items[0].code.clone();
            self.item_fails(graph, task, 0, &code);
        }
    }

    /// How the graph of the run ended.
    pub(super) fn of_graph(&self) -> &'static str {
        let tasks = &self.graphs[0].tasks;
        let any = |status| tasks.iter().any(|t| t.status == status);
        let tolerated = |job: &Job, task: &Known| {
            let failed = |i: &Item| i.stage == Stage::Failed;
            job.each.is_some() && task.status == Status::Succeeded && task.items.iter().any(failed)
        };
        let items_failed = self.graphs.iter().any(|g| {
            let mut tasks = g.jobs.iter().zip(&g.tasks);
            tasks.any(|(job, task)| tolerated(job, task))
        });
        if self.graphs[0].stopping || (any(Status::Failed) && !any(Status::Succeeded)) {
            "failed"
        } else if any(Status::Failed) || items_failed {
            "partial"
        } else {
            "succeeded"
        }
    }
}

fn counts_as_failed(task: &Known) -> bool {
    task.status == Status::Failed
        || task.status == Status::Skipped && matches!(task.reason, "NEED_FAILED" | "RUN_STOPPED")
}

pub(super) fn runs_after_failures(job: &Job) -> bool {
    matches!(job.run_if, RunIf::AllDone | RunIf::AnyFailed)
}

/// A failure, or what stands in for it.
fn outcome_of_failure(job: &Job, code: &str) -> (Status, Value, String) {
    match job.on_error {
        Some(Then::Use) => (Status::Succeeded, json!({"use": job.id}), code.to_owned()),
        _ => (Status::Failed, Value::Null, code.to_owned()),
    }
}
