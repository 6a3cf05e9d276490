//! Questions that wait for people.

use serde_json::{Map, Value, json};
use tonic::metadata::MetadataValue;
use tonic::{Request, Status};

use gearmesh_api::orchestrator::v1 as api;
use gearmesh_runtime::CallOf;
use gearmesh_store::run_text;
use gearmesh_workflow::{InputSpec, Kind, OnTimeout};

use super::Rpc;
use super::words::{from_json, page_size};
use crate::error::Error;
use crate::forward::HOPS;
use crate::plan::{Input, InstanceStatus, State, TaskStatus, Vote};
use crate::render;
use crate::run::each;
use crate::voter::{LOCAL, Question, Refused};

/// Where a question stands in its run.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    task: String,
    path: Vec<u32>,
    item: Option<u32>,
}

/// A question's id: `RUN.TASK`, with the items of the groups around it and its own.
fn id_of(run: &str, place: &Place) -> String {
    let mut id = format!("{run}.{}", place.task);
    for item in place.path.iter().chain(&place.item) {
        id.push('.');
        id.push_str(&item.to_string());
    }
    id
}

pub(super) async fn list_approvals(
    rpc: &Rpc,
    request: Request<api::ListApprovalsRequest>,
) -> Result<api::ListApprovalsResponse, Status> {
    let sent_on = request.metadata().contains_key(HOPS);
    let request = request.into_inner();
    let size = page_size(request.page_size);
    rpc.runs.resumed().await;
    let mut approvals = Vec::new();
    let mut more = false;
    // Each instance knows what the runs that it drives ask.
    if let Some(others) = rpc.runs.others().filter(|_| !sent_on) {
        let asked = request.clone();
        let answers = each(others, |mut client| {
            let mut request = Request::new(asked.clone());
            request.metadata_mut().insert(HOPS, MetadataValue::from(1));
            async move { client.list_approvals(request).await }
        });
        for answer in answers.await? {
            let answer = answer.into_inner();
            more |= !answer.next_page_token.is_empty();
            approvals.extend(answer.approvals);
        }
    }
    let theirs = approvals.len();
    'runs: for (id, live) in rpc.runs.live() {
        let run = run_text(id);
        if !request.run_id.is_empty() && request.run_id != run {
            continue;
        }
        // It may have ended meanwhile: then nothing of it waits.
        for question in live.look(questions).await.unwrap_or_default() {
            if question.approval_id <= request.page_token {
                continue;
            }
            if approvals.len() - theirs == size {
                more = true;
                break 'runs;
            }
            approvals.push(question);
        }
    }
    approvals.sort_by(|a, b| a.approval_id.cmp(&b.approval_id));
    more |= approvals.len() > size;
    approvals.truncate(size);
    let last = approvals.last().filter(|_| more);
    Ok(api::ListApprovalsResponse {
        next_page_token: last.map(|q| q.approval_id.clone()).unwrap_or_default(),
        approvals,
    })
}

/// What a run asks people, in the order of the ids.
fn questions(state: &State) -> Vec<api::ApprovalQuestion> {
    let mut all = Vec::new();
    for (task, known) in state.tasks.iter().enumerate() {
        if known.status != TaskStatus::Active {
            continue;
        }
        for item in 0..known.instances.len() {
            all.extend(question(state, task, item));
        }
    }
    all.sort_by(|a, b| a.approval_id.cmp(&b.approval_id));
    all
}

fn question(state: &State, task: usize, item: usize) -> Option<api::ApprovalQuestion> {
    let definition = state.task(task);
    let known = &state.tasks[task];
    let instance = &known.instances[item];
    let place = Place {
        task: definition.id.clone(),
        path: state.path(task),
        item: (known.items.as_ref()).map(|_| u32::try_from(item).unwrap_or(u32::MAX)),
    };
    let mut path = place.path.clone();
    path.extend(place.item);
    let base = api::ApprovalQuestion {
        approval_id: id_of(&state.run, &place),
        run_id: state.run.clone(),
        workflow: state.workflow.name.clone(),
        task: definition.id.clone(),
        path,
        since: Some(render::timestamp(instance.since_ms)),
        ..api::ApprovalQuestion::default()
    };
    match (&definition.kind, instance.status) {
        (Kind::Approve(approve), InstanceStatus::Waiting) => {
            let texts = |value: Option<&Value>| match value {
                Some(Value::Array(all)) => {
                    let all = all.iter().filter_map(Value::as_str);
                    all.map(str::to_owned).collect()
                }
                _ => Vec::new(),
            };
            let message = instance.what.get("message").and_then(Value::as_str);
            let by = instance
                .signals
                .iter()
                .filter_map(|s| s.get("by")?.as_str());
            Some(api::ApprovalQuestion {
                kind: "approval".into(),
                message: message.unwrap_or_default().to_owned(),
                approvers: texts(instance.what.get("approvers")),
                quorum: approve.quorum,
                by: by.map(str::to_owned).collect(),
                form: Some(render::to_json(&form(&approve.form))),
                until: (instance.due_ms != i64::MAX).then(|| render::timestamp(instance.due_ms)),
                on_timeout: match approve.on_timeout {
                    OnTimeout::Reject => "reject",
                    OnTimeout::Approve => "approve",
                    OnTimeout::Fail => "fail",
                }
                .into(),
                ..base
            })
        }
        (_, InstanceStatus::Unknown) => {
            let why = instance.problem.as_ref().map(|p| p.message.clone());
            Some(api::ApprovalQuestion {
                kind: "decision".into(),
                message: why.unwrap_or_default(),
                quorum: 1,
                ..base
            })
        }
        _ => None,
    }
}

/// What people fill in, as the JSON Schema of an object.
fn form(fields: &[InputSpec]) -> Value {
    let properties: Map<String, Value> = (fields.iter())
        .map(|f| (f.name.clone(), f.schema.clone()))
        .collect();
    let required: Vec<&str> = (fields.iter().filter(|f| f.required))
        .map(|f| f.name.as_str())
        .collect();
    json!({"type": "object", "properties": properties, "required": required,
        "additionalProperties": false})
}

pub(super) async fn answer_approval(
    rpc: &Rpc,
    request: Request<api::AnswerApprovalRequest>,
) -> Result<api::AnswerApprovalResponse, Status> {
    let call = request.call();
    let request = request.into_inner();
    let id = request.approval_id.clone();
    let run = id.split('.').next().unwrap_or_default().to_owned();
    let not_found = || Error::ApprovalNotFound(id.clone());
    let principal = call.principal.clone().unwrap_or_else(|| LOCAL.to_owned());
    let given = request.form.as_ref().map(from_json).unwrap_or(json!({}));
    let asked = id.clone();
    let who = principal.clone();
    let look = move |state: &State| admitted(state, &asked, &who, &given);
    let (task, item, filled) = match rpc.runs.look(&run, look).await {
        Err(Error::RunNotFound(_)) => return Err(not_found().into()),
        looked => looked??,
    };
    let who = principal.clone();
    let vote = Vote {
        principal,
        approved: request.approved,
        note: request.note,
        form: filled,
    };
    rpc.runs
        .ask(&run, Input::Voted { task, item, vote })
        .await?;
    let approved = request.approved;
    let after = move |state: &State| {
        let instance = state.tasks.get(task).and_then(|t| t.instances.get(item))?;
        // A vote that came too late is in no record.
        let mut by = instance.signals.iter().filter_map(|s| s.get("by"));
        by.find(|by| **by == who)?;
        let quorum = match &state.task(task).kind {
            Kind::Approve(approve) => approve.quorum,
            _ => 0,
        };
        let open = instance.status == InstanceStatus::Waiting;
        let votes = u32::try_from(instance.signals.len()).unwrap_or(0);
        Some(open.then(|| quorum.saturating_sub(votes)))
    };
    let Some(missing) = rpc.runs.look(&run, after).await? else {
        let text = format!("the question `{id}` ended before this answer came");
        return Err(Error::ApprovalAnswered(text).into());
    };
    let status = match (approved, missing) {
        (false, _) => "rejected",
        (true, Some(_)) => "waiting",
        (true, None) => "approved",
    };
    Ok(api::AnswerApprovalResponse {
        status: status.to_owned(),
        missing: missing.filter(|_| approved).unwrap_or_default(),
    })
}

/// Whether somebody may answer a question now: where it stands, and what was filled in.
fn admitted(
    state: &State,
    id: &str,
    principal: &str,
    given: &Value,
) -> Result<(usize, usize, Value), Error> {
    let not_found = || Error::ApprovalNotFound(id.to_owned());
    let found = (0..state.tasks.len()).find_map(|task| {
        let known = &state.tasks[task];
        (0..known.instances.len()).find_map(|item| {
            let place = Place {
                task: state.task(task).id.clone(),
                path: state.path(task),
                item: (known.items.as_ref()).map(|_| u32::try_from(item).unwrap_or(u32::MAX)),
            };
            (id_of(&state.run, &place) == id).then_some((task, item))
        })
    });
    let (task, item) = found.ok_or_else(not_found)?;
    let Kind::Approve(approve) = &state.task(task).kind else {
        return Err(not_found());
    };
    let instance = &state.tasks[task].instances[item];
    if instance.status != InstanceStatus::Waiting {
        let text = format!("the question `{id}` has ended");
        return Err(Error::ApprovalAnswered(text));
    }
    // A role is that of the token of this name; roles of people come with their accounts.
    let question = Question::of(state, task, item, id);
    let admitted = question.admit(principal, |role, person| role == person);
    admitted.map_err(|refused| match refused {
        Refused::NotYours(text) => Error::ApprovalNotYours(text),
        Refused::Answered(text) => Error::ApprovalAnswered(text),
    })?;
    let given = match given {
        Value::Object(given) => given.clone(),
        Value::Null => Map::new(),
        _ => return Err(Error::Parameters("`form` must be an object".into())),
    };
    let filled = gearmesh_workflow::bind(&approve.form, &given).map_err(Error::Inputs)?;
    Ok((task, item, Value::Object(filled)))
}
