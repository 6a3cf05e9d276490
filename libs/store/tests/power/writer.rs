//! A writer: what it asks of the journal, by a seed.

use bytes::Bytes;
use fastrand::Rng;
use gearmesh_store::sqlx::query;
use gearmesh_store::{
    Accepted, Append, Blob, Dedupe, End, Error, NewRun, RequestKey, Result, Row, RunId, RunIds,
};

use crate::book::{Book, Sent, body};
use crate::machine::Running;

/// When the first run was made; time since 1970.
const NOW_MS: i64 = 1_790_000_000_000;

/// How a writer writes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Style {
    /// Operations, when nothing stops it.
    pub(crate) operations: usize,
    /// Longest body of a row.
    pub(crate) body_max: usize,
    /// Whether the log is moved into the file at times, before it has become long.
    pub(crate) checkpoints: bool,
}

/// A writer, with what it was told.
#[derive(Debug)]
pub(crate) struct Writer {
    number: usize,
    rng: Rng,
    pub(crate) book: Book,
    /// What a reader saw that was not as the writer had been told.
    pub(crate) misread: Vec<String>,
}

impl Writer {
    pub(crate) fn new(number: usize, rng: Rng) -> Self {
        Self {
            number,
            rng,
            book: Book::default(),
            misread: Vec::new(),
        }
    }

    /// Writes until it is done or something is refused; answers why.
    pub(crate) async fn write(
        &mut self,
        running: &Running,
        ids: &RunIds,
        style: Style,
    ) -> Result<()> {
        for _ in 0..style.operations {
            self.one(running, ids, style).await?;
        }
        Ok(())
    }

    /// One operation.
    pub(crate) async fn one(
        &mut self,
        running: &Running,
        ids: &RunIds,
        style: Style,
    ) -> Result<()> {
        let open = self.book.open();
        let keyed: Vec<_> = self.book.runs.iter().collect();
        match self.rng.u8(..100) {
            0..2 if style.checkpoints => checkpoint(running).await,
            2..6 if !keyed.is_empty() => self.repeat(running, ids).await,
            6..10 if !keyed.is_empty() => self.read(running).await,
            10..70 if !open.is_empty() => {
                let place = open[self.rng.usize(..open.len())];
                self.append(running, place, style).await
            }
            _ => self.accept(running, ids, style).await,
        }
    }

    async fn accept(&mut self, running: &Running, ids: &RunIds, style: Style) -> Result<()> {
        let run = ids.next(NOW_MS.cast_unsigned());
        let new = self.new_run(run, style);
        self.book.sent = Some(Sent::Accept(Box::new(new.clone())));
        match running.journal.accept(new).await? {
            Accepted::New => self.book.confirm(),
            other => panic!("a fresh key answers {other:?}"),
        }
        Ok(())
    }

    async fn append(&mut self, running: &Running, place: usize, style: Style) -> Result<()> {
        let known = &self.book.runs[place];
        let (run, last) = (known.run(), known.rows.len());
        let end = self.rng.u8(..6) == 0;
        let append = Append {
            run,
            rows: self.rows(run, last, style),
            status: (self.rng.u8(..4) == 0).then(|| format!("status {last}")),
            due_at_ms: self.rng.bool().then(|| NOW_MS + self.rng.i64(..1_000_000)),
            end: end.then(|| End {
                status: "succeeded".to_owned(),
                ended_at_ms: NOW_MS + 5,
            }),
            blobs: self.blobs(run, last, style),
        };
        self.book.sent = Some(Sent::Append(Box::new(append.clone())));
        running.journal.append(append).await?;
        self.book.confirm();
        Ok(())
    }

    /// Sends an acknowledged request again, as it was or with another body.
    async fn repeat(&mut self, running: &Running, ids: &RunIds) -> Result<()> {
        let place = self.rng.usize(..self.book.runs.len());
        let first = self.book.runs[place].first.clone();
        let Some(mut request) = first.request.clone() else {
            return Ok(());
        };
        let mut expected = Accepted::Existing(first.run);
        if self.rng.bool() {
            request.hash[0] ^= 1;
            expected = Accepted::KeyReused(first.run);
        }
        let again = NewRun {
            run: ids.next(NOW_MS.cast_unsigned()),
            request: Some(request),
            ..first
        };
        self.book.sent = Some(Sent::Unseen);
        let answer = running.journal.accept(again).await?;
        assert_eq!(answer, expected, "a request key is forgotten");
        self.book.confirm();
        Ok(())
    }

    async fn read(&mut self, running: &Running) -> Result<()> {
        let known = &self.book.runs[self.rng.usize(..self.book.runs.len())];
        let rows = running.journal.rows(known.run()).await?;
        if rows != known.rows {
            let (found, told) = (rows.len(), known.rows.len());
            let text = format!("a reader sees {found} rows of {told}, or others");
            self.misread.push(text);
        }
        Ok(())
    }

    fn new_run(&mut self, run: RunId, style: Style) -> NewRun {
        let number = self.number;
        let request = (self.rng.u8(..3) == 0).then(|| RequestKey {
            key: format!("key {run}"),
            hash: [self.rng.u8(..); 32],
        });
        let dedupe = (self.rng.u8(..8) == 0).then(|| Dedupe {
            key: format!("dedupe {run}"),
            until_ms: NOW_MS + 1_000_000,
        });
        NewRun {
            run,
            workflow: format!("workflow {}", self.rng.u8(..4)),
            version: self.rng.u32(1..9),
            principal: format!("writer {number}"),
            parent: self.book.runs.last().map(|known| known.run()),
            request,
            dedupe,
            created_at_ms: NOW_MS,
            deadline_ms: self.rng.bool().then_some(NOW_MS + 60_000),
            rows: self.rows(run, 0, style),
            due_at_ms: self.rng.bool().then_some(NOW_MS + 1),
            status: "running".to_owned(),
            blobs: self.blobs(run, 0, style),
        }
    }

    fn rows(&mut self, run: RunId, last: usize, style: Style) -> Vec<Row> {
        let first = u32::try_from(last).unwrap() + 1;
        let count = self.rng.u32(1..=3);
        let mut row = |n| Row {
            n,
            v: 1,
            kind: self.rng.u16(1..9),
            body: body(run, n, self.rng.usize(..=style.body_max)),
        };
        (first..first + count).map(&mut row).collect()
    }

    /// Blobs of this operation alone, so that they tell whether it was done.
    fn blobs(&mut self, run: RunId, last: usize, style: Style) -> Vec<Blob> {
        if self.rng.u8(..12) != 0 {
            return Vec::new();
        }
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&run.to_le_bytes());
        hash[8..16].copy_from_slice(&last.to_le_bytes());
        let length = self.rng.usize(..=style.body_max * 2);
        let bytes: Bytes = body(run, u32::MAX, length);
        vec![Blob { hash, bytes }]
    }
}

impl Writer {
    /// Whether readers see all that this writer was told.
    pub(crate) async fn reads_go_on(&self, running: &Running) -> Result<bool> {
        for known in &self.book.runs {
            if running.journal.rows(known.run()).await? != known.rows {
                return Ok(false);
            }
        }
        let open = running.journal.open_runs().await?;
        Ok(open.len() == self.book.open().len())
    }
}

/// Moves the log into the file, as the writer itself does when the log has become long.
pub(crate) async fn checkpoint(running: &Running) -> Result<()> {
    let mut writer = running.store.begin().await?;
    for text in ["ROLLBACK", "PRAGMA wal_checkpoint(PASSIVE)"] {
        let done = query(text).execute(&mut *writer).await;
        match done.map_err(Error::from) {
            // The writer goes on with a longer log.
            Ok(_) | Err(Error::Full) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
