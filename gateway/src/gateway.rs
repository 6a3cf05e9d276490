//! One request, from its checks to the surface that it is for.

use std::sync::Arc;

use axum::body::Body;
use http::{Method, StatusCode};

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_link::names;
use gearmesh_runtime::Context;
use gearmesh_runtime::trace::{self, Served};
use tonic::Status;

use crate::config::{Config, Error};
use crate::grpc::Proxy;
use crate::health::Health;
use crate::limits::URL_MAX;
use crate::login::{Login, Shown};
use crate::mcp;
use crate::origin::Origins;
use crate::reply::{Asker, Refused, Response};
use crate::rest;
use crate::view::Views;

/// The gateway; clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Gateway {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    cx: Context,
    origins: Origins,
    views: Views,
    proxy: Proxy,
    mcp: mcp::Endpoint,
    health: Health,
    login: Login,
}

impl Gateway {
    /// A gateway to the mesh of this context.
    ///
    /// # Errors
    /// Names the setting that cannot be used.
    pub(crate) fn new(cx: Context, config: &Config) -> Result<Self, Error> {
        config.check()?;
        let origins = Origins::new(config);
        let mesh = cx.mesh().clone();
        let inner = Inner {
            views: Views::new(mesh.clone()),
            health: Health::new(&cx),
            login: Login::new(&cx),
            proxy: Proxy::new(&cx),
            mcp: mcp::Endpoint::new(mesh, &origins),
            origins,
            cx,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }

    /// Answers a request of any protocol.
    pub(crate) async fn answer(&self, request: http::Request<Body>) -> Response {
        let served = Served::outside(request.method(), request.uri().path(), request.headers());
        served.answer(self.dispatch(request)).await
    }

    async fn dispatch(&self, mut request: http::Request<Body>) -> Response {
        let this = &self.inner;
        // What we tell the caller of its trace is what a collector is told.
        if let Some(trace) = trace::current()
            && let Ok(trace) = trace.parse()
        {
            request.headers_mut().insert(names::TRACE, trace);
        }
        let foreign = this.origins.check(request.uri(), request.headers());
        if Proxy::takes(request.headers()) {
            return match foreign {
                Ok(()) => self.grpc(request).await.unwrap_or_else(Status::into_http),
                Err(refusal) => Status::from(refusal).into_http(),
            };
        }
        let asker = Asker::of(request.headers(), this.cx.rng().as_ref());
        let is_head = request.method() == Method::HEAD;
        let answered = match foreign
            .map_err(Refused::from)
            .and_then(|()| url_fits(&request))
        {
            Ok(()) => self.http(request, &asker).await,
            Err(refused) => Err(refused),
        };
        let response = answered.unwrap_or_else(|refused| asker.refuse(refused));
        if is_head {
            headers_of(response)
        } else {
            response
        }
    }

    /// That we serve is for everybody; all else is for those who have logged in.
    async fn grpc(&self, mut request: http::Request<Body>) -> Result<Response, Status> {
        let this = &self.inner;
        match this.login.caller(Shown::by(&request)).await {
            Ok(caller) => {
                request.extensions_mut().insert(caller);
            }
            Err(_) if Proxy::is_health(request.uri().path()) => {}
            Err(status) => return Err(status),
        }
        Ok(this.proxy.answer(request).await)
    }

    /// That we serve is for everybody; all else is for those who have logged in.
    async fn http(
        &self,
        mut request: http::Request<Body>,
        asker: &Asker,
    ) -> Result<Response, Refused> {
        let this = &self.inner;
        let names_one = Health::names_one(request.uri());
        if !names_one && let Some(response) = this.health.answer(&request)? {
            return Ok(response);
        }
        let shown = Shown::by(&request);
        let tried = shown.has_bearer();
        let caller = this.login.caller(shown).await;
        let caller = caller.map_err(|status| challenged(status, tried))?;
        request.extensions_mut().insert(caller);
        if names_one && let Some(response) = this.health.answer(&request)? {
            return Ok(response);
        }
        if mcp::Endpoint::takes(request.uri().path()) {
            return Ok(this.mcp.answer(request).await);
        }
        let view = this.views.now();
        Box::pin(rest::answer(&this.cx, view, asker, request)).await
    }
}

/// A refusal for want of a login says which logins there are (RFC 9110, 11.6.1), and
/// whether one was tried (RFC 6750, 3.1), whatever was wrong with it.
fn challenged(status: Status, tried: bool) -> Refused {
    let unknown = status.code() == tonic::Code::Unauthenticated;
    let refused = Refused::from(status);
    let challenge = match (unknown, tried) {
        (false, _) => return refused,
        (true, false) => "Bearer realm=\"gearmesh\"",
        (true, true) => "Bearer realm=\"gearmesh\", error=\"invalid_token\"",
    };
    refused.header(http::header::WWW_AUTHENTICATE, challenge)
}

fn url_fits(request: &http::Request<Body>) -> Result<(), Refused> {
    let length = request
        .uri()
        .path_and_query()
        .map_or(0, |p| p.as_str().len());
    if length <= URL_MAX {
        return Ok(());
    }
    let text = format!("the URL has {length} bytes; at most {URL_MAX} are read");
    Err(Refused::from(Refusal::new(CommonFault::TooLarge, text)).http(StatusCode::URI_TOO_LONG))
}

/// What HEAD answers: the headers of GET, the length of its body among them.
fn headers_of(response: Response) -> Response {
    use http_body::Body as _;
    let length = response.body().size_hint().exact();
    let mut response = response.map(|_| Body::empty());
    if let Some(length) = length {
        response
            .headers_mut()
            .entry(http::header::CONTENT_LENGTH)
            .or_insert(length.into());
    }
    response
}
