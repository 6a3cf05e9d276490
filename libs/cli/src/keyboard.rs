//! Single keys of the terminal, while a run is watched.

use std::io::{self, IsTerminal, Stdin};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::getpgrp;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcgetpgrp, tcsetattr};

/// The key that ends watching and leaves the run going.
const QUIT: u8 = b'q';

/// Keys that are read at once.
const KEYS: usize = 64;

/// The keyboard, which gives each key as it is pressed and shows none. Ctrl-C stays a
/// signal. Dropped, the terminal is as it was.
#[derive(Debug)]
pub(crate) struct Keyboard {
    before: Termios,
    stdin: Stdin,
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
        let mut raw = before.clone();
        raw.local_modes -= LocalModes::ICANON | LocalModes::ECHO;
        tcsetattr(&stdin, OptionalActions::Now, &raw).ok()?;
        Some(Self { before, stdin })
    }

    /// Whether the key that ends watching was pressed since it was asked last. Does not
    /// wait: it is asked with each picture.
    pub(crate) fn quit_pressed(&self) -> bool {
        let mut wanted = [PollFd::new(&self.stdin, PollFlags::IN)];
        let now = Timespec::default();
        if poll(&mut wanted, Some(&now)).unwrap_or(0) == 0 {
            return false;
        }
        let mut keys = [0; KEYS];
        let read = rustix::io::read(&self.stdin, &mut keys).unwrap_or(0);
        keys.get(..read).unwrap_or_default().contains(&QUIT)
    }
}

impl Drop for Keyboard {
    fn drop(&mut self) {
        // A terminal that has gone away needs no settings.
        let _ = tcsetattr(&self.stdin, OptionalActions::Now, &self.before);
    }
}
