//! Translates between the protocol and the domain.
//!
//! None of these RPCs is a tool, so the layers check no constraints: the parsing
//! here does.

use std::sync::Arc;

use gearmesh_api::identity::v1 as api;
use gearmesh_api::identity::v1::identity_service_server::IdentityService;
use gearmesh_runtime::Context;
use prost_types::Timestamp;
use tonic::{Request, Response, Status};

use crate::error::{Error, TokenRefused};
use crate::page::Page;
use crate::scope::{SCOPES_MAX, is_scope};
use crate::signer::{Asked, Signer};
use crate::table::{Known, Table, Token};
use crate::token::{self, HmacKey};

/// Largest credential and signing request, in bytes.
const PART_MAX: usize = 4_096;

/// Life of a token: at least, when none is named, and at most.
const LIFETIME_MIN_S: i64 = 60;
const LIFETIME_DEFAULT_S: i64 = 30 * 86_400;
const LIFETIME_MAX_S: i64 = 365 * 86_400;

/// Longest name of a token.
const NAME_MAX: usize = 64;

#[derive(Debug)]
pub(crate) struct Rpc {
    context: Context,
    table: Arc<Table>,
    signer: Option<Arc<Signer>>,
    key: HmacKey,
}

impl Rpc {
    pub(crate) fn new(
        context: Context,
        table: Arc<Table>,
        signer: Option<Arc<Signer>>,
        key: HmacKey,
    ) -> Self {
        Self {
            context,
            table,
            signer,
            key,
        }
    }

    fn now(&self) -> i64 {
        self.context.clock().now_ms() / 1000
    }

    async fn authenticated(&self, text: &str) -> Result<Token, Error> {
        let parts = token::parse(text).map_err(Error::Token)?;
        let found = self.table.token(parts.id).await?;
        let found = found.ok_or(Error::Token(TokenRefused::Unknown))?;
        let now = self.now();
        let refused = if !self.key.is_of(&found.hmac, parts) {
            Some(TokenRefused::Secret)
        } else if found.revoked.is_some() {
            Some(TokenRefused::Revoked)
        } else if found.expires <= now {
            Some(TokenRefused::Expired)
        } else {
            None
        };
        if let Some(refused) = refused {
            return Err(Error::Token(refused));
        }
        self.table.token_used(&found, now).await?;
        Ok(found)
    }
}

#[tonic::async_trait]
impl IdentityService for Rpc {
    async fn sign_leaf(
        &self,
        request: Request<api::SignLeafRequest>,
    ) -> Result<Response<api::SignLeafResponse>, Status> {
        let request = request.into_inner();
        let signer = self.signer.as_ref().ok_or(Error::NoCa)?;
        for (field, part) in [("credential", &request.credential), ("csr", &request.csr)] {
            if part.is_empty() || part.len() > PART_MAX {
                let what = "must have 1 to 4096 bytes";
                return Err(Error::Field { field, what }.into());
            }
        }
        let asked = Asked {
            credential: &request.credential,
            csr: &request.csr,
            signature: &request.signature,
        };
        let leaf = signer.sign(&asked).await.inspect_err(|error| {
            if let Error::Credential(why) = error {
                tracing::warn!(%why, "leaf refused");
            }
        })?;
        Ok(Response::new(api::SignLeafResponse {
            chain: leaf.chain.into_iter().map(Into::into).collect(),
            roots: signer.roots().iter().cloned().map(Into::into).collect(),
            expires: Some(time(leaf.expires)),
        }))
    }

    async fn list_credentials(
        &self,
        request: Request<api::ListCredentialsRequest>,
    ) -> Result<Response<api::ListCredentialsResponse>, Status> {
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token)?;
        let mut rows = self.table.credentials(&page).await?;
        let next_page_token = page.cut(&mut rows, |c| &c.id);
        Ok(Response::new(api::ListCredentialsResponse {
            credentials: rows.into_iter().map(credential).collect(),
            next_page_token,
        }))
    }

    async fn revoke_credential(
        &self,
        request: Request<api::RevokeCredentialRequest>,
    ) -> Result<Response<api::RevokeCredentialResponse>, Status> {
        let id = request.into_inner().id;
        let hex = id.strip_prefix("cred_").unwrap_or_default();
        if hex.len() != 16 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            let (field, what) = ("id", "is no id of a credential");
            return Err(Error::Field { field, what }.into());
        }
        let revoked = self.table.revoke(&id, self.now()).await?;
        tracing::warn!(credential = id, "node credential revoked");
        Ok(Response::new(api::RevokeCredentialResponse { revoked }))
    }

    async fn issue_token(
        &self,
        request: Request<api::IssueTokenRequest>,
    ) -> Result<Response<api::IssueTokenResponse>, Status> {
        let request = request.into_inner();
        check_token(&request)?;
        let lifetime = match &request.lifetime {
            None => LIFETIME_DEFAULT_S,
            Some(lifetime) => lifetime.seconds,
        };
        if !(LIFETIME_MIN_S..=LIFETIME_MAX_S).contains(&lifetime) {
            let (field, what) = ("lifetime", "must be from 1 minute to 365 days");
            return Err(Error::Field { field, what }.into());
        }
        let text = token::make()?;
        let parts = token::parse(&text).map_err(Error::Token)?;
        let now = self.now();
        let made = Token {
            id: parts.id.to_owned(),
            name: request.name,
            scopes: request.scopes,
            hmac: self.key.of(parts),
            created: now,
            expires: now + lifetime,
            last_used: None,
            revoked: None,
        };
        self.table.add_token(&made).await?;
        tracing::info!(token = made.id, name = made.name, "token issued");
        Ok(Response::new(api::IssueTokenResponse {
            token: text.to_string(),
            details: Some(details(made)),
        }))
    }

    async fn list_tokens(
        &self,
        request: Request<api::ListTokensRequest>,
    ) -> Result<Response<api::ListTokensResponse>, Status> {
        let request = request.into_inner();
        let page = Page::parse(request.page_size, &request.page_token)?;
        let mut rows = self.table.tokens(&page).await?;
        let next_page_token = page.cut(&mut rows, |t| &t.id);
        Ok(Response::new(api::ListTokensResponse {
            tokens: rows.into_iter().map(details).collect(),
            next_page_token,
        }))
    }

    async fn revoke_token(
        &self,
        request: Request<api::RevokeTokenRequest>,
    ) -> Result<Response<api::RevokeTokenResponse>, Status> {
        let id = request.into_inner().id;
        let revoked = self.table.revoke_token(&id, self.now()).await?;
        let revoked = revoked.ok_or_else(|| Error::NoToken(id.chars().take(64).collect()))?;
        tracing::warn!(token = id, "token revoked");
        Ok(Response::new(api::RevokeTokenResponse { revoked }))
    }

    async fn authenticate(
        &self,
        request: Request<api::AuthenticateRequest>,
    ) -> Result<Response<api::AuthenticateResponse>, Status> {
        let text = zeroize::Zeroizing::new(request.into_inner().token);
        let found = self.authenticated(&text).await.inspect_err(|error| {
            if let Error::Token(why) = error {
                // The id is no secret; a text without the form of a token may be one.
                let id = token::parse(&text).ok().map(|p| p.id);
                tracing::warn!(token = id, %why, "token refused");
            }
        })?;
        Ok(Response::new(api::AuthenticateResponse {
            principal: format!("token/{}", found.name),
            scopes: found.scopes,
            expires: Some(time(found.expires)),
            id: found.id,
        }))
    }
}

fn check_token(request: &api::IssueTokenRequest) -> Result<(), Error> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if !(1..=NAME_MAX).contains(&request.name.len()) || !request.name.bytes().all(fits) {
        return Err(Error::Field {
            field: "name",
            what: "must be 1 to 64 letters, digits, `.`, `_` or `-`",
        });
    }
    if !(1..=SCOPES_MAX).contains(&request.scopes.len()) {
        return Err(Error::Field {
            field: "scopes",
            what: "must name 1 to 64 scopes, as `file:read`",
        });
    }
    if !request.scopes.iter().all(|s| is_scope(s)) {
        return Err(Error::Field {
            field: "scopes",
            what: "must be scopes, as `file:read`, `file:*` or `*`",
        });
    }
    Ok(())
}

fn credential(known: Known) -> api::Credential {
    api::Credential {
        id: known.id,
        spiffe: known.spiffe,
        first_used: known.first_used.map(time),
        last_used: known.last_used.map(time),
        revoked: known.revoked.map(time),
        serial: known.serial,
    }
}

fn details(token: Token) -> api::Token {
    api::Token {
        id: token.id,
        name: token.name,
        scopes: token.scopes,
        created: Some(time(token.created)),
        expires: Some(time(token.expires)),
        last_used: token.last_used.map(time),
        revoked: token.revoked.map(time),
    }
}

fn time(seconds: i64) -> Timestamp {
    Timestamp { seconds, nanos: 0 }
}
