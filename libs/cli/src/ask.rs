//! Questions to the person at the terminal.

use std::io::{BufRead, IsTerminal};

use crate::app::App;
use crate::error::Error;

/// Asks whether to go on, unless `--yes` has answered. Without a terminal nobody can be
/// asked, so `--yes` must have been said.
///
/// # Errors
/// Wrong usage without a terminal; [`Error::Interrupted`] when the answer is no.
pub(crate) fn ask(app: &mut App, about: &str, question: &str) -> Result<(), Error> {
    if app.globals.yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        return Err(Error::Usage {
            message: about.to_owned(),
            help: Some("say --yes to agree".to_owned()),
        });
    }
    app.output.draw(&format!("{question} [y/N] "));
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(Error::System)?;
    if matches!(answer.trim(), "y" | "Y" | "yes") {
        Ok(())
    } else {
        Err(Error::Interrupted {
            message: "nothing was done".to_owned(),
            help: None,
        })
    }
}
