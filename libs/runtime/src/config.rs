//! Settings: file, then `GEARMESH_*`, then what the caller sets.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::Error;
use crate::leaf::MeshConfig;

/// The settings of a process, as a tree of sections. Each service reads its own
/// section with its own type; unknown keys are errors there.
#[derive(Clone)]
pub struct Config {
    tree: Map<String, Value>,
    folder: PathBuf,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The values may be keys and passwords.
        f.debug_struct("Config")
            .field("keys", &self.tree.keys().collect::<Vec<_>>())
            .field("folder", &self.folder)
            .finish_non_exhaustive()
    }
}

/// A named peer with what is needed to reach it.
#[derive(Clone, PartialEq)]
pub struct Connection {
    /// What speaks there, as `http`.
    pub kind: String,
    /// The settings, without `kind`.
    pub settings: Value,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // As `Found`: the settings may hold a secret.
        f.debug_struct("Connection")
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// Keys at the top that belong to no service.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Process {
    /// Address to listen on; default 127.0.0.1 with a free port.
    pub(crate) listen: Option<String>,
    /// File into which the address is written once it serves.
    pub(crate) endpoint: Option<PathBuf>,
    /// URL of the server whose schemas are the stores, as `postgres://..`; default files in
    /// the state folder.
    pub(crate) store: Option<String>,
    /// Where the other engines of the mesh are.
    pub(crate) registry: Option<String>,
    /// Address by which others reach this process, as HOST:PORT; default the one it
    /// listens on.
    pub(crate) advertise: Option<String>,
    /// Id of this process among those of its engine; default one that the state
    /// folder keeps.
    pub(crate) instance: Option<String>,
    /// Who this process is, and whom it trusts: with it every hop is mTLS.
    pub(crate) mesh: Option<MeshConfig>,
    /// Engines that are not ours.
    pub(crate) engines: BTreeMap<String, Joined>,
}

/// What a `consul:` registry needs beside its URL.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Consul {
    /// ACL token.
    pub(crate) token: Option<String>,
}

/// Keys at the top that are no service's section.
const TOP_KEYS: [&str; 12] = [
    "bus",
    "store",
    "mesh",
    "listen",
    "endpoint",
    "registry",
    "advertise",
    "instance",
    "consul",
    "engines",
    "connections",
    "gateway",
];

/// Refuses a file with a section that nobody reads: a misspelt one would be
/// ignored in silence.
fn known_sections(
    file: &Path,
    source: &config::File<config::FileSourceFile, config::FileFormat>,
) -> Result<(), Error> {
    use config::Source;
    let sections = source.collect().map_err(|e| Error::Config {
        key: file.display().to_string(),
        reason: e.to_string(),
    })?;
    match sections.keys().find(|name| !Config::knows(name)) {
        None => Ok(()),
        Some(name) => Err(Error::Config {
            key: name.clone(),
            reason: format!("is no section that {} can have", file.display()),
        }),
    }
}

/// An engine that is joined by its address.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Joined {
    /// Address of its gRPC server.
    pub(crate) url: String,
}

impl Config {
    /// Empty settings with this state folder.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self {
            tree: Map::new(),
            folder: folder.into(),
        }
    }

    /// Whether somebody reads this key at the top: a process, or a service its section.
    #[must_use]
    pub fn knows(name: &str) -> bool {
        TOP_KEYS.contains(&name) || gearmesh_api::PACKAGES.contains(&name)
    }

    /// Reads `file` if it exists, then the environment's `GEARMESH_*`
    /// (`GEARMESH_GATEWAY__LISTEN` is `gateway.listen`).
    ///
    /// # Errors
    /// [`Error::Config`] naming the key, when the file cannot be read as TOML.
    pub fn load(file: &Path, folder: impl Into<PathBuf>) -> Result<Self, Error> {
        let unreadable = |e: &dyn std::fmt::Display| Error::Config {
            key: file.display().to_string(),
            reason: e.to_string(),
        };
        let written = config::File::from(file)
            .format(config::FileFormat::Toml)
            .required(false);
        known_sections(file, &written)?;
        let settings = config::Config::builder()
            .add_source(written)
            .add_source(
                config::Environment::with_prefix("GEARMESH")
                    .prefix_separator("_")
                    .separator("__")
                    .try_parsing(true),
            )
            .build()
            .map_err(|e| unreadable(&e))?;
        let tree = settings.try_deserialize().map_err(|e| unreadable(&e))?;
        Ok(Self {
            tree,
            folder: folder.into(),
        })
    }

    /// Sets a key, as `file.roots.results`.
    pub fn set(&mut self, key: &str, value: impl Into<Value>) {
        let mut map = &mut self.tree;
        let mut parts = key.split('.').peekable();
        while let Some(part) = parts.next() {
            if parts.peek().is_none() {
                map.insert(part.to_owned(), value.into());
                return;
            }
            let next = map.entry(part).or_insert_with(|| Value::Object(Map::new()));
            if !next.is_object() {
                *next = Value::Object(Map::new());
            }
            map = next.as_object_mut().expect("made an object above");
        }
    }

    /// The value of a key, when it is set.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        let mut parts = key.split('.');
        let mut value = self.tree.get(parts.next()?)?;
        for part in parts {
            value = value.get(part)?;
        }
        Some(value)
    }

    /// The state folder, `.gearmesh/` on a laptop.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A service's section.
    ///
    /// # Errors
    /// [`Error::Config`] naming the section and what does not fit.
    pub fn section<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, Error> {
        let Some(value) = self.tree.get(name) else {
            return Ok(T::default());
        };
        serde_json::from_value(value.clone()).map_err(|e| Error::Config {
            key: name.to_owned(),
            reason: e.to_string(),
        })
    }

    pub(crate) fn process(&self) -> Result<Process, Error> {
        serde_json::from_value(Value::Object(self.tree.clone())).map_err(|e| Error::Config {
            key: "listen, endpoint, registry, advertise, instance, mesh or engines".to_owned(),
            reason: e.to_string(),
        })
    }

    /// The connections of the section `[connections]`, by name.
    ///
    /// # Errors
    /// [`Error::Config`] for one without `kind`.
    pub fn connections(&self) -> Result<BTreeMap<String, Connection>, Error> {
        let section: BTreeMap<String, Map<String, Value>> = self.section("connections")?;
        section
            .into_iter()
            .map(|(name, mut settings)| match settings.shift_remove("kind") {
                Some(Value::String(kind)) => {
                    let settings = Value::Object(settings);
                    Ok((name, Connection { kind, settings }))
                }
                _ => Err(Error::Config {
                    key: format!("connections.{name}.kind"),
                    reason: "is missing; it says what speaks there, as \"http\"".to_owned(),
                }),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, Deserialize, PartialEq)]
    #[serde(default, deny_unknown_fields)]
    struct Section {
        limit: u32,
    }

    #[test]
    fn values_are_shown_to_nobody() {
        let mut config = Config::new("x");
        config.set("vault.rootKey", "hex:geheim");
        config.set("connections.a.kind", "postgres");
        config.set("connections.a.password", "geheim");
        let shown = format!("{config:?} {:?}", config.connections().unwrap());
        assert!(
            shown.contains("vault") && !shown.contains("geheim"),
            "{shown}"
        );
    }

    #[test]
    fn section_is_read_with_its_own_type() {
        let mut config = Config::new("x");
        assert_eq!(
            config.section::<Section>("file").unwrap(),
            Section::default()
        );
        config.set("file.limit", 7);
        assert_eq!(config.section::<Section>("file").unwrap().limit, 7);
        config.set("file.limt", 8);
        let error = config.section::<Section>("file").unwrap_err().to_string();
        assert!(
            error.contains("`file`") && error.contains("limt"),
            "{error}"
        );
    }

    #[test]
    fn connection_without_kind_is_refused_by_name() {
        let mut config = Config::new("x");
        config.set("connections.demo.url", "http://x");
        let error = config.connections().unwrap_err().to_string();
        assert!(error.contains("connections.demo.kind"), "{error}");
    }

    #[test]
    fn file_is_read_and_a_broken_one_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gearmesh.toml");
        assert!(Config::load(&path, "x").is_ok(), "a missing file is empty");
        std::fs::write(&path, "[http]\nports = [81]\n").unwrap();
        let config = Config::load(&path, "x").unwrap();
        assert_eq!(config.get("http.ports.0"), None);
        assert_eq!(config.get("http.ports").unwrap()[0], 81);
        std::fs::write(&path, "[htp]\nports = [81]\n").unwrap();
        let error = Config::load(&path, "x").unwrap_err().to_string();
        assert!(error.contains("`htp`"), "{error}");
        std::fs::write(&path, "[http\n").unwrap();
        let error = Config::load(&path, "x").unwrap_err().to_string();
        assert!(error.contains("gearmesh.toml"), "{error}");
    }
}
