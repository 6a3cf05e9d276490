//! What documents of the predecessors say in other words than the tools of today.
//!
//! Their tools are here under other names (aliases), and some of their parameters too.
//! Whoever calls a tool by an alias may use the parameters' former names with it.

use serde_json::{Map, Value};

use crate::catalog::Found;

/// Former and present names of request fields, as JSON spells them.
const FIELDS: [(&str, &str); 1] = [("taskId", "scheduleId")];

/// Fields that name a secret together: the vault and what lies in it.
const VAULT: [&str; 2] = ["vaultName", "vault_name"];
const CREDENTIAL: [&str; 2] = ["credentialName", "credential_name"];

impl Found<'_> {
    /// Gives parameters their present names, when the name of the call was an alias.
    ///
    /// Given under both names, the former stays and is refused as any unknown field.
    pub fn rename(&self, params: &mut Map<String, Value>) {
        if self.alias.is_none() {
            return;
        }
        for (former, present) in FIELDS {
            if !self.takes(present) || self.takes(former) || params.contains_key(present) {
                continue;
            }
            if let Some(value) = params.shift_remove(former) {
                params.insert(present.to_owned(), value);
            }
        }
    }

    /// Names the vault where the parameters name none, and where one is needed: to
    /// find a secret that they name, or because the tool asks for it. A call that
    /// gives its secret otherwise must not get a second one.
    pub fn default_vault(&self, params: &mut Map<String, Value>, vault: Value) {
        let [name, _] = VAULT;
        let given = |names: &[&str]| names.iter().any(|name| params.contains_key(*name));
        if self.takes(name) && !given(&VAULT) && (given(&CREDENTIAL) || self.requires(name)) {
            params.insert(name.to_owned(), vault);
        }
    }

    fn takes(&self, json_name: &str) -> bool {
        let input = self.tool.method.input();
        input.get_field_by_json_name(json_name).is_some()
    }

    fn requires(&self, json_name: &str) -> bool {
        let required = self.tool.input_schema.get("required");
        let mut names = required.and_then(Value::as_array).into_iter().flatten();
        names.any(|name| name == json_name)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::fixture;

    fn renamed(tool: &str, params: serde_json::Value) -> serde_json::Value {
        let catalog = fixture::ours();
        let mut params = params.as_object().cloned().unwrap();
        catalog.get(tool).unwrap().rename(&mut params);
        params.into()
    }

    fn in_vault(tool: &str, params: serde_json::Value) -> serde_json::Value {
        let catalog = fixture::ours();
        let mut params = params.as_object().cloned().unwrap();
        let found = catalog.get(tool).unwrap();
        found.default_vault(&mut params, json!("shop"));
        params.into()
    }

    #[test]
    fn former_names_hold_for_calls_by_former_names() {
        let former = json!({"taskId": "nightly"});
        let present = json!({"scheduleId": "nightly"});
        assert_eq!(renamed("cron_get_task", former.clone()), present);
        assert_eq!(renamed("cron_get_task", present.clone()), present);
        assert_eq!(renamed("scheduler.get", former.clone()), former);
        assert_eq!(renamed("cron_list_tasks", former.clone()), former);
        let both = json!({"taskId": "a", "scheduleId": "b"});
        assert_eq!(renamed("cron_get_task", both.clone()), both);
    }

    #[test]
    fn vault_is_named_where_one_is_needed() {
        let named = json!({"vaultName": "shop"});
        assert_eq!(in_vault("vault.list", json!({})), named);
        assert_eq!(in_vault("vault.list_vaults", json!({})), json!({}));
        let other = json!({"vaultName": "mine", "credentialName": "x"});
        assert_eq!(in_vault("vault.get", other.clone()), other);
        let other = json!({"vault_name": "mine", "credential_name": "x"});
        assert_eq!(in_vault("vault.get", other.clone()), other);
        let inline = json!({"connectionString": "file:a.db"});
        assert_eq!(in_vault("db.connect", inline.clone()), inline);
        let secret = in_vault("db.connect", json!({"credentialName": "x"}));
        assert_eq!(secret["vaultName"], "shop");
    }
}
