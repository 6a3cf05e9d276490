//! Single keys of the terminal, while a run is watched.

use std::io::{self, IsTerminal, Stdin};

use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// The key that ends watching and leaves the run going.
const QUIT: u8 = b'q';

/// Keys that are read at once.
const KEYS: usize = 64;

/// The keyboard, which gives each key as it is pressed and shows none. Ctrl-C stays a
/// signal. Dropped, the terminal is as it was.
#[derive(Debug)]
pub(crate) struct Keyboard {
    before: Termios,
    stdin: AsyncFd<Stdin>,
}

impl Keyboard {
    /// The keyboard, when standard input is a terminal.
    pub(crate) fn open() -> Option<Self> {
        let stdin = io::stdin();
        // A process in the background that touched the terminal would be stopped.
        let is_ours = stdin.is_terminal() && tcgetpgrp(&stdin).is_ok_and(|g| g == getpgrp());
        if !is_ours {
            return None;
        }
        let before = tcgetattr(&stdin).ok()?;
        let stdin = AsyncFd::register_with_interest(stdin, Interest::READABLE).ok()?;
        let mut raw = before.clone();
        raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(stdin.get_ref(), OptionalActions::Now, &raw).ok()?;
        Some(Self { before, stdin })
    }

    /// Ends when the key is pressed; without a keyboard never.
    pub(crate) async fn quit(keyboard: &mut Option<Self>) {
        let Some(open) = keyboard else {
            return std::future::pending().await;
        };
        loop {
            let Ok(mut ready) = open.stdin.readable().await else {
                return std::future::pending().await;
            };
            let mut keys = [0; KEYS];
            // What is there is read without waiting; nothing at all is the end of input.
            let read = rustix::io::read(open.stdin.get_ref(), &mut keys).unwrap_or(0);
            let pressed = keys.get(..read).unwrap_or_default();
            if pressed.contains(&QUIT) {
                return;
            }
            if read == 0 {
                return std::future::pending().await;
            }
            ready.clear_ready();
        }
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // A terminal that has gone away needs no settings.
        let _ = tcsetattr(self.stdin.get_ref(), OptionalActions::Now, &self.before);
    }
}
