//! One attempt: the request, its redirects, the whole answer.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::Response;
use url::Url;

use crate::body::{self, BODY_MAX, Coding, Reader};
use crate::client::{Clients, failure};
use crate::error::Error;
use crate::redirect::{self, REDIRECTS_MAX};
use crate::request::{HEADERS_MAX, Request, size};
use crate::status;
use crate::target::{Target, shown};
use crate::{format, retry};

/// Bytes of a refused answer's body that are read for its excerpt.
const PREVIEW_MAX: usize = 8 * 1024;

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) url: Url,
    pub(crate) body: Vec<u8>,
}

/// Sends a request once and reads the answer within the request's time.
pub(crate) async fn exchange(
    clients: &Clients,
    ports: &[u16],
    request: &Request,
    now_ms: i64,
) -> Result<Answer, Error> {
    let mut behind = false;
    let answer = follow(clients, ports, request, now_ms, &mut behind);
    let outcome = match tokio::time::timeout(request.timeout, answer).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Timeout {
            url: shown(&request.target.url),
            limit: request.timeout,
        }),
    };
    outcome.map_err(|e| {
        if behind {
            Error::Behind(Box::new(e))
        } else {
            e
        }
    })
}

/// Follows redirects up to their bound; each hop is checked as the first is. `behind`
/// is set once a server has taken the request and only its result is asked for.
async fn follow(
    clients: &Clients,
    ports: &[u16],
    request: &Request,
    now_ms: i64,
    behind: &mut bool,
) -> Result<Answer, Error> {
    let mut target = request.target.clone();
    let mut method = request.method.clone();
    let mut headers = request.headers.clone();
    let mut body = request.body.clone();
    headers
        .entry(header::ACCEPT_ENCODING)
        .or_insert(HeaderValue::from_static("gzip"));
    for _ in 0..=REDIRECTS_MAX {
        target.check(ports)?;
        let response = send(clients, &target, &method, headers.clone(), body.clone()).await?;
        let hop = if request.follow {
            redirect::hop(&method, &target.url, response.status(), response.headers())?
        } else {
            None
        };
        let Some(hop) = hop else {
            return settle(response, target.url, &request.allow, now_ms).await;
        };
        redirect::strip(&mut headers, &hop);
        if !hop.keeps_body {
            body = Bytes::new();
            *behind = true;
        }
        target = target.redirected(hop.url);
        method = hop.method;
    }
    Err(Error::RedirectLoop {
        url: shown(&request.target.url),
    })
}

async fn send(
    clients: &Clients,
    target: &Target,
    method: &Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Error> {
    let client = clients.of(target).await?;
    let mut request = client
        .request(method.clone(), target.url.clone())
        .headers(headers);
    if !body.is_empty() {
        request = request.body(body);
    }
    let response = request.send().await.map_err(|e| failure(&e, &target.url))?;
    if size(response.headers()) > HEADERS_MAX {
        return Err(Error::TooLarge {
            url: shown(&target.url),
            what: "headers",
            limit: HEADERS_MAX,
        });
    }
    Ok(response)
}

/// The answer, or the fault that its status is.
async fn settle(response: Response, url: Url, allow: &[u16], now_ms: i64) -> Result<Answer, Error> {
    let status = response.status();
    if status.as_u16() < 400 || allow.contains(&status.as_u16()) {
        return read(response, url).await;
    }
    let retry_after = retry::retry_after(response.headers(), now_ms);
    Err(Error::Status {
        url: shown(&url),
        status,
        excerpt: excerpt(response).await,
        retry_after,
    })
}

async fn read(mut response: Response, url: Url) -> Result<Answer, Error> {
    let coding = Coding::of(response.headers()).map_err(|coding| Error::Coding {
        url: shown(&url),
        coding,
    })?;
    let unread = |e: body::Error| match e {
        body::Error::TooLarge(limit) => Error::TooLarge {
            url: shown(&url),
            what: "body",
            limit,
        },
        other => Error::Unreadable {
            url: shown(&url),
            reason: other.to_string(),
        },
    };
    // What says beforehand that it is too large is not read at all.
    if coding == Coding::Plain
        && response
            .content_length()
            .is_some_and(|n| n > BODY_MAX as u64)
    {
        return Err(unread(body::Error::TooLarge(BODY_MAX)));
    }
    let mut reader = Reader::new(coding, BODY_MAX);
    while let Some(chunk) = response.chunk().await.map_err(|e| failure(&e, &url))? {
        reader.push(&chunk).map_err(unread)?;
    }
    let body = reader.finish().map_err(unread)?;
    Ok(Answer {
        status: response.status(),
        headers: std::mem::take(response.headers_mut()),
        url,
        body,
    })
}

/// The beginning of a refused answer's body. A body that cannot be read is no
/// further fault.
async fn excerpt(mut response: Response) -> String {
    let Ok(coding) = Coding::of(response.headers()) else {
        return String::new();
    };
    let kind = content_type(response.headers());
    let mut reader = Reader::new(coding, PREVIEW_MAX);
    while let Ok(Some(chunk)) = response.chunk().await {
        if reader.push(&chunk).is_err() {
            break;
        }
    }
    status::excerpt(&format::preview(&kind, &reader.into_bytes()))
}

/// The media type that headers name; empty when they name none.
pub(crate) fn content_type(headers: &HeaderMap) -> String {
    headers
        .get(header::CONTENT_TYPE)
        .map(|v| String::from_utf8_lossy(v.as_bytes()).into_owned())
        .unwrap_or_default()
}
