//! Connections by name: opened when they are first used, kept while they are the same.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gearmesh_api::tool::v1::CommonFault;
use gearmesh_fault::Refusal;
use gearmesh_runtime::{Context, Found};
use tonic::{Code, Status};

use crate::config::Config;
use crate::database::{Database, Settings};
use crate::error::Error;
use crate::files::Files;

/// The kind that this engine's connections have.
pub(crate) const KIND: &str = "db";

/// The databases of this process.
#[derive(Debug)]
pub(crate) struct Connections {
    pub(crate) cx: Context,
    files: Files,
    /// By name, with the version of the settings that they were opened with.
    open: Mutex<HashMap<String, (u64, Arc<Database>)>>,
}

/// Where the settings of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Configuration,
    Vault,
    Nowhere,
}

/// A connection as it is listed.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) r#type: String,
    pub(crate) open: u32,
    pub(crate) idle: usize,
    pub(crate) pool_size: u32,
}

impl Connections {
    pub(crate) fn new(cx: Context, config: &Config) -> Self {
        let files = Files::new(&config.folders, cx.folder().join(KIND));
        Self {
            cx,
            files,
            open: Mutex::default(),
        }
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, (u64, Arc<Database>)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The database of this name; of an empty one the only one there is.
    pub(crate) async fn find(&self, name: &str) -> Result<Arc<Database>, Status> {
        let name = (!name.is_empty()).then_some(name);
        let found = self.cx.connections().find(KIND, name).await?;
        if let Some((version, database)) = self.open().get(&found.name)
            && *version == found.version
        {
            return Ok(database.clone());
        }
        let settings = settings(&found)?;
        let database = Arc::new(self.made(&found.name, &settings).await?);
        Ok(self.keep(found.version, database))
    }

    /// Keeps a database, unless another call was faster; an older one is closed.
    fn keep(&self, version: u64, database: Arc<Database>) -> Arc<Database> {
        let mut open = self.open();
        if let Some((kept, same)) = open.get(&database.name)
            && *kept == version
        {
            return same.clone();
        }
        let older = open.insert(database.name.clone(), (version, database.clone()));
        drop(open);
        if let Some((_, older)) = older {
            self.close(older);
        }
        database
    }

    fn close(&self, database: Arc<Database>) {
        self.cx.spawn(async move { database.close().await });
    }

    async fn made(&self, name: &str, settings: &Settings) -> Result<Database, Status> {
        if settings.r#type == "mongodb" {
            return Err(Error::NotBuilt(settings.r#type.clone()).into());
        }
        let secrets = self.cx.secrets();
        let text = secrets.resolve(&settings.connection_string).await?;
        Ok(Database::new(name, settings, text.expose(), &self.files)?)
    }

    /// Logs in, then saves the settings.
    pub(crate) async fn connect(&self, name: &str, settings: &Settings) -> Result<(), Status> {
        if self.place(name).await? == Place::Configuration {
            let what =
                "is a connection of the configuration, which counts first; choose another name";
            return Err(Error::parameter("connectionId", what).into());
        }
        let database = self.made(name, settings).await?;
        database.verify().await?;
        let unwritable = |e: serde_json::Error| {
            Status::from(Refusal::new(CommonFault::InternalError, e.to_string()))
        };
        let value = serde_json::to_value(settings).map_err(unwritable)?;
        (self.cx.connections()).save(KIND, name, value).await?;
        // The next call opens it with its new version.
        self.forget(name);
        Ok(())
    }

    /// Lets the pools go; says whether there were some.
    pub(crate) fn forget(&self, name: &str) -> bool {
        let Some((_, database)) = self.open().remove(name) else {
            return false;
        };
        self.close(database);
        true
    }

    /// Lets the pools go, and the settings when they were saved.
    pub(crate) async fn disconnect(&self, name: &str) -> Result<bool, Status> {
        let place = self.place(name).await?;
        let open = self.forget(name);
        match place {
            Place::Configuration | Place::Nowhere => Ok(open),
            Place::Vault => {
                let saved = self.cx.connections().remove(KIND, name).await?;
                Ok(open || saved)
            }
        }
    }

    /// Where a connection's settings are.
    async fn place(&self, name: &str) -> Result<Place, Status> {
        match self.cx.connections().find(KIND, Some(name)).await {
            Ok(found) if found.version == 0 => Ok(Place::Configuration),
            Ok(_) => Ok(Place::Vault),
            Err(e) if e.code() == Code::NotFound => Ok(Place::Nowhere),
            Err(e) => Err(e),
        }
    }

    /// All connections, by name.
    pub(crate) async fn list(&self) -> Result<Vec<Listed>, Status> {
        let connections = self.cx.connections();
        let mut all = Vec::new();
        for name in connections.list(KIND).await? {
            // One that went away meanwhile is not listed.
            let Ok(found) = connections.find(KIND, Some(&name)).await else {
                continue;
            };
            let settings = settings(&found).unwrap_or_default();
            let figures = self.open().get(&name).map(|(_, d)| d.figures());
            let (open, idle) = figures.unwrap_or_default();
            all.push(Listed {
                name,
                pool_size: settings.pool_size(),
                r#type: settings.r#type,
                open,
                idle,
            });
        }
        Ok(all)
    }
}

fn settings(found: &Found) -> Result<Settings, Error> {
    serde_json::from_value(found.settings.clone()).map_err(|e| Error::Settings {
        name: found.name.clone(),
        what: format!("its settings do not fit: {e}"),
    })
}
