//! This process's place in the registry.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use gearmesh_registry::{Instance, Registration, Registry};

use crate::config::Process;
use crate::error::Error;
use crate::service::{GATEWAY, Service};

/// The tag with the version that an instance runs.
pub(crate) const VERSION_TAG: &str = "version";

/// Longest id of an instance: it is part of names elsewhere.
const ID_MAX: usize = 64;

/// How long a registry may take to hear that an instance leaves; then its check says so.
const LEAVE_MAX: Duration = Duration::from_secs(3);

/// How long callers may take to hear of it. Meanwhile the instance serves on, so that
/// nobody meets a closed door. A blocking query answers within milliseconds.
const SPREAD: Duration = Duration::from_secs(1);

/// The places of a process's engines, and the registry, which is kept up to date as
/// long as this is held.
#[derive(Debug, Default)]
pub(crate) struct Registered {
    places: Vec<Registration>,
    _registry: Option<Registry>,
}

impl Registered {
    /// Says that the engines of a process serve. Those behind a gateway are reached
    /// by nobody else, and have no place.
    ///
    /// # Errors
    /// [`Error::Config`] when the address to be told cannot be known.
    pub(crate) fn enter(
        registry: Registry,
        services: &[Service],
        process: &Process,
        (scheme, address): (&str, SocketAddr),
        folder: &Path,
    ) -> Result<Self, Error> {
        if !registry.spreads() || services.iter().any(|s| s.name == GATEWAY) {
            return Ok(Self {
                places: Vec::new(),
                _registry: Some(registry),
            });
        }
        let url = advertised(process, scheme, address)?;
        let id = id(process, folder)?;
        let places = services.iter().map(|service| {
            registry.register(Instance {
                id: id.clone(),
                engine: service.name.to_owned(),
                url: url.clone(),
                tags: vec![format!("{VERSION_TAG}={}", env!("CARGO_PKG_VERSION"))],
            })
        });
        Ok(Self {
            places: places.collect(),
            _registry: Some(registry),
        })
    }

    /// Leaves, and waits until others have heard of it: the first step of a drain.
    pub(crate) async fn leave(&mut self) {
        if self.places.is_empty() {
            return;
        }
        let leaving = self.places.drain(..).map(Registration::deregister);
        let left = tokio::time::timeout(LEAVE_MAX, futures::future::join_all(leaving)).await;
        if left.is_err() {
            tracing::warn!("the registry was not told in time that this process leaves");
        } else {
            tokio::time::sleep(SPREAD).await;
        }
    }
}

/// The address by which other instances of its services reach this process. None behind a
/// gateway, which serves nothing else, and where no address can be told.
pub(crate) fn endpoint(
    process: &Process,
    services: &[Service],
    scheme: &str,
    listener: &tokio::net::TcpListener,
) -> Option<String> {
    if services.iter().any(|s| s.name == GATEWAY) {
        return None;
    }
    advertised(process, scheme, listener.local_addr().ok()?).ok()
}

/// The address by which others reach this process.
fn advertised(process: &Process, scheme: &str, address: SocketAddr) -> Result<String, Error> {
    match &process.advertise {
        Some(host) if host.contains("://") => Ok(host.clone()),
        Some(authority) => Ok(format!("{scheme}://{authority}")),
        None if address.ip().is_unspecified() => Err(Error::Config {
            key: "advertise".into(),
            reason: format!(
                "is missing: others cannot reach {address}; give HOST:PORT by which this process is reached"
            ),
        }),
        None => Ok(format!("{scheme}://{address}")),
    }
}

/// The id of this process's instances: the configured one, else one that stays with
/// the state folder. It is journaled with what an instance began, so that the one
/// that has the state is asked again.
pub(crate) fn id(process: &Process, folder: &Path) -> Result<String, Error> {
    if let Some(id) = &process.instance {
        return if is_id(id) {
            Ok(id.clone())
        } else {
            Err(Error::Config {
                key: "instance".into(),
                reason: format!("must be 1 to {ID_MAX} of a-z, 0-9 and `-`, as file-1"),
            })
        };
    }
    let path = folder.join("instance");
    let failed = |source| Error::Folder {
        path: path.clone(),
        source,
    };
    match std::fs::read_to_string(&path) {
        Ok(kept) if is_id(kept.trim()) => return Ok(kept.trim().to_owned()),
        Ok(_) => {}
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
        Err(e) => return Err(failed(e)),
    }
    let id = format!("{:012x}", fastrand::u64(..1 << 48));
    std::fs::create_dir_all(folder).map_err(failed)?;
    std::fs::write(&path, &id).map_err(failed)?;
    Ok(id)
}

fn is_id(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=ID_MAX).contains(&text.len()) && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn id_stays_with_the_folder_unless_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Process::default();
        let first = id(&process, folder.path()).unwrap();
        assert!(is_id(&first));
        assert_eq!(id(&process, folder.path()).unwrap(), first);
        process.instance = Some("file-1".into());
        assert_eq!(id(&process, folder.path()).unwrap(), "file-1");
        for bad in ["", "File", "a b", "a/b", &"x".repeat(ID_MAX + 1)] {
            process.instance = Some(bad.into());
            assert!(id(&process, folder.path()).is_err(), "{bad:?}");
        }
        process.instance = Some("x".repeat(ID_MAX));
        assert!(id(&process, folder.path()).is_ok());
    }

    #[test]
    fn address_that_names_no_host_must_be_told() {
        let mut process = Process::default();
        let any = "0.0.0.0:8443".parse().unwrap();
        let own = "127.0.0.1:8443".parse().unwrap();
        let of = |process: &Process, address| advertised(process, "https", address);
        assert_eq!(of(&process, own).unwrap(), "https://127.0.0.1:8443");
        let error = of(&process, any).unwrap_err().to_string();
        assert!(error.contains("`advertise`"), "{error}");
        process.advertise = Some("file-1.example:8443".into());
        let url = of(&process, any).unwrap();
        assert_eq!(url, "https://file-1.example:8443");
    }
}
