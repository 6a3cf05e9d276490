//! `gearmesh token create | list | revoke`.

use serde_json::{Value, json};

use crate::app::App;
use crate::args::TokenCommand;
use crate::client::Client;
use crate::error::Error;
use crate::exit::Exit;
use crate::host::{self, Wants};
use crate::output::Output;
use crate::table;
use crate::text::{field, joined, list as items, printable};

/// The service whose RPCs these are. None of them is a tool.
const SERVICE: &str = "/gearmesh.identity.v1.IdentityService";

/// Looks after API tokens, at the server or in this process.
pub(crate) async fn command(app: &mut App, command: TokenCommand) -> Result<Exit, Error> {
    let wants = Wants {
        demo: true,
        look: true,
        roots: false,
    };
    host::with_mesh(app, wants, async |app, client, _| {
        perform(app, command, client).await?;
        Ok(Exit::Done)
    })
    .await
}

async fn perform(app: &mut App, command: TokenCommand, client: &Client) -> Result<(), Error> {
    let output = &mut app.output;
    match command {
        TokenCommand::Create {
            name,
            scopes,
            expires,
        } => {
            let lifetime = format!("{}s", expires.as_secs());
            let params = json!({"name": name, "scopes": scopes, "lifetime": lifetime});
            let path = format!("{SERVICE}/IssueToken");
            let answer = client.call_rpc(&path, params).await?;
            if !output.for_people() {
                return output.list_one(&answer, "token");
            }
            // The token alone on standard output, so that it can be piped to a file.
            output.data(&printable(field(&answer, "token")))?;
            let details = answer.get("details").cloned().unwrap_or_default();
            output.note(&format!(
                "token {} for {}, valid until {}; it is not shown again",
                printable(field(&details, "id")),
                joined(&details, "scopes", ","),
                printable(field(&details, "expires")),
            ));
            Ok(())
        }
        TokenCommand::List => list(output, client).await,
        TokenCommand::Revoke { id } => {
            let path = format!("{SERVICE}/RevokeToken");
            let answer = client.call_rpc(&path, json!({"id": id})).await?;
            if !output.for_people() {
                return output.list_one(&answer, "revoked");
            }
            let valid = answer.get("revoked").and_then(Value::as_bool) == Some(true);
            output.data(if valid { "revoked" } else { "had ended before" })
        }
    }
}

async fn list(output: &mut Output, client: &Client) -> Result<(), Error> {
    /// Tokens that are asked for at once, the most that a page has.
    const PAGE: u32 = 1_000;
    let path = format!("{SERVICE}/ListTokens");
    let mut tokens: Vec<Value> = Vec::new();
    let mut page = String::new();
    loop {
        let params = json!({"pageSize": PAGE, "pageToken": page});
        let answer = client.call_rpc(&path, params).await?;
        tokens.extend(items(&answer, "tokens").iter().cloned());
        page = field(&answer, "nextPageToken").to_owned();
        if page.is_empty() {
            break;
        }
    }
    if !output.for_people() {
        return output.list(&tokens, "id");
    }
    if tokens.is_empty() {
        output.note("no tokens");
        return Ok(());
    }
    let cell = |token: &Value, name: &str| printable(field(token, name)).into_owned();
    let rows = tokens
        .iter()
        .map(|token| {
            let ends = match cell(token, "revoked") {
                revoked if revoked.is_empty() => cell(token, "expires"),
                revoked => format!("revoked {revoked}"),
            };
            vec![
                cell(token, "id"),
                cell(token, "name"),
                joined(token, "scopes", ","),
                ends,
                cell(token, "lastUsed"),
            ]
        })
        .collect();
    let headings = ["id", "name", "scopes", "valid until", "last used"];
    output.data(&table::render(&headings, rows))
}
