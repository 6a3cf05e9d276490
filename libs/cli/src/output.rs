//! The two streams of the process: data on one, everything else on the other.

use std::io::{self, IsTerminal, Write};

use serde_json::Value;

use crate::error::Error;
use crate::style::{Style, Wishes};

/// How data is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line.
    Ndjson,
    /// Names or ids alone, one a line.
    Name,
}

/// Columns of a terminal that does not tell.
const WIDTH_DEFAULT: usize = 100;

/// Lines of a terminal that does not tell.
const HEIGHT_DEFAULT: usize = 24;

/// The streams and how they are used.
pub(crate) struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// How data is written.
    pub(crate) format: Format,
    /// Nothing but data and errors.
    pub(crate) quiet: bool,
    /// Colours on standard output.
    pub(crate) out_style: Style,
    /// Colours on standard error.
    pub(crate) err_style: Style,
    /// Standard error is a terminal that can be redrawn.
    pub(crate) live: bool,
    written: bool,
}

impl std::fmt::Debug for Output {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl Output {
    /// The streams of the process.
    pub(crate) fn of_process(format: Format, quiet: bool, wishes: Wishes) -> Self {
        let (out, err) = (io::stdout(), io::stderr());
        Self {
            format,
            quiet,
            out_style: wishes.style(out.is_terminal()),
            err_style: wishes.style(err.is_terminal()),
            live: err.is_terminal() && !wishes.never,
            written: false,
            out: Box::new(out),
            err: Box::new(err),
        }
    }

    /// Whether data is written for people.
    pub(crate) fn for_people(&self) -> bool {
        self.format == Format::Table
    }

    /// Columns of the terminal behind standard error.
    pub(crate) fn width(&self) -> usize {
        self.size().0
    }

    /// Columns and lines of the terminal behind standard error.
    pub(crate) fn size(&self) -> (usize, usize) {
        let size = rustix::termios::tcgetwinsize(io::stderr()).ok();
        let of = |cells: Option<u16>, default: usize| {
            cells.map(usize::from).filter(|n| *n > 0).unwrap_or(default)
        };
        (
            of(size.map(|s| s.ws_col), WIDTH_DEFAULT),
            of(size.map(|s| s.ws_row), HEIGHT_DEFAULT),
        )
    }

    /// Writes lines of data.
    ///
    /// # Errors
    /// [`Error::Closed`] when nobody reads any more.
    pub(crate) fn data(&mut self, text: &str) -> Result<(), Error> {
        if text.ends_with('\n') {
            return self.bytes(text.as_bytes());
        }
        // In one piece, so that lines of several writers stay lines.
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Writes data as it is.
    ///
    /// # Errors
    /// As [`Output::data`].
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written = true;
        let mut write = || {
            self.out.write_all(bytes)?;
            self.out.flush()
        };
        write().map_err(|source| match source.kind() {
            io::ErrorKind::BrokenPipe => Error::Closed,
            _ => Error::Output { source },
        })
    }

    /// Whether any data was written.
    pub(crate) fn has_written(&self) -> bool {
        self.written
    }

    /// Writes a document: indented, or on one line where each line is one.
    ///
    /// # Errors
    /// As [`Output::data`].
    pub(crate) fn document(&mut self, value: &Value) -> Result<(), Error> {
        let text = match self.format {
            Format::Ndjson => value.to_string(),
            _ => format!("{value:#}"),
        };
        self.data(&text)
    }

    /// Writes a list that is no table: one document, a line each, or the names.
    ///
    /// # Errors
    /// As [`Output::data`].
    pub(crate) fn list(&mut self, items: &[Value], name: &str) -> Result<(), Error> {
        match self.format {
            Format::Ndjson => items
                .iter()
                .try_for_each(|item| self.data(&item.to_string())),
            Format::Name => items.iter().try_for_each(|item| {
                let text = crate::text::printable(crate::text::field(item, name)).into_owned();
                self.data(&text)
            }),
            Format::Json | Format::Table => self.document(&Value::Array(items.to_vec())),
        }
    }

    /// Writes one thing that is no table: the document, or its name alone.
    ///
    /// # Errors
    /// As [`Output::data`].
    pub(crate) fn list_one(&mut self, item: &Value, name: &str) -> Result<(), Error> {
        match self.format {
            Format::Name => self.list(std::slice::from_ref(item), name),
            _ => self.document(item),
        }
    }

    /// Says something that is no data; left out with `--quiet`.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            self.tell(text);
        }
    }

    /// Says something that must be heard.
    pub(crate) fn tell(&mut self, text: &str) {
        self.draw(&format!("{text}\n"));
    }

    /// Writes to standard error as it is. When nobody listens there, nothing is lost
    /// that could be told elsewhere.
    pub(crate) fn draw(&mut self, text: &str) {
        let _ = self
            .err
            .write_all(text.as_bytes())
            .and_then(|()| self.err.flush());
    }
}

/// Streams that are kept, for tests.
#[cfg(test)]
pub(crate) mod capture {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Debug, Clone, Default)]
    pub(crate) struct Stream(Arc<Mutex<Vec<u8>>>);

    impl Stream {
        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Stream {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// An output without colours, and its two streams.
    pub(crate) fn output(format: Format) -> (Output, Stream, Stream) {
        let (out, err) = (Stream::default(), Stream::default());
        let output = Output {
            out: Box::new(out.clone()),
            err: Box::new(err.clone()),
            format,
            quiet: false,
            out_style: Style::default(),
            err_style: Style::default(),
            live: false,
            written: false,
        };
        (output, out, err)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    struct Gone;

    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn data_and_notes_go_apart() {
        let (mut output, out, err) = capture::output(Format::Table);
        output.note("note");
        assert!(!output.has_written());
        output.data("data").unwrap();
        assert!(output.has_written());
        output.quiet = true;
        output.note("not heard");
        output.tell("heard");
        assert_eq!(
            (out.text().as_str(), err.text().as_str()),
            ("data\n", "note\nheard\n")
        );
    }

    #[test]
    fn list_is_written_in_each_format() {
        let items = [json!({"id": "a"}), json!({"id": "b\n"})];
        for (format, text) in [
            (Format::Ndjson, "{\"id\":\"a\"}\n{\"id\":\"b\\n\"}\n"),
            (Format::Name, "a\nb\\n\n"),
            (
                Format::Json,
                "[\n  {\n    \"id\": \"a\"\n  },\n  {\n    \"id\": \"b\\n\"\n  }\n]\n",
            ),
        ] {
            let (mut output, out, _) = capture::output(format);
            output.list(&items, "id").unwrap();
            assert_eq!(out.text(), text, "{format:?}");
        }
    }

    #[test]
    fn closed_pipe_is_told_apart() {
        let (mut output, ..) = capture::output(Format::Table);
        output.out = Box::new(Gone);
        assert!(matches!(output.data("x"), Err(Error::Closed)));
    }
}
