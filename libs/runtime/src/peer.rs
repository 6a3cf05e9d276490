//! Who may call what: the matrix of peers and RPCs, default deny.

use gearmesh_api::DESCRIPTORS;
use gearmesh_api::tool::v1::CommonFault;
use gearmesh_catalog::{Catalog, Engines, Rpc, Source};
use gearmesh_fault::Refusal;
use gearmesh_link::{Holder, Peer, names};

/// Packages of services that every engine serves beside its own.
const SHARED: &[&str] = &["ledger"];

/// The check before all others. What the descriptors do not admit is refused.
#[derive(Debug)]
pub(crate) struct Matrix {
    /// Whether callers from elsewhere speak TLS; plain text is for this machine alone.
    secured: bool,
    /// The services that every engine serves; no engine's catalogue has them.
    shared: Catalog,
}

impl Matrix {
    pub(crate) fn new(secured: bool) -> Result<Self, gearmesh_link::Error> {
        let shared = Catalog::build(&[Source {
            descriptors: DESCRIPTORS,
            engines: Engines::Only(SHARED),
        }])?;
        Ok(Self { secured, shared })
    }

    /// Whether the peer of a request may call the RPC of this path.
    ///
    /// # Errors
    /// UNAUTHENTICATED for strangers, PERMISSION_DENIED naming peer, RPC and who may
    /// for others, NOT_IMPLEMENTED for a path that nothing describes.
    pub(crate) fn admit(
        &self,
        catalog: &Catalog,
        path: &str,
        peer: Option<&Peer>,
    ) -> Result<(), Refusal> {
        if peer.is_none() && !self.secured {
            return Ok(());
        }
        let role = peer.map_or(Holder::STRANGER, Peer::role);
        let Some(rpc) = catalog.rpc(path).or_else(|| self.shared.rpc(path)) else {
            return Err(if role == Holder::STRANGER {
                stranger(path)
            } else {
                let text = format!("no RPC `{path}` is described here");
                Refusal::new(CommonFault::NotImplemented, text)
            });
        };
        if rpc.admits(role) {
            return Ok(());
        }
        if role == Holder::STRANGER {
            return Err(stranger(path));
        }
        let may = allowed(rpc);
        let text = format!("`{role}` may not call `{path}`; {may} may");
        let peer = peer.map(ToString::to_string).unwrap_or_default();
        Err(Refusal::new(CommonFault::PermissionDenied, text)
            .with("peer", peer)
            .with("rpc", path)
            .with("allowed", may))
    }

    /// Whether anything of an engine is there for callers without a certificate.
    pub(crate) fn admits_strangers(catalog: &Catalog) -> bool {
        catalog.rpcs().any(|rpc| rpc.admits(Holder::STRANGER))
    }

    /// Whether a request may ask for the descriptors: anybody that is known.
    ///
    /// # Errors
    /// UNAUTHENTICATED for strangers.
    pub(crate) fn describes_to(&self, peer: Option<&Peer>) -> Result<(), Refusal> {
        match peer {
            None if !self.secured => Ok(()),
            Some(peer) if !peer.is_stranger() => Ok(()),
            _ => Err(stranger("reflection")),
        }
    }
}

fn stranger(what: &str) -> Refusal {
    let text = format!("`{what}` needs a client certificate of this mesh, and none was shown");
    Refusal::new(CommonFault::Unauthenticated, text)
}

/// The roles that may call an RPC, for people.
fn allowed(rpc: &Rpc) -> String {
    let mut roles: Vec<&str> = match (&rpc.tool, &rpc.access) {
        (Some(tool), _) => [Holder::GATEWAY, "orchestrator"]
            .into_iter()
            .chain(tool.peers.iter().map(String::as_str))
            .collect(),
        (None, Some(access)) => access.peers.iter().map(String::as_str).collect(),
        (None, None) => Vec::new(),
    };
    roles.dedup();
    if roles.is_empty() {
        return "nobody".to_owned();
    }
    roles.join(", ")
}

/// Takes away the metadata that services of the mesh alone may set, when somebody
/// else sent it.
pub(crate) fn strip(headers: &mut http::HeaderMap, peer: Option<&Peer>) {
    if peer.is_none_or(Peer::is_service) {
        return;
    }
    let internal: Vec<_> = headers
        .keys()
        .filter(|name| name.as_str().starts_with(names::INTERNAL_PREFIX))
        .cloned()
        .collect();
    for name in internal {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use gearmesh_fault::Failure;
    use prost_reflect::{DescriptorPool, Value};
    use tonic::Status;

    use super::*;

    fn catalog() -> Catalog {
        Catalog::build(&[Source {
            descriptors: DESCRIPTORS,
            engines: Engines::All,
        }])
        .expect("the project's descriptors")
    }

    /// Path and admitted roles of every RPC, read from the raw options by another
    /// way than the catalogue's.
    fn written() -> Vec<(String, BTreeSet<String>)> {
        let pool = DescriptorPool::decode(DESCRIPTORS).expect("descriptors");
        let option = |name: &str| {
            pool.get_extension_by_name(&format!("gearmesh.tool.v1.{name}"))
                .expect("an option of ours")
        };
        let (tool, access) = (option("tool"), option("access"));
        let peers = |value: &Value| -> BTreeSet<String> {
            let message = value.as_message().expect("a message");
            let list = message.get_field_by_name("peers").expect("peers");
            let texts = list.as_list().expect("a list").iter();
            texts
                .map(|t| t.as_str().expect("text").to_owned())
                .collect()
        };
        let mut out = Vec::new();
        for service in pool
            .services()
            .filter(|s| s.full_name().starts_with("gearmesh."))
        {
            for method in service.methods() {
                let options = method.options();
                let mut roles = BTreeSet::new();
                if options.has_extension(&tool) {
                    roles.extend(["gateway".to_owned(), "orchestrator".to_owned()]);
                    roles.extend(peers(&options.get_extension(&tool)));
                } else if options.has_extension(&access) {
                    roles.extend(peers(&options.get_extension(&access)));
                }
                out.push((format!("/{}/{}", service.full_name(), method.name()), roles));
            }
        }
        out
    }

    #[test]
    fn every_cell_of_the_matrix_is_as_the_descriptors_say() {
        let (catalog, matrix) = (catalog(), Matrix::new(true).expect("a matrix"));
        let rpcs = written();
        let mut roles: BTreeSet<String> = catalog.engines().iter().map(|e| e.id.clone()).collect();
        roles.extend(["gateway".into(), "nobody_knows".into()]);
        let mut cells = 0;
        for (path, admitted) in &rpcs {
            for role in &roles {
                let peer = Peer::local(role);
                let answer = matrix.admit(&catalog, path, Some(&peer));
                assert_eq!(answer.is_ok(), admitted.contains(role), "{role} -> {path}");
                if let Err(refusal) = answer {
                    let failure = Failure::of(&Status::from(refusal));
                    assert_eq!(failure.reason, "PERMISSION_DENIED");
                    for key in ["peer", "rpc", "allowed"] {
                        assert!(failure.metadata.contains_key(key), "{key}");
                    }
                }
                cells += 1;
            }
            for stranger in [Some(&Peer::stranger()), None] {
                let answer = matrix.admit(&catalog, path, stranger);
                assert_eq!(answer.is_ok(), admitted.contains("stranger"), "{path}");
                if let Err(refusal) = answer {
                    let status = Status::from(refusal);
                    assert_eq!(Failure::of(&status).reason, "UNAUTHENTICATED");
                }
                cells += 1;
            }
        }
        assert!(rpcs.len() > 40 && cells > 400, "{cells} cells");
        println!("{cells} cells of {} RPCs", rpcs.len());
    }

    #[test]
    fn strangers_reach_the_signing_of_leaves_alone() {
        let open: Vec<String> = written()
            .into_iter()
            .filter(|(_, roles)| roles.contains("stranger"))
            .map(|(path, _)| path)
            .collect();
        assert_eq!(open, ["/gearmesh.identity.v1.IdentityService/SignLeaf"]);
    }

    #[test]
    fn path_that_nothing_describes_is_refused() {
        let (catalog, matrix) = (catalog(), Matrix::new(true).expect("a matrix"));
        let peer = Peer::local("gateway");
        let refusal = matrix
            .admit(&catalog, "/x.Y/Z", Some(&peer))
            .expect_err("refused");
        assert_eq!(
            Failure::of(&Status::from(refusal)).reason,
            "NOT_IMPLEMENTED"
        );
        assert!(matrix.describes_to(Some(&peer)).is_ok());
        assert!(matrix.describes_to(Some(&Peer::stranger())).is_err());
        assert!(matrix.describes_to(None).is_err());
    }

    #[test]
    fn plain_loopback_has_no_peers() {
        let (catalog, matrix) = (catalog(), Matrix::new(false).expect("a matrix"));
        let path = "/gearmesh.ledger.v1.LedgerService/Fence";
        assert!(matrix.admit(&catalog, path, None).is_ok());
        let file = Peer::local("file");
        assert!(matrix.admit(&catalog, path, Some(&file)).is_err());
    }

    #[test]
    fn metadata_of_the_mesh_is_taken_from_others() {
        let headers = || {
            let mut headers = http::HeaderMap::new();
            headers.insert(names::RUN, http::HeaderValue::from_static("run_x"));
            headers.insert(names::KEY, http::HeaderValue::from_static("k"));
            headers
        };
        for (peer, left) in [
            (None, 2),
            (Some(Peer::local("db")), 2),
            (Some(Peer::stranger()), 1),
        ] {
            let mut headers = headers();
            strip(&mut headers, peer.as_ref());
            assert_eq!(headers.len(), left, "{peer:?}");
        }
    }
}
