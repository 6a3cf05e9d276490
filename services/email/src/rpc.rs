//! Translates between the protocol and the engine; no rules here.

use gearmesh_api::email::v1 as api;
use gearmesh_api::email::v1::email_service_server::EmailService;
use gearmesh_runtime::{CallOf, Context};
use serde_json::Value;
use tonic::{Request, Response, Status};

use crate::attachment::{self, Named, Source};
use crate::contents::Contents;
use crate::criteria::Criteria;
use crate::engine::{Engine, Given};
use crate::error::Error;
use crate::folder::Folder;
use crate::imap::{Fetched, Wanted};
use crate::mail::{File, Mail};
use crate::outgoing::{Outgoing, Texts};
use crate::server::Kind;

/// Mails of an answer when the caller names no number.
const LIMIT: i32 = 10;

#[derive(Debug)]
pub(crate) struct Rpc {
    engine: Engine,
}

impl Rpc {
    pub(crate) fn new(context: Context) -> Self {
        Self {
            engine: Engine::new(context),
        }
    }
}

#[tonic::async_trait]
impl EmailService for Rpc {
    async fn smtp_connect(
        &self,
        request: Request<api::SmtpConnectRequest>,
    ) -> Result<Response<api::SmtpConnectResponse>, Status> {
        let r = request.into_inner();
        let name = r.connection_id.clone();
        let given = Given {
            name: r.connection_id,
            host: r.host,
            port: r.port,
            secure: r.secure.unwrap_or_default(),
            username: r.username,
            password: r.password,
            vault: r.vault_name,
            credential: r.credential_name,
            ca: r.ca,
        };
        let message = self.engine.connect(Kind::Smtp, given).await?;
        Ok(Response::new(api::SmtpConnectResponse {
            message,
            connection_id: name,
        }))
    }

    async fn smtp_send(
        &self,
        request: Request<api::SmtpSendRequest>,
    ) -> Result<Response<api::SmtpSendResponse>, Status> {
        let call = request.call();
        let r = request.into_inner();
        let named = r
            .attachments
            .into_iter()
            .enumerate()
            .map(|(i, a)| named(&format!("attachments[{i}]"), a))
            .collect::<Result<Vec<_>, _>>()?;
        let accepted = r.to.len() + r.cc.len() + r.bcc.len();
        let outgoing = Outgoing::parse(Texts {
            from: r.from,
            to: r.to,
            cc: r.cc,
            bcc: r.bcc,
            reply_to: r.reply_to,
            subject: r.subject,
            text: r.text,
            html: r.html,
        })?;
        let sent = self
            .engine
            .send(&r.connection_id, &call, outgoing, named)
            .await?;
        Ok(Response::new(api::SmtpSendResponse {
            message_id: sent.message_id,
            accepted: i32::try_from(accepted).unwrap_or(i32::MAX),
            response: sent.response,
        }))
    }

    async fn imap_connect(
        &self,
        request: Request<api::ImapConnectRequest>,
    ) -> Result<Response<api::ImapConnectResponse>, Status> {
        let r = request.into_inner();
        let name = r.connection_id.clone();
        let given = Given {
            name: r.connection_id,
            host: r.host,
            port: r.port,
            secure: r.secure.unwrap_or_default(),
            username: r.username,
            password: r.password,
            vault: r.vault_name,
            credential: r.credential_name,
            ca: r.ca,
        };
        let message = self.engine.connect(Kind::Imap, given).await?;
        Ok(Response::new(api::ImapConnectResponse {
            message,
            connection_id: name,
        }))
    }

    async fn imap_fetch(
        &self,
        request: Request<api::ImapFetchRequest>,
    ) -> Result<Response<api::ImapFetchResponse>, Status> {
        let r = request.into_inner();
        let wanted = Wanted {
            folder: Folder::parse(&r.folder)?,
            criteria: Criteria::parse(&values(r.criteria)?)?,
            has_attachment: None,
            limit: limit(r.limit),
            mark_seen: r.mark_seen,
        };
        let folder = wanted.folder.name().to_owned();
        let found = self.engine.mails(&r.connection_id, wanted).await?;
        let emails: Vec<_> = found.into_iter().map(|f| mail(f, &folder)).collect();
        Ok(Response::new(api::ImapFetchResponse {
            count: i32::try_from(emails.len()).unwrap_or(i32::MAX),
            emails,
        }))
    }

    async fn imap_search(
        &self,
        request: Request<api::ImapSearchRequest>,
    ) -> Result<Response<api::ImapSearchResponse>, Status> {
        let r = request.into_inner();
        let wanted = Wanted {
            folder: Folder::parse(&r.folder)?,
            criteria: criteria(&r)?,
            has_attachment: r.has_attachment,
            limit: limit(r.limit),
            mark_seen: false,
        };
        let folder = wanted.folder.name().to_owned();
        let found = self.engine.mails(&r.connection_id, wanted).await?;
        let emails: Vec<_> = found.into_iter().map(|f| mail(f, &folder)).collect();
        Ok(Response::new(api::ImapSearchResponse {
            count: i32::try_from(emails.len()).unwrap_or(i32::MAX),
            emails,
        }))
    }

    async fn parse(
        &self,
        request: Request<api::ParseRequest>,
    ) -> Result<Response<api::ParseResponse>, Status> {
        let r = request.into_inner();
        let largest = match (r.include_attachments, r.max_attachment_size) {
            (Some(false), _) => None,
            (_, Some(max)) => Some(usize::try_from(max).unwrap_or_default()),
            (_, None) => Some(attachment::ATTACHMENTS_MAX),
        };
        let mut contents = Contents::new(largest);
        let raw = r.raw;
        // A large message takes a while, and others wait for this thread.
        let parsed =
            tokio::task::spawn_blocking(move || Mail::parse(raw.as_bytes(), &mut contents));
        let mail = parsed.await.map_err(|e| Error::Build(e.to_string()))??;
        let m = parts(mail);
        Ok(Response::new(api::ParseResponse {
            message_id: m.message_id,
            from: m.from,
            to: m.to,
            cc: m.cc,
            bcc: m.bcc,
            reply_to: m.reply_to,
            subject: m.subject,
            date: m.date,
            text: m.text,
            html: m.html,
            attachments: m.attachments,
            headers: m.headers,
            in_reply_to: m.in_reply_to,
            references: m.references,
            partial: m.partial,
        }))
    }

    async fn list_connections(
        &self,
        request: Request<api::ListConnectionsRequest>,
    ) -> Result<Response<api::ListConnectionsResponse>, Status> {
        let kinds = kinds(&request.into_inner().kind);
        let mut connections = Vec::new();
        for kind in kinds {
            for (name, server) in self.engine.list(kind).await? {
                connections.push(api::Connection {
                    connection_id: name,
                    kind: kind.as_str().to_owned(),
                    host: server.host,
                    port: i32::from(server.port),
                    secure: server.secure,
                    username: server.username,
                });
            }
        }
        Ok(Response::new(api::ListConnectionsResponse {
            count: i32::try_from(connections.len()).unwrap_or(i32::MAX),
            connections,
        }))
    }

    async fn disconnect(
        &self,
        request: Request<api::DisconnectRequest>,
    ) -> Result<Response<api::DisconnectResponse>, Status> {
        let r = request.into_inner();
        let message = self
            .engine
            .disconnect(&r.connection_id, &kinds(&r.kind))
            .await?;
        Ok(Response::new(api::DisconnectResponse {
            message,
            connection_id: r.connection_id,
        }))
    }
}

fn kinds(kind: &str) -> Vec<Kind> {
    let all = Kind::ALL.into_iter();
    all.filter(|k| kind.is_empty() || k.as_str() == kind)
        .collect()
}

fn limit(limit: Option<i32>) -> usize {
    usize::try_from(limit.unwrap_or(LIMIT)).unwrap_or_default()
}

fn named(field: &str, a: api::Attachment) -> Result<Named, Error> {
    let source = match (a.content, a.path.is_empty()) {
        (Some(content), true) => Source::Content(content.to_vec()),
        (None, false) => Source::Path(a.path),
        _ => {
            return Err(Error::parameter(
                field,
                format!("give exactly one of `path` and `content` in `{field}`"),
            ));
        }
    };
    Named::new(field, a.filename, &a.content_type, a.content_id, source)
}

fn values(all: Vec<gearmesh_api::tool::v1::Json>) -> Result<Vec<Value>, Error> {
    all.iter()
        .enumerate()
        .map(|(i, json)| {
            serde_json::from_slice(&json.text).map_err(|e| {
                let field = format!("criteria[{i}]");
                let reason = format!("`{field}` is no JSON: {e}");
                Error::parameter(field, reason)
            })
        })
        .collect()
}

fn criteria(r: &api::ImapSearchRequest) -> Result<Criteria, Error> {
    let mut criteria = Criteria::default();
    for (key, field, text) in [
        ("FROM", "from", &r.from),
        ("TO", "to", &r.to),
        ("SUBJECT", "subject", &r.subject),
        ("BODY", "body", &r.body),
    ] {
        if !text.is_empty() {
            criteria.text(key, field, text)?;
        }
    }
    match r.unread {
        Some(true) => criteria.flag("UNSEEN"),
        Some(false) => criteria.flag("SEEN"),
        None => {}
    }
    match r.starred {
        Some(true) => criteria.flag("FLAGGED"),
        Some(false) => criteria.flag("UNFLAGGED"),
        None => {}
    }
    for (key, field, day) in [
        ("SINCE", "after", &r.after),
        ("BEFORE", "before", &r.before),
    ] {
        if !day.is_empty() {
            criteria.day(key, field, day)?;
        }
    }
    if !r.label.is_empty() {
        criteria.keyword("KEYWORD", "label", &r.label)?;
    }
    Ok(criteria)
}

fn mail(fetched: Fetched, folder: &str) -> api::Mail {
    api::Mail {
        uid: fetched.uid,
        folder: folder.to_owned(),
        flags: fetched.flags,
        ..parts(fetched.mail)
    }
}

fn parts(mail: Mail) -> api::Mail {
    api::Mail {
        message_id: mail.message_id,
        from: mail.from,
        to: mail.to,
        cc: mail.cc,
        bcc: mail.bcc,
        reply_to: mail.reply_to,
        subject: mail.subject,
        date: mail
            .date
            .map(|seconds| prost_types::Timestamp { seconds, nanos: 0 }),
        text: mail.text,
        html: mail.html,
        attachments: mail.attachments.into_iter().map(file).collect(),
        headers: mail.headers.into_iter().collect(),
        in_reply_to: mail.in_reply_to,
        references: mail.references,
        partial: mail.partial,
        ..api::Mail::default()
    }
}

fn file(file: File) -> api::MailAttachment {
    api::MailAttachment {
        filename: file.filename,
        content_type: file.content_type,
        size: i64::try_from(file.size).unwrap_or(i64::MAX),
        content: file.content.into(),
        content_id: file.content_id,
        omitted: file.omitted,
    }
}
