//! How much work one answer may take.

use crate::RuleError;

/// Steps for one fire. A step is a day or a period that is looked at, below a
/// microsecond: so a rule that never matches costs less than 50 ms, while a
/// daily look at 50 years takes 18,000.
pub const STEPS_MAX: u32 = 100_000;

/// Steps that are left for an answer, or for all answers of one request.
#[derive(Debug)]
pub struct Budget(u32);

impl Default for Budget {
    fn default() -> Self {
        Self(STEPS_MAX)
    }
}

impl Budget {
    /// So many steps.
    #[must_use]
    pub const fn of(steps: u32) -> Self {
        Self(steps)
    }

    /// Takes some steps.
    ///
    /// # Errors
    /// [`RuleError::TooCostly`] when none are left.
    pub(crate) fn spend(&mut self, steps: u32) -> Result<(), RuleError> {
        match self.0.checked_sub(steps) {
            Some(left) => {
                self.0 = left;
                Ok(())
            }
            None => {
                // What follows must not go on with the rest.
                self.0 = 0;
                Err(RuleError::TooCostly)
            }
        }
    }
}
