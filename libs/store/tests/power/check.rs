//! Whether a store holds what its writers were told.

use std::collections::{BTreeMap, BTreeSet};

use gearmesh_store::sqlx::query_scalar;
use gearmesh_store::{Blob, Error, ListRuns, NewRun, RunId};

use crate::book::{Book, Known, Sent};
use crate::machine::Running;

/// What is wrong in a store.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Acknowledged and not there.
    pub(crate) lost: u64,
    /// There by half, or never asked for.
    pub(crate) torn: u64,
    /// Reported as damaged by the store itself.
    pub(crate) reported: u64,
    pub(crate) texts: Vec<String>,
}

impl Findings {
    fn lost(&mut self, text: String) {
        self.lost += 1;
        self.texts.push(text);
    }

    fn torn(&mut self, text: String) {
        self.torn += 1;
        self.texts.push(text);
    }

    fn reported(&mut self, error: &Error) {
        self.reported += 1;
        self.texts.push(error.to_string());
    }

    pub(crate) fn none(&self) -> bool {
        self.texts.is_empty()
    }
}

/// Reads the whole store, compares, and notes in the books what was there unanswered.
///
/// `before` is the shard's number before all of this, that counts operations.
pub(crate) async fn check(
    running: &Running,
    books: &mut [&mut Book],
    before: &mut i64,
) -> Findings {
    let mut findings = Findings::default();
    let mut unanswered = 0;
    let mut unseen = 0;
    for book in books.iter_mut() {
        match resolve(running, book, &mut findings).await {
            Found::There => {
                unanswered += 1;
                book.settle();
            }
            Found::Unseen => unseen += 1,
            Found::Absent => {}
        }
        book.sent = None;
    }
    compare(running, books, &mut findings).await;
    // A group counts its operations in its own transaction. So this number says that of the
    // operations of a group all are there or none, and that none is there unknown.
    match sequence(running).await {
        Ok(seq) => {
            let acked: u64 = books.iter().map(|b| b.acked).sum();
            let least = *before + i64::try_from(acked).unwrap() + unanswered;
            if seq < least || seq > least + unseen {
                findings.torn(format!(
                    "{seq} operations, not {least} to {}",
                    least + unseen
                ));
            }
            *before = seq;
            for book in books {
                book.acked = 0;
            }
        }
        Err(e) => findings.reported(&e),
    }
    findings
}

pub(crate) async fn sequence(running: &Running) -> Result<i64, Error> {
    let mut reader = running.store.read().await?;
    let seq = query_scalar("SELECT seq FROM shard WHERE shard = 0");
    Ok(seq.fetch_one(&mut *reader).await?)
}

enum Found {
    There,
    Absent,
    Unseen,
}

/// Finds out whether what was not answered is there, and whether it is so as a whole.
async fn resolve(running: &Running, book: &Book, findings: &mut Findings) -> Found {
    let (run, before, rows, blobs) = match &book.sent {
        None => return Found::Absent,
        Some(Sent::Unseen) => return Found::Unseen,
        Some(Sent::Accept(new)) => (new.run, 0, new.rows.len(), &new.blobs),
        Some(Sent::Append(append)) => {
            let known = book.runs.iter().find(|k| k.run() == append.run);
            let before = known.unwrap().rows.len();
            (append.run, before, append.rows.len(), &append.blobs)
        }
    };
    let found = match running.journal.rows(run).await {
        Ok(found) => found.len(),
        Err(e) => {
            findings.reported(&e);
            return Found::Absent;
        }
    };
    let there = found == before + rows;
    if !there && found > before {
        findings.torn(format!(
            "run {run} has {found} rows after {before}, {rows} were sent"
        ));
    }
    for blob in blobs {
        match running.journal.blob(&blob.hash).await {
            Ok(Some(bytes)) if there && bytes == blob.bytes => {}
            Ok(None) if !there => {}
            Ok(found) => {
                let found = found.is_some();
                findings.torn(format!("run {run}: rows {there}, their blob {found}"));
            }
            Err(e) => findings.reported(&e),
        }
    }
    if let Some(Sent::Accept(new)) = &book.sent {
        accepted(running, new, there, findings).await;
    }
    if there { Found::There } else { Found::Absent }
}

/// The parts of an accepted run that are not rows.
async fn accepted(running: &Running, new: &NewRun, there: bool, findings: &mut Findings) {
    match running.journal.run(new.run).await {
        Ok(found) if found.is_some() == there => {}
        Ok(_) => findings.torn(format!("run {}: rows {there}, itself not so", new.run)),
        Err(e) => findings.reported(&e),
    }
    let Some(request) = &new.request else {
        return;
    };
    match running.journal.request(&new.principal, &request.key).await {
        Ok(found) if found.is_some() == there => {}
        Ok(_) => findings.torn(format!("run {}: rows {there}, its key not so", new.run)),
        Err(e) => findings.reported(&e),
    }
}

/// Compares all that is known with all that is there.
async fn compare(running: &Running, books: &[&mut Book], findings: &mut Findings) {
    let mut before = None;
    let mut listed = BTreeMap::new();
    loop {
        let page = ListRuns {
            before,
            ..ListRuns::default()
        };
        match running.journal.list(&page).await {
            Ok(page) if page.is_empty() => break,
            Ok(page) => {
                before = page.last().map(|r| r.run);
                listed.extend(page.into_iter().map(|r| (r.run, r)));
            }
            Err(e) => return findings.reported(&e),
        }
    }
    let mut open: BTreeMap<_, _> = match running.journal.open_runs().await {
        Ok(open) => open.into_iter().map(|o| (o.run, o)).collect(),
        Err(e) => return findings.reported(&e),
    };
    for known in books.iter().flat_map(|book| &book.runs) {
        let run = known.run();
        match listed.remove(&run) {
            Some(found) if found == known.listed() => {}
            Some(found) => findings.torn(format!("{found:?}, not {:?}", known.listed())),
            // A list leaves out what is damaged, and says so in the log.
            None => match running.journal.run(run).await {
                Err(e) => findings.reported(&e),
                Ok(found) => findings.lost(format!("run {run} is not listed, but {found:?}")),
            },
        }
        let found = open.remove(&run);
        if found != known.open() {
            findings.lost(format!("{found:?} is open, not {:?}", known.open()));
        }
        compare_run(running, known, findings).await;
    }
    let unknown: BTreeSet<RunId> = listed.into_keys().chain(open.into_keys()).collect();
    if !unknown.is_empty() {
        findings.torn(format!("{unknown:?} were never asked for"));
    }
}

async fn compare_run(running: &Running, known: &Known, findings: &mut Findings) {
    let run = known.run();
    match running.journal.rows(run).await {
        Ok(rows) if rows == known.rows => {}
        Ok(rows) => {
            let (found, told) = (rows.len(), known.rows.len());
            findings.lost(format!("run {run} has {found} rows, not {told}, or others"));
        }
        Err(e) => findings.reported(&e),
    }
    for Blob { hash, bytes } in &known.blobs {
        match running.journal.blob(hash).await {
            Ok(Some(found)) if found == *bytes => {}
            Ok(_) => findings.lost(format!("a blob of run {run}")),
            Err(e) => findings.reported(&e),
        }
    }
    let Some(request) = &known.first.request else {
        return;
    };
    match running
        .journal
        .request(&known.first.principal, &request.key)
        .await
    {
        Ok(Some((found, hash))) if found == run && hash == request.hash => {}
        Ok(found) => findings.lost(format!("the key of run {run}: {found:?}")),
        Err(e) => findings.reported(&e),
    }
}
