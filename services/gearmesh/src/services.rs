//! The services of the binary. A new one is a line here and one in `Cargo.toml`.

use gearmesh_runtime::Service;

/// All services; each starts in this order.
const ALL: &[Service] = &[
    gearmesh_identity::SERVICE,
    gearmesh_vault::SERVICE,
    gearmesh_state::SERVICE,
    gearmesh_file::SERVICE,
    gearmesh_http::SERVICE,
    gearmesh_email::SERVICE,
    gearmesh_db::SERVICE,
    gearmesh_browser::SERVICE,
    gearmesh_events::SERVICE,
    gearmesh_orchestrator::SERVICE,
    gearmesh_scheduler::SERVICE,
    gearmesh_gateway::SERVICE,
];

/// Their names.
pub(crate) const NAMES: &[&str] = &{
    let mut names = [""; ALL.len()];
    let mut i = 0;
    while i < ALL.len() {
        names[i] = ALL[i].name;
        i += 1;
    }
    names
};

/// The services of these names; all without names.
pub(crate) fn select(names: Option<&[String]>) -> Vec<Service> {
    ALL.iter()
        .copied()
        .filter(|s| names.is_none_or(|n| n.iter().any(|n| n == s.name)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slice_has_the_named_services_alone() {
        assert_eq!(select(None).len(), NAMES.len());
        let slice = select(Some(&["file".to_owned(), "nothing".to_owned()]));
        assert_eq!(slice.iter().map(|s| s.name).collect::<Vec<_>>(), ["file"]);
    }
}
