//! What a keyed call means to the engine that commits key and effect together.

use gearmesh_link::Call;

/// A call with an idempotency key, as the layers hand it to an engine whose tool
/// commits effect and key in one transaction (class TXN).
#[derive(Debug, Clone)]
pub struct Keyed {
    /// The tool's id.
    pub tool: String,
    /// The engine's id.
    pub engine: &'static str,
    /// Hash of the request: another request under the same key is refused.
    pub hash: [u8; 32],
    /// What travelled beside the request.
    pub call: Call,
}

impl Keyed {
    /// The keyed call of a request; none when it came without a key.
    #[must_use]
    pub fn of<T>(request: &tonic::Request<T>) -> Option<Self> {
        request.extensions().get::<Self>().cloned()
    }

    /// The entry that this call makes in a ledger, under [`Call::own_key`].
    #[must_use]
    pub fn entry(&self) -> gearmesh_store::Call {
        let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
        gearmesh_store::Call {
            owner: self.engine.to_owned(),
            tool: self.tool.clone(),
            key: self.call.own_key().unwrap_or_default(),
            run: self.call.run.clone().unwrap_or_default(),
            task: self.call.task.clone().unwrap_or_default(),
            item: i64::from(self.call.item),
            pass: i64::from(self.call.pass),
            epoch: signed(self.call.epoch),
            attempt: i64::from(self.call.attempt),
            hash: self.hash,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_counts_for_its_caller_alone_and_in_a_run_for_the_run() {
        let key = |principal: Option<&str>, run: Option<&str>| {
            let call = Call {
                key: Some("k".into()),
                principal: principal.map(str::to_owned),
                run: run.map(str::to_owned),
                ..Call::default()
            };
            let keyed = Keyed {
                tool: "state.put".into(),
                engine: "state",
                hash: [0; 32],
                call,
            };
            keyed.entry().key
        };
        let (ada, bob) = (key(Some("token/ada"), None), key(Some("agent/bob"), None));
        assert!(ada != bob && ada != key(None, None), "{ada} {bob}");
        for principal in [None, Some("token/ada"), Some("agent/bob")] {
            assert_eq!(key(principal, Some("run_1")), "k");
        }
    }
}
