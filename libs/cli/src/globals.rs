//! Flags that every command has.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::args::pair;
use crate::output::Format;
use crate::style::Wishes;

/// Heading of the flags that say which server, and as whom.
const LOGIN: &str = "Server and login";

/// Flags of every command; they work before and after the verb.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Globals {
    /// Use the server at this address instead of the one of this folder
    #[arg(
        long,
        global = true,
        value_name = "URL",
        help_heading = LOGIN,
        env = "GEARMESH_SERVER",
        hide_env = true
    )]
    pub(crate) server: Option<String>,
    /// A folder that `init --client` made: whom to trust, and who you are
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        help_heading = LOGIN,
        env = "GEARMESH_LOGIN",
        hide_env = true
    )]
    pub(crate) login: Option<PathBuf>,
    /// Roots that are trusted, in PEM
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        help_heading = LOGIN,
        hide_short_help = true,
        env = "GEARMESH_CA",
        hide_env = true
    )]
    pub(crate) ca: Option<PathBuf>,
    /// Your certificate, in PEM
    #[arg(long, global = true, value_name = "FILE", help_heading = LOGIN, hide_short_help = true)]
    pub(crate) cert: Option<PathBuf>,
    /// Its private key, in PEM
    #[arg(long = "cert-key", global = true, value_name = "FILE", help_heading = LOGIN, hide_short_help = true)]
    pub(crate) key: Option<PathBuf>,
    /// A file with an API token; also GEARMESH_TOKEN
    #[arg(long, global = true, value_name = "FILE", help_heading = LOGIN)]
    pub(crate) token_file: Option<PathBuf>,
    #[arg(
        long,
        hide = true,
        global = true,
        env = "GEARMESH_TOKEN",
        hide_env = true,
        hide_env_values = true
    )]
    pub(crate) env_token: Option<String>,
    /// How data is written [default: table]
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
    /// Nothing but data and errors
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Logs of the mesh in this process; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    /// No colours, no redrawing
    #[arg(long, global = true)]
    pub(crate) no_color: bool,
    /// Agree to what would be asked
    #[arg(short, long, global = true)]
    pub(crate) yes: bool,
    /// Longest time that the command may take, as `30s`
    #[arg(long, global = true, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Folder of the state [default: ./.gearmesh]
    #[arg(
        short = 'C',
        long,
        global = true,
        value_name = "DIR",
        env = "GEARMESH_FOLDER",
        hide_env = true
    )]
    pub(crate) folder: Option<PathBuf>,
    /// Settings [default: ./gearmesh.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// A setting of the mesh in this process, as `http.ports=[8080]`
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = setting)]
    pub(crate) set: Vec<(String, Value)>,
    /// Where an absolute path of a tool leads, as `/results=DIR`
    #[arg(long, global = true, value_name = "PREFIX=DIR", value_parser = root)]
    pub(crate) root: Vec<(String, PathBuf)>,
    #[command(flatten)]
    pub(crate) terminal: Terminal,
}

/// What the environment says of the terminal; the flags themselves stay hidden.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Terminal {
    #[arg(long, hide = true, global = true, env = "NO_COLOR", hide_env = true)]
    env_no_color: Option<OsString>,
    #[arg(
        long,
        hide = true,
        global = true,
        env = "CLICOLOR_FORCE",
        hide_env = true
    )]
    env_force_color: Option<OsString>,
    #[arg(long, hide = true, global = true, env = "TERM", hide_env = true)]
    env_term: Option<OsString>,
    #[arg(long, hide = true, global = true, env = "CI", hide_env = true)]
    env_ci: Option<OsString>,
}

impl Globals {
    /// How data is written.
    pub(crate) fn format(&self) -> Format {
        self.output.unwrap_or(Format::Table)
    }

    /// Folder of the state.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder
            .clone()
            .unwrap_or_else(|| PathBuf::from(".gearmesh"))
    }

    /// What is wanted of colours.
    pub(crate) fn wishes(&self) -> Wishes {
        let set = |value: &Option<OsString>| value.as_ref().is_some_and(|v| !v.is_empty());
        let t = &self.terminal;
        let dumb = t.env_term.as_ref().is_some_and(|term| term == "dumb");
        Wishes {
            never: self.no_color || set(&t.env_no_color) || set(&t.env_ci) || dumb,
            always: set(&t.env_force_color) && t.env_force_color.as_ref().is_some_and(|v| v != "0"),
        }
    }

    /// Those of these flags that only a mesh in this process obeys, as they were given.
    pub(crate) fn of_own_mesh(&self) -> Vec<&'static str> {
        [
            ("--config", self.config.is_some()),
            ("--set", !self.set.is_empty()),
            ("--root", !self.root.is_empty()),
        ]
        .into_iter()
        .filter_map(|(flag, given)| given.then_some(flag))
        .collect()
    }

    /// These flags, with those that were given further behind.
    pub(crate) fn with(mut self, later: Self) -> Self {
        self.server = later.server.or(self.server);
        self.login = later.login.or(self.login);
        self.ca = later.ca.or(self.ca);
        self.cert = later.cert.or(self.cert);
        self.key = later.key.or(self.key);
        self.token_file = later.token_file.or(self.token_file);
        self.env_token = later.env_token.or(self.env_token);
        self.output = later.output.or(self.output);
        self.quiet |= later.quiet;
        self.verbose += later.verbose;
        self.no_color |= later.no_color;
        self.yes |= later.yes;
        self.timeout = later.timeout.or(self.timeout);
        self.folder = later.folder.or(self.folder);
        self.config = later.config.or(self.config);
        self.set.extend(later.set);
        self.root.extend(later.root);
        self
    }
}

pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    gearmesh_workflow::duration::parse(text).map_err(|e| e.to_string())
}

/// `KEY=VALUE` where the value is JSON, else text.
fn setting(text: &str) -> Result<(String, Value), String> {
    let (key, value) = pair(text)?;
    let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
    Ok((key, value))
}

fn root(text: &str) -> Result<(String, PathBuf), String> {
    let (prefix, folder) =
        pair(text).map_err(|_| "write it as PREFIX=DIR, such as /results=out".to_owned())?;
    if !prefix.starts_with('/') || prefix == "/" || prefix.contains("..") {
        return Err(format!(
            "`{prefix}` must be an absolute path such as /results"
        ));
    }
    if folder.is_empty() {
        return Err("the folder is missing".to_owned());
    }
    Ok((
        prefix.trim_end_matches('/').to_owned(),
        PathBuf::from(folder),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environment_decides_on_colours() {
        let wishes = |set: &dyn Fn(&mut Globals)| {
            let mut globals = Globals::default();
            set(&mut globals);
            globals.wishes()
        };
        assert!(!wishes(&|_| {}).never);
        assert!(wishes(&|g| g.no_color = true).never);
        assert!(wishes(&|g| g.terminal.env_no_color = Some("1".into())).never);
        assert!(!wishes(&|g| g.terminal.env_no_color = Some("".into())).never);
        assert!(wishes(&|g| g.terminal.env_term = Some("dumb".into())).never);
        assert!(wishes(&|g| g.terminal.env_ci = Some("true".into())).never);
        assert!(wishes(&|g| g.terminal.env_force_color = Some("1".into())).always);
        assert!(!wishes(&|g| g.terminal.env_force_color = Some("0".into())).always);
    }
}
