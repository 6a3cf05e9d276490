//! Files that go along with a mail.

use gearmesh_api::MESSAGE_MAX;
use gearmesh_api::file::v1::ReadRequest;
use gearmesh_api::file::v1::file_service_client::FileServiceClient;
use gearmesh_runtime::{Call, Context};
use lettre::message::header::ContentType;
use tonic::Request;

use crate::address::one_line;
use crate::error::Error;

/// Bytes of all attachments together, before they are coded. Servers seldom take more.
pub(crate) const ATTACHMENTS_MAX: usize = 25 * 1024 * 1024;

/// Bytes that are read of a file at once: with the rest it must fit into a message.
const RANGE: usize = 8 * 1024 * 1024;

/// Media types by the ending of a name; what is not here is bytes.
const TYPES: &[(&str, &str)] = &[
    ("csv", "text/csv"),
    (
        "docx",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ),
    ("gif", "image/gif"),
    ("gz", "application/gzip"),
    ("htm", "text/html"),
    ("html", "text/html"),
    ("ics", "text/calendar"),
    ("jpeg", "image/jpeg"),
    ("jpg", "image/jpeg"),
    ("json", "application/json"),
    ("md", "text/markdown"),
    ("pdf", "application/pdf"),
    ("png", "image/png"),
    ("svg", "image/svg+xml"),
    ("tar", "application/x-tar"),
    ("txt", "text/plain"),
    ("webp", "image/webp"),
    (
        "xlsx",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ),
    ("xml", "application/xml"),
    ("zip", "application/zip"),
];

/// A file to send, with its bytes.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(crate) filename: String,
    pub(crate) content_type: ContentType,
    /// Makes it a part of the HTML body.
    pub(crate) content_id: Option<String>,
    pub(crate) content: Vec<u8>,
}

/// Where its bytes are.
#[derive(Debug)]
pub(crate) enum Source {
    Content(Vec<u8>),
    Path(String),
}

/// A file to send, before its bytes are read.
#[derive(Debug)]
pub(crate) struct Named {
    filename: String,
    content_type: ContentType,
    content_id: Option<String>,
    source: Source,
}

impl Named {
    /// Checks what the caller says; `field` is its path in the request.
    pub(crate) fn new(
        field: &str,
        filename: String,
        content_type: &str,
        content_id: String,
        source: Source,
    ) -> Result<Self, Error> {
        one_line(&format!("{field}.filename"), &filename)?;
        if filename.contains(['/', '\\']) {
            return Err(Error::parameter(
                format!("{field}.filename"),
                format!("`{field}.filename` must be a name without folders"),
            ));
        }
        one_line(&format!("{field}.contentType"), content_type)?;
        let named = if content_type.is_empty() {
            by_name(&filename)
        } else {
            content_type
        };
        let parsed = is_media_type(named).then(|| ContentType::parse(named).ok());
        let content_type = parsed.flatten().ok_or_else(|| {
            Error::parameter(
                format!("{field}.contentType"),
                format!("`{named}` is no media type; write it as `text/csv`"),
            )
        })?;
        Ok(Self {
            filename,
            content_type,
            content_id: (!content_id.is_empty()).then_some(content_id),
            source,
        })
    }
}

/// Whether a text begins with `type/subtype`; parameters are the parser's.
fn is_media_type(text: &str) -> bool {
    let whole = text.split(';').next().unwrap_or_default().trim();
    let token = |t: &str| {
        !t.is_empty()
            && t.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let parts = whole.split_once('/');
    text.is_ascii() && parts.is_some_and(|(kind, subtype)| token(kind) && token(subtype))
}

fn by_name(filename: &str) -> &'static str {
    let ending = filename.rsplit_once('.').map_or("", |(_, e)| e);
    TYPES
        .iter()
        .find(|(e, _)| e.eq_ignore_ascii_case(ending))
        .map_or("application/octet-stream", |(_, t)| t)
}

/// Reads all of them, within the limit of their sum.
pub(crate) async fn load(
    cx: &Context,
    call: &Call,
    named: Vec<Named>,
) -> Result<Vec<Attachment>, Error> {
    let mut left = ATTACHMENTS_MAX;
    let mut all = Vec::with_capacity(named.len());
    for file in named {
        let content = match file.source {
            Source::Content(content) if content.len() > left => {
                return Err(Error::TooLarge(file.filename));
            }
            Source::Content(content) => content,
            Source::Path(path) => read(cx, call, &path, &file.filename, left).await?,
        };
        left = left.saturating_sub(content.len());
        all.push(Attachment {
            filename: file.filename,
            content_type: file.content_type,
            content_id: file.content_id,
            content,
        });
    }
    Ok(all)
}

/// Reads a file through the file engine, on behalf of the caller's run.
async fn read(
    cx: &Context,
    call: &Call,
    path: &str,
    filename: &str,
    limit: usize,
) -> Result<Vec<u8>, Error> {
    let mut client = FileServiceClient::new(cx.link("file")?)
        .max_decoding_message_size(MESSAGE_MAX)
        .max_encoding_message_size(MESSAGE_MAX);
    let mut content = Vec::new();
    loop {
        let offset = |n: usize| i64::try_from(n).ok();
        let mut request = Request::new(ReadRequest {
            path: path.to_owned(),
            encoding: "binary".to_owned(),
            start: offset(content.len()),
            end: offset(content.len() + RANGE),
        });
        on_behalf(call)
            .write(request.metadata_mut())
            .map_err(|e| Error::parameter("idempotency-key", e.to_string()))?;
        let answer = client.read(request).await?.into_inner();
        let size = usize::try_from(answer.size).unwrap_or(usize::MAX);
        if size > limit || content.len() + answer.data.len() > limit {
            return Err(Error::TooLarge(filename.to_owned()));
        }
        let grown = !answer.data.is_empty();
        content.extend_from_slice(&answer.data);
        // A file that shrank meanwhile ends early.
        if content.len() >= size || !grown {
            return Ok(content);
        }
    }
}

/// What of a call holds for the calls that it makes: where `work://` is and who
/// asks, but not its key, which is the key of the send.
fn on_behalf(call: &Call) -> Call {
    Call {
        timeout: call.timeout,
        trace: call.trace.clone(),
        run: call.run.clone(),
        task: call.task.clone(),
        folder: call.folder.clone(),
        principal: call.principal.clone(),
        ..Call::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(filename: &str, content_type: &str) -> Result<Named, Error> {
        let source = Source::Content(Vec::new());
        Named::new(
            "attachments[0]",
            filename.into(),
            content_type,
            String::new(),
            source,
        )
    }

    #[test]
    fn type_follows_from_the_name() {
        let of = |name| {
            named(name, "")
                .map(|n| format!("{:?}", n.content_type))
                .unwrap()
        };
        assert!(of("a.PDF").contains("application/pdf"));
        assert!(of("a").contains("octet-stream"));
        assert!(of("a.exe").contains("octet-stream"));
    }

    #[test]
    fn name_and_type_that_are_more_are_refused() {
        for bad in ["a\r\nBcc: x@y.test", "a\0.exe", "../../x", "a\\b"] {
            assert!(named(bad, "").is_err(), "{bad:?}");
        }
        for bad in ["text/csv\r\nX: y", "csv", "text/"] {
            assert!(named("a", bad).is_err(), "{bad:?}");
        }
    }
}
