//! A mailbox: search and fetch, one session per call.

use std::collections::BTreeMap;
use std::time::Duration;

use async_imap::imap_proto::{MailboxDatum, Response, Status};
use async_imap::types::Flag;
use async_imap::{Client, Session};
use futures::TryStreamExt;
use tokio::time::timeout;

use crate::contents::Contents;
use crate::criteria::Criteria;
use crate::error::Error;
use crate::folder::Folder;
use crate::mail::Mail;
use crate::server::{Kind, Login, Server};
use crate::wire::{CONNECT_MAX, Wire};

/// How long one command may take; servers search bodies without an index.
const COMMAND_MAX: Duration = Duration::from_secs(110);

/// How long a goodbye may take: nothing depends on it.
const LOGOUT_MAX: Duration = Duration::from_secs(2);

/// Largest mail that is read whole: 25 MB of files in base64. Of others the headers.
const MAIL_MAX: u32 = 40 * 1024 * 1024;

/// Mails that are looked at for attachments, newest first.
const LOOKED_MAX: usize = 2000;

/// Mails that one command asks about.
const CHUNK: usize = 100;

/// A mail of a mailbox.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) mail: Mail,
    pub(crate) uid: u32,
    pub(crate) flags: Vec<String>,
}

/// Which mails, and how.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) folder: Folder,
    pub(crate) criteria: Criteria,
    pub(crate) has_attachment: Option<bool>,
    pub(crate) limit: usize,
    pub(crate) mark_seen: bool,
}

/// A session with an IMAP server, logged in.
#[derive(Debug)]
pub(crate) struct Mailbox {
    session: Session<Wire>,
    server: String,
}

impl Mailbox {
    /// Reaches a server and logs in.
    pub(crate) async fn open(server: &Server, login: &Login) -> Result<Self, Error> {
        let wire = Wire::open(server, Kind::Imap).await?;
        let shown = server.shown();
        let unreachable = |reason: &str| Error::Unreachable {
            server: shown.clone(),
            reason: reason.to_owned(),
        };
        let mut client = Client::new(wire);
        let greeting = timeout(CONNECT_MAX, client.read_response()).await;
        match greeting {
            Ok(Ok(Some(greeting))) => match greeting.parsed() {
                Response::Data {
                    status: Status::Ok, ..
                } => {}
                _ => return Err(unreachable("it greeted, but is not ready for a login")),
            },
            _ => return Err(unreachable("it did not greet as an IMAP server")),
        }
        let asked = timeout(
            COMMAND_MAX,
            client.login(&login.username, login.password.expose()),
        );
        match asked.await {
            Ok(Ok(session)) => Ok(Self {
                session,
                server: shown,
            }),
            // What it says may hold what it was sent.
            Ok(Err((async_imap::error::Error::No(_) | async_imap::error::Error::Bad(_), _))) => {
                Err(Error::Login {
                    server: shown,
                    code: None,
                })
            }
            Ok(Err(_)) => Err(unreachable("the login broke off")),
            Err(_) => Err(unreachable("it did not answer the login")),
        }
    }

    /// Says goodbye.
    pub(crate) async fn close(mut self) {
        // The server notices a missing one too.
        let _ = timeout(LOGOUT_MAX, self.session.logout()).await;
    }

    /// The mails that are wanted, newest first.
    pub(crate) async fn mails(
        &mut self,
        wanted: Wanted,
        contents: &mut Contents,
    ) -> Result<Vec<Fetched>, Error> {
        let server = self.server.clone();
        timeout(COMMAND_MAX, self.find(wanted, contents))
            .await
            .unwrap_or_else(|_| {
                Err(Error::Fetch {
                    server,
                    reason: format!("it took more than {} s", COMMAND_MAX.as_secs()),
                })
            })
    }

    async fn find(
        &mut self,
        wanted: Wanted,
        contents: &mut Contents,
    ) -> Result<Vec<Fetched>, Error> {
        self.select(&wanted.folder, wanted.mark_seen).await?;
        let mut uids = self.search(wanted.criteria).await?;
        if let Some(has) = wanted.has_attachment {
            uids = self.with_attachment(&uids, has, wanted.limit).await?;
        }
        uids.truncate(wanted.limit);
        let known = self.known(&uids).await?;
        let mut mails = Vec::with_capacity(uids.len());
        for uid in uids {
            // What is not known any more was deleted meanwhile.
            if let Some(known) = known.get(&uid)
                && let Some(mail) = self.fetch(uid, known, contents).await?
            {
                mails.push(mail);
            }
        }
        if wanted.mark_seen && !mails.is_empty() {
            self.mark_seen(&mut mails).await?;
        }
        Ok(mails)
    }

    async fn select(&mut self, folder: &Folder, write: bool) -> Result<(), Error> {
        let selected = if write {
            self.session.select(folder.wire()).await
        } else {
            self.session.examine(folder.wire()).await
        };
        match selected {
            Ok(_) => Ok(()),
            Err(async_imap::error::Error::No(_)) => Err(Error::Folder(folder.name().to_owned())),
            Err(e) => Err(self.failed(&e)),
        }
    }

    /// Numbers of the mails that meet the criteria, newest first.
    async fn search(&mut self, criteria: Criteria) -> Result<Vec<u32>, Error> {
        let mut pieces = criteria.command().into_iter();
        let first = pieces.next().unwrap_or_default();
        let tag = self.session.run_command(first).await;
        let tag = tag.map_err(|e| self.failed(&e))?;
        let mut uids: Vec<u32> = Vec::new();
        loop {
            let response = self.session.read_response().await;
            let Some(response) = response.map_err(|e| self.failed(&e.into()))? else {
                return Err(self.failed(&async_imap::error::Error::ConnectionLost));
            };
            match response.parsed() {
                Response::Continue(_) => {
                    let piece = pieces.next().unwrap_or_default();
                    let said = self.session.run_command_untagged(piece).await;
                    said.map_err(|e| self.failed(&e))?;
                }
                Response::MailboxData(MailboxDatum::Search(found)) => uids.extend(found),
                Response::Done {
                    tag: done,
                    status,
                    outcome,
                } if *done == tag => {
                    if *status == Status::Ok {
                        uids.sort_unstable_by(|a, b| b.cmp(a));
                        uids.dedup();
                        return Ok(uids);
                    }
                    let said = outcome.information.as_deref().unwrap_or_default();
                    return Err(self.refused(said));
                }
                _ => {}
            }
        }
    }

    /// Those with attachments, or without; at most `limit`.
    ///
    /// The servers' own BODYSTRUCTURE would say it, but the client's parser calls
    /// itself for each level of it, and anybody can send a mail of many levels.
    async fn with_attachment(
        &mut self,
        uids: &[u32],
        has: bool,
        limit: usize,
    ) -> Result<Vec<u32>, Error> {
        let mut found = Vec::new();
        let looked = uids.get(..uids.len().min(LOOKED_MAX)).unwrap_or(uids);
        for chunk in looked.chunks(CHUNK) {
            let may = self.may_carry(chunk).await?;
            let known = self.known(chunk).await?;
            for uid in chunk {
                let carries = match known.get(uid) {
                    Some(known) if may.contains(uid) => {
                        let mut names = Contents::new(None);
                        let fetched = self.fetch(*uid, known, &mut names).await?;
                        fetched.is_some_and(|f| !f.mail.attachments.is_empty())
                    }
                    _ => false,
                };
                if carries == has {
                    found.push(*uid);
                }
                if found.len() == limit {
                    return Ok(found);
                }
            }
        }
        Ok(found)
    }

    /// Those whose headers let them carry files: more than one text.
    async fn may_carry(&mut self, uids: &[u32]) -> Result<Vec<u32>, Error> {
        let answers = self.ask(&set(uids), "(UID BODY.PEEK[HEADER])").await?;
        let may = answers.iter().filter(|f| {
            let head = String::from_utf8_lossy(f.header().unwrap_or_default()).to_ascii_lowercase();
            let (_, after) = head.split_once("content-type:").unwrap_or_default();
            let text = after.is_empty() || after.trim_start().starts_with("text/");
            !text || head.contains("content-disposition:")
        });
        Ok(may.filter_map(|f| f.uid).collect())
    }

    /// Sizes and flags.
    async fn known(&mut self, uids: &[u32]) -> Result<BTreeMap<u32, Known>, Error> {
        let mut all = BTreeMap::new();
        for chunk in uids.chunks(CHUNK) {
            for fetch in self.ask(&set(chunk), "(UID FLAGS RFC822.SIZE)").await? {
                if let Some(uid) = fetch.uid {
                    let flags = fetch.flags().map(|f| named(&f)).collect();
                    let size = fetch.size.unwrap_or_default();
                    all.insert(uid, Known { size, flags });
                }
            }
        }
        Ok(all)
    }

    async fn fetch(
        &mut self,
        uid: u32,
        known: &Known,
        contents: &mut Contents,
    ) -> Result<Option<Fetched>, Error> {
        let whole = known.size <= MAIL_MAX;
        // PEEK: reading alone marks nothing.
        let what = if whole {
            "(UID BODY.PEEK[])"
        } else {
            "(UID BODY.PEEK[HEADER])"
        };
        let answers = self.ask(&uid.to_string(), what).await?;
        let raw = answers
            .iter()
            .filter(|f| f.uid == Some(uid))
            .find_map(|f| if whole { f.body() } else { f.header() });
        let Some(raw) = raw else {
            return Ok(None);
        };
        // One mail that is none must not hide the others.
        let mut mail = Mail::parse(raw, contents).unwrap_or_else(|_| Mail {
            partial: true,
            ..Mail::default()
        });
        mail.partial |= !whole;
        Ok(Some(Fetched {
            mail,
            uid,
            flags: known.flags.clone(),
        }))
    }

    async fn mark_seen(&mut self, mails: &mut [Fetched]) -> Result<(), Error> {
        const SEEN: &str = "\\Seen";
        let uids: Vec<u32> = mails.iter().map(|m| m.uid).collect();
        for chunk in uids.chunks(CHUNK) {
            let command = format!("UID STORE {} +FLAGS.SILENT ({SEEN})", set(chunk));
            let stored = self.session.run_command_and_check_ok(command).await;
            stored.map_err(|e| self.failed(&e))?;
        }
        for mail in mails {
            if !mail.flags.iter().any(|f| f == SEEN) {
                mail.flags.push(SEEN.to_owned());
            }
        }
        Ok(())
    }

    async fn ask(
        &mut self,
        uids: &str,
        what: &str,
    ) -> Result<Vec<async_imap::types::Fetch>, Error> {
        let server = self.server.clone();
        let answers = match self.session.uid_fetch(uids, what).await {
            Ok(stream) => stream.try_collect().await,
            Err(e) => Err(e),
        };
        answers.map_err(|e| failed(server, &e))
    }

    fn failed(&self, error: &async_imap::error::Error) -> Error {
        failed(self.server.clone(), error)
    }

    fn refused(&self, said: &str) -> Error {
        let said: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        Error::Fetch {
            server: self.server.clone(),
            reason: format!("it refused the search: {said}"),
        }
    }
}

/// What is asked of a mail before its content.
#[derive(Debug)]
struct Known {
    size: u32,
    flags: Vec<String>,
}

/// The error in our words: those of the client quote what was being read.
fn failed(server: String, error: &async_imap::error::Error) -> Error {
    use async_imap::error::Error as Imap;
    let reason = match error {
        Imap::Io(e) if e.kind() == std::io::ErrorKind::Other => {
            "its answer cannot be read".to_owned()
        }
        Imap::Io(e) => e.to_string(),
        Imap::ConnectionLost => "it ended the connection".to_owned(),
        Imap::No(_) | Imap::Bad(_) => "it refused the command".to_owned(),
        _ => "its answer cannot be read".to_owned(),
    };
    Error::Fetch { server, reason }
}

fn set(uids: &[u32]) -> String {
    let all: Vec<String> = uids.iter().map(ToString::to_string).collect();
    all.join(",")
}

fn named(flag: &Flag<'_>) -> String {
    match flag {
        Flag::Seen => "\\Seen".to_owned(),
        Flag::Answered => "\\Answered".to_owned(),
        Flag::Flagged => "\\Flagged".to_owned(),
        Flag::Deleted => "\\Deleted".to_owned(),
        Flag::Draft => "\\Draft".to_owned(),
        Flag::Recent => "\\Recent".to_owned(),
        Flag::MayCreate => "\\*".to_owned(),
        Flag::Custom(name) => name.to_string(),
    }
}
