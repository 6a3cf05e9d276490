//! Samples of a time, and the table of what came out.

use std::io::{Stdout, Write};
use std::time::{Duration, Instant};

/// Now; a bench is the one place that reads a clock by itself.
#[expect(clippy::disallowed_methods, reason = "a bench measures time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Times of one thing done many times.
#[derive(Debug, Default, Clone)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn add(&mut self, since: Instant) {
        self.push(now().duration_since(since));
    }

    pub(crate) fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time that this share of the samples does not exceed: the nearest rank.
    pub(crate) fn at(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "a count of samples times at most 1"
        )]
        let rank = (share * sorted.len() as f64).ceil() as usize;
        sorted
            .get(rank.saturating_sub(1))
            .copied()
            .unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        self.at(0.5)
    }
}

/// Writes the table, each line as soon as it is measured.
#[derive(Debug)]
pub(crate) struct Table(Stdout);

impl Table {
    /// Begins the table with its heading.
    pub(crate) fn begin() -> std::io::Result<Self> {
        let mut table = Self(std::io::stdout());
        table.row("", "p50", "p99", "aim")?;
        Ok(table)
    }

    /// The heading of a part.
    pub(crate) fn part(&mut self, name: &str) -> std::io::Result<()> {
        self.row(name, "", "", "")
    }

    /// A line: what, a figure, and what it is meant to be.
    pub(crate) fn line(&mut self, what: &str, figure: &str, aim: &str) -> std::io::Result<()> {
        self.row(&format!("  {what}"), figure, "", aim)
    }

    /// A line of times in microseconds.
    pub(crate) fn micros(
        &mut self,
        what: &str,
        samples: &Samples,
        aim: &str,
    ) -> std::io::Result<()> {
        let text = |share| format!("{:.1} us", samples.at(share).as_secs_f64() * 1e6);
        self.row(&format!("  {what}"), &text(0.5), &text(0.99), aim)
    }

    /// A line of times in milliseconds.
    pub(crate) fn millis(
        &mut self,
        what: &str,
        samples: &Samples,
        aim: &str,
    ) -> std::io::Result<()> {
        let text = |share| format!("{:.2} ms", samples.at(share).as_secs_f64() * 1e3);
        self.row(&format!("  {what}"), &text(0.5), &text(0.99), aim)
    }

    fn row(&mut self, what: &str, p50: &str, p99: &str, aim: &str) -> std::io::Result<()> {
        let line = format!("{what:<40}{p50:>12}{p99:>12}   {aim}");
        writeln!(self.0, "{}", line.trim_end())
    }
}
