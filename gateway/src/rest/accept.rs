//! The form in which an answer is wanted.

use http::{HeaderMap, StatusCode, header};

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

use crate::reply::{JSON, Refused};

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// One JSON value; of a stream an array.
    Json,
    /// One message per line.
    Lines,
    /// Server-sent events.
    Events,
}

impl Format {
    /// Chooses by `$alt`, else by `Accept`; JSON when all are equal.
    ///
    /// # Errors
    /// UNSUPPORTED_MEDIA_TYPE with 406 when nothing that is wanted can be given.
    pub(crate) fn choose(
        headers: &HeaderMap,
        alt: Option<&str>,
        streaming: bool,
    ) -> Result<Self, Refused> {
        let offered: &[Self] = match streaming {
            true => &[Self::Json, Self::Lines, Self::Events],
            false => &[Self::Json],
        };
        let none = |wanted: &str| {
            let list: Vec<&str> = offered.iter().map(|f| f.media()).collect();
            let text = format!("`{wanted}` cannot be given; there are {}", list.join(", "));
            Refused::from(Refusal::new(CommonFault::UnsupportedMediaType, text))
                .http(StatusCode::NOT_ACCEPTABLE)
        };
        if let Some(alt) = alt {
            let format = match alt {
                "json" => Some(Self::Json),
                "ndjson" => Some(Self::Lines),
                "sse" => Some(Self::Events),
                _ => None,
            };
            return format
                .filter(|f| offered.contains(f))
                .ok_or_else(|| none(alt));
        }
        let mut wanted: Vec<(u16, String)> = Vec::new();
        for value in headers.get_all(header::ACCEPT) {
            let text = value.to_str().unwrap_or_default();
            wanted.extend(text.split(',').filter_map(range));
        }
        if wanted.is_empty() {
            return Ok(Self::Json);
        }
        // The heaviest wins, of equal ones the first; the sort keeps their order.
        wanted.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
        let format = wanted
            .iter()
            .filter(|(weight, _)| *weight > 0)
            .find_map(|(_, media)| {
                let format = match media.as_str() {
                    "*/*" | "application/*" | "application/json" | "application/problem+json" => {
                        Self::Json
                    }
                    "application/x-ndjson" | "application/jsonl" => Self::Lines,
                    "text/event-stream" | "text/*" => Self::Events,
                    _ => return None,
                };
                offered.contains(&format).then_some(format)
            });
        format.ok_or_else(|| {
            let list: Vec<&str> = wanted.iter().map(|(_, media)| media.as_str()).collect();
            none(&list.join(", "))
        })
    }

    pub(crate) fn media(self) -> &'static str {
        match self {
            Self::Json => JSON,
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }
}

/// Weight, from 0 to 1,000, and media type of one part of `Accept`.
fn range(text: &str) -> Option<(u16, String)> {
    let mut parts = text.split(';').map(str::trim);
    let media = parts.next().filter(|m| !m.is_empty())?.to_ascii_lowercase();
    let weight = parts
        .filter_map(|p| p.strip_prefix("q=").or_else(|| p.strip_prefix("Q=")))
        .find_map(|q| q.parse::<f32>().ok())
        .map_or(1000, |q| (q.clamp(0.0, 1.0) * 1000.0) as u16);
    Some((weight, media))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(accept: &str, alt: Option<&str>, streaming: bool) -> Option<Format> {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        Format::choose(&headers, alt, streaming).ok()
    }

    #[test]
    fn form_is_chosen_by_accept_and_alt() {
        for (accept, alt, expected) in [
            ("", None, Some(Format::Json)),
            ("*/*", None, Some(Format::Json)),
            ("text/html, */*;q=0.1", None, Some(Format::Json)),
            ("text/event-stream", None, Some(Format::Events)),
            (
                "application/json, text/event-stream",
                None,
                Some(Format::Json),
            ),
            (
                "application/json;q=0.5, text/event-stream",
                None,
                Some(Format::Events),
            ),
            ("application/jsonl", None, Some(Format::Lines)),
            ("text/html", None, None),
            ("application/json;q=0", None, None),
            ("application/json", Some("sse"), Some(Format::Events)),
            ("", Some("xml"), None),
        ] {
            assert_eq!(choose(accept, alt, true), expected, "{accept} {alt:?}");
        }
    }

    #[test]
    fn one_answer_is_no_stream() {
        assert_eq!(choose("text/event-stream", None, false), None);
        assert_eq!(choose("", Some("ndjson"), false), None);
        assert_eq!(
            choose("application/problem+json", None, false),
            Some(Format::Json)
        );
    }
}
