//! What a request carries.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::error::Error;

/// A body as the caller gave it, in one of three ways.
#[derive(Debug, Default)]
pub(crate) struct Payload {
    /// JSON text; empty: none.
    pub(crate) data: Bytes,
    pub(crate) form: BTreeMap<String, String>,
    pub(crate) body: Bytes,
}

impl Payload {
    /// The bytes to send with their type; none when there is nothing to send.
    pub(crate) fn into_body(self) -> Result<Option<(Bytes, &'static str)>, Error> {
        let data = match self.data.trim_ascii() {
            b"" | b"null" => None,
            _ => Some(self.data),
        };
        let given = [data.is_some(), !self.form.is_empty(), !self.body.is_empty()];
        if given.into_iter().filter(|g| *g).count() > 1 {
            return Err(Error::parameter(
                "",
                "at most one of `data`, `form` and `body` may be given",
            ));
        }
        if let Some(data) = data {
            return Ok(Some(match serde_json::from_slice::<String>(&data) {
                Ok(text) => (Bytes::from(text), "text/plain; charset=utf-8"),
                Err(_) => (data, "application/json"),
            }));
        }
        if !self.form.is_empty() {
            let form = url::form_urlencoded::Serializer::new(String::new())
                .extend_pairs(&self.form)
                .finish();
            return Ok(Some((
                Bytes::from(form),
                "application/x-www-form-urlencoded",
            )));
        }
        Ok((!self.body.is_empty()).then_some((self.body, "application/octet-stream")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(payload: Payload) -> Option<(String, &'static str)> {
        let body = payload.into_body().unwrap();
        body.map(|(bytes, kind)| (String::from_utf8(bytes.to_vec()).unwrap(), kind))
    }

    fn data(text: &'static str) -> Payload {
        Payload {
            data: Bytes::from_static(text.as_bytes()),
            ..Payload::default()
        }
    }

    #[test]
    fn payload_has_the_type_of_its_kind() {
        let of = |body: &str, kind| Some((body.to_owned(), kind));
        assert_eq!(
            sent(data(r#"{"b":1,"a":2}"#)),
            of(r#"{"b":1,"a":2}"#, "application/json")
        );
        assert_eq!(sent(data(" [1]")), of(" [1]", "application/json"));
        assert_eq!(sent(data("7")), of("7", "application/json"));
        assert_eq!(
            sent(data(r#""a\"é""#)),
            of("a\"é", "text/plain; charset=utf-8")
        );
        assert_eq!(sent(data("null")), None);
        assert_eq!(sent(Payload::default()), None);
        let form = Payload {
            form: [("a b".to_owned(), "1&2".to_owned())].into(),
            ..Payload::default()
        };
        assert_eq!(
            sent(form),
            of("a+b=1%262", "application/x-www-form-urlencoded")
        );
        let body = Payload {
            body: Bytes::from_static(b"raw"),
            ..Payload::default()
        };
        assert_eq!(sent(body), of("raw", "application/octet-stream"));
    }

    #[test]
    fn at_most_one_payload_is_taken() {
        let body = Bytes::from_static(b"x");
        let both = Payload { body, ..data("1") };
        assert!(both.into_body().is_err());
        let form = [("a".to_owned(), "1".to_owned())].into();
        let both = Payload { form, ..data("1") };
        assert!(both.into_body().is_err());
    }
}
