//! `gearmesh schedule ..`: the tools of the scheduler, with files and words for people.

use gearmesh_workflow::check;
use serde_json::{Map, Value, json};

use crate::app::App;
use crate::call;
use crate::client::{Client, built_in};
use crate::error::Error;
use crate::exit::Exit;
use crate::file::WorkflowFile;
use crate::host::{self, Wants};
use crate::output::Output;
use crate::params;
use crate::request::schema;
use crate::schedule_args::{CreateArgs, RuleArgs, ScheduleCommand};
use crate::table;
use crate::text::{duration, field, list as items, printable, texts};

/// Looks after schedules, at the server or in this process.
pub(crate) async fn command(app: &mut App, command: ScheduleCommand) -> Result<Exit, Error> {
    let runs = matches!(command, ScheduleCommand::Run { .. });
    let wants = Wants {
        demo: runs,
        look: !runs,
        roots: false,
    };
    if let ScheduleCommand::Delete { schedule } = &command {
        let catalog = built_in()?;
        if let Some(found) = catalog.get("scheduler.delete") {
            call::confirm(app, found.tool, &json!({"scheduleId": schedule}))?;
        }
    }
    host::with_mesh(app, wants, async |app, client, _| {
        perform(&mut app.output, command, client).await?;
        Ok(Exit::Done)
    })
    .await
}

async fn perform(
    output: &mut Output,
    command: ScheduleCommand,
    client: &Client,
) -> Result<(), Error> {
    let of = |schedule: String| json!({"scheduleId": schedule});
    match command {
        ScheduleCommand::Create(args) => {
            let answer = client.call("scheduler.create", create(*args)?).await?;
            told(output, &answer)
        }
        ScheduleCommand::List { limit } => {
            let answer = client
                .call("scheduler.list", json!({"pageSize": limit}))
                .await?;
            list(output, &answer)
        }
        ScheduleCommand::Show { schedule } => {
            output.document(&client.call("scheduler.get", of(schedule)).await?)
        }
        ScheduleCommand::Pause { schedule } => {
            let answer = client.call("scheduler.pause", of(schedule)).await?;
            sentence(output, &answer)
        }
        ScheduleCommand::Resume { schedule } => {
            let answer = client.call("scheduler.resume", of(schedule)).await?;
            sentence(output, &answer)?;
            next(output, answer.get("schedule").unwrap_or(&Value::Null));
            Ok(())
        }
        ScheduleCommand::Run { schedule } => {
            let answer = client.call("scheduler.run_now", of(schedule)).await?;
            if !output.for_people() {
                return output.list_one(&answer, "runId");
            }
            let run = printable(field(&answer, "runId")).into_owned();
            output.data(&run)?;
            output.note(&format!("gearmesh run watch {run}"));
            Ok(())
        }
        ScheduleCommand::Preview {
            schedule,
            count,
            rule,
        } => {
            let mut params = rule_params(rule);
            if let Some(schedule) = schedule {
                params.insert("scheduleId".to_owned(), schedule.into());
            }
            params.insert("count".to_owned(), count.into());
            let answer = client.call("scheduler.preview", params.into()).await?;
            preview(output, &answer)
        }
        ScheduleCommand::Delete { schedule } => {
            let answer = client.call("scheduler.delete", of(schedule)).await?;
            sentence(output, &answer)
        }
        ScheduleCommand::History { schedule, limit } => {
            let params = json!({"scheduleId": schedule, "limit": limit});
            history(output, &client.call("scheduler.history", params).await?)
        }
    }
}

/// The parameters of scheduler.create.
fn create(args: CreateArgs) -> Result<Value, Error> {
    let file = WorkflowFile::read(&args.file)?;
    let checked = check(&file.source(None), None);
    let workflow = checked.workflow.as_ref();
    let name = match (args.name, workflow) {
        (Some(name), _) => name,
        (None, Some(workflow)) => workflow.name.clone(),
        (None, None) => file.name.clone(),
    };
    let schema = workflow.map(|workflow| schema(&workflow.inputs));
    let inputs = params::input_texts(&schema.unwrap_or_default(), &args.inputs)?;
    if let Some(workflow) = workflow {
        // Only those that were given: the run fills in the rest when it starts.
        workflow.bind_inputs(&inputs).map_err(Error::Inputs)?;
    }
    let mut params = rule_params(args.rule);
    let mut set = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            params.insert(key.to_owned(), value.into());
        }
    };
    set("name", Some(name));
    set("description", args.description);
    set("catchUp", args.catch_up);
    set("overlap", args.overlap);
    set("jitter", args.jitter);
    set("fileName", Some(file.name.clone()));
    set("folder", Some(file.folder()?));
    set("workflow", Some(file.text));
    params.insert("enabled".to_owned(), (!args.paused).into());
    if !inputs.is_empty() {
        params.insert("inputs".to_owned(), inputs.into());
    }
    Ok(params.into())
}

fn rule_params(rule: RuleArgs) -> Map<String, Value> {
    let fields = [
        ("cronExpression", rule.cron),
        ("rrule", rule.rrule),
        ("interval", rule.every),
        ("executeAt", rule.at),
        ("start", rule.start),
        ("until", rule.until),
        ("timezone", rule.timezone),
    ];
    fields
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.into())))
        .collect()
}

fn told(output: &mut Output, answer: &Value) -> Result<(), Error> {
    let schedule = answer.get("schedule").cloned().unwrap_or_default();
    if !output.for_people() {
        return output.list_one(&schedule, "name");
    }
    output.data(&printable(field(&schedule, "name")))?;
    output.note(&printable(field(answer, "meaning")));
    next(output, &schedule);
    notes(output, answer);
    Ok(())
}

fn notes(output: &mut Output, answer: &Value) {
    for note in texts(answer, "notes") {
        output.note(&format!("note  {}", printable(note)));
    }
}

fn next(output: &mut Output, schedule: &Value) {
    let next = field(schedule, "nextRun");
    if !next.is_empty() {
        output.note(&format!("next  {}", printable(next)));
    }
}

fn sentence(output: &mut Output, answer: &Value) -> Result<(), Error> {
    if output.for_people() {
        output.data(&printable(field(answer, "message")))
    } else {
        output.list_one(answer, "message")
    }
}

fn list(output: &mut Output, answer: &Value) -> Result<(), Error> {
    let schedules = items(answer, "schedules");
    if !output.for_people() {
        return output.list(schedules, "name");
    }
    if schedules.is_empty() {
        output.note("no schedules");
        return Ok(());
    }
    let cell = |schedule: &Value, name: &str| printable(field(schedule, name)).into_owned();
    let rows = schedules.iter().map(|schedule| {
        let state = match cell(schedule, "disabledReason") {
            reason if reason.is_empty() => "on".to_owned(),
            reason => reason.to_lowercase(),
        };
        vec![
            cell(schedule, "name"),
            cell(schedule, "scheduleType"),
            state,
            cell(schedule, "nextRun"),
            cell(schedule, "lastRun"),
            cell(schedule, "timezone"),
        ]
    });
    output.data(&table::render(
        &["schedule", "kind", "state", "next", "last", "zone"],
        rows.collect(),
    ))?;
    if !field(answer, "nextPageToken").is_empty() {
        output.note(&format!(
            "the first {}; --limit shows up to 200",
            schedules.len()
        ));
    }
    Ok(())
}

fn preview(output: &mut Output, answer: &Value) -> Result<(), Error> {
    let fires = items(answer, "fires");
    if !output.for_people() {
        return output.list(fires, "time");
    }
    let cell = |fire: &Value, name: &str| printable(field(fire, name)).into_owned();
    let rows = fires.iter().map(|fire| {
        let local = cell(fire, "local").replace('T', " ");
        vec![
            local,
            cell(fire, "offset"),
            cell(fire, "time"),
            cell(fire, "mark"),
        ]
    });
    output.data(&table::render(
        &["local", "offset", "instant", "mark"],
        rows.collect(),
    ))?;
    output.note(&printable(field(answer, "meaning")));
    notes(output, answer);
    Ok(())
}

fn history(output: &mut Output, answer: &Value) -> Result<(), Error> {
    let entries = items(answer, "history");
    if !output.for_people() {
        return output.list(entries, "runId");
    }
    if entries.is_empty() {
        output.note("no fires yet");
        return Ok(());
    }
    let cell = |entry: &Value, name: &str| printable(field(entry, name)).into_owned();
    let rows = entries.iter().map(|entry| {
        let fires = entry.get("fires").and_then(Value::as_i64).unwrap_or(1);
        let reason = match (cell(entry, "reason"), fires) {
            (reason, 1) => reason,
            (reason, fires) => format!("{reason} ({fires} fires)"),
        };
        let took = entry.get("duration").and_then(Value::as_u64);
        vec![
            cell(entry, "fireAt"),
            cell(entry, "status"),
            took.map_or_else(String::new, duration),
            cell(entry, "runId"),
            reason,
        ]
    });
    output.data(&table::render(
        &["fire", "status", "took", "run", "reason"],
        rows.collect(),
    ))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;
    use crate::output::{Format, capture};

    #[test]
    fn schedules_are_listed_with_state_and_next_fire() {
        let answer = json!({"schedules": [
            {"name": "nightly", "scheduleType": "cron", "disabledReason": "", "nextRun": "2027-01-02T01:30:00Z", "timezone": "Europe/Chisinau"},
            {"name": "old", "scheduleType": "once", "disabledReason": "ENDED", "lastRun": "2027-01-01T00:00:00Z", "timezone": "UTC"},
        ], "nextPageToken": ""});
        let (mut output, out, err) = capture::output(Format::Table);
        list(&mut output, &answer).unwrap();
        expect![[r#"
            SCHEDULE  KIND  STATE  NEXT                  LAST                  ZONE
            nightly   cron  on     2027-01-02T01:30:00Z                        Europe/Chisinau
            old       once  ended                        2027-01-01T00:00:00Z  UTC
        "#]]
        .assert_eq(&out.text());
        assert_eq!(err.text(), "");
        let (mut output, out, _) = capture::output(Format::Name);
        list(&mut output, &answer).unwrap();
        assert_eq!(out.text(), "nightly\nold\n");
    }

    #[test]
    fn preview_shows_local_time_and_mark() {
        let answer = json!({"fires": [
            {"time": "2027-03-28T01:00:00Z", "local": "2027-03-28T04:00:00", "offset": "+03:00", "mark": "gap"},
        ], "meaning": "At 03:30, in Europe/Chisinau", "notes": ["2027-03-28: x"]});
        let (mut output, out, err) = capture::output(Format::Table);
        preview(&mut output, &answer).unwrap();
        expect![[r#"
            LOCAL                OFFSET  INSTANT               MARK
            2027-03-28 04:00:00  +03:00  2027-03-28T01:00:00Z  gap
        "#]]
        .assert_eq(&out.text());
        assert_eq!(
            err.text(),
            "At 03:30, in Europe/Chisinau\nnote  2027-03-28: x\n"
        );
    }

    #[test]
    fn history_tells_what_became_of_fires() {
        let answer = json!({"history": [
            {"fireAt": "2027-01-02T01:30:00Z", "status": "success", "duration": 120, "runId": "run_a", "reason": "", "fires": 1},
            {"fireAt": "2027-01-01T01:30:00Z", "status": "missed", "runId": "", "reason": "LATE", "fires": 7},
        ]});
        let (mut output, out, _) = capture::output(Format::Table);
        history(&mut output, &answer).unwrap();
        expect![[r#"
            FIRE                  STATUS   TOOK    RUN    REASON
            2027-01-02T01:30:00Z  success  0.12 s  run_a
            2027-01-01T01:30:00Z  missed                  LATE (7 fires)
        "#]]
        .assert_eq(&out.text());
    }
}
