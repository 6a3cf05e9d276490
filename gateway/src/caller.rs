//! Who calls, and what that one may do.

use std::sync::Arc;

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::{Rpc, Tool, includes};
use gearmesh_fault::Refusal;
use serde_json::Value;

/// The metadata of a refusal that names the scope which is missing.
pub(crate) const SCOPE: &str = "scope";

/// Whoever has logged in: an extension of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Caller {
    principal: Option<Arc<str>>,
    scopes: Arc<[String]>,
}

impl Caller {
    /// The user of this machine, where the mesh serves loopback without login.
    pub(crate) fn local() -> Self {
        Self {
            principal: None,
            scopes: Arc::new(["*".to_owned()]),
        }
    }

    /// Somebody with a name.
    pub(crate) fn named(principal: &str, scopes: &[String]) -> Self {
        Self {
            principal: Some(principal.into()),
            scopes: scopes.into(),
        }
    }

    /// On whose behalf calls are made; none for the user of this machine.
    pub(crate) fn principal(&self) -> Option<&str> {
        self.principal.as_deref()
    }

    /// What the one with a name may do, for the runs that are started on its behalf;
    /// none: everything.
    pub(crate) fn scopes(&self) -> Option<String> {
        self.principal.as_ref().map(|_| self.scopes.join(" "))
    }

    /// Whether a tool may be called with these parameters: their values can make a
    /// call weaker than its tool.
    ///
    /// # Errors
    /// PERMISSION_DENIED naming the scope that is missing.
    pub(crate) fn may_call(&self, tool: &Tool, params: &Value) -> Result<(), Refusal> {
        let word = tool.class_of(params).effect.scope_word();
        self.may(&format!("{}:{word}", tool.engine), &tool.id)
    }

    /// Whether some call of a tool would be let through: it is shown in lists then.
    pub(crate) fn may_ever(&self, tool: &Tool) -> bool {
        let narrowed = tool.narrow.iter().filter_map(|n| n.effect);
        narrowed.chain([tool.effect]).any(|effect| {
            let needed = format!("{}:{}", tool.engine, effect.scope_word());
            self.holds(&needed)
        })
    }

    /// Whether an RPC may be called, whatever its request holds.
    ///
    /// # Errors
    /// As [`Caller::may_call`].
    pub(crate) fn may_use(&self, rpc: &Rpc) -> Result<(), Refusal> {
        match (&rpc.tool, &rpc.access) {
            (Some(tool), _) => self.may(&tool.scope(), &tool.id),
            (None, Some(access)) => self.may(&access.scope, &rpc.path),
            // Nobody may call what has no option; the gateway does not serve it.
            (None, None) => self.may(&format!("{}:admin", rpc.engine), &rpc.path),
        }
    }

    fn may(&self, needed: &str, what: &str) -> Result<(), Refusal> {
        if self.holds(needed) {
            return Ok(());
        }
        let who = self.principal().unwrap_or("you");
        let text = format!("`{what}` needs the scope `{needed}`, which `{who}` does not have");
        Err(Refusal::new(CommonFault::PermissionDenied, text).with(SCOPE, needed))
    }

    fn holds(&self, needed: &str) -> bool {
        self.scopes.iter().any(|held| includes(held, needed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_names_the_scope() {
        let caller = Caller::named("token/reports", &["file:read".to_owned()]);
        let refusal = caller
            .may("file:write", "file.copy")
            .unwrap_err()
            .to_string();
        assert!(
            refusal.contains("`file:write`") && refusal.contains("`token/reports`"),
            "{refusal}"
        );
    }
}
