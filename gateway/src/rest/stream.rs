//! A server stream over HTTP: a JSON array, lines, or server-sent events.

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use http::{HeaderName, HeaderValue, StatusCode};
use serde_json::{Value, json};
use tonic::Status;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_runtime::CancellationToken;

use super::accept::Format;
use crate::limits::{COMMENT_AFTER, HEAD_WAIT};
use crate::reply::{Asker, Refused, Response, with_body};
use crate::timed::Messages;

/// The field of a message that says where the stream stands.
const CURSOR: &str = "cursor";

/// What is under way between two chunks of the answer.
struct Writer {
    messages: Messages,
    format: Format,
    /// Messages have a cursor by which the stream can go on.
    resumes: bool,
    asker: Asker,
    /// Cancelled when the process drains.
    shutdown: CancellationToken,
    /// Read before the headers were sent.
    first: Option<Option<Result<Value, Status>>>,
    count: u64,
    cursor: Option<String>,
    ended: bool,
}

/// Answers with a stream. The headers wait for the first message, so that an early
/// error has its real status.
///
/// # Errors
/// The error that came before any message.
pub(crate) async fn answer(
    mut messages: Messages,
    format: Format,
    resumes: bool,
    asker: &Asker,
    shutdown: &CancellationToken,
) -> Result<Response, Refused> {
    let first = match tokio::time::timeout(HEAD_WAIT, messages.next()).await {
        Ok(Some(Err(status))) => return Err(status.into()),
        Ok(first) => Some(first),
        Err(_) => None,
    };
    let writer = Writer {
        messages,
        format,
        resumes,
        asker: asker.clone(),
        shutdown: shutdown.clone(),
        first,
        count: 0,
        cursor: None,
        ended: false,
    };
    let chunks = stream::unfold(writer, |mut writer| async move {
        let chunk = writer.chunk().await?;
        Some((chunk, writer))
    });
    let mut response = with_body(StatusCode::OK, format.media(), Body::from_stream(chunks));
    if format == Format::Events {
        // Asks proxies not to hold events back.
        let name = HeaderName::from_static("x-accel-buffering");
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static("no"));
    }
    Ok(response)
}

impl Writer {
    async fn chunk(&mut self) -> Option<Result<Bytes, Status>> {
        if self.ended {
            return None;
        }
        let next = match self.first.take() {
            Some(first) => first,
            None => match self.next().await {
                Some(next) => next,
                None => return Some(Ok(Bytes::from_static(b":\n\n"))),
            },
        };
        match next {
            Some(Ok(message)) => Some(Ok(self.message(&message))),
            Some(Err(status)) => {
                self.ended = true;
                self.error(status)
            }
            None => {
                self.ended = true;
                self.end()
            }
        }
    }

    /// The next message, the end, or nothing when it is time for a comment.
    async fn next(&mut self) -> Option<Option<Result<Value, Status>>> {
        let is_quiet = async {
            match self.format {
                Format::Events => tokio::time::sleep(COMMENT_AFTER).await,
                // Neither an array nor lines have room for one.
                Format::Json | Format::Lines => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            next = self.messages.next() => Some(next),
            () = self.shutdown.cancelled() => {
                let text = "the gateway is stopping; go on from the last cursor";
                Some(Some(Err(Refusal::new(CommonFault::ShuttingDown, text).into())))
            }
            () = is_quiet => None,
        }
    }

    fn message(&mut self, message: &Value) -> Bytes {
        let first = self.count == 0;
        self.count += 1;
        let text = match self.format {
            Format::Json if first => format!("[{message}"),
            Format::Json => format!(",\n{message}"),
            Format::Lines => format!("{message}\n"),
            Format::Events => {
                let cursor = message.get(CURSOR).and_then(Value::as_str);
                // A line break would begin another field of the event.
                let cursor = cursor.filter(|c| self.resumes && !c.contains(['\n', '\r', '\0']));
                match cursor {
                    Some(cursor) => {
                        self.cursor = Some(cursor.to_owned());
                        format!("id: {cursor}\ndata: {message}\n\n")
                    }
                    None => format!("data: {message}\n\n"),
                }
            }
        };
        text.into()
    }

    /// An array cannot tell of an error: the connection is cut before its `]`.
    fn error(&self, status: Status) -> Option<Result<Bytes, Status>> {
        let said = self.asker.status_json(&status);
        match self.format {
            Format::Json => Some(Err(status)),
            Format::Lines => Some(Ok(format!("{}\n", json!({"error": said})).into())),
            Format::Events => Some(Ok(format!("event: error\ndata: {said}\n\n").into())),
        }
    }

    fn end(&self) -> Option<Result<Bytes, Status>> {
        match self.format {
            Format::Json if self.count == 0 => Some(Ok(Bytes::from_static(b"[]"))),
            Format::Json => Some(Ok(Bytes::from_static(b"]"))),
            Format::Lines => None,
            Format::Events => {
                let end = json!({"count": self.count, "cursor": self.cursor});
                Some(Ok(format!("event: end\ndata: {end}\n\n").into()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use http_body_util::BodyExt;

    use super::*;

    fn lost() -> Status {
        Refusal::new(CommonFault::NetworkError, "gone").into()
    }

    async fn check(format: Format, messages: Vec<Result<Value, Status>>, expected: Expect) {
        let headers = [(
            "traceparent",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        )];
        let headers =
            headers.map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v)));
        let asker = Asker::of(&headers.into_iter().collect(), &gearmesh_runtime::SystemRng);
        let answer = answer(
            Box::pin(stream::iter(messages)),
            format,
            true,
            &asker,
            &CancellationToken::new(),
        )
        .await;
        let mut body = match answer {
            Ok(response) => response.into_body(),
            Err(refused) => return expected.assert_eq(&asker.refuse(refused).status().to_string()),
        };
        let mut text = String::new();
        while let Some(frame) = body.frame().await {
            match frame {
                Ok(frame) => {
                    text.push_str(std::str::from_utf8(&frame.into_data().unwrap()).unwrap())
                }
                Err(_) => text.push_str("<cut>"),
            }
        }
        expected.assert_eq(&text);
    }

    fn two() -> Vec<Result<Value, Status>> {
        vec![
            Ok(json!({"cursor": "1", "a": 1})),
            Ok(json!({"cursor": "2"})),
        ]
    }

    #[tokio::test]
    async fn array_ends_only_when_the_stream_does() {
        let j = Format::Json;
        check(j, vec![], expect!["[]"]).await;
        check(
            j,
            two(),
            expect![[r#"
            [{"cursor":"1","a":1},
            {"cursor":"2"}]"#]],
        )
        .await;
        check(j, vec![Ok(json!({})), Err(lost())], expect!["[{}<cut>"]).await;
        check(j, vec![Err(lost())], expect!["503 Service Unavailable"]).await;
    }

    #[tokio::test]
    async fn lines_end_with_an_error_when_there_is_one() {
        check(
            Format::Lines,
            two(),
            expect![[r#"
            {"cursor":"1","a":1}
            {"cursor":"2"}
        "#]],
        )
        .await;
        check(Format::Lines, vec![Ok(json!({})), Err(lost())], expect![[r#"
            {}
            {"error":{"code":14,"message":"gone","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"NETWORK_ERROR","domain":"gearmesh","metadata":{}},{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"0af7651916cd43dd8448eb211c80319c"}]}}
        "#]]).await;
    }

    #[tokio::test]
    async fn events_have_ids_and_an_end() {
        check(
            Format::Events,
            two(),
            expect![[r#"
            id: 1
            data: {"cursor":"1","a":1}

            id: 2
            data: {"cursor":"2"}

            event: end
            data: {"count":2,"cursor":"2"}

        "#]],
        )
        .await;
        check(
            Format::Events,
            vec![Ok(json!({"cursor": "1\nevent: x"}))],
            expect![[r#"
            data: {"cursor":"1\nevent: x"}

            event: end
            data: {"count":1,"cursor":null}

        "#]],
        )
        .await;
    }

    #[tokio::test]
    async fn drain_ends_a_stream_with_its_reason() {
        let asker = Asker::of(&http::HeaderMap::new(), &gearmesh_runtime::SystemRng);
        let endless: Messages = Box::pin(stream::iter([Ok(json!({}))]).chain(stream::pending()));
        let shutdown = CancellationToken::new();
        shutdown.cancel();
        let answer = answer(endless, Format::Events, true, &asker, &shutdown).await;
        let body = answer
            .unwrap()
            .into_body()
            .collect()
            .await
            .unwrap()
            .to_bytes();
        let text = std::str::from_utf8(&body).unwrap();
        assert!(
            text.contains("event: error") && text.contains("SHUTTING_DOWN"),
            "{text}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silent_stream_starts_and_sends_comments() {
        let asker = Asker::of(&http::HeaderMap::new(), &gearmesh_runtime::SystemRng);
        let silent: Messages = Box::pin(stream::pending());
        let response = answer(
            silent,
            Format::Events,
            true,
            &asker,
            &CancellationToken::new(),
        )
        .await
        .unwrap();
        let frame = response.into_body().frame().await.unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), ":\n\n");
    }
}
