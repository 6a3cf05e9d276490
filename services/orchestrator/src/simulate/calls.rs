//! Calls, and what answers them.

use serde_json::{Value, json};

use gearmesh_catalog::json as fields;

use super::mocks::{Found, Mock};
use super::read::shortened;
use super::world::{Coming, World};
use super::{Called, names};
use crate::plan::{Answer, Child, Dispatch, Problem, StartChild};

impl World<'_> {
    /// A call is made: the mock answers after its delay, or the task's time is over first.
    pub(super) fn call(&mut self, dispatch: &Dispatch) {
        let (task, item) = (dispatch.task, dispatch.item);
        let tool = &dispatch.resolved.tool;
        let id = self.state.task(task).id.clone();
        let name = names::full(&self.state, task, item);
        self.calls.push(Called {
            task: name.clone(),
            tool: tool.clone(),
            params: dispatch.resolved.params.clone(),
        });
        let what = if dispatch.undo {
            format!("`{tool}`, which undoes task `{id}`")
        } else {
            format!("`{tool}` of task `{name}`")
        };
        // A task's mocks are for what it does itself.
        let found = if dispatch.undo {
            self.answers.next(&[tool])
        } else {
            self.answers.next(&[&name, &id, tool])
        };
        let (delay_ms, answer) = if let Some(fault) = self.refused(dispatch) {
            self.fault(format!("{what}: {fault}"));
            (0, failed(Problem::new("INVALID_PARAMETERS", fault)))
        } else {
            match found {
                Found::Mock(mock) => self.answered(dispatch, mock, &what),
                other => (0, failed(self.unanswered(&other, &what))),
            }
        };
        let coming = Coming::Answer {
            task,
            item,
            attempt: dispatch.attempt,
            undo: dispatch.undo,
            answer,
        };
        self.expect_at(self.now_ms + delay_ms, coming);
    }

    /// What is wrong with the parameters of a call; none: nothing.
    fn refused(&self, dispatch: &Dispatch) -> Option<String> {
        let found = self.known.catalog.get(&dispatch.resolved.tool)?;
        let input = found.tool.method.input();
        let violations = fields::check(&input, &dispatch.resolved.params, &|_| false);
        let texts: Vec<String> = violations.iter().map(ToString::to_string).collect();
        (!texts.is_empty()).then(|| shortened(&texts.join("; ")))
    }

    fn answered(&mut self, dispatch: &Dispatch, mock: &Mock, what: &str) -> (i64, Answer) {
        let limit = self.state.task(dispatch.task).timeout;
        let limit = limit.map(|l| i64::try_from(l.as_millis()).unwrap_or(i64::MAX));
        if let Some(limit) = limit.filter(|limit| mock.delay_ms > *limit) {
            let id = &self.state.task(dispatch.task).id;
            let text = format!("Task '{id}' timed out after {limit}ms");
            return (limit, timed_out(dispatch, text));
        }
        let answer = match &mock.answer {
            Ok(result) => {
                self.look_at(dispatch, result, what);
                Answer::Done(result.clone())
            }
            Err(failure) => {
                let found = self.known.catalog.get(&dispatch.resolved.tool);
                let engine = found.map_or("", |found| found.tool.engine.as_str());
                let problem = failure.problem(self.known.catalog, engine);
                match problem.code.as_str() {
                    "OUTCOME_UNKNOWN" => Answer::Unknown(problem),
                    _ => Answer::Failed {
                        problem,
                        retry_after_ms: failure.retry_after_ms,
                    },
                }
            }
        };
        (mock.delay_ms, answer)
    }

    /// A result that the tool could never give proves nothing.
    fn look_at(&mut self, dispatch: &Dispatch, result: &Value, what: &str) {
        let Some(found) = self.known.catalog.get(&dispatch.resolved.tool) else {
            return;
        };
        let output = found.tool.method.output();
        let violations = fields::check(&output, result, &|_| false);
        if let Some(first) = violations.first() {
            self.fault(format!(
                "the mock of {what} is no answer of that tool: {first}"
            ));
        }
    }

    fn unanswered(&mut self, found: &Found<'_>, what: &str) -> Problem {
        let text = match found {
            Found::UsedUp(name, calls) => {
                format!("the mocks of `{name}` answer {calls} calls, and {what} makes another")
            }
            _ => format!("no mock answers {what}"),
        };
        self.fault(text.clone());
        Problem::new("NO_MOCK", text)
    }

    /// The run of a sub-workflow is started: a mock of the task stands in for it.
    pub(super) fn child(&mut self, child: &StartChild) {
        let (task, item) = (child.task, child.item);
        let id = self.state.task(task).id.clone();
        let name = names::full(&self.state, task, item);
        self.calls.push(Called {
            task: name.clone(),
            tool: format!("workflow:{}", child.workflow),
            params: child.inputs.clone(),
        });
        let what = format!("workflow `{}` of task `{name}`", child.workflow);
        let (delay_ms, end) = match self.answers.next(&[&name, &id]) {
            Found::Mock(mock) => {
                let failed = |f: &super::mocks::Failure| f.problem(self.known.catalog, "");
                let end = mock.answer.clone().map_err(|f| failed(&f));
                (mock.delay_ms, end)
            }
            other => (0, Err(self.unanswered(&other, &what))),
        };
        let coming = Coming::Child {
            task,
            item,
            attempt: child.attempt,
            child: Child { end },
        };
        self.expect_at(self.now_ms + delay_ms, coming);
    }
}

fn failed(problem: Problem) -> Answer {
    Answer::Failed {
        problem,
        retry_after_ms: None,
    }
}

/// The task's time is over while its call is under way.
fn timed_out(dispatch: &Dispatch, text: String) -> Answer {
    if dispatch.class == "AT_MOST_ONCE" {
        let tool = &dispatch.resolved.tool;
        let text = format!("whether `{tool}` took effect is not known: {text}");
        return Answer::Unknown(Problem {
            details: Box::new(json!({"cause": "TASK_TIMEOUT"})),
            ..Problem::new("OUTCOME_UNKNOWN", text)
        });
    }
    failed(Problem {
        retryable: true,
        ..Problem::new("TASK_TIMEOUT", text)
    })
}
