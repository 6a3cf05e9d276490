//! The query of a request: what is for the gateway and what is for the tool.

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;

use super::path::decode;

/// A query taken apart.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Query {
    /// Name and value of each parameter for the tool, in order.
    pub(crate) fields: Vec<(String, String)>,
    /// The form of the answer.
    pub(crate) alt: Option<String>,
    /// Where a stream goes on.
    pub(crate) cursor: Option<String>,
    /// The answer is for people.
    pub(crate) pretty: bool,
}

impl Query {
    /// # Errors
    /// INVALID_PARAMETERS for a bad escape, for a system parameter that is not known or
    /// comes twice; NOT_IMPLEMENTED for one that is not built.
    pub(crate) fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut out = Self::default();
        let mut seen = Vec::new();
        for pair in query
            .unwrap_or_default()
            .split('&')
            .filter(|p| !p.is_empty())
        {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (text(name)?, text(value)?);
            if !name.starts_with('$') {
                out.fields.push((name, value));
                continue;
            }
            if seen.contains(&name) {
                return Err(bad(&name, "is there twice"));
            }
            match name.as_str() {
                "$alt" => out.alt = Some(value),
                "$cursor" => out.cursor = Some(value),
                "$pretty" => match value.as_str() {
                    "" | "true" | "1" => out.pretty = true,
                    "false" | "0" => {}
                    _ => return Err(bad(&name, "is `true` or `false`")),
                },
                "$fields" | "$ticket" => {
                    let text = format!("`{name}` is not built yet");
                    return Err(Refusal::new(CommonFault::NotImplemented, text));
                }
                _ => {
                    return Err(bad(
                        &name,
                        "is no system parameter; there are $alt, $cursor, $pretty",
                    ));
                }
            }
            seen.push(name);
        }
        Ok(out)
    }

    /// Refuses parameters where none has a meaning.
    ///
    /// # Errors
    /// INVALID_PARAMETERS naming the first.
    pub(crate) fn no_fields(&self) -> Result<(), Refusal> {
        match self.fields.first() {
            Some((name, _)) => Err(bad(name, "is no parameter of this route")),
            None => Ok(()),
        }
    }
}

fn bad(name: &str, what: &str) -> Refusal {
    Refusal::parameters(vec![(name.to_owned(), what.to_owned())])
}

/// A name or value: `+` is a space.
fn text(raw: &str) -> Result<String, Refusal> {
    let spaced = raw.replace('+', " ");
    decode(&spaced, &|_| true).ok_or_else(|| bad(raw, "holds a bad `%` escape"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_told_apart() {
        let query =
            Query::parse(Some("a=1&b=x+y%2B&&a=&$alt=sse&$cursor=7&c;d=2&$pretty")).unwrap();
        let fields: Vec<_> = query
            .fields
            .iter()
            .map(|(n, v)| (n.as_str(), v.as_str()))
            .collect();
        assert_eq!(fields, [("a", "1"), ("b", "x y+"), ("a", ""), ("c;d", "2")]);
        assert_eq!(
            (query.alt.as_deref(), query.cursor.as_deref(), query.pretty),
            (Some("sse"), Some("7"), true)
        );
        assert_eq!(Query::parse(None).unwrap(), Query::default());
    }

    #[test]
    fn bad_parameter_is_refused_by_name() {
        for (query, said) in [
            ("a=%zz", "%zz"),
            ("$alt=json&$alt=sse", "twice"),
            ("$filter=x", "$filter"),
            ("$fields=a", "not built"),
            ("$pretty=maybe", "$pretty"),
        ] {
            let refusal = Query::parse(Some(query)).unwrap_err().to_string();
            assert!(refusal.contains(said), "{query}: {refusal}");
        }
        let unused = Query::parse(Some("a=1"))
            .unwrap()
            .no_fields()
            .unwrap_err()
            .to_string();
        assert!(unused.contains("`a`"), "{unused}");
    }
}
