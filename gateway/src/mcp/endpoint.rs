//! The MCP server over HTTP.

use std::sync::Arc;

use axum::body::Body;
use http::{HeaderMap, HeaderValue, header};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};

use gearmesh_link::Mesh;

use super::server::Server;
use crate::limits::BODY_MAX;
use crate::origin::Origins;
use crate::reply::Response;

/// Where it is served. Both give the same list until the small set is built.
const PATHS: [&str; 2] = ["/mcp", "/mcp/all"];

/// Names of this machine, and origins of pages served from it.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What the transport wants a client to accept.
const ACCEPT: HeaderValue = HeaderValue::from_static("application/json, text/event-stream");

/// The MCP server over HTTP.
pub(crate) struct Endpoint {
    service: StreamableHttpService<Server, NeverSessionManager>,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").finish_non_exhaustive()
    }
}

impl Endpoint {
    pub(crate) fn new(mesh: Mesh, origins: &Origins) -> Self {
        let hosts = LOOPBACK
            .iter()
            .map(|h| (*h).to_owned())
            .chain(origins.hosts().iter().cloned());
        let pages = LOOPBACK
            .iter()
            .flat_map(|h| ["http", "https"].map(|s| format!("{s}://{h}:*")));
        let config = StreamableHttpServerConfig::default()
            .with_allowed_hosts(hosts.chain(["::1".to_owned()]))
            // The default accepts every origin.
            .with_allowed_origins(pages.chain(origins.origins().iter().map(|o| with_port(o))))
            .with_max_request_body_bytes(BODY_MAX)
            .with_legacy_session_mode(false)
            // No token of the shutdown: a call that is under way may end within the drain.
            .with_json_response(true);
        let server = Server::new(mesh, None);
        Self {
            service: StreamableHttpService::new(move || Ok(server.clone()), Arc::default(), config),
        }
    }

    pub(crate) fn takes(path: &str) -> bool {
        PATHS.contains(&path)
    }

    pub(crate) async fn answer(&self, mut request: http::Request<Body>) -> Response {
        accept_both(request.headers_mut());
        self.service.handle(request).await.map(Body::new)
    }
}

/// A client that accepts JSON, or says nothing, gets JSON; the transport itself
/// insists on both media types.
fn accept_both(headers: &mut HeaderMap) {
    let takes_json = match headers.get(header::ACCEPT).map(HeaderValue::to_str) {
        None => true,
        Some(Ok(text)) => ["application/json", "application/*", "*/*"]
            .iter()
            .any(|m| text.contains(m)),
        Some(Err(_)) => false,
    };
    if takes_json {
        headers.insert(header::ACCEPT, ACCEPT);
    }
}

/// An origin with the port that its scheme implies: the transport takes one without
/// a port for any.
fn with_port(origin: &str) -> String {
    let (scheme, authority) = origin.split_once("://").unwrap_or(("", origin));
    let has_port = authority
        .rsplit_once(':')
        .is_some_and(|(_, p)| p.bytes().all(|b| b.is_ascii_digit()));
    match (has_port, scheme) {
        (true, _) => origin.to_owned(),
        (false, "http") => format!("{origin}:80"),
        (false, _) => format!("{origin}:443"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_means_one_port() {
        for (origin, full) in [
            ("https://a.example.com", "https://a.example.com:443"),
            ("http://a.example.com", "http://a.example.com:80"),
            ("http://a.example.com:99", "http://a.example.com:99"),
        ] {
            assert_eq!(with_port(origin), full);
        }
    }

    #[test]
    fn plain_clients_get_json() {
        for (accept, taken) in [
            ("", true),
            ("*/*", true),
            ("application/json", true),
            ("text/html", false),
        ] {
            let mut headers = HeaderMap::new();
            if !accept.is_empty() {
                headers.insert(header::ACCEPT, accept.parse().unwrap());
            }
            accept_both(&mut headers);
            assert_eq!(
                headers.get(header::ACCEPT) == Some(&ACCEPT),
                taken,
                "{accept}"
            );
        }
    }
}
