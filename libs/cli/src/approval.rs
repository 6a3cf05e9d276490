//! `gearmesh approval ..`: questions of runs to people, and their answers.

use clap::Subcommand;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::args::{Many, pair};
use crate::client::Client;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::{self, Wants};
use crate::output::Output;
use crate::text::{count, field, joined, number, printable, shorten};
use crate::{params, runs, table};

/// The RPC of an answer, which is for people alone and so no tool.
const ANSWER: &str = "/gearmesh.orchestrator.v1.OrchestratorService/AnswerApproval";

/// Characters of a question in a list.
const MESSAGE_MAX: usize = 60;

/// Questions that are looked through for one id.
const SEARCHED_MAX: usize = 10_000;

/// The verbs of approvals.
#[derive(Debug, Clone, Subcommand)]
pub(crate) enum ApprovalCommand {
    /// What waits for people, the oldest first
    #[command(alias = "ls")]
    List {
        /// Only questions of this run, or of `last`
        #[arg(long)]
        run: Option<String>,
        #[command(flatten)]
        many: Many,
    },
    /// All about a question
    #[command(aliases = ["get", "describe"])]
    Show {
        /// The question's id
        id: String,
    },
    /// Say yes
    Approve {
        /// The question's id
        id: String,
        /// Why
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
        /// A field of the form; give it once for each
        #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
        form: Vec<(String, String)>,
    },
    /// Say no
    Reject {
        /// The question's id
        id: String,
        /// Why
        #[arg(long, default_value = "", hide_default_value = true)]
        note: String,
        /// A field of the form; give it once for each
        #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
        form: Vec<(String, String)>,
    },
}

impl ApprovalCommand {
    /// Whether it only looks, so that it may be done twice.
    pub(crate) fn is_look(&self) -> bool {
        matches!(self, Self::List { .. } | Self::Show { .. })
    }
}

/// Looks after questions, at the server or in this process.
pub(crate) async fn command(app: &mut App, command: ApprovalCommand) -> Result<Exit, Error> {
    let wants = Wants {
        demo: true,
        // With the answer the run goes on, here if nowhere else.
        look: command.is_look(),
        roots: false,
    };
    host::with_mesh(app, wants, async |app, client, _| {
        perform(&mut app.output, command, client).await?;
        Ok(Exit::Done)
    })
    .await
}

async fn perform(
    output: &mut Output,
    command: ApprovalCommand,
    client: &Client,
) -> Result<(), Error> {
    match command {
        ApprovalCommand::List { run, many } => {
            let run = match run {
                Some(run) => runs::resolve(client, run).await?,
                None => String::new(),
            };
            let (questions, more) = questions(client, &run, many.most()).await?;
            list(output, &questions, more)
        }
        ApprovalCommand::Show { id } => {
            let question = find(client, &id).await?;
            if output.for_people() {
                output.data(&describe(&question))
            } else {
                output.list_one(&question, "approvalId")
            }
        }
        ApprovalCommand::Approve { id, note, form } => {
            answer(output, client, &id, true, &note, &form).await
        }
        ApprovalCommand::Reject { id, note, form } => {
            answer(output, client, &id, false, &note, &form).await
        }
    }
}

async fn questions(client: &Client, run: &str, most: usize) -> Result<(Vec<Value>, bool), Error> {
    client
        .pages(
            "orchestrator.list_approvals",
            json!({"runId": run}),
            "approvals",
            most,
        )
        .await
}

async fn find(client: &Client, id: &str) -> Result<Value, Error> {
    // An id begins with that of its run, so that few are looked through.
    let run = id.split('.').next().filter(|run| run.starts_with("run_"));
    let (questions, _) = questions(client, run.unwrap_or_default(), SEARCHED_MAX).await?;
    questions
        .into_iter()
        .find(|question| field(question, "approvalId") == id)
        .ok_or_else(|| Error::NotFound {
            code: "APPROVAL_NOT_FOUND",
            message: format!("no question `{}` waits for an answer", printable(id)),
            help: Some("gearmesh approval list".to_owned()),
        })
}

async fn answer(
    output: &mut Output,
    client: &Client,
    id: &str,
    approved: bool,
    note: &str,
    form: &[(String, String)],
) -> Result<(), Error> {
    let mut params = json!({"approvalId": id, "approved": approved, "note": note});
    if !form.is_empty() {
        let question = find(client, id).await?;
        params["form"] = filled(&question, form).into();
    }
    let answer = client.call_rpc(ANSWER, params).await?;
    told(output, id, &answer)
}

/// The form as it was filled in, each field of its type.
fn filled(question: &Value, form: &[(String, String)]) -> Map<String, Value> {
    let fields = question.pointer("/form/properties");
    form.iter()
        .map(|(name, text)| {
            let schema = fields.and_then(|f| f.get(name)).unwrap_or(&Value::Null);
            (name.clone(), params::typed(schema, text))
        })
        .collect()
}

fn told(output: &mut Output, id: &str, answer: &Value) -> Result<(), Error> {
    if !output.for_people() {
        let mut answer = answer.clone();
        answer["approvalId"] = id.into();
        return output.list_one(&answer, "approvalId");
    }
    let missing = number(answer, "missing");
    let mut text = format!("{id}  {}", field(answer, "status"));
    if missing > 0 {
        let people = if missing == 1 { "person" } else { "people" };
        text.push_str(&format!("; {missing} more {people} must agree"));
    }
    output.data(&printable(&text))
}

fn list(output: &mut Output, questions: &[Value], more: bool) -> Result<(), Error> {
    if !output.for_people() {
        return output.list(questions, "approvalId");
    }
    if questions.is_empty() {
        output.note("nothing waits for people");
        return Ok(());
    }
    let cell = |question: &Value, name: &str| printable(field(question, name)).into_owned();
    let rows = questions
        .iter()
        .map(|question| {
            let message = cell(question, "message");
            vec![
                cell(question, "approvalId"),
                cell(question, "workflow"),
                shorten(&message, MESSAGE_MAX).into_owned(),
                joined(question, "approvers", ", "),
                cell(question, "since"),
            ]
        })
        .collect();
    let headings = ["question", "workflow", "asks", "who may answer", "since"];
    output.data(&table::render(&headings, rows))?;
    if more {
        output.note(&format!("the oldest {}; --all shows all", questions.len()));
    }
    Ok(())
}

fn describe(question: &Value) -> String {
    let mut rows = vec![
        ("asks", printable(field(question, "message")).into_owned()),
        ("run", printable(field(question, "runId")).into_owned()),
        (
            "workflow",
            printable(field(question, "workflow")).into_owned(),
        ),
        ("task", printable(field(question, "task")).into_owned()),
        ("who", joined(question, "approvers", ", ")),
    ];
    let quorum = number(question, "quorum");
    if quorum > 1 {
        rows.push(("needed", count(quorum, "answer")));
    }
    let by = joined(question, "by", ", ");
    if !by.is_empty() {
        rows.push(("agreed", by));
    }
    rows.push(("since", printable(field(question, "since")).into_owned()));
    let until = printable(field(question, "until")).into_owned();
    if !until.is_empty() {
        rows.push((
            "until",
            format!("{until}, then {}", printable(field(question, "onTimeout"))),
        ));
    }
    let fields = question
        .pointer("/form/properties")
        .and_then(Value::as_object);
    for (name, schema) in fields.into_iter().flatten() {
        let kind = field(schema, "type");
        rows.push((
            "form",
            printable(&format!("--form {name}={kind}")).into_owned(),
        ));
    }
    let rows = rows.into_iter();
    table::render(
        &[],
        rows.map(|(name, value)| vec![name.to_owned(), value])
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::{Format, capture};

    fn question() -> Value {
        json!({"approvalId": "run_36zn0sv00pg07.decide", "kind": "approval", "runId": "run_36zn0sv00pg07",
            "workflow": "refund-approval", "task": "decide", "message": "Refund 80 of 120 to Ada?",
            "approvers": ["role:finance"], "quorum": 2, "by": ["user:b"], "since": "2026-01-25T12:00:00Z",
            "until": "2026-01-27T12:00:00Z", "onTimeout": "reject",
            "form": {"type": "object", "properties": {"note": {"type": "string"}, "amount": {"type": "number"}}}})
    }

    #[test]
    fn questions_are_listed_and_described() {
        let (mut output, out, _) = capture::output(Format::Table);
        list(&mut output, &[question()], false).unwrap();
        expect![[r#"
            QUESTION                  WORKFLOW         ASKS                      WHO MAY ANSWER  SINCE
            run_36zn0sv00pg07.decide  refund-approval  Refund 80 of 120 to Ada?  role:finance    2026-01-25T12:00:00Z
        "#]]
        .assert_eq(&out.text());
        expect![[r#"
            asks      Refund 80 of 120 to Ada?
            run       run_36zn0sv00pg07
            workflow  refund-approval
            task      decide
            who       role:finance
            needed    2 answers
            agreed    user:b
            since     2026-01-25T12:00:00Z
            until     2026-01-27T12:00:00Z, then reject
            form      --form note=string
            form      --form amount=number"#]]
        .assert_eq(&describe(&question()));
    }

    #[test]
    fn form_is_filled_in_by_its_types() {
        let given = [("note".into(), "5".into()), ("amount".into(), "5".into())];
        assert_eq!(
            Value::from(filled(&question(), &given)),
            json!({"note": "5", "amount": 5})
        );
    }

    #[test]
    fn answer_tells_how_many_must_still_agree() {
        let (mut output, out, _) = capture::output(Format::Table);
        let id = "run_a.b";
        told(&mut output, id, &json!({"status": "waiting", "missing": 1})).unwrap();
        told(&mut output, id, &json!({"status": "approved"})).unwrap();
        assert_eq!(
            out.text(),
            "run_a.b  waiting; 1 more person must agree\nrun_a.b  approved\n"
        );
    }
}
