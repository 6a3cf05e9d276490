//! Words that are no command.

use crate::args::Cli;
use crate::error::Error;

/// Words that people try, and the command that does it.
const SYNONYMS: &[(&str, &str)] = &[
    ("start", "run"),
    ("exec", "run"),
    ("submit", "run"),
    ("check", "validate"),
    ("lint", "validate"),
    ("ls", "tool list"),
    ("list", "run list"),
    ("tools", "tool list"),
    ("runs", "run list"),
    ("retry", "run retry"),
    ("pause", "run pause"),
    ("resume", "run resume"),
    ("cancel", "run cancel"),
    ("why", "run why"),
    ("approve", "approval approve"),
    ("reject", "approval reject"),
    ("apply", "workflow apply"),
    ("convert", "workflow convert"),
    ("fmt", "workflow fmt"),
    ("call", "tool call"),
    ("up", "dev"),
];

/// A word that is no command, with what was probably meant.
pub(crate) fn unknown(word: &str) -> Error {
    let synonym = SYNONYMS
        .iter()
        .find(|(known, _)| *known == word)
        .map(|(_, command)| *command);
    let commands = <Cli as clap::CommandFactory>::command();
    let names: Vec<&str> = commands
        .get_subcommands()
        .map(clap::Command::get_name)
        .collect();
    let near = synonym.or_else(|| crate::nearest::nearest(word, names.iter().copied()));
    Error::Usage {
        message: format!(
            "no command and no engine `{}`",
            crate::text::printable(word)
        ),
        help: Some(match near {
            Some(near) => format!("did you mean `gearmesh {near}`?"),
            None => "gearmesh --help".to_owned(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    #[test]
    fn unknown_command_names_what_was_meant() {
        let help = |word| unknown(word).report().help.join("");
        assert_eq!(help("valdate"), "did you mean `gearmesh validate`?");
        assert_eq!(help("ls"), "did you mean `gearmesh tool list`?");
        assert_eq!(help("zzz"), "gearmesh --help");
        assert_eq!(unknown("x").exit(), Exit::Usage);
    }
}
