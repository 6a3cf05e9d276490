//! What a caller may do, and whether that is enough.

/// Words of scopes, each of which includes those before it.
const RANKS: [&str; 3] = ["read", "write", "destructive"];

/// Whether a scope that is held gives the one that is needed: `*` gives all, `file:*`
/// all of an engine, `file:write` also `file:read`.
#[must_use]
pub fn includes(held: &str, needed: &str) -> bool {
    if held == "*" || held == needed {
        return true;
    }
    let (Some((engine, word)), Some((of, wanted))) = (held.split_once(':'), needed.split_once(':'))
    else {
        return false;
    };
    let rank = |w: &str| RANKS.iter().position(|r| *r == w);
    engine == of
        && (word == "*" || matches!((rank(word), rank(wanted)), (Some(h), Some(n)) if h >= n))
}

/// Whether scopes with blanks between them give the one that is needed.
#[must_use]
pub fn grants(held: &str, needed: &str) -> bool {
    held.split_whitespace().any(|held| includes(held, needed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_includes_those_below_it() {
        for (held, needed, given) in [
            ("*", "vault:reveal", true),
            ("file:*", "file:destructive", true),
            ("file:*", "file:admin", true),
            ("file:*", "vault:read", false),
            ("file:write", "file:read", true),
            ("file:write", "file:write", true),
            ("file:write", "file:destructive", false),
            ("file:destructive", "file:read", true),
            ("file:destructive", "file:admin", false),
            ("file:admin", "file:read", false),
            ("vault:reveal", "vault:reveal", true),
            ("vault:destructive", "vault:reveal", false),
            ("file", "file:read", false),
            ("file:", "file:read", false),
            ("*:read", "file:read", false),
        ] {
            assert_eq!(includes(held, needed), given, "{held} for {needed}");
        }
    }
}
