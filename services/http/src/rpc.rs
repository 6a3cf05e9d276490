//! Translates between the protocol and the sender; no rules here.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::http::v1 as api;
use gearmesh_api::http::v1::http_service_server::HttpService;
use gearmesh_api::tool::v1::Json;
use gearmesh_runtime::{Call, CallOf, Context, Secret};
use http::HeaderMap;
use tonic::{Response, Status};

use crate::config::ConnectionSettings;
use crate::connection::{self, Connection};
use crate::error::Error;
use crate::exchange::content_type;
use crate::format;
use crate::payload::Payload;
use crate::request::{HEADERS_MAX, Request};
use crate::retry::RETRIES;
use crate::sender::{Sender, Sent};
use crate::target::{Target, shown};

/// Deadline of a call that brings none, as the tool's option says.
const LIMIT: Duration = Duration::from_mins(10);

/// Bytes of an answer's data: with headers, URL and the rest it must fit into a message.
pub(crate) const DATA_MAX: usize = MESSAGE_MAX - 2 * HEADERS_MAX;

#[derive(Debug)]
pub(crate) struct Rpc {
    context: Context,
    sender: Sender,
}

impl Rpc {
    pub(crate) fn new(context: Context, sender: Sender) -> Self {
        Self { context, sender }
    }

    /// The connection of a call: the one that it names; for a path without a name
    /// the only one there is; for an address none. Its settings come with their
    /// references.
    async fn settings(
        &self,
        request: &api::RequestRequest,
    ) -> Result<Option<(String, ConnectionSettings)>, Status> {
        let name = match request.connection.as_str() {
            "" if connection::is_path(&request.url) => None,
            "" => return Ok(None),
            name => Some(name),
        };
        let connections = self.context.connections();
        let found = connections.find(connection::KIND, name).await?;
        let settings = connection::settings(&found.name, found.settings).map_err(Error::from)?;
        Ok(Some((found.name, settings)))
    }

    /// Resolves what the connection and the request hold of references, at once.
    async fn resolve(
        &self,
        request: &mut api::RequestRequest,
    ) -> Result<Option<Arc<Connection>>, Status> {
        let mut settings = self.settings(request).await?;
        let of_connection = settings.iter_mut().flat_map(|(_, s)| s.secrets_mut());
        let of_request = request.secret_headers.values_mut();
        let mut places: Vec<&mut String> = of_connection.chain(of_request).collect();
        places.push(&mut request.bearer);
        let texts: Vec<&str> = places.iter().map(|p| p.as_str()).collect();
        let secrets: Vec<Secret> = self.context.secrets().resolve_all(&texts).await?;
        for (place, secret) in places.into_iter().zip(secrets) {
            secret.expose().clone_into(place);
        }
        let connection = settings.map(|(name, settings)| Connection::new(&name, settings));
        Ok(connection.transpose().map_err(Error::from)?.map(Arc::new))
    }

    fn read(
        &self,
        request: api::RequestRequest,
        connection: Option<Arc<Connection>>,
        call: &Call,
    ) -> Result<Request, Error> {
        let target = Target::parse(&request.url, connection)?;
        let mut sent = Request::new(&request.method, target)?;
        let params: BTreeMap<_, _> = request
            .params
            .into_iter()
            .map(|(k, v)| (k, v.text))
            .collect();
        sent.add_query(&params)?;
        sent.add_headers(request.headers)?;
        sent.add_secrets(request.secret_headers, &request.bearer)?;
        if request.keyed {
            match &call.key {
                Some(key) => sent.set_key(key)?,
                None => sent.set_key(&self.sender.random_key())?,
            }
        }
        sent.set_payload(Payload {
            data: request.data.map(|d| d.text).unwrap_or_default(),
            form: request.form.into_iter().collect(),
            body: request.body,
        })?;
        if let Some(timeout) = request.timeout {
            let timeout = Duration::try_from(timeout)
                .map_err(|_| Error::parameter("timeout", "must be from 1 ms to 10 min"))?;
            sent.set_timeout(timeout)?;
        }
        sent.set_allowed(&request.allow_status)?;
        sent.follow = request.follow_redirects.unwrap_or(true);
        Ok(sent)
    }
}

#[tonic::async_trait]
impl HttpService for Rpc {
    async fn request(
        &self,
        request: tonic::Request<api::RequestRequest>,
    ) -> Result<Response<api::RequestResponse>, Status> {
        let call = request.call();
        let mut request = request.into_inner();
        let connection = self.resolve(&mut request).await?;
        let request = self.read(request, connection, &call)?;
        let limit = call.timeout.unwrap_or(LIMIT);
        let sent = self.sender.send(&request, retries(&call), limit).await?;
        Ok(Response::new(response(sent)?))
    }
}

/// What the caller says; within a run none, since the task has its own `retry`.
fn retries(call: &Call) -> u32 {
    match (call.retries, &call.run) {
        (Some(retries), _) => retries,
        (None, Some(_)) => 0,
        (None, None) => RETRIES,
    }
}

fn response(sent: Sent) -> Result<api::RequestResponse, Error> {
    let answer = sent.answer;
    let url = shown(&answer.url);
    let (data, format) =
        format::parse(&content_type(&answer.headers), answer.body).map_err(|reason| {
            Error::Unreadable {
                url: url.clone(),
                reason,
            }
        })?;
    if data.as_ref().is_some_and(|d| d.len() > DATA_MAX) {
        return Err(Error::TooLarge {
            url,
            what: "data",
            limit: DATA_MAX,
        });
    }
    Ok(api::RequestResponse {
        data: data.map(|text| Json { text }),
        status: i32::from(answer.status.as_u16()),
        status_text: answer
            .status
            .canonical_reason()
            .unwrap_or_default()
            .to_owned(),
        headers: joined(&answer.headers),
        url: answer.url.into(),
        metadata: Some(api::ResponseMetadata {
            attempts: i32::try_from(sent.attempts).unwrap_or(i32::MAX),
            total_delay: Some(duration(sent.total_delay)),
            format: format.as_str().to_owned(),
        }),
    })
}

/// Headers as text; those of one name in one line, as RFC 9110 5.2 joins them.
fn joined(headers: &HeaderMap) -> HashMap<String, String> {
    let mut all: HashMap<String, String> = HashMap::with_capacity(headers.keys_len());
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        all.entry(name.as_str().to_owned())
            .and_modify(|line| {
                line.push_str(", ");
                line.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    all
}

fn duration(time: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(time.subsec_nanos()).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_decides_about_retries() {
        let call = |retries, run: Option<&str>| Call {
            retries,
            run: run.map(str::to_owned),
            ..Call::default()
        };
        assert_eq!(retries(&call(None, None)), RETRIES);
        assert_eq!(retries(&call(None, Some("run_1"))), 0);
        assert_eq!(retries(&call(Some(3), Some("run_1"))), 3);
        assert_eq!(retries(&call(Some(0), None)), 0);
    }

    #[test]
    fn headers_of_one_name_are_joined() {
        let mut headers = HeaderMap::new();
        headers.append("vary", "a".parse().unwrap());
        headers.append("vary", "b".parse().unwrap());
        headers.append("x", http::HeaderValue::from_bytes(b"\xe9").unwrap());
        let joined = joined(&headers);
        assert_eq!(
            (joined["vary"].as_str(), joined["x"].as_str()),
            ("a, b", "\u{fffd}")
        );
    }
}
