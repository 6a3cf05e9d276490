//! The body of an answer, frame by frame.

use std::sync::Arc;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use gearmesh_catalog::Tool;
use http::HeaderMap;
use http_body::Frame;
use http_body_util::BodyExt;
use prost::Message;
use prost_reflect::DynamicMessage;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::Seen;
use super::forms::Forms;
use super::message;

/// Length of the prefix of a gRPC message: a flag and four bytes of length.
const FRAME_HEAD: usize = 5;

/// The answer without what was resolved.
pub(super) fn scrubbed(
    response: http::Response<Body>,
    tool: Arc<Tool>,
    seen: Seen,
) -> http::Response<Body> {
    let (mut parts, body) = response.into_parts();
    if let Some(forms) = seen.forms() {
        headers(&mut parts.headers, &forms);
    }
    // A message may come in pieces, and several in one.
    let mut pending = BytesMut::new();
    let (mut forms, mut known) = (None, 0);
    let body = body.map_frame(move |frame| match frame.into_data() {
        Ok(data) => {
            pending.extend_from_slice(&data);
            let found = seen.len();
            if found > known {
                (forms, known) = (seen.forms(), found);
            }
            Frame::data(messages(&mut pending, &tool, forms.as_ref()))
        }
        Err(frame) => match frame.into_trailers() {
            Ok(mut trailers) => {
                if let Some(forms) = seen.forms() {
                    headers(&mut trailers, &forms);
                }
                Frame::trailers(trailers)
            }
            Err(frame) => frame,
        },
    });
    http::Response::from_parts(parts, Body::new(body))
}

/// Takes the whole messages that have come, scrubbed.
fn messages(pending: &mut BytesMut, tool: &Tool, forms: Option<&Forms>) -> Bytes {
    let mut out = BytesMut::new();
    while let Some(length) = whole(pending) {
        let frame = pending.split_to(FRAME_HEAD + length).freeze();
        match forms.and_then(|forms| clean(&frame, tool, forms)) {
            Some(bytes) => {
                out.put_u8(0);
                out.put_u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
                out.put_slice(&bytes);
            }
            None => out.put_slice(&frame),
        }
    }
    out.freeze()
}

/// The length of the first message, when all of it has come.
fn whole(pending: &BytesMut) -> Option<usize> {
    let mut head = pending.get(..FRAME_HEAD)?;
    head.advance(1);
    let length = head.get_u32() as usize;
    (pending.len() >= FRAME_HEAD + length).then_some(length)
}

/// The message without what was resolved; none when nothing of it is there.
fn clean(frame: &Bytes, tool: &Tool, forms: &Forms) -> Option<Vec<u8>> {
    let body = frame.slice(FRAME_HEAD..);
    let mut message = DynamicMessage::decode(tool.method.output(), body).ok()?;
    message::scrub(&mut message, forms).then(|| message.encode_to_vec())
}

/// Scrubs the status that headers or trailers carry.
fn headers(headers: &mut HeaderMap, forms: &Forms) {
    let Some(status) = Status::from_header_map(headers) else {
        return;
    };
    if status.code() == Code::Ok {
        return;
    }
    let Some(clean) = clean_status(&status, forms) else {
        return;
    };
    for name in ["grpc-message", "grpc-status-details-bin"] {
        headers.remove(name);
    }
    // What cannot be written as a header is left out: better no text than the value.
    let _ = clean.add_header(headers);
}

/// The status without what was resolved; none when nothing of it is there.
fn clean_status(status: &Status, forms: &Forms) -> Option<Status> {
    let clean = |text: &str| forms.text(text).unwrap_or_else(|| text.to_owned());
    if forms.text(status.message()).is_none() && forms.bytes(status.details()).is_none() {
        return None;
    }
    let given = status.get_error_details();
    let mut details = ErrorDetails::new();
    if let Some(info) = given.error_info() {
        let metadata: std::collections::HashMap<String, String> = info
            .metadata
            .iter()
            .map(|(k, v)| (k.clone(), clean(v)))
            .collect();
        details.set_error_info(info.reason.clone(), info.domain.clone(), metadata);
    }
    if let Some(bad) = given.bad_request() {
        let fields: Vec<_> = bad
            .field_violations
            .iter()
            .map(|v| FieldViolation::new(clean(&v.field), clean(&v.description)))
            .collect();
        details.set_bad_request(fields);
    }
    if let Some(retry) = given.retry_info() {
        details.set_retry_info(retry.retry_delay);
    }
    Some(Status::with_error_details_and_metadata(
        status.code(),
        clean(status.message()),
        details,
        status.metadata().clone(),
    ))
}

#[cfg(test)]
mod tests {
    use gearmesh_api::tool::v1::CommonFault;
    use gearmesh_fault::{Failure, Refusal};

    use super::*;
    use crate::Secret;

    #[test]
    fn status_loses_the_value_everywhere_and_keeps_the_rest() {
        let forms = Forms::of(&[("vault://a/b".to_owned(), Secret::new("hunter22".into()))]);
        let refusal = Refusal::new(CommonFault::RateLimitExceeded, "sent hunter22")
            .with("header", "Bearer hunter22")
            .with("limit", "60")
            .field("url", "?key=hunter22")
            .after(std::time::Duration::from_secs(2));
        let mut written = HeaderMap::new();
        Status::from(refusal).add_header(&mut written).unwrap();
        headers(&mut written, &forms);
        assert!(!format!("{written:?}").contains("hunter22"));
        let failure = Failure::of(&Status::from_header_map(&written).unwrap());
        assert_eq!(failure.message, "sent «redacted:vault://a/b»");
        assert_eq!(failure.metadata["header"], "Bearer «redacted:vault://a/b»");
        assert_eq!(failure.metadata["limit"], "60");
        assert_eq!(
            failure.violations[0].description,
            "?key=«redacted:vault://a/b»"
        );
        assert_eq!(failure.retry_after, Some(std::time::Duration::from_secs(2)));
    }
}
