//! Rules on the local clock, without a zone.

use std::collections::BTreeSet;

use jiff::civil::DateTime;

use crate::RuleError;
use crate::budget::Budget;

/// A set of local times in whole seconds.
pub(crate) trait Civil {
    /// The first at or after `from`; none when there is none up to `horizon`.
    fn next(
        &self,
        from: DateTime,
        horizon: DateTime,
        budget: &mut Budget,
    ) -> Result<Option<DateTime>, RuleError>;
}

/// Single local times.
impl Civil for BTreeSet<DateTime> {
    fn next(
        &self,
        from: DateTime,
        _: DateTime,
        _: &mut Budget,
    ) -> Result<Option<DateTime>, RuleError> {
        Ok(self.range(from..).next().copied())
    }
}

/// A rule with its last answer, since neighbouring questions often have the same.
pub(crate) struct Ahead<'a> {
    civil: &'a dyn Civil,
    horizon: DateTime,
    budget: &'a mut Budget,
    known: Option<(DateTime, Option<DateTime>)>,
}

impl<'a> Ahead<'a> {
    pub(crate) fn new(civil: &'a dyn Civil, horizon: DateTime, budget: &'a mut Budget) -> Self {
        Self {
            civil,
            horizon,
            budget,
            known: None,
        }
    }

    /// The first in `from..to`.
    pub(crate) fn within(
        &mut self,
        from: DateTime,
        to: DateTime,
    ) -> Result<Option<DateTime>, RuleError> {
        if from >= to {
            return Ok(None);
        }
        let found = match self.known {
            Some((asked, found)) if asked <= from && found.is_none_or(|f| f >= from) => found,
            _ => {
                let found = self.civil.next(from, self.horizon, self.budget)?;
                self.known = Some((from, found));
                found
            }
        };
        Ok(found.filter(|f| *f < to))
    }
}
