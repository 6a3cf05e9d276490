//! Workflows by chance with tasks of all kinds and keys.

use std::time::Duration;

use gearmesh_expr::Expression;
use gearmesh_workflow::{
    Approve, Kind, Node, OnError, OnTimeout, OnUnknown, Repeat, Retry, Task, Wait, Workflow,
};
use serde_json::json;

use super::spec::Dice;

/// The workflow with tasks of all kinds and keys.
pub(super) fn varied(workflow: &Workflow, dice: &mut Dice) -> Workflow {
    let mut workflow = workflow.clone();
    if dice.below(3) == 0 {
        workflow.on_error = OnError::Undo;
    }
    if dice.below(4) == 0 {
        workflow.timeout = Some(Duration::from_secs(30));
    }
    for task in &mut workflow.tasks {
        vary(task, dice);
    }
    workflow
}

fn vary(task: &mut Task, dice: &mut Dice) {
    let text = |text: &str| Node::Constant(json!(text));
    let group = matches!(task.kind, Kind::Group { .. });
    if let Kind::Tool { name, .. } = &mut task.kind {
        let timeout = Some(Duration::from_secs(20)).filter(|_| dice.below(2) == 0);
        match dice.below(12) {
            0 => {
                task.kind = Kind::Approve(Box::new(Approve {
                    message: text("ok?"),
                    approvers: vec![text("user:x")],
                    quorum: 2,
                    timeout,
                    on_timeout: OnTimeout::Reject,
                    form: Vec::new(),
                }));
            }
            1 => task.kind = Kind::Wait(Box::new(Wait::For(text("10s")))),
            2 => {
                let fits = Expression::condition("event.payload.n == 1");
                task.kind = Kind::Wait(Box::new(Wait::Event {
                    topic: text("a.b"),
                    where_: Some(fits.expect("a condition")),
                    timeout,
                }));
            }
            3 => {
                task.kind = Kind::Workflow {
                    name: "child".into(),
                    params: Node::Constant(json!({})),
                };
                task.timeout = timeout;
            }
            4..=7 => *name = "t.made".into(),
            _ => {}
        }
    }
    if group && dice.below(3) == 0 {
        task.timeout = Some(Duration::from_secs(5));
    }
    if dice.below(6) == 0 {
        let until = ["inputs.n == 3", "inputs.n > 5"][dice.below(2)];
        task.repeat = Some(Repeat {
            until: Expression::condition(until).expect("a condition"),
            delay: Duration::from_secs(1),
            max: 2,
            timeout: None,
        });
    }
    if dice.below(6) == 0 {
        task.retry = Some(Retry {
            errors: vec!["BAD".into(), "ITEM_FAILED".into()],
            ..Retry::default()
        });
    }
    task.on_unknown = [OnUnknown::Fail, OnUnknown::Retry, OnUnknown::Ask][dice.below(3)];
}
