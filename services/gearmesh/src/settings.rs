//! From what the command line says to the settings of the mesh.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use gearmesh_cli::{StartError, StartOptions};
use gearmesh_runtime::Config;
use serde_json::json;

/// Absolute prefixes that lead into the folder of the state on a laptop, by the names
/// of their roots.
const LAPTOP_ROOTS: [&str; 4] = ["results", "backup", "reports", "tmp"];

/// The settings of a folder, when no file is named.
const CONFIG_FILE: &str = "gearmesh.toml";

/// Where a mesh with a gateway listens when nothing says where.
const LISTEN: &str = "127.0.0.1:8420";

/// Reads the settings and adds what the command line says; makes the folders.
pub(crate) fn of(options: &StartOptions) -> Result<Config, StartError> {
    let folder = self::folder(&options.folder)?;
    let mut config = load(options, &folder)?;
    if options.laptop {
        for name in LAPTOP_ROOTS {
            let at = format!("/{name}");
            if config.get(&format!("file.roots.{name}")).is_none()
                && !options.roots.iter().any(|(prefix, _)| *prefix == at)
            {
                set_root(&mut config, name, &at, &folder.join("roots").join(name))?;
            }
        }
    }
    // Workflow files below the folder in which the mesh was started may name theirs.
    if config.get("orchestrator.folders").is_none() {
        let here = absolute(Path::new("."))?;
        config.set("orchestrator.folders", json!([here.to_string_lossy()]));
    }
    for (prefix, target) in &options.roots {
        let name = prefix
            .trim_start_matches('/')
            .replace(|c: char| !c.is_ascii_alphanumeric(), "_")
            .to_ascii_lowercase();
        set_root(&mut config, &name, prefix, &absolute(target)?)?;
    }
    match options.listen {
        Some(address) => config.set("listen", address.to_string()),
        None if config.get("listen").is_none() && has_gateway(options) => {
            config.set("listen", LISTEN)
        }
        None => {}
    }
    if options.announce {
        config.set(
            "endpoint",
            folder.join("endpoint").to_string_lossy().into_owned(),
        );
    }
    for (key, value) in &options.set {
        let section = key.split('.').next().unwrap_or_default();
        if !Config::knows(section) {
            return Err(invalid(format!(
                "--set {key}: there is no section `{section}`"
            )));
        }
        config.set(key, value.clone());
    }
    Ok(config)
}

/// The settings of the file: of the usual one if it is there, of a named one in any case.
fn load(options: &StartOptions, folder: &Path) -> Result<Config, StartError> {
    let file = options
        .config_file
        .as_deref()
        .unwrap_or(Path::new(CONFIG_FILE));
    if options.config_file.is_some() {
        std::fs::metadata(file)
            .map_err(|e| invalid(format!("cannot read --config {}: {e}", file.display())))?;
    }
    Config::load(file, folder).map_err(|e| invalid(e.to_string()))
}

/// Names of the engines that the settings join from elsewhere.
pub(crate) fn joined(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = config
        .get("engines")
        .and_then(|e| e.as_object())
        .into_iter()
        .flat_map(|e| e.keys().cloned())
        .collect();
    let registry = config
        .get("registry")
        .and_then(|r| r.as_str())
        .unwrap_or_default();
    if let Some(list) = registry.strip_prefix("static:") {
        names.extend(
            list.split(',')
                .filter_map(|entry| entry.split_once('='))
                .map(|(name, _)| name.to_owned()),
        );
    }
    names
}

fn has_gateway(options: &StartOptions) -> bool {
    options
        .services
        .as_ref()
        .is_none_or(|s| s.iter().any(|s| s == "gateway"))
}

fn set_root(config: &mut Config, name: &str, at: &str, target: &Path) -> Result<(), StartError> {
    make(target).map_err(|mut error| {
        error.help = Some(format!("--root {at}=DIR names another folder for {at}"));
        error
    })?;
    let root = json!({"path": target.to_string_lossy(), "write": true, "at": at});
    config.set(&format!("file.roots.{name}"), root);
    Ok(())
}

/// The folder of a state, made if it is not there.
pub(crate) fn folder(path: &Path) -> Result<PathBuf, StartError> {
    let folder = absolute(path)?;
    make(&folder)?;
    Ok(folder)
}

fn absolute(path: &Path) -> Result<PathBuf, StartError> {
    std::path::absolute(path).map_err(|e| unusable(path, &e))
}

/// Makes a folder that its owner alone can read.
fn make(folder: &Path) -> Result<(), StartError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| unusable(folder, &e))
}

pub(crate) fn unusable(path: &Path, error: &std::io::Error) -> StartError {
    StartError {
        code: StartError::FAILED,
        message: format!("cannot use {}: {error}", path.display()),
        help: Some("--folder names another folder for the state".to_owned()),
    }
}

pub(crate) fn invalid(message: String) -> StartError {
    StartError {
        code: StartError::CONFIG,
        message,
        help: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(folder: &Path) -> StartOptions {
        StartOptions {
            folder: folder.join("state"),
            config_file: Some(folder.join("gearmesh.toml")),
            laptop: true,
            ..StartOptions::default()
        }
    }

    #[test]
    fn misspelt_settings_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut missing = options(folder.path());
        let error = of(&missing).unwrap_err();
        assert_eq!(error.code, StartError::CONFIG);
        assert!(error.message.contains("gearmesh.toml"), "{error:?}");
        missing.config_file = None;
        missing.set = vec![("foo.bar".into(), json!(1))];
        let error = of(&missing).unwrap_err();
        assert_eq!(error.code, StartError::CONFIG);
        assert!(error.message.contains("`foo`"), "{error:?}");
    }

    #[test]
    fn root_that_is_a_file_names_its_flag() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("plain.txt");
        std::fs::write(&file, "").unwrap();
        let mut options = options(folder.path());
        options.config_file = None;
        options.roots = vec![("/results".into(), file)];
        let help = of(&options).unwrap_err().help.unwrap_or_default();
        assert!(help.contains("--root /results=DIR"), "{help}");
    }

    #[test]
    fn laptop_has_the_usual_prefixes() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("gearmesh.toml"), "").unwrap();
        let config = of(&options(folder.path())).unwrap();
        let root = config.get("file.roots.results").unwrap();
        assert_eq!(
            (&root["at"], &root["write"]),
            (&json!("/results"), &json!(true))
        );
        assert!(folder.path().join("state/roots/tmp").is_dir());
        assert_eq!(config.get("listen"), Some(&json!(LISTEN)));
        assert_eq!(config.get("endpoint"), None);
    }

    #[test]
    fn command_line_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file =
            "listen = \"127.0.0.1:1\"\n[file.roots.backup]\npath = \"mine\"\n[http]\nports = [1]\n";
        std::fs::write(folder.path().join("gearmesh.toml"), file).unwrap();
        let mut options = options(folder.path());
        let config = of(&options).unwrap();
        assert_eq!(config.get("listen"), Some(&json!("127.0.0.1:1")));
        assert_eq!(config.get("file.roots.backup.path"), Some(&json!("mine")));
        options.listen = Some(([127, 0, 0, 1], 2).into());
        options.set = vec![("http.ports".into(), json!([2]))];
        options.roots = vec![("/results".into(), folder.path().join("out"))];
        let config = of(&options).unwrap();
        assert_eq!(config.get("listen"), Some(&json!("127.0.0.1:2")));
        assert_eq!(config.get("http.ports"), Some(&json!([2])));
        assert_eq!(
            config.get("file.roots.results.path"),
            Some(&json!(folder.path().join("out")))
        );
        assert!(folder.path().join("out").is_dir());
    }

    #[test]
    fn engines_from_elsewhere_are_known_by_name() {
        let mut config = Config::new("x");
        config.set("engines.fixture.url", "http://127.0.0.1:1");
        config.set(
            "registry",
            "static:file=http://127.0.0.1:2,state=http://127.0.0.1:3",
        );
        assert_eq!(joined(&config), ["fixture", "file", "state"]);
    }
}
