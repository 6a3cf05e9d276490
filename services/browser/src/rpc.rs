//! Translates between the protocol and the tools; no rules here.

use std::time::Duration;

use gearmesh_api::browser::v1 as api;
use gearmesh_api::browser::v1::browser_service_server::BrowserService;
use gearmesh_api::tool::v1::Json;
use gearmesh_runtime::{CallOf, Context, Secret};
use prost_types::Timestamp;
use serde_json::Value;
use tonic::{Request, Response, Status};
use url::Url;

use crate::act::{self, State, Typing};
use crate::connection::Connection;
use crate::error::Error;
use crate::limit::Limit;
use crate::page::text;
use crate::render::{self, Part};
use crate::session::Use;
use crate::sessions::Sessions;
use crate::wanted::Wanted;
use crate::{navigate, read};

/// How long a page, a picture or a script may take when the caller says nothing.
const LONG: Duration = Duration::from_secs(30);

/// How long an element is waited for when the caller says nothing.
const SHORT: Duration = Duration::from_secs(10);

/// Wait after each key when the caller says nothing: as fast as people type.
const DELAY: Duration = Duration::from_millis(50);

/// How JSON shows bytes.
const ENCODING: &str = "base64";

#[derive(Debug)]
pub(crate) struct Rpc {
    cx: Context,
    sessions: Sessions,
}

impl Rpc {
    pub(crate) fn new(cx: Context, sessions: Sessions) -> Self {
        Self { cx, sessions }
    }

    fn limit(&self, asked: Option<prost_types::Duration>, default: Duration) -> Limit {
        let asked = asked.and_then(|d| Duration::try_from(d).ok());
        Limit::new(self.cx.clock(), asked.unwrap_or(default))
    }
}

#[tonic::async_trait]
impl BrowserService for Rpc {
    async fn navigate(
        &self,
        request: Request<api::NavigateRequest>,
    ) -> Result<Response<api::NavigateResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let connection = match request.connection.as_str() {
            "" => None,
            name => Some(Connection::find(&self.cx, name).await?),
        };
        let url = match &connection {
            Some(connection) => connection.join(&request.url)?,
            None => Url::parse(&request.url).map_err(|e| {
                let text = format!(
                    "`{}` is no URL: {e}; a path needs a `connection`",
                    request.url
                );
                Error::parameter("url", text)
            })?,
        };
        let session = self.sessions.open(&call, &request.session).await?;
        if let Some(opened) = connection.and_then(Connection::opened) {
            session.gate.open(opened);
        }
        // Starting a browser is not the page's time.
        let limit = self.limit(request.timeout, LONG);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Open, &limit);
        let (clock, selector) = (self.cx.clock(), &request.wait_for_selector);
        let (opened, done) = wanted
            .done_in(&self.sessions, &session, async |page| {
                navigate::navigate(page, &session.gate, clock, &url, selector, &limit).await
            })
            .await?;
        Ok(Response::new(api::NavigateResponse {
            message: format!("opened {}", opened.url),
            url: opened.url,
            status: opened.status,
            title: opened.title,
            session: session.key.name.clone(),
            page: done.page,
            blocked: opened.blocked,
        }))
    }

    async fn click(
        &self,
        request: Request<api::ClickRequest>,
    ) -> Result<Response<api::ClickResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let limit = self.limit(request.timeout, SHORT);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Act, &limit);
        let (selector, follow) = (&request.selector, request.wait_for_navigation);
        let clock = self.cx.clock();
        let ((), done) = wanted
            .done(&self.sessions, async |page| {
                act::click(page, clock, selector, follow, &limit).await
            })
            .await?;
        Ok(Response::new(api::ClickResponse {
            message: format!("clicked `{selector}`"),
            selector: request.selector,
            url: done.url,
            page: done.page,
        }))
    }

    async fn r#type(
        &self,
        request: Request<api::TypeRequest>,
    ) -> Result<Response<api::TypeResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let (typed, length) = match (request.text, request.secret.as_str()) {
            (Some(text), "") => {
                let length = text.chars().count();
                (Secret::new(text), i32::try_from(length).unwrap_or(i32::MAX))
            }
            (None, secret) if !secret.is_empty() => (self.cx.secrets().resolve(secret).await?, 0),
            _ => {
                let text = "give exactly one of `text` and `secret`";
                return Err(Error::parameter("text", text).into());
            }
        };
        let delay = request.delay.and_then(|d| Duration::try_from(d).ok());
        let typing = Typing {
            delay: delay.unwrap_or(DELAY),
            clear: request.clear,
        };
        let limit = self.limit(request.timeout, SHORT);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Act, &limit);
        let (clock, selector) = (self.cx.clock(), &request.selector);
        let ((), done) = wanted
            .done(&self.sessions, async |page| {
                act::type_text(page, clock, selector, &typed, typing, &limit).await
            })
            .await?;
        Ok(Response::new(api::TypeResponse {
            message: format!("typed into `{selector}`"),
            selector: request.selector,
            text_length: length,
            url: done.url,
            page: done.page,
        }))
    }

    async fn extract(
        &self,
        request: Request<api::ExtractRequest>,
    ) -> Result<Response<api::ExtractResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let limit = self.limit(request.timeout, LONG);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Read, &limit);
        let (data, done) = wanted
            .done(&self.sessions, async |page| {
                read::extract(page, &request.selectors, request.multiple, &limit).await
            })
            .await?;
        Ok(Response::new(api::ExtractResponse {
            data: data.into_iter().map(|(k, v)| (k, json(v))).collect(),
            url: done.url,
            page: done.page,
        }))
    }

    async fn form_fill(
        &self,
        request: Request<api::FormFillRequest>,
    ) -> Result<Response<api::FormFillResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let fields = act::fields(&self.cx, request.fields, request.secrets).await?;
        let limit = self.limit(request.timeout, SHORT);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Act, &limit);
        let (clock, submit) = (self.cx.clock(), &request.submit_selector);
        let follow = request.submit_wait_for_navigation;
        let ((), done) = wanted
            .done(&self.sessions, async |page| {
                act::fill(page, &fields, &limit).await?;
                if submit.is_empty() {
                    return Ok(());
                }
                let clicked = act::click(page, clock, submit, follow, &limit.again()).await;
                clicked.map_err(Error::begun)
            })
            .await?;
        let submitted = !submit.is_empty();
        let sent = if submitted { ", and sent the form" } else { "" };
        Ok(Response::new(api::FormFillResponse {
            message: format!("filled {} fields{sent}", fields.len()),
            fields_count: i32::try_from(fields.len()).unwrap_or(i32::MAX),
            submitted,
            url: done.url,
            page: done.page,
        }))
    }

    async fn screenshot(
        &self,
        request: Request<api::ScreenshotRequest>,
    ) -> Result<Response<api::ScreenshotResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let part = match (request.full_page, request.selector.as_str()) {
            (false, "") => Part::View,
            (true, "") => Part::Whole,
            (false, selector) => Part::Element(selector),
            (true, _) => {
                let text = "give `fullPage` or `selector`, not both";
                return Err(Error::parameter("selector", text).into());
            }
        };
        let limit = self.limit(request.timeout, LONG);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Read, &limit);
        let (picture, _) = wanted
            .done(&self.sessions, async |page| {
                render::screenshot(page, part, &limit).await
            })
            .await?;
        Ok(Response::new(api::ScreenshotResponse {
            image: picture.bytes,
            format: "png".to_owned(),
            encoding: ENCODING.to_owned(),
            width: picture.width,
            height: picture.height,
        }))
    }

    async fn pdf(
        &self,
        request: Request<api::PdfRequest>,
    ) -> Result<Response<api::PdfResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let [(letter, ..), ..] = render::PAPERS;
        let format = match request.format.as_str() {
            "" => letter.to_owned(),
            _ => request.format.clone(),
        };
        let limit = self.limit(request.timeout, LONG);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Read, &limit);
        let (pdf, _) = wanted
            .done(&self.sessions, async |page| {
                render::pdf(page, &format, request.landscape, &limit).await
            })
            .await?;
        Ok(Response::new(api::PdfResponse {
            pdf,
            format,
            encoding: ENCODING.to_owned(),
        }))
    }

    async fn wait_for(
        &self,
        request: Request<api::WaitForRequest>,
    ) -> Result<Response<api::WaitForResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let state = match request.state.as_str() {
            "attached" => State::Attached,
            "hidden" => State::Hidden,
            _ => State::Visible,
        };
        let limit = self.limit(request.timeout, LONG);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Read, &limit);
        let ((), done) = wanted
            .done(&self.sessions, async |page| {
                act::wait_for(page, &request.selector, state, &limit).await
            })
            .await?;
        Ok(Response::new(api::WaitForResponse {
            selector: request.selector,
            url: done.url,
        }))
    }

    async fn evaluate(
        &self,
        request: Request<api::EvaluateRequest>,
    ) -> Result<Response<api::EvaluateResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let arguments = request.args.map(|a| a.text).unwrap_or_default();
        let arguments = match serde_json::from_slice::<Value>(&arguments) {
            Ok(arguments) => arguments.to_string(),
            Err(_) if arguments.is_empty() => Value::Null.to_string(),
            Err(e) => {
                return Err(Error::parameter("args", format!("is no JSON: {e}")).into());
            }
        };
        let limit = self.limit(request.timeout, LONG);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Act, &limit);
        let (result, done) = wanted
            .done(&self.sessions, async |page| {
                read::evaluate(page, &request.script, &arguments, &limit).await
            })
            .await?;
        Ok(Response::new(api::EvaluateResponse {
            result: Some(json(result)),
            url: done.url,
            page: done.page,
        }))
    }

    async fn current_url(
        &self,
        request: Request<api::CurrentUrlRequest>,
    ) -> Result<Response<api::CurrentUrlResponse>, Status> {
        let call = request.call();
        let request = request.into_inner();
        let limit = self.limit(None, SHORT);
        let wanted = Wanted::new(&call, &request.session, &request.page, Use::Read, &limit);
        let (place, done) = wanted
            .done(&self.sessions, async |page| {
                let place = page.read("place", Value::Null, &limit);
                limit.within("asking the page", place).await
            })
            .await?;
        Ok(Response::new(api::CurrentUrlResponse {
            url: text(&place, "url"),
            title: text(&place, "title"),
            page: done.page,
        }))
    }

    async fn session_list(
        &self,
        request: Request<api::SessionListRequest>,
    ) -> Result<Response<api::SessionListResponse>, Status> {
        let sessions = self.sessions.list(&request.call()).await;
        let sessions: Vec<_> = sessions
            .iter()
            .map(|session| api::Session {
                session: session.key.name.clone(),
                opened: Some(timestamp(session.opened_ms)),
                used: Some(timestamp(session.used_ms())),
                pages: session
                    .pages()
                    .into_iter()
                    .map(|(page, busy, url)| api::Page { page, busy, url })
                    .collect(),
            })
            .collect();
        Ok(Response::new(api::SessionListResponse {
            count: i32::try_from(sessions.len()).unwrap_or(i32::MAX),
            sessions,
        }))
    }

    async fn session_close(
        &self,
        request: Request<api::SessionCloseRequest>,
    ) -> Result<Response<api::SessionCloseResponse>, Status> {
        let call = request.call();
        let asked = request.into_inner().session;
        let (session, found) = self.sessions.close(&call, &asked).await;
        let mut urls = Vec::new();
        if let Some(found) = &found {
            urls = found.pages().into_iter().map(|(_, _, url)| url).collect();
            found.close().await;
        }
        Ok(Response::new(api::SessionCloseResponse {
            session,
            closed: found.is_some(),
            urls,
        }))
    }
}

fn json(text: String) -> Json {
    Json { text: text.into() }
}

fn timestamp(ms: i64) -> Timestamp {
    Timestamp {
        seconds: ms.div_euclid(1000),
        nanos: i32::try_from(ms.rem_euclid(1000) * 1_000_000).unwrap_or_default(),
    }
}
