//! The requests to a Consul agent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, Response, StatusCode};
use serde::Deserialize;
use serde_json::json;
use url::Url;

use crate::address::Address;
use crate::instance::in_order;
use crate::{Error, Instance};

/// How long the agent may take for anything but a blocking query; it is on this host.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How often the agent looks at an instance, and we at our registration.
pub(crate) const CHECK_INTERVAL: Duration = Duration::from_secs(3);

/// How long the agent waits for the answer to a look. With the interval, an instance
/// that hangs is seen after 5 s.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// Silence after which an instance that reports itself counts as dead: two reports
/// may be lost.
const TTL: Duration = Duration::from_secs(8);

/// When the agent forgets an instance that stays dead: its least value.
const FORGET_AFTER: &str = "1m";

/// Put before an engine's name: a Consul is shared, and `db` is a common name.
const PREFIX: &str = "gearmesh-";

/// Key in a service's metadata under which its instance's id stands.
const META_ID: &str = "gearmesh-instance";
/// And its address as a URL.
const META_URL: &str = "gearmesh-url";

/// Who looks whether an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// The agent, by the gRPC health service in plain text.
    Grpc,
    /// The same by TLS, with the agent's own certificate.
    GrpcTls,
    /// The instance itself reports to the agent.
    Ttl,
}

/// `http://127.0.0.1:8500?check=ttl`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Options {
    base: Url,
    /// None: by the instance's address.
    check: Option<Check>,
}

impl Options {
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let wrong = |reason: &str| {
            let reason =
                format!("{reason}; give the agent's address as consul:http://127.0.0.1:8500");
            // Not the text itself: it may hold a login.
            Error::setting("consul:", reason)
        };
        let mut base = Url::parse(text).map_err(|e| wrong(&e.to_string()))?;
        if !matches!(base.scheme(), "http" | "https") || base.path() != "/" {
            return Err(wrong("it is not http://HOST:PORT"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong(
                "a login has no place in it, set consul.token instead",
            ));
        }
        let mut check = None;
        for (key, value) in base.query_pairs() {
            check = match (&*key, &*value) {
                ("check", "grpc") => Some(Check::Grpc),
                ("check", "grpc-tls") => Some(Check::GrpcTls),
                ("check", "ttl") => Some(Check::Ttl),
                _ => return Err(wrong("it takes `check=grpc`, `grpc-tls` or `ttl` alone")),
            };
        }
        base.set_query(None);
        Ok(Self { base, check })
    }
}

/// A client of one agent.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    options: Options,
    /// Somebody has said that the agent does not answer.
    said_away: Arc<AtomicBool>,
}

/// What a query for instances gives.
#[derive(Debug)]
pub(crate) struct Found {
    /// Rises with each change; falls when the agent has lost its state.
    pub(crate) index: u64,
    pub(crate) instances: Vec<Instance>,
}

/// One entry of `/v1/health/service`.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(rename = "Node")]
    node: Node,
    #[serde(rename = "Service")]
    service: Service,
}

#[derive(Debug, Deserialize)]
struct Node {
    #[serde(rename = "Address", default)]
    address: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Service {
    #[serde(rename = "ID")]
    id: String,
    #[serde(default)]
    address: String,
    port: u16,
    #[serde(default)]
    tags: Option<Vec<String>>,
    #[serde(default)]
    meta: Option<BTreeMap<String, String>>,
}

impl Client {
    pub(crate) fn new(options: Options, token: Option<String>) -> Result<Self, Error> {
        let mut headers = HeaderMap::new();
        if let Some(token) = token {
            let mut value = HeaderValue::from_str(&token).map_err(|_| {
                Error::setting("consul.token", "it holds what no HTTP header can carry")
            })?;
            value.set_sensitive(true);
            headers.insert("x-consul-token", value);
        }
        let http = reqwest::Client::builder()
            .default_headers(headers)
            .connect_timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|e| Error::setting("consul:", e.to_string()))?;
        Ok(Self {
            http,
            options,
            said_away: Arc::default(),
        })
    }

    /// A query was not answered. True for the first of an outage: a process has a
    /// dozen watches, and one line is enough.
    pub(crate) fn away(&self) -> bool {
        !self.said_away.swap(true, Ordering::Relaxed)
    }

    /// A query was answered.
    pub(crate) fn back(&self) {
        if self.said_away.swap(false, Ordering::Relaxed) {
            tracing::info!("the Consul agent answers again");
        }
    }

    fn check(&self, tls: bool) -> Check {
        // The agent has no certificate of the mesh, and an engine's port takes none
        // without: there the instance reports itself.
        let by_address = if tls { Check::Ttl } else { Check::Grpc };
        self.options.check.unwrap_or(by_address)
    }

    /// Tells the agent of an instance that serves.
    pub(crate) async fn register(&self, instance: &Instance) -> Result<(), Error> {
        let action = "register an instance";
        let address =
            Address::parse(&instance.url).map_err(|reason| Error::Agent { action, reason })?;
        let seconds = |d: Duration| format!("{}s", d.as_secs());
        let mut check = json!({
            "DeregisterCriticalServiceAfter": FORGET_AFTER,
            // It serves already; the first look comes within the interval.
            "Status": "passing",
        });
        let kind = self.check(address.tls);
        if let Some(check) = check.as_object_mut() {
            if kind == Check::Ttl {
                check.insert("TTL".into(), seconds(TTL).into());
            } else {
                check.insert("GRPC".into(), address.authority().into());
                check.insert("GRPCUseTLS".into(), (kind == Check::GrpcTls).into());
                check.insert("Interval".into(), seconds(CHECK_INTERVAL).into());
                check.insert("Timeout".into(), seconds(CHECK_TIMEOUT).into());
            }
        }
        let body = json!({
            "ID": service_id(instance),
            "Name": service(&instance.engine),
            "Address": address.bare_host(),
            "Port": address.port,
            "Tags": instance.tags,
            "Meta": {META_ID: instance.id, META_URL: instance.url},
            "Check": check,
        });
        let mut url = self.url(action, &["agent", "service", "register"])?;
        url.set_query(Some("replace-existing-checks=true"));
        let request = self.http.request(Method::PUT, url).timeout(TIMEOUT);
        let response = request.json(&body).send().await;
        accepted(action, response).await.map(drop)
    }

    /// Whether the agent still knows an instance. One that reports itself does it
    /// by this.
    pub(crate) async fn keep(&self, instance: &Instance) -> Result<bool, Error> {
        let tls = instance.url.starts_with("https:");
        let id = service_id(instance);
        let (method, url) = if self.check(tls) == Check::Ttl {
            let check = format!("service:{id}");
            let url = self.url("take a report", &["agent", "check", "pass", &check])?;
            (Method::PUT, url)
        } else {
            let url = self.url("show an instance", &["agent", "service", &id])?;
            (Method::GET, url)
        };
        let action = "show an instance";
        let response = self.http.request(method, url).timeout(TIMEOUT).send().await;
        let response = response.map_err(|e| unreachable(action, &e))?;
        match response.status() {
            // Before 1.11 a report on an unknown check is an error 500 with this text.
            StatusCode::NOT_FOUND => Ok(false),
            StatusCode::INTERNAL_SERVER_ERROR => {
                let text = response.text().await.unwrap_or_default();
                if text.contains("does not have associated TTL") || text.contains("Unknown check") {
                    return Ok(false);
                }
                Err(Error::Agent {
                    action,
                    reason: text,
                })
            }
            _ => accepted(action, Ok(response)).await.map(|_| true),
        }
    }

    /// Takes an instance back.
    pub(crate) async fn deregister(&self, instance: &Instance) -> Result<(), Error> {
        let action = "take an instance back";
        let id = service_id(instance);
        let url = self.url(action, &["agent", "service", "deregister", &id])?;
        let request = self.http.request(Method::PUT, url).timeout(TIMEOUT);
        accepted(action, request.send().await).await.map(drop)
    }

    /// The living instances of an engine: when they differ from those at `index`, at
    /// most after `wait`; with index 0 at once.
    pub(crate) async fn living(
        &self,
        engine: &str,
        index: u64,
        wait: Duration,
    ) -> Result<Found, Error> {
        let action = "list the instances of an engine";
        let mut url = self.url(action, &["health", "service", &service(engine)])?;
        url.set_query(Some(&format!(
            "passing=1&index={index}&wait={}ms",
            wait.as_millis()
        )));
        // The agent adds up to a sixteenth, so that not all watches end at once.
        let limit = wait + wait / 16 + TIMEOUT;
        let response = self.http.get(url).timeout(limit).send().await;
        let response = accepted(action, response).await?;
        let index = response
            .headers()
            .get("x-consul-index")
            .and_then(|v| v.to_str().ok()?.parse().ok())
            .unwrap_or_default();
        let entries: Vec<Entry> = response.json().await.map_err(|e| unreachable(action, &e))?;
        Ok(Found {
            index,
            instances: in_order(entries.into_iter().map(|e| e.instance(engine)).collect()),
        })
    }

    fn url(&self, action: &'static str, path: &[&str]) -> Result<Url, Error> {
        let mut url = self.options.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => {
                segments.pop_if_empty().push("v1").extend(path);
            }
            Err(()) => {
                let reason = "its address takes no path".to_owned();
                return Err(Error::Agent { action, reason });
            }
        }
        Ok(url)
    }
}

impl Entry {
    fn instance(self, engine: &str) -> Instance {
        let mut meta = self.service.meta.unwrap_or_default();
        // Registered by others: the address alone, of the node when the service has none.
        let host = if self.service.address.is_empty() {
            self.node.address
        } else {
            self.service.address
        };
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        Instance {
            id: meta.remove(META_ID).unwrap_or(self.service.id),
            engine: engine.to_owned(),
            url: meta
                .remove(META_URL)
                .unwrap_or_else(|| format!("https://{host}:{}", self.service.port)),
            tags: self.service.tags.unwrap_or_default(),
        }
    }
}

/// The name in Consul of an engine.
fn service(engine: &str) -> String {
    format!("{PREFIX}{engine}")
}

/// The id in Consul of an instance: one process may serve several engines.
fn service_id(instance: &Instance) -> String {
    format!("{}-{}", service(&instance.engine), instance.id)
}

fn unreachable(action: &'static str, error: &reqwest::Error) -> Error {
    let cause = std::iter::successors(std::error::Error::source(error), |e| e.source())
        .last()
        .map_or_else(|| error.to_string(), ToString::to_string);
    Error::Agent {
        action,
        reason: cause,
    }
}

async fn accepted(
    action: &'static str,
    response: reqwest::Result<Response>,
) -> Result<Response, Error> {
    /// Enough of what the agent says to act on it.
    const SAID_MAX: usize = 200;
    let response = response.map_err(|e| unreachable(action, &e))?;
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let said: String = response
        .text()
        .await
        .unwrap_or_default()
        .chars()
        .take(SAID_MAX)
        .collect();
    let hint = match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
            "; set consul.token to a token with service:write and service:read"
        }
        _ => "",
    };
    Err(Error::Agent {
        action,
        reason: format!("{status}: {}{hint}", said.trim()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_name_an_agent_and_a_check() {
        let of = |text| Options::parse(text).map(|o| (o.base.to_string(), o.check));
        let base = "http://127.0.0.1:8500/".to_owned();
        assert_eq!(of("http://127.0.0.1:8500").unwrap(), (base.clone(), None));
        assert_eq!(
            of("http://127.0.0.1:8500?check=ttl").unwrap(),
            (base, Some(Check::Ttl))
        );
        for bad in [
            "",
            "127.0.0.1:8500",
            "http://x/v1",
            "http://x?check=no",
            "http://x?a=b",
            "http://u:geheim@x",
        ] {
            let error = of(bad).unwrap_err().to_string();
            assert!(error.contains("consul:"), "{error}");
            assert!(!error.contains("geheim"), "{error}");
        }
    }

    #[test]
    fn token_is_shown_to_nobody() {
        let settings = crate::Settings {
            token: Some("geheim".into()),
            ..crate::Settings::default()
        };
        assert!(!format!("{settings:?}").contains("geheim"));
        let registry = crate::Registry::open("consul:http://127.0.0.1:1", settings).unwrap();
        assert!(!format!("{registry:?}").contains("geheim"));
    }
}
