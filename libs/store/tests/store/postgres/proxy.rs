//! A way to a server that breaks where it hurts.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

/// What is to be broken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Rule {
    /// Nothing.
    Whole,
    /// One commit in so many, and one other message in ten times as many, in any way.
    Chance(u32),
    /// The next COMMIT is kept back: its transaction stays open at the server.
    Hold,
    /// The next commit reaches the server and its answer nobody; then nobody is let in.
    Shut,
    /// Nobody is let in.
    Closed,
}

/// When a connection is cut.
#[derive(Debug, Clone, Copy)]
enum Cut {
    /// The server hears nothing of it.
    Before,
    /// The server hears half of it.
    Half,
    /// It is on its way to the server.
    Sent,
    /// The server has answered.
    Answered,
}

#[derive(Debug)]
pub(super) struct Proxy {
    shared: Arc<Shared>,
    port: u16,
}

#[derive(Debug)]
struct Shared {
    server: AtomicU16,
    rule: Mutex<Rule>,
    chance: Mutex<fastrand::Rng>,
    cuts: AtomicU64,
    answered: AtomicU64,
    /// Connections to the server that nobody closes.
    held: Mutex<Vec<OwnedWriteHalf>>,
}

impl Proxy {
    #[expect(clippy::disallowed_methods, reason = "no context in a test")]
    pub(super) async fn start(server: u16, seed: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::new(Shared {
            server: AtomicU16::new(server),
            rule: Mutex::new(Rule::Whole),
            chance: Mutex::new(fastrand::Rng::with_seed(seed)),
            cuts: AtomicU64::new(0),
            answered: AtomicU64::new(0),
            held: Mutex::default(),
        });
        let all = shared.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let shared = all.clone();
                if *shared.rule.lock().unwrap() != Rule::Closed {
                    tokio::spawn(async move { serve(&shared, client).await });
                }
            }
        });
        Self { shared, port }
    }

    /// The URL of a database, by way of the proxy.
    pub(super) fn url(&self, url: &str) -> String {
        let (own, server) = (self.port.to_string(), self.shared.server().to_string());
        // So that it can read what goes by.
        format!("{}?sslmode=disable", url.replace(&server, &own))
    }

    pub(super) fn rule(&self, rule: Rule) {
        *self.shared.rule.lock().unwrap() = rule;
    }

    pub(super) fn is(&self, rule: Rule) -> bool {
        *self.shared.rule.lock().unwrap() == rule
    }

    /// Another server stands behind it from now on; connections to the old one are cut
    /// at their next message.
    pub(super) fn moves(&self, server: u16) {
        self.shared.server.store(server, Ordering::SeqCst);
    }

    /// Connections that were cut at a commit, and those of them whose commit was answered.
    pub(super) fn cuts(&self) -> (u64, u64) {
        let count = |n: &AtomicU64| n.load(Ordering::SeqCst);
        (count(&self.shared.cuts), count(&self.shared.answered))
    }
}

impl Shared {
    fn server(&self) -> u16 {
        self.server.load(Ordering::SeqCst)
    }

    fn cut(&self, commit: bool) -> Option<Cut> {
        let mut rule = self.rule.lock().unwrap();
        let mut chance = self.chance.lock().unwrap();
        match *rule {
            Rule::Chance(n) => {
                let n = if commit { n } else { n * 10 };
                let cuts = [Cut::Before, Cut::Half, Cut::Sent, Cut::Answered];
                (chance.u32(0..n) == 0).then(|| cuts[chance.usize(0..cuts.len())])
            }
            Rule::Shut if commit => {
                *rule = Rule::Closed;
                Some(Cut::Answered)
            }
            _ => None,
        }
    }

    /// Whether this COMMIT is kept back.
    fn holds(&self, batch: &Batch) -> bool {
        let mut rule = self.rule.lock().unwrap();
        let holds = *rule == Rule::Hold && batch.bytes.starts_with(b"Q") && batch.commit;
        if holds {
            *rule = Rule::Whole;
        }
        holds
    }
}

/// Messages that are answered together.
#[derive(Debug, Default)]
struct Batch {
    bytes: Vec<u8>,
    commit: bool,
}

#[expect(clippy::disallowed_methods, reason = "no context in a test")]
async fn serve(shared: &Shared, client: TcpStream) {
    let Ok(server) = TcpStream::connect(("127.0.0.1", shared.server())).await else {
        return;
    };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let swallow = Arc::new(Swallow::default());
    let back = tokio::spawn(answers(from_server, to_client, swallow.clone()));
    let _ = requests(shared, from_client, to_server, &swallow).await;
    back.abort();
}

/// Whether answers are kept back, and word of the first.
#[derive(Debug, Default)]
struct Swallow {
    on: AtomicU64,
    answer: Notify,
}

async fn answers(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, swallow: Arc<Swallow>) {
    let mut buffer = vec![0; 64 << 10];
    while let Ok(n @ 1..) = from.read(&mut buffer).await {
        if swallow.on.load(Ordering::SeqCst) > 0 {
            swallow.answer.notify_one();
        } else if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
    // A server that goes is an answer, too.
    swallow.answer.notify_one();
}

async fn requests(
    shared: &Shared,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    swallow: &Swallow,
) -> std::io::Result<()> {
    let mut groups = HashSet::new();
    // The first message has no type.
    let server = shared.server();
    let length = from.read_u32().await?;
    let mut rest = vec![0; length as usize - 4];
    from.read_exact(&mut rest).await?;
    to.write_all(&length.to_be_bytes()).await?;
    to.write_all(&rest).await?;
    loop {
        let batch = batch(&mut from, &mut groups).await?;
        if shared.server() != server {
            return Ok(());
        }
        if shared.holds(&batch) {
            shared.held.lock().unwrap().push(to);
            return Ok(());
        }
        let Some(cut) = shared.cut(batch.commit) else {
            to.write_all(&batch.bytes).await?;
            continue;
        };
        if batch.commit {
            shared.cuts.fetch_add(1, Ordering::SeqCst);
        }
        swallow.on.store(1, Ordering::SeqCst);
        match cut {
            Cut::Before => {}
            Cut::Half => to.write_all(&batch.bytes[..batch.bytes.len() / 2]).await?,
            Cut::Sent => to.write_all(&batch.bytes).await?,
            Cut::Answered => {
                to.write_all(&batch.bytes).await?;
                swallow.answer.notified().await;
                if batch.commit {
                    shared.answered.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
        return Ok(());
    }
}

/// The messages up to one that asks for an answer. `groups` are the prepared statements
/// that write groups.
async fn batch(from: &mut OwnedReadHalf, groups: &mut HashSet<Vec<u8>>) -> std::io::Result<Batch> {
    let mut batch = Batch::default();
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        let mut body = vec![0; length as usize - 4];
        from.read_exact(&mut body).await?;
        let mut texts = body.split(|b| *b == 0);
        let (first, second) = (texts.next(), texts.next());
        match kind {
            b'P' if second.is_some_and(|sql| is(sql, "INSERT INTO txn(id, outcome) SELECT")) => {
                groups.extend(first.map(<[u8]>::to_vec));
            }
            b'B' => batch.commit |= second.is_some_and(|name| groups.contains(name)),
            b'Q' => batch.commit |= first.is_some_and(|sql| is(sql, "COMMIT")),
            _ => {}
        }
        batch.bytes.push(kind);
        batch.bytes.extend(length.to_be_bytes());
        batch.bytes.extend(body);
        if matches!(kind, b'S' | b'Q' | b'p' | b'X') {
            return Ok(batch);
        }
    }
}

fn is(sql: &[u8], part: &str) -> bool {
    sql.windows(part.len()).any(|w| w == part.as_bytes())
}
