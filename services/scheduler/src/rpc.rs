//! Translates between the protocol and the schedules; no rules here.

use std::sync::Arc;

use bytes::Bytes;
use gearmesh_api::scheduler::v1 as api;
use gearmesh_api::scheduler::v1::scheduler_service_server::SchedulerService;
use gearmesh_fault::Failure;
use gearmesh_runtime::{CallOf, Keyed};
use gearmesh_schedule::{Budget, Kind, RuleError, Spec, Timetable};
use jiff::{SignedDuration, Timestamp};
use prost::Message;
use tonic::{Request, Response, Status};

use crate::convert;
use crate::definition::Definition;
use crate::error::{Error, Result};
use crate::key;
use crate::schedules::{ENDED, Edit, Owner, Schedules};
use crate::sender::Sender;
use crate::table::{Filter, Row};

/// Schedules of a page, fires of a preview, entries of a history and days of
/// statistics when the caller names no number.
const PAGE_DEFAULT: i64 = 50;
const PREVIEW_DEFAULT: usize = 10;
const HISTORY_DEFAULT: i64 = 50;
const DAYS_DEFAULT: i64 = 30;

/// Time that a preview may take: a rare fire costs some milliseconds, and a thousand
/// of them are asked for.
const PREVIEW_MAX_US: u64 = 2_000_000;
const PREVIEW_COSTLY: &str = "the fires are too rare for so many; ask for fewer";

/// How far ahead changes of the clock are told: a year has them all.
const NOTES_WITHIN: SignedDuration = SignedDuration::from_hours(24 * 366);

const DAY_MS: i64 = 24 * 3600 * 1000;

/// How a page token begins, so that a foreign text is told from one.
const TOKEN_PREFIX: &str = "after:";

#[derive(Debug)]
pub(crate) struct Rpc {
    schedules: Schedules,
    sender: Arc<Sender>,
}

type Answer<T> = Result<Response<T>, Status>;

impl Rpc {
    pub(crate) fn new(schedules: Schedules, sender: Arc<Sender>) -> Self {
        Self { schedules, sender }
    }

    /// The stored schedule, or the kind of the request.
    async fn asked(&self, request: api::PreviewRequest) -> Result<(Timetable, String, i64)> {
        let now = self.schedules.now_ms();
        let (definition, created, id) = if request.schedule_id.is_empty() {
            let mut definition = convert::previewed(request);
            definition.fix_start(self.schedules.now())?;
            (definition, now, String::new())
        } else {
            let row = self.schedules.table.get(&request.schedule_id).await?;
            (row.definition, row.created, row.id)
        };
        let jitter_ms = definition.policy().jitter_ms;
        Ok((definition.timetable(created)?, id, jitter_ms))
    }
}

#[tonic::async_trait]
impl SchedulerService for Rpc {
    async fn create(&self, request: Request<api::CreateRequest>) -> Answer<api::CreateResponse> {
        let keyed = Keyed::of(&request);
        let owner = Owner::of(request.call());
        let request = request.into_inner();
        let enabled = request.enabled.unwrap_or(true);
        let kind = request.schedule_type.clone();
        let definition = convert::created(request)?;
        same_kind(&kind, &definition)?;
        let now = self.schedules.now();
        let reply = |row: &Row, timetable: &Timetable| {
            encoded(&api::CreateResponse {
                schedule: Some(convert::schedule(row, false)),
                meaning: timetable.words().to_owned(),
                notes: notes(timetable, now).unwrap_or_default(),
            })
        };
        let created = self
            .schedules
            .create(definition, (enabled, owner), keyed, reply)
            .await?;
        decoded(created)
    }

    async fn get(&self, request: Request<api::GetRequest>) -> Answer<api::GetResponse> {
        let row = self
            .schedules
            .table
            .get(&request.into_inner().schedule_id)
            .await?;
        let timetable = row.definition.timetable(row.created)?;
        Ok(Response::new(api::GetResponse {
            next_run: row.next_fire.map(convert::timestamp),
            meaning: timetable.words().to_owned(),
            schedule: Some(convert::schedule(&row, false)),
        }))
    }

    async fn list(&self, request: Request<api::ListRequest>) -> Answer<api::ListResponse> {
        let request = request.into_inner();
        let size = match (request.page_size, request.limit) {
            (0, 0) => PAGE_DEFAULT,
            (0, limit) => i64::from(limit),
            (size, _) => i64::from(size),
        };
        let filter = Filter {
            enabled: request.enabled,
            kind: request.schedule_type,
            action: request.action_type,
            after: page_token(&request.page_token)?,
            limit: size + 1,
        };
        let mut rows = if self.schedules.table.exists() {
            self.schedules.table.list(&filter).await?
        } else {
            Vec::new()
        };
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let more = rows.len() > size;
        rows.truncate(size);
        let next_page_token = match rows.last() {
            Some(last) if more => format!("{TOKEN_PREFIX}{}", last.definition.name),
            _ => String::new(),
        };
        let schedules: Vec<_> = rows.iter().map(|r| convert::schedule(r, true)).collect();
        Ok(Response::new(api::ListResponse {
            count: i32::try_from(schedules.len()).unwrap_or(i32::MAX),
            schedules,
            next_page_token,
        }))
    }

    async fn update(&self, request: Request<api::UpdateRequest>) -> Answer<api::UpdateResponse> {
        let keyed = Keyed::of(&request);
        let owner = Owner::of(request.call());
        let request = request.into_inner();
        let edit = Edit {
            owner,
            id: request.schedule_id.clone(),
            etag: request.etag.clone(),
            reset: request.update_mask.clone().unwrap_or_default().paths,
            given: convert::updated(request)?,
        };
        let reply = |row: &Row, timetable: &Timetable| {
            encoded(&api::UpdateResponse {
                schedule: Some(convert::schedule(row, false)),
                meaning: timetable.words().to_owned(),
            })
        };
        decoded(self.schedules.update(edit, keyed, reply).await?)
    }

    async fn delete(&self, request: Request<api::DeleteRequest>) -> Answer<api::DeleteResponse> {
        let keyed = Keyed::of(&request);
        let id = request.into_inner().schedule_id;
        let reply = |row: &Row| {
            encoded(&api::DeleteResponse {
                message: sentence(row, "is deleted"),
            })
        };
        decoded(self.schedules.delete(&id, keyed, reply).await?)
    }

    async fn pause(&self, request: Request<api::PauseRequest>) -> Answer<api::PauseResponse> {
        let row = self
            .schedules
            .pause(&request.into_inner().schedule_id)
            .await?;
        Ok(Response::new(api::PauseResponse {
            message: sentence(&row, "is paused"),
            schedule: Some(convert::schedule(&row, false)),
        }))
    }

    async fn resume(&self, request: Request<api::ResumeRequest>) -> Answer<api::ResumeResponse> {
        let row = self
            .schedules
            .resume(&request.into_inner().schedule_id)
            .await?;
        Ok(Response::new(api::ResumeResponse {
            message: sentence(&row, "is resumed"),
            schedule: Some(convert::schedule(&row, false)),
        }))
    }

    async fn run_now(&self, request: Request<api::RunNowRequest>) -> Answer<api::RunNowResponse> {
        let key = request.call().key;
        let row = self
            .schedules
            .table
            .get(&request.into_inner().schedule_id)
            .await?;
        if !row.enabled && row.reason != ENDED {
            return Err(Error::Disabled(row.definition.name).into());
        }
        let origin = match &key {
            Some(key) => key::origin(key),
            None => format!("now_{:016x}", self.schedules.context.rng().number()),
        };
        let now = self.schedules.now_ms();
        let fire = self.schedules.table.by_hand(&row.id, &origin, now).await?;
        let run = if fire.run.is_empty() {
            match self.sender.start(&row, &fire).await {
                Ok(run) => run,
                Err(error) => {
                    let status = Status::from(error);
                    let failure = Failure::of(&status);
                    let why = (failure.reason.as_str(), failure.message.as_str());
                    self.schedules.table.refused(&fire, why, now).await?;
                    return Err(status);
                }
            }
        } else {
            fire.run
        };
        Ok(Response::new(api::RunNowResponse {
            message: sentence(&row, "is run"),
            run_id: run,
        }))
    }

    async fn preview(&self, request: Request<api::PreviewRequest>) -> Answer<api::PreviewResponse> {
        let request = request.into_inner();
        let now = self.schedules.now();
        let mut after = request.after.map_or(now, convert::instant);
        let count = match usize::try_from(request.count) {
            Ok(0) | Err(_) => PREVIEW_DEFAULT,
            Ok(count) => count,
        };
        let (timetable, id, jitter_ms) = self.asked(request).await?;
        let clock = self.schedules.context.clock();
        let latest = clock.monotonic_us() + PREVIEW_MAX_US;
        let mut fires = Vec::new();
        while fires.len() < count
            && let Some(fire) = timetable.next(after).map_err(Error::from)?
        {
            if clock.monotonic_us() > latest {
                return Err(Error::parameter("count", PREVIEW_COSTLY).into());
            }
            // Other calls of this thread get their turn.
            tokio::task::yield_now().await;
            after = fire.at;
            let wait = key::jitter(&id, fire.at.as_millisecond(), jitter_ms);
            fires.push(convert::fire(fire, &timetable, wait));
        }
        Ok(Response::new(api::PreviewResponse {
            count: i32::try_from(fires.len()).unwrap_or(i32::MAX),
            fires,
            meaning: timetable.words().to_owned(),
            notes: notes(&timetable, now).map_err(Error::from)?,
        }))
    }

    async fn validate(
        &self,
        request: Request<api::ValidateRequest>,
    ) -> Answer<api::ValidateResponse> {
        let request = request.into_inner();
        let now = self.schedules.now();
        let mut answer = api::ValidateResponse {
            expression: request.expression.clone(),
            ..api::ValidateResponse::default()
        };
        match validated(request, now) {
            Ok((first, words, notes)) => {
                answer.valid = true;
                answer.next_run = Some(convert::timestamp(first.as_millisecond()));
                answer.meaning = words;
                answer.warnings = notes;
            }
            Err(error) => answer.errors.push(error.to_string()),
        }
        Ok(Response::new(answer))
    }

    async fn history(&self, request: Request<api::HistoryRequest>) -> Answer<api::HistoryResponse> {
        let request = request.into_inner();
        let row = self.schedules.table.get(&request.schedule_id).await?;
        let limit = match request.limit {
            0 => HISTORY_DEFAULT,
            n => i64::from(n),
        };
        self.sender.outcomes(Some(&row.id)).await?;
        let past = self.schedules.table.history(&row.id, limit).await?;
        let history: Vec<_> = past.into_iter().map(convert::entry).collect();
        Ok(Response::new(api::HistoryResponse {
            count: i32::try_from(history.len()).unwrap_or(i32::MAX),
            history,
        }))
    }

    async fn statistics(
        &self,
        request: Request<api::StatisticsRequest>,
    ) -> Answer<api::StatisticsResponse> {
        let request = request.into_inner();
        let row = self.schedules.table.get(&request.schedule_id).await?;
        let days = match request.days {
            0 => DAYS_DEFAULT,
            n => i64::from(n),
        };
        self.sender.outcomes(Some(&row.id)).await?;
        let since = self.schedules.now_ms() - days * DAY_MS;
        let figures = self.schedules.table.figures(&row.id, since).await?;
        Ok(Response::new(api::StatisticsResponse {
            statistics: Some(convert::statistics(&figures)),
        }))
    }

    async fn clear_history(
        &self,
        request: Request<api::ClearHistoryRequest>,
    ) -> Answer<api::ClearHistoryResponse> {
        let keyed = Keyed::of(&request);
        let id = request.into_inner().schedule_id;
        let reply = |row: &Row, deleted: i64| {
            encoded(&api::ClearHistoryResponse {
                deleted_count: deleted,
                message: sentence(row, "has no history any more, but for open fires"),
            })
        };
        decoded(self.schedules.clear(&id, keyed, reply).await?)
    }
}

/// Changes of the clock within a year that touch a schedule, one sentence each.
fn notes(timetable: &Timetable, now: Timestamp) -> Result<Vec<String>, RuleError> {
    let to = now.saturating_add(NOTES_WITHIN).unwrap_or(Timestamp::MAX);
    let changes = timetable.changes(now, to, &mut Budget::default())?;
    Ok(changes.iter().map(ToString::to_string).collect())
}

/// The first fire of an expression, its meaning and its notes.
fn validated(
    request: api::ValidateRequest,
    now: Timestamp,
) -> Result<(Timestamp, String, Vec<String>), RuleError> {
    let kind = if request.expression.to_ascii_uppercase().contains("FREQ=") {
        Kind::Rrule(request.expression)
    } else {
        Kind::Cron(request.expression)
    };
    let spec = Spec {
        kind,
        start: Some(request.start).filter(|s| !s.is_empty()),
        timezone: request.timezone,
        gap: None,
        overlap: None,
        until: None,
        except: Vec::new(),
    };
    let timetable = Timetable::parse(&spec, now)?;
    let first = timetable.first(&spec, now)?;
    let notes = notes(&timetable, now)?;
    Ok((first, timetable.words().to_owned(), notes))
}

/// A kind that was named must be the one that was given.
fn same_kind(named: &str, definition: &Definition) -> Result<()> {
    let kind = definition.kind()?.name();
    if named.is_empty() || named == kind {
        return Ok(());
    }
    Err(Error::parameter(
        "scheduleType",
        format!("`scheduleType` is {named}, but the fields are those of {kind}"),
    ))
}

fn page_token(token: &str) -> Result<String> {
    if token.is_empty() {
        return Ok(String::new());
    }
    let after = token.strip_prefix(TOKEN_PREFIX);
    after.map(str::to_owned).ok_or_else(|| {
        Error::parameter(
            "pageToken",
            format!("`{token}` is no token of a page before"),
        )
    })
}

fn sentence(row: &Row, what: &str) -> String {
    format!("schedule `{}` {what}", row.definition.name)
}

fn encoded(message: &impl Message) -> Bytes {
    message.encode_to_vec().into()
}

fn decoded<T: Message + Default>(reply: Bytes) -> Answer<T> {
    Ok(Response::new(T::decode(reply).map_err(Error::from)?))
}
