//! The functions of the language by name.

use crate::error::{Error, SYNTAX, Span};
use crate::signature::SIGNATURES;
use crate::suggest::nearest;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    Abs,
    Avg,
    Base64,
    Base64Decode,
    Ceil,
    Contains,
    DateAdd,
    DateFormat,
    Default,
    EndsWith,
    Floor,
    GroupBy,
    If,
    IsoWeek,
    Join,
    Keys,
    Length,
    Lower,
    Map,
    Max,
    MaxBy,
    Merge,
    Min,
    MinBy,
    NotNull,
    ParseJson,
    Range,
    RegexMatch,
    Replace,
    Reverse,
    Sha256,
    Sort,
    SortBy,
    Split,
    StartsWith,
    Sum,
    ToArray,
    ToJson,
    ToNumber,
    ToText,
    Trim,
    Type,
    UniqueBy,
    Upper,
    UrlEncode,
    Uuid,
    Values,
}

impl Function {
    /// The function of that name, or why there is none.
    pub(crate) fn named(name: &str, span: Span) -> Result<Self, Error> {
        if let Some(signature) = SIGNATURES.iter().find(|one| one.name == name) {
            return Ok(signature.function);
        }
        let known = SIGNATURES.iter().map(|one| one.name);
        Err(match nearest(name, known) {
            Some(meant) => Error::new(
                SYNTAX,
                format!("no function is called `{name}`; did you mean `{meant}`?"),
                span,
            )
            .hint(format!("did you mean `{meant}`?")),
            None => {
                let known: Vec<&str> = SIGNATURES.iter().map(|one| one.name).collect();
                Error::new(SYNTAX, format!("no function is called `{name}`"), span)
                    .hint(format!("the functions are {}", known.join(", ")))
            }
        })
    }
}
