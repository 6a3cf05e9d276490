//! What goes wrong, and when.

/// What a file system is asked to do, as far as it changes the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// Bytes at a place of a file.
    Write,
    /// A flush of a file.
    Sync,
    /// Another length of a file.
    Truncate,
    /// A file's name goes.
    Delete,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Write, Self::Sync, Self::Truncate, Self::Delete];

    /// Its name, as reports show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Truncate => "truncate",
            Self::Delete => "delete",
        }
    }
}

/// How an operation goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// ENOSPC: of a write, a part may be there.
    Full,
    /// EIO: of a write, a part may be there. Of a flush too, and the system will not try the
    /// rest again: the next flush answers well and does not write it.
    Io,
    /// It answers well and does nothing. Of a flush only; others are done.
    Lie,
}

/// An operation that goes wrong.
#[derive(Debug, Clone, Copy)]
pub struct Fault {
    /// Which operations count.
    pub operation: Operation,
    /// The one that fails, from 1, counted from when the fault is set.
    pub nth: u64,
    /// How.
    pub failure: Failure,
    /// Whether all that come after it fail as well, until the faults are cleared.
    pub lasting: bool,
}

/// A fault and what it has counted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Armed {
    fault: Fault,
    seen: u64,
}

impl Armed {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { fault, seen: 0 }
    }

    /// How this operation goes wrong by this fault.
    pub(crate) fn strikes(&mut self, operation: Operation) -> Option<Failure> {
        if operation != self.fault.operation {
            return None;
        }
        self.seen += 1;
        let hit = self.seen == self.fault.nth || self.fault.lasting && self.seen > self.fault.nth;
        hit.then_some(self.fault.failure)
    }

    /// Whether no byte can be added any more.
    pub(crate) fn is_full(&self) -> bool {
        self.fault.lasting
            && self.fault.failure == Failure::Full
            && self.fault.operation == Operation::Write
            && self.seen >= self.fault.nth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn struck(lasting: bool) -> Vec<bool> {
        let mut armed = Armed::new(Fault {
            operation: Operation::Sync,
            nth: 2,
            failure: Failure::Io,
            lasting,
        });
        assert_eq!(armed.strikes(Operation::Write), None);
        let mut strike = || armed.strikes(Operation::Sync).is_some();
        vec![strike(), strike(), strike()]
    }

    #[test]
    fn fault_strikes_once_or_from_then_on() {
        assert_eq!(struck(false), [false, true, false]);
        assert_eq!(struck(true), [false, true, true]);
    }
}
