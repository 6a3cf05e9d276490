//! The body of a request.

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::Value;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

use super::strict;
use crate::limits::{BODY_MAX, BODY_WAIT};
use crate::reply::{JSON, Refused};

/// Reads a body as JSON; none when it is empty.
///
/// # Errors
/// TOO_LARGE beyond [`BODY_MAX`], TIMEOUT beyond [`BODY_WAIT`], UNSUPPORTED_MEDIA_TYPE, INVALID_PARAMETERS with line
/// and column, CANCELLED when the caller left.
pub(crate) async fn json(
    method: &Method,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<Value>, Refused> {
    let bytes = collect(headers, body).await?;
    if bytes.is_empty() {
        return Ok(None);
    }
    if !is_json(headers) {
        let accept = match *method {
            Method::PATCH => http::HeaderName::from_static("accept-patch"),
            _ => http::HeaderName::from_static("accept-post"),
        };
        let given = headers
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("?");
        let text = format!("`{given}` cannot be read; send `{JSON}`");
        return Err(
            Refused::from(Refusal::new(CommonFault::UnsupportedMediaType, text))
                .header(accept, JSON),
        );
    }
    Ok(Some(strict::parse(&bytes)?))
}

async fn collect(headers: &HeaderMap, body: Body) -> Result<Bytes, Refused> {
    let large = || {
        let text = format!("the body is larger than {BODY_MAX} bytes");
        Refused::from(Refusal::new(CommonFault::TooLarge, text)).http(StatusCode::PAYLOAD_TOO_LARGE)
    };
    if headers.contains_key(header::CONTENT_ENCODING) {
        let text = "a compressed body cannot be read; send it as it is";
        let refusal = Refusal::new(CommonFault::UnsupportedMediaType, text);
        return Err(Refused::from(refusal).header(header::ACCEPT_ENCODING, "identity"));
    }
    let length = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|l| l > BODY_MAX) {
        return Err(large());
    }
    let whole = tokio::time::timeout(BODY_WAIT, Limited::new(body, BODY_MAX).collect()).await;
    let whole = whole.map_err(|_| {
        let text = format!("the body did not come within {} s", BODY_WAIT.as_secs());
        Refused::from(Refusal::new(CommonFault::Timeout, text)).http(StatusCode::REQUEST_TIMEOUT)
    })?;
    match whole {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(e) if e.is::<LengthLimitError>() => Err(large()),
        Err(e) => {
            Err(Refusal::new(CommonFault::Cancelled, format!("the body ended early: {e}")).into())
        }
    }
}

/// No type counts as JSON: many small clients send none.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(media) = headers.get(header::CONTENT_TYPE) else {
        return true;
    };
    let essence = media
        .to_str()
        .unwrap_or("?")
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    let essence = essence.to_ascii_lowercase();
    essence == JSON || (essence.starts_with("application/") && essence.ends_with("+json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(media: Option<&'static str>, body: Vec<u8>) -> (u16, Option<Value>) {
        let mut headers = HeaderMap::new();
        if let Some(media) = media {
            headers.insert(header::CONTENT_TYPE, media.parse().unwrap());
        }
        let asker = crate::reply::Asker::of(&HeaderMap::new(), &gearmesh_runtime::SystemRng);
        match json(&Method::POST, &headers, Body::from(body)).await {
            Ok(value) => (200, value),
            Err(refused) => (asker.refuse(refused).status().as_u16(), None),
        }
    }

    #[tokio::test]
    async fn only_json_is_read() {
        for media in [
            None,
            Some("application/json"),
            Some("Application/JSON; charset=utf-8"),
            Some("application/x+json"),
        ] {
            assert_eq!(
                read(media, b"7".to_vec()).await,
                (200, Some(7.into())),
                "{media:?}"
            );
        }
        for media in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/grpc-web",
            "text/json",
        ] {
            assert_eq!(read(Some(media), b"7".to_vec()).await.0, 415, "{media}");
        }
        assert_eq!(
            read(Some("text/plain"), Vec::new()).await,
            (200, None),
            "nothing has no type"
        );
    }

    #[tokio::test]
    async fn body_is_bounded() {
        let text = |length: usize| format!("\"{}\"", "x".repeat(length - 2)).into_bytes();
        assert_eq!(read(None, text(BODY_MAX)).await.0, 200);
        assert_eq!(read(None, text(BODY_MAX + 1)).await.0, 413);
    }

    #[tokio::test(start_paused = true)]
    async fn body_that_does_not_come_is_given_up() {
        let endless =
            Body::from_stream(futures::stream::pending::<Result<&[u8], std::io::Error>>());
        let refused = json(&Method::POST, &HeaderMap::new(), endless)
            .await
            .unwrap_err();
        let asker = crate::reply::Asker::of(&HeaderMap::new(), &gearmesh_runtime::SystemRng);
        assert_eq!(asker.refuse(refused).status(), 408);
    }
}
