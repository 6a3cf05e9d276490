//! How much work one answer may take.

use super::RuleError;

/// Steps for one fire. A step is a day or a period that is looked at, below a
/// microsecond: so a rule that never matches costs less than 50 ms, while a
/// daily look at 50 years takes 18,000.
pub(super) const STEPS_MAX: u32 = 100_000;

/// Steps that are left for one answer.
#[derive(Debug)]
pub(super) struct Budget(u32);

impl Budget {
    pub(super) fn new() -> Self {
        Self(STEPS_MAX)
    }

    /// Takes some steps.
    ///
    /// # Errors
    /// [`RuleError::TooCostly`] when none are left.
    pub(super) fn spend(&mut self, steps: u32) -> Result<(), RuleError> {
        self.0 = self.0.checked_sub(steps).ok_or(RuleError::TooCostly)?;
        Ok(())
    }
}
