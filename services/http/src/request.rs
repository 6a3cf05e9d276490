//! What is sent: everything checked before the first byte leaves.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use gearmesh_runtime::Secrets;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use serde_json::Value;

use crate::connection;
use crate::error::Error;
use crate::payload::Payload;
use crate::target::{Target, URL_MAX};

/// Time for one attempt when the caller names none.
pub(crate) const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);

/// Longest time for one attempt.
pub(crate) const TIMEOUT_MAX: Duration = Duration::from_mins(10);

/// Bytes of all headers of a request or of an answer.
pub(crate) const HEADERS_MAX: usize = 64 * 1024;

/// Bytes that a header takes beside name and value (RFC 9113 6.5.2 counts 32;
/// HTTP/1 sends `: ` and a line end).
pub(crate) const HEADER_EXTRA: usize = 4;

/// In which header the key goes.
pub(crate) const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

const METHODS: [Method; 7] = [
    Method::GET,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
    Method::HEAD,
    Method::OPTIONS,
];

/// Headers that belong to the connection between two hosts, or that the client
/// sets from what it sends. A caller who could set them could smuggle a second
/// request past a proxy or reach another virtual host.
const OURS: [&str; 12] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// A checked request.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) target: Target,
    pub(crate) method: Method,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// For one attempt.
    pub(crate) timeout: Duration,
    /// Statuses of 400 or more that are results.
    pub(crate) allow: Vec<u16>,
    pub(crate) follow: bool,
}

impl Request {
    pub(crate) fn new(method: &str, target: Target) -> Result<Self, Error> {
        let method = match method {
            "" => Method::GET,
            name => METHODS
                .into_iter()
                .find(|m| m.as_str() == name)
                .ok_or_else(|| {
                    Error::parameter("method", format!("`{name}` is none of the seven methods"))
                })?,
        };
        Ok(Self {
            target,
            method,
            headers: HeaderMap::new(),
            body: Bytes::new(),
            timeout: TIMEOUT_DEFAULT,
            allow: Vec::new(),
            follow: true,
        })
    }

    /// Whether sending it twice does no more than sending it once.
    pub(crate) fn is_resendable(&self) -> bool {
        self.headers.contains_key(IDEMPOTENCY_KEY)
            || [
                Method::GET,
                Method::HEAD,
                Method::OPTIONS,
                Method::PUT,
                Method::DELETE,
            ]
            .contains(&self.method)
    }

    /// Adds the parameters of the query, in the order of their names.
    pub(crate) fn add_query(&mut self, params: &BTreeMap<String, Bytes>) -> Result<(), Error> {
        if params.is_empty() {
            return Ok(());
        }
        let url = &mut self.target.url;
        for (name, text) in params {
            let unfit = |what: &str| Error::parameter(format!("params.{name}"), what);
            let value: Value = serde_json::from_slice(text).map_err(|_| unfit("is no JSON"))?;
            let values = match value {
                Value::Array(list) => list,
                Value::Null => continue,
                one => vec![one],
            };
            for value in values {
                let text = match value {
                    Value::String(text) => text,
                    Value::Number(n) => n.to_string(),
                    Value::Bool(b) => b.to_string(),
                    _ => {
                        return Err(unfit(
                            "must be text, a number, a boolean or a list of these",
                        ));
                    }
                };
                url.query_pairs_mut().append_pair(name, &text);
            }
        }
        if url.as_str().len() > URL_MAX {
            return Err(Error::parameter(
                "params",
                format!("make the URL longer than {URL_MAX} bytes"),
            ));
        }
        Ok(())
    }

    /// Sets the headers: the connection's and the caller's.
    pub(crate) fn add_headers(
        &mut self,
        headers: impl IntoIterator<Item = (String, String)>,
    ) -> Result<(), Error> {
        for (name, value) in headers {
            if Secrets::is_reference(&value) {
                let what = "is a reference, which belongs into `secretHeaders` or `bearer`";
                return Err(Error::parameter(format!("headers.{name}"), what));
            }
            self.add_header("headers", &name, &value, false)?;
        }
        if let Some(connection) = &self.target.connection {
            self.headers.extend(connection.headers.clone());
        }
        self.check_size()
    }

    /// Sets the headers whose values nobody must see.
    pub(crate) fn add_secrets(
        &mut self,
        headers: impl IntoIterator<Item = (String, String)>,
        bearer: &str,
    ) -> Result<(), Error> {
        for (name, value) in headers {
            self.add_header("secretHeaders", &name, &value, true)?;
        }
        if !bearer.is_empty() {
            if self.headers.contains_key(header::AUTHORIZATION) {
                let what =
                    "excludes the header `Authorization`, which the request or its connection has";
                return Err(Error::parameter("bearer", what));
            }
            let value = connection::bearer(bearer)
                .ok_or_else(|| Error::parameter("bearer", "has a control character"))?;
            self.headers.insert(header::AUTHORIZATION, value);
        }
        self.check_size()
    }

    fn add_header(
        &mut self,
        field: &str,
        name: &str,
        value: &str,
        secret: bool,
    ) -> Result<(), Error> {
        let unfit = |what: &str| Error::parameter(format!("{field}.{name}"), what);
        let header = HeaderName::try_from(name).map_err(|_| unfit("is no name of a header"))?;
        if OURS.contains(&header.as_str()) {
            return Err(unfit("is set by the client itself"));
        }
        let connection = self.target.connection.as_ref();
        if connection.is_some_and(|c| c.headers.contains_key(&header)) {
            return Err(unfit("is set by the connection"));
        }
        let mut value =
            HeaderValue::try_from(value).map_err(|_| unfit("has a control character"))?;
        value.set_sensitive(secret);
        self.headers.append(header, value);
        Ok(())
    }

    fn check_size(&self) -> Result<(), Error> {
        if size(&self.headers) > HEADERS_MAX {
            return Err(Error::parameter(
                "headers",
                format!("have more than {HEADERS_MAX} bytes in all"),
            ));
        }
        Ok(())
    }

    /// Sets the key under which the target recognises a second send.
    pub(crate) fn set_key(&mut self, key: &str) -> Result<(), Error> {
        if self.headers.contains_key(IDEMPOTENCY_KEY) {
            return Err(Error::parameter(
                "headers.idempotency-key",
                "is set by `keyed`",
            ));
        }
        let value = HeaderValue::try_from(key)
            .map_err(|_| Error::parameter("", "the key is no header value"))?;
        self.headers.insert(IDEMPOTENCY_KEY, value);
        Ok(())
    }

    /// Sets the body and, unless a header says it, its type.
    pub(crate) fn set_payload(&mut self, payload: Payload) -> Result<(), Error> {
        if let Some((body, kind)) = payload.into_body()? {
            self.headers
                .entry(header::CONTENT_TYPE)
                .or_insert(HeaderValue::from_static(kind));
            self.body = body;
        }
        Ok(())
    }

    /// Sets the time for one attempt.
    pub(crate) fn set_timeout(&mut self, timeout: Duration) -> Result<(), Error> {
        if timeout < Duration::from_millis(1) || timeout > TIMEOUT_MAX {
            return Err(Error::parameter("timeout", "must be from 1 ms to 10 min"));
        }
        self.timeout = timeout;
        Ok(())
    }

    /// Sets the statuses of 400 or more that are results.
    pub(crate) fn set_allowed(&mut self, statuses: &[i32]) -> Result<(), Error> {
        self.allow = statuses
            .iter()
            .enumerate()
            .map(|(i, status)| match u16::try_from(*status) {
                Ok(status @ 400..=599) => Ok(status),
                _ => {
                    let what = format!("{status} is no status from 400 to 599");
                    Err(Error::parameter(format!("allowStatus[{i}]"), what))
                }
            })
            .collect::<Result<_, _>>()?;
        Ok(())
    }
}

/// Bytes that headers take on the wire.
pub(crate) fn size(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len() + HEADER_EXTRA)
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ConnectionSettings;
    use crate::connection::Connection;

    fn request(method: &str) -> Request {
        let target = Target::parse("http://a.test/x?a=1", None).unwrap();
        Request::new(method, target).unwrap()
    }

    fn header(name: &str, value: &str) -> Result<(), Error> {
        request("").add_headers([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn method_is_one_of_seven() {
        assert_eq!(request("").method, Method::GET);
        let target = || Target::parse("http://a.test/", None).unwrap();
        for method in METHODS {
            assert_eq!(
                Request::new(method.as_str(), target()).unwrap().method,
                method
            );
        }
        for bad in ["get", "TRACE", "CONNECT", "GET /", " GET"] {
            assert!(Request::new(bad, target()).is_err(), "{bad}");
        }
    }

    #[test]
    fn only_harmless_and_keyed_requests_are_resent() {
        let found: Vec<Method> = METHODS
            .into_iter()
            .filter(|m| request(m.as_str()).is_resendable())
            .collect();
        assert_eq!(found, ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"]);
        let mut keyed = request("POST");
        keyed.set_key("k").unwrap();
        assert!(keyed.is_resendable());
        assert!(
            keyed.set_key("k").is_err(),
            "a key of the caller's own stays"
        );
    }

    #[test]
    fn query_is_added_in_order_and_escaped() {
        let mut request = request("");
        let params = [
            ("b", r#""x y&z""#),
            ("a", "2"),
            ("c", "[1, true, \"é\"]"),
            ("d", "null"),
            ("e", "12345678901234567890"),
        ];
        let params = params.map(|(k, v)| (k.to_owned(), Bytes::from_static(v.as_bytes())));
        request.add_query(&params.into()).unwrap();
        assert_eq!(
            request.target.url.query(),
            Some("a=1&a=2&b=x+y%26z&c=1&c=true&c=%C3%A9&e=12345678901234567890")
        );
    }

    #[test]
    fn query_takes_scalars_and_is_bounded() {
        let add =
            |text: String| request("").add_query(&[("p".to_owned(), Bytes::from(text))].into());
        for bad in [r#"{"a":1}"#, "[[1]]", "[null]", "x"] {
            assert!(add(bad.to_owned()).is_err(), "{bad}");
        }
        let room = URL_MAX - "http://a.test/x?a=1&p=".len();
        assert!(add(format!("\"{}\"", "x".repeat(room))).is_ok());
        assert!(add(format!("\"{}\"", "x".repeat(room + 1))).is_err());
    }

    #[test]
    fn headers_cannot_smuggle() {
        assert!(header("X-Trace", "a b").is_ok());
        for (name, value) in [
            ("Host", "b.test"),
            ("Content-Length", "0"),
            ("transfer-encoding", "chunked"),
            ("Connection", "close"),
            ("Proxy-Authorization", "x"),
            ("X", "a\r\nY: b"),
            ("X", "a\nY: b"),
            ("X", "a\0"),
            ("X\r\nY", "a"),
            ("X Y", "a"),
            ("", "a"),
        ] {
            assert!(header(name, value).is_err(), "{name:?}: {value:?}");
        }
    }

    #[test]
    fn secret_headers_are_marked_and_references_stay_out_of_the_others() {
        let mut request = request("");
        request
            .add_secrets([("X-Key".to_owned(), "k".to_owned())], "t")
            .unwrap();
        assert!(request.headers["x-key"].is_sensitive());
        assert_eq!(request.headers["authorization"], "Bearer t");
        assert!(request.add_secrets([], "again").is_err());
        let error = header("X-Key", "vault://a/b").unwrap_err().to_string();
        assert!(error.contains("secretHeaders"), "{error}");
    }

    #[test]
    fn headers_are_bounded() {
        let room = HEADERS_MAX - "x".len() - HEADER_EXTRA;
        assert!(header("x", &"v".repeat(room)).is_ok());
        assert!(header("x", &"v".repeat(room + 1)).is_err());
    }

    #[test]
    fn header_of_the_connection_cannot_be_replaced() {
        let settings = ConnectionSettings {
            url: "http://a.test".to_owned(),
            allow_private: false,
            allow_metadata: false,
            bearer: None,
            headers: [("Authorization".to_owned(), "Bearer own".to_owned())].into(),
        };
        let connection = std::sync::Arc::new(Connection::new("c", settings).unwrap());
        let request =
            || Request::new("", Target::parse("/x", Some(connection.clone())).unwrap()).unwrap();
        let add = |mut request: Request, name: &str| {
            let header = (name.to_owned(), "v".to_owned());
            request.add_headers([header]).map(|()| request.headers)
        };
        assert!(add(request(), "authorization").is_err());
        assert_eq!(
            add(request(), "Accept").unwrap()["authorization"],
            "Bearer own"
        );
    }

    #[test]
    fn type_that_the_caller_gives_stays() {
        let send = |kind: Option<&str>| {
            let mut request = request("POST");
            let headers = kind.map(|k| ("content-type".to_owned(), k.to_owned()));
            request.add_headers(headers).unwrap();
            let data = Bytes::from_static(b"\"<a/>\"");
            let payload = Payload {
                data,
                ..Payload::default()
            };
            request.set_payload(payload).unwrap();
            assert_eq!(request.body, "<a/>");
            request.headers["content-type"].clone()
        };
        assert_eq!(send(Some("text/xml")), "text/xml");
        assert_eq!(send(None), "text/plain; charset=utf-8");
    }

    #[test]
    fn timeout_and_allowed_statuses_have_bounds() {
        let mut request = request("");
        for good in [Duration::from_millis(1), TIMEOUT_MAX] {
            assert!(request.set_timeout(good).is_ok());
        }
        for bad in [
            Duration::from_micros(999),
            TIMEOUT_MAX + Duration::from_nanos(1),
        ] {
            assert!(request.set_timeout(bad).is_err());
        }
        assert!(request.set_allowed(&[400, 599]).is_ok());
        for bad in [399, 600, -1, 70_000] {
            assert!(request.set_allowed(&[404, bad]).is_err(), "{bad}");
        }
    }
}
