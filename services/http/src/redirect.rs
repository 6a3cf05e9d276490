//! What a redirect asks for.

use http::{HeaderMap, Method, StatusCode, header};
use url::Url;

use crate::error::Error;
use crate::target::shown;

/// Redirects of one request: browsers allow 20, and no honest API needs more
/// than a few.
pub(crate) const REDIRECTS_MAX: usize = 10;

/// Headers that go on to another origin. All others may hold a credential: what
/// an API calls its key is not known here.
const HARMLESS: [header::HeaderName; 8] = [
    header::ACCEPT,
    header::ACCEPT_ENCODING,
    header::ACCEPT_LANGUAGE,
    header::CONTENT_TYPE,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::RANGE,
    header::USER_AGENT,
];

/// The next request of a chain of redirects.
#[derive(Debug)]
pub(crate) struct Hop {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) same_origin: bool,
    /// Whether the body goes along.
    pub(crate) keeps_body: bool,
}

/// The hop that an answer asks for; none when it is an answer to keep.
pub(crate) fn hop(
    method: &Method,
    from: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Result<Option<Hop>, Error> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = headers.get(header::LOCATION) else {
        return Ok(None);
    };
    let broken = |reason: String| Error::RedirectTarget {
        url: shown(from),
        reason,
    };
    let location = std::str::from_utf8(location.as_bytes()).map_err(|e| broken(e.to_string()))?;
    let url = from.join(location).map_err(|e| broken(e.to_string()))?;
    // RFC 9110 15.4: 303 asks for the result by GET; on 301 and 302 every client
    // turns POST into GET.
    let to_get = match status.as_u16() {
        303 => method != Method::GET && method != Method::HEAD,
        301 | 302 => method == Method::POST,
        _ => false,
    };
    Ok(Some(Hop {
        method: if to_get { Method::GET } else { method.clone() },
        same_origin: url.origin() == from.origin(),
        keeps_body: !to_get,
        url,
    }))
}

/// Takes out of the headers what the next hop must not see.
pub(crate) fn strip(headers: &mut HeaderMap, hop: &Hop) {
    if !hop.same_origin {
        let kept: HeaderMap = headers
            .drain()
            .scan(None, |last, (name, value)| {
                // A name stands only before the first of its values.
                let name = name.or_else(|| last.clone())?;
                *last = Some(name.clone());
                Some((name, value))
            })
            .filter(|(name, _)| HARMLESS.contains(name))
            .collect();
        *headers = kept;
    }
    if !hop.keeps_body {
        for name in [
            header::CONTENT_TYPE,
            header::CONTENT_ENCODING,
            header::CONTENT_LANGUAGE,
        ] {
            headers.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(method: Method, status: u16, location: &str) -> Option<(Method, String, bool, bool)> {
        let from = Url::parse("https://a.test/x/y?k=1").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, location.parse().unwrap());
        let hop = hop(
            &method,
            &from,
            StatusCode::from_u16(status).unwrap(),
            &headers,
        )
        .unwrap()?;
        Some((hop.method, hop.url.into(), hop.same_origin, hop.keeps_body))
    }

    #[test]
    fn method_changes_as_browsers_change_it() {
        for (method, status, then, body) in [
            (Method::GET, 301, Method::GET, true),
            (Method::HEAD, 303, Method::HEAD, true),
            (Method::POST, 301, Method::GET, false),
            (Method::POST, 302, Method::GET, false),
            (Method::POST, 303, Method::GET, false),
            (Method::PUT, 302, Method::PUT, true),
            (Method::PUT, 303, Method::GET, false),
            (Method::DELETE, 303, Method::GET, false),
            (Method::POST, 307, Method::POST, true),
            (Method::PATCH, 308, Method::PATCH, true),
        ] {
            let (found, .., keeps_body) = ask(method.clone(), status, "/z").unwrap();
            assert_eq!((found, keeps_body), (then, body), "{method} {status}");
        }
        for status in [200, 300, 304, 305, 400] {
            assert_eq!(ask(Method::GET, status, "/z"), None, "{status}");
        }
    }

    #[test]
    fn location_is_read_against_the_address_before() {
        for (location, url, same) in [
            ("z", "https://a.test/x/z", true),
            ("/z?q#f", "https://a.test/z?q#f", true),
            ("//b.test/z", "https://b.test/z", false),
            ("http://a.test/", "http://a.test/", false),
            ("https://a.test:443/", "https://a.test/", true),
            ("https://a.test:444/", "https://a.test:444/", false),
        ] {
            let (_, found, same_origin, _) = ask(Method::GET, 302, location).unwrap();
            assert_eq!((found.as_str(), same_origin), (url, same), "{location}");
        }
    }

    #[test]
    fn answer_without_a_location_is_kept_and_a_broken_one_refused() {
        let from = Url::parse("https://a.test/").unwrap();
        let found = hop(&Method::GET, &from, StatusCode::FOUND, &HeaderMap::new());
        assert!(found.unwrap().is_none());
        let mut headers = HeaderMap::new();
        headers.insert(header::LOCATION, "http://[".parse().unwrap());
        let refused = hop(&Method::GET, &from, StatusCode::FOUND, &headers);
        assert!(matches!(refused, Err(Error::RedirectTarget { .. })));
    }

    #[test]
    fn another_origin_sees_no_credential() {
        let names = [
            "authorization",
            "cookie",
            "x-api-key",
            "idempotency-key",
            "accept",
            "content-type",
        ];
        let all: HeaderMap = names
            .iter()
            .map(|n| (n.parse().unwrap(), "v".parse().unwrap()))
            .chain([("cookie".parse().unwrap(), "w".parse().unwrap())])
            .collect();
        let left = |same_origin, keeps_body| {
            let mut headers: HeaderMap = HeaderMap::new();
            for (name, value) in &all {
                headers.append(name.clone(), value.clone());
            }
            let url = Url::parse("https://b.test/").unwrap();
            let method = Method::GET;
            strip(
                &mut headers,
                &Hop {
                    method,
                    url,
                    same_origin,
                    keeps_body,
                },
            );
            let mut left: Vec<String> = headers.keys().map(ToString::to_string).collect();
            left.sort();
            left
        };
        assert_eq!(left(true, true).len(), 6);
        assert_eq!(left(false, true), ["accept", "content-type"]);
        assert_eq!(left(false, false), ["accept"]);
    }
}
