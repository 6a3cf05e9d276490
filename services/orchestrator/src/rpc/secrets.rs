//! Whether the secrets are there that a file names.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gearmesh_catalog::grants;
use gearmesh_fault::Failure;
use gearmesh_link::invoke;
use gearmesh_runtime::Call;
use gearmesh_workflow::{Diagnostic, Document, Source};
use serde_json::{Value, json};

use super::Rpc;

/// The scope of those who may know the names of secrets.
const NAMES: &str = "vault:read";

/// What the vault says of a vault that is none.
const NO_VAULT: &str = "VAULT_NOT_FOUND";

/// How long a check waits for the vault before it does without: who edits a file waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// Warnings for the secrets of a file that are not there. None when nobody can tell: the
/// caller may not know names, or there is no vault that answers.
pub(super) async fn missing(rpc: &Rpc, call: &Call, source: &Source<'_>) -> Vec<Diagnostic> {
    let held = call.scopes.as_deref();
    if held.is_some_and(|held| !grants(held, NAMES)) {
        return Vec::new();
    }
    // What is wrong with the notation is told already.
    let Ok(document) = Document::read(source) else {
        return Vec::new();
    };
    let named = document.secrets();
    if named.is_empty() {
        return Vec::new();
    }
    let vaults = named.iter().map(|(vault, _)| vault.as_str()).collect();
    let clock = rpc.runs.context().clock();
    let known = tokio::select! {
        known = known(rpc, call, vaults) => known,
        () = clock.sleep(PATIENCE) => {
            tracing::debug!("the vault was not waited for");
            return Vec::new();
        }
    };
    document.missing_secrets(|vault, secret| {
        let names = known.get(vault);
        names.is_none_or(|names| names.contains(secret))
    })
}

/// The names of the secrets of these vaults; without those that could not be asked for.
async fn known<'v>(
    rpc: &Rpc,
    call: &Call,
    vaults: BTreeSet<&'v str>,
) -> BTreeMap<&'v str, BTreeSet<String>> {
    let mut known = BTreeMap::new();
    let cx = rpc.runs.context();
    let catalog = cx.catalog();
    let (Ok(link), Some(list)) = (cx.link("vault"), catalog.get("vault.list")) else {
        return known;
    };
    let call = Call {
        timeout: Some(PATIENCE),
        principal: call.principal.clone(),
        scopes: call.scopes.clone(),
        ..Call::default()
    };
    for vault in vaults {
        let params = json!({"vaultName": vault});
        match invoke(&link, list.tool, params, &call).await {
            Ok(answer) => {
                known.insert(vault, names(&answer));
            }
            Err(status) if Failure::of(&status).reason == NO_VAULT => {
                known.insert(vault, BTreeSet::new());
            }
            Err(error) => tracing::debug!(vault, %error, "the vault does not tell its names"),
        }
    }
    known
}

fn names(answer: &Value) -> BTreeSet<String> {
    let names = answer.get("credentials").and_then(Value::as_array);
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}
