//! A secret that nothing else looks like, and the search for it in all its forms.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use memchr::memmem::Finder;

/// Characters of the secret.
const LENGTH: usize = 24;

/// Some that a URL, a form, HTML or base64 writes in another way.
const SPECIAL: [(usize, char); 3] = [(6, '+'), (12, '/'), (18, '&')];

/// The secret.
#[derive(Debug, Clone)]
pub(crate) struct Canary(String);

impl Canary {
    /// One that nobody has seen.
    pub(crate) fn new() -> Self {
        let random = || std::iter::repeat_with(fastrand::alphanumeric);
        let mut text: Vec<char> = random().take(LENGTH).collect();
        for (at, special) in SPECIAL {
            text[at] = special;
        }
        Self(text.into_iter().collect())
    }

    pub(crate) fn text(&self) -> &str {
        &self.0
    }

    /// As a part of a URL.
    pub(crate) fn in_url(&self) -> String {
        percent(&self.0, true)
    }

    /// What is looked for. Half of it is as bad as the whole: each is a form of its own,
    /// and so is found where something cut the secret short.
    fn forms(&self) -> BTreeMap<Vec<u8>, String> {
        let mut forms = BTreeMap::new();
        let (first, second) = self.0.split_at(LENGTH / 2);
        for (part, text) in [("first half", first), ("second half", second)] {
            let mut add = |form: &str, bytes: Vec<u8>| {
                forms
                    .entry(bytes)
                    .or_insert_with(|| format!("{part}, {form}"));
            };
            add("raw", text.as_bytes().to_vec());
            add("lower case", text.to_lowercase().into_bytes());
            add("hex", hex::encode(text).into_bytes());
            add("HEX", hex::encode_upper(text).into_bytes());
            add("URL", percent(text, true).into_bytes());
            add("url", percent(text, false).into_bytes());
            add("JSON of Go", text.replace('&', "\\u0026").into_bytes());
            add("HTML", text.replace('&', "&amp;").into_bytes());
            add(
                "UTF-16, little",
                text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
            );
            add(
                "UTF-16, big",
                text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
            );
            for offset in 0..3 {
                for (name, engine) in [
                    ("base64", &STANDARD_NO_PAD),
                    ("base64url", &URL_SAFE_NO_PAD),
                ] {
                    add(&format!("{name} at {offset}"), base64(text, offset, engine));
                }
            }
        }
        forms
    }
}

/// What base64 makes of the text behind so many other bytes: the characters that no
/// neighbour has a part in.
fn base64(text: &str, offset: usize, engine: &impl base64::Engine) -> Vec<u8> {
    let encoded = engine.encode([&vec![0; offset][..], text.as_bytes()].concat());
    let first = (offset * 8).div_ceil(6);
    let last = (offset + text.len()) * 8 / 6;
    encoded.as_bytes()[first..last].to_vec()
}

fn percent(text: &str, upper: bool) -> String {
    let byte = |b: u8| match b {
        b if b.is_ascii_alphanumeric() => char::from(b).to_string(),
        b if upper => format!("%{b:02X}"),
        b => format!("%{b:02x}"),
    };
    text.bytes().map(byte).collect()
}

/// A search under way.
#[derive(Debug)]
pub(crate) struct Search {
    forms: Vec<(String, Finder<'static>)>,
    bytes: usize,
    files: usize,
    found: Vec<String>,
}

impl Search {
    pub(crate) fn of(canary: &Canary) -> Self {
        let finder = |(bytes, name): (Vec<u8>, String)| (name, Finder::new(&bytes).into_owned());
        Self {
            forms: canary.forms().into_iter().map(finder).collect(),
            bytes: 0,
            files: 0,
            found: Vec::new(),
        }
    }

    /// Looks through something that has a name.
    pub(crate) fn bytes(&mut self, name: &str, bytes: &[u8]) {
        self.files += 1;
        self.bytes += bytes.len();
        for (form, finder) in &self.forms {
            if let Some(at) = finder.find(bytes) {
                let around = &bytes[at.saturating_sub(300)..bytes.len().min(at + 200)];
                let around = String::from_utf8_lossy(around).into_owned();
                self.found
                    .push(format!("{name}: {form}, at {at}: {around}"));
            }
        }
    }

    /// Looks through every file below a folder.
    pub(crate) fn folder(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).expect("the folder can be read") {
            let entry = entry.expect("an entry");
            let kind = entry.file_type().expect("an entry has a type");
            let path = entry.path();
            if kind.is_dir() {
                self.folder(&path);
            } else if kind.is_file() {
                // Journals of SQLite come and go.
                let Ok(bytes) = std::fs::read(&path) else {
                    continue;
                };
                self.bytes(&path.display().to_string(), &bytes);
            }
        }
    }

    /// What was found, with what stands around it.
    pub(crate) fn found(&self) -> &[String] {
        &self.found
    }

    /// Ends it: nothing may have been found.
    #[expect(clippy::print_stdout, reason = "figures of the test")]
    pub(crate) fn end(self, shape: &str) {
        let (files, bytes, found) = (self.files, self.bytes, self.found.len());
        let forms = self.forms.len();
        println!(
            "RESULT canary, {shape}: {bytes} bytes in {files} files searched for {forms} forms, {found} found"
        );
        assert!(bytes > 0 && found == 0, "{:#?}", self.found);
    }
}

#[test]
fn planted_secret_is_found_in_every_form() {
    let canary = Canary::new();
    let text = canary.text();
    let utf16 = |units: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(units).collect();
    let mut planted: Vec<Vec<u8>> = vec![
        text.into(),
        text.to_lowercase().into(),
        text[..LENGTH / 2].into(),
        text[LENGTH / 2..].into(),
        format!("postgresql://u:{}@h/d", canary.in_url()).into(),
        percent(text, false).into(),
        hex::encode(format!("Bearer {text}")).into(),
        hex::encode_upper(text).into(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
    ];
    for before in ["", "u", "us", "user:"] {
        let both = format!("{before}{text}\n");
        planted.push(STANDARD_NO_PAD.encode(&both).into());
        planted.push(URL_SAFE_NO_PAD.encode(&both).into());
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let below = folder.path().join("a/b");
    std::fs::create_dir_all(&below).expect("a folder");
    for bytes in planted {
        let around = [&b"\0\0page "[..], &bytes, &[0; 9000]].concat();
        std::fs::write(below.join("planted"), around).expect("a file");
        let mut search = Search::of(&canary);
        search.folder(folder.path());
        assert!(!search.found().is_empty(), "{}", bytes.escape_ascii());
        assert_eq!((search.files, search.bytes > 9000), (1, true));
    }
    let mut search = Search::of(&canary);
    search.bytes("another", Canary::new().text().as_bytes());
    assert_eq!(search.found(), &[] as &[String]);
}
