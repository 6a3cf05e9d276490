//! What follows the name of a tool or workflow, before its schema is known.

use clap::Args;

use crate::error::Error;
use crate::globals::Globals;

/// What follows the name of a tool, apart: flags that every command has, and the rest.
/// A parameter that is called like one of those flags is given by `-p`.
pub(crate) fn split(words: Vec<String>) -> Result<(Globals, Vec<String>), Error> {
    split_off(words)
}

/// The flags of `T` among these words, and the rest.
pub(crate) fn split_off<T: Args>(words: Vec<String>) -> Result<(T, Vec<String>), Error> {
    let command = T::augment_args(clap::Command::new("gearmesh").no_binary_name(true));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            theirs.extend(words);
            break;
        }
        let name = word.split('=').next().unwrap_or_default();
        let known = command
            .get_arguments()
            .filter(|a| !a.is_hide_set())
            .find(|a| match name.strip_prefix("--") {
                Some(long) => a.get_long() == Some(long),
                None => {
                    let mut letters = name.chars();
                    letters.next() == Some('-')
                        && letters.next().is_some_and(|l| a.get_short() == Some(l))
                }
            });
        let Some(known) = known else {
            theirs.push(word);
            continue;
        };
        let is_short = !name.starts_with("--");
        let has_value = word.contains('=') || (is_short && word.chars().count() > 2);
        let takes_value =
            known.get_action().takes_values() && !known.is_require_equals_set() && !has_value;
        ours.push(word);
        if takes_value {
            ours.extend(words.next());
        }
    }
    let matches = command.try_get_matches_from(ours).map_err(|e| usage(&e))?;
    let flags = T::from_arg_matches(&matches).map_err(|e| usage(&e))?;
    Ok((flags, theirs))
}

fn usage(error: &clap::Error) -> Error {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    Error::usage(first.trim_start_matches("error: "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Format;

    fn words(line: &str) -> Vec<String> {
        line.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn flag_with_an_optional_value_takes_no_word() {
        let (flags, rest) =
            split_off::<crate::run_args::RunFlags>(words("--to a --watch --cc b --priority 3"))
                .unwrap();
        assert!(flags.watch.is_some());
        assert_eq!(flags.priority, Some(3));
        assert_eq!(rest, words("--to a --cc b"));
    }

    #[test]
    fn flags_of_every_command_are_told_apart() {
        let (globals, rest) = split(words(
            "--key a -o json --timeout=5s -y --value b -C x -- --output c",
        ))
        .unwrap();
        assert_eq!(globals.format(), Format::Json);
        assert!(globals.yes);
        assert_eq!(globals.folder(), std::path::Path::new("x"));
        assert_eq!(rest, words("--key a --value b --output c"));
        assert!(split(words("-o wrong")).is_err());
    }
}
