//! Reading values of a test file, each with its place.

use serde_json::{Map, Value};

use gearmesh_workflow::{Document, duration};

/// Faults of a file that are shown; who mends these finds the rest.
const FAULTS_MAX: usize = 20;

/// A value, and where it stands.
#[derive(Debug, Clone)]
pub(super) struct At<'v> {
    pub(super) value: &'v Value,
    pointer: String,
}

impl<'v> At<'v> {
    pub(super) fn root(value: &'v Value) -> Self {
        Self {
            value,
            pointer: String::new(),
        }
    }

    fn below(&self, step: &str, value: &'v Value) -> Self {
        let step = step.replace('~', "~0").replace('/', "~1");
        Self {
            value,
            pointer: format!("{}/{step}", self.pointer),
        }
    }

    /// The value of a key; none for a map without it.
    pub(super) fn key(&self, key: &str) -> Option<Self> {
        let value = self.value.as_object()?.get(key)?;
        Some(self.below(key, value))
    }
}

/// Collects what is wrong.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    document: &'a Document<'a>,
    pub(super) faults: Vec<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(document: &'a Document<'a>) -> Self {
        Self {
            document,
            faults: Vec::new(),
        }
    }

    /// Where a value stands in the file.
    pub(super) fn place(&self, at: &At<'_>) -> String {
        self.document.place(&at.pointer)
    }

    pub(super) fn fault(&mut self, at: &At<'_>, text: impl std::fmt::Display) {
        if self.faults.len() < FAULTS_MAX {
            let place = self.place(at);
            self.faults.push(format!("{place}: {text}"));
        }
    }

    fn expected(&mut self, at: &At<'_>, what: &str, expected: &str) {
        let found = match at.value {
            Value::Null => "nothing".to_owned(),
            Value::Array(_) => "a list".to_owned(),
            Value::Object(_) => "a map".to_owned(),
            Value::String(text) => format!("text \"{}\"", shortened(text)),
            other => other.to_string(),
        };
        self.fault(at, format!("{what}: expected {expected}, found {found}"));
    }

    /// The entries of a map whose keys are given; others are faults, but for `x-` keys.
    pub(super) fn map<'v>(
        &mut self,
        at: &At<'v>,
        what: &str,
        keys: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let map = self.open_map(at, what)?;
        for (key, value) in map {
            if !keys.contains(&key.as_str()) && !key.starts_with("x-") {
                let keys = keys.join("`, `");
                let key = shortened(key);
                let text = format!("unknown key `{key}` of {what}; the keys are `{keys}`");
                self.fault(&at.below(&key, value), text);
            }
        }
        Some(map)
    }

    /// A map with any keys.
    pub(super) fn open_map<'v>(
        &mut self,
        at: &At<'v>,
        what: &str,
    ) -> Option<&'v Map<String, Value>> {
        let map = at.value.as_object();
        if map.is_none() {
            self.expected(at, what, "a map");
        }
        map
    }

    /// The entries of a map with any keys, each with its place.
    pub(super) fn entries<'v>(
        &mut self,
        at: &At<'v>,
        what: &str,
    ) -> impl Iterator<Item = (&'v str, At<'v>)> + use<'v> {
        let map = self.open_map(at, what);
        let at = at.clone();
        map.into_iter()
            .flatten()
            .map(move |(key, value)| (key.as_str(), at.below(key, value)))
    }

    /// The items of a list, each with its place.
    pub(super) fn items<'v>(
        &mut self,
        at: &At<'v>,
        what: &str,
    ) -> impl Iterator<Item = At<'v>> + use<'v> {
        let list = at.value.as_array();
        if list.is_none() {
            self.expected(at, what, "a list");
        }
        let at = at.clone();
        (list.into_iter().flatten().enumerate())
            .map(move |(index, value)| at.below(&index.to_string(), value))
    }

    /// One value, or the items of a list of such.
    pub(super) fn one_or_more<'v>(at: &At<'v>) -> impl Iterator<Item = At<'v>> + use<'v> {
        let list = at.value.as_array();
        let one = list.is_none().then(|| at.clone());
        let at = at.clone();
        let items = (list.into_iter().flatten().enumerate())
            .map(move |(index, value)| at.below(&index.to_string(), value));
        one.into_iter().chain(items)
    }

    /// A text that is not empty.
    pub(super) fn text<'v>(&mut self, at: &At<'v>, what: &str) -> Option<&'v str> {
        let text = at.value.as_str().filter(|text| !text.is_empty());
        if text.is_none() {
            self.expected(at, what, "text");
        }
        text
    }

    pub(super) fn flag(&mut self, at: &At<'_>, what: &str) -> Option<bool> {
        let flag = at.value.as_bool();
        if flag.is_none() {
            self.expected(at, what, "true or false");
        }
        flag
    }

    /// A whole number of at least `least`.
    pub(super) fn count(&mut self, at: &At<'_>, what: &str, least: u32) -> Option<u32> {
        let number = at.value.as_u64().and_then(|n| u32::try_from(n).ok());
        let number = number.filter(|n| *n >= least);
        if number.is_none() {
            let expected = format!("a whole number from {least}");
            self.expected(at, what, &expected);
        }
        number
    }

    /// A duration in milliseconds.
    pub(super) fn duration(&mut self, at: &At<'_>, what: &str) -> Option<i64> {
        let parsed = at.value.as_str().and_then(milliseconds);
        if parsed.is_none() {
            self.expected(at, what, "a duration as `30s`");
        }
        parsed
    }

    /// An instant in milliseconds since 1970.
    pub(super) fn instant(&mut self, at: &At<'_>, what: &str) -> Option<i64> {
        let parsed = at.value.as_str().and_then(instant);
        if parsed.is_none() {
            self.expected(at, what, "an instant as `2027-03-28T09:00:00Z`");
        }
        parsed
    }

    /// A duration from `start_ms` on, or an instant; in milliseconds since 1970.
    pub(super) fn moment(&mut self, at: &At<'_>, what: &str, start_ms: i64) -> Option<i64> {
        let text = at.value.as_str();
        let after = text.and_then(milliseconds).map(|d| start_ms + d);
        let parsed = after.or_else(|| text.and_then(instant));
        if parsed.is_none() {
            let expected = "a duration as `30s`, or an instant as `2027-03-28T09:00:00Z`";
            self.expected(at, what, expected);
        }
        parsed
    }
}

fn milliseconds(text: &str) -> Option<i64> {
    let parsed = duration::parse(text).ok()?;
    let parsed = Some(parsed).filter(|d| *d <= gearmesh_workflow::DURATION_MAX)?;
    i64::try_from(parsed.as_millis()).ok()
}

pub(super) fn instant(text: &str) -> Option<i64> {
    let parsed: jiff::Timestamp = text.parse().ok()?;
    Some(parsed.as_millisecond())
}

/// Longest piece of the file that a fault repeats, in characters.
const SHOWN_MAX: usize = 100;

pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
