//! What a schedule does when it cannot just fire.

/// What becomes of fires that were due while nothing could fire them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CatchUp {
    None,
    Last,
    All,
}

impl CatchUp {
    /// The policy of a text that the layers have checked; absent: the default.
    pub(crate) fn of(text: Option<&str>) -> Self {
        match text {
            Some("none") => Self::None,
            Some("all") => Self::All,
            _ => Self::Last,
        }
    }
}

/// What a fire does while a run of its schedule is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    Skip,
    /// One waits for the end, further ones are skipped.
    QueueOne,
    Queue,
    Allow,
    CancelRunning,
}

impl Overlap {
    /// As [`CatchUp::of`].
    pub(crate) fn of(text: Option<&str>) -> Self {
        match text {
            Some("queueOne") => Self::QueueOne,
            Some("queue") => Self::Queue,
            Some("allow") => Self::Allow,
            Some("cancelRunning") => Self::CancelRunning,
            _ => Self::Skip,
        }
    }
}

/// Both, with their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) catch_up: CatchUp,
    /// How old a fire may be to be caught up.
    pub(crate) window_ms: i64,
    /// Most fires that `All` catches up at once.
    pub(crate) max: usize,
    pub(crate) overlap: Overlap,
    pub(crate) jitter_ms: i64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            catch_up: CatchUp::Last,
            window_ms: 24 * 3600 * 1000,
            max: 100,
            overlap: Overlap::Skip,
            jitter_ms: 0,
        }
    }
}
