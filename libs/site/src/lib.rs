//! Places of the product that tests watch, break or end a process at.
//!
//! - [`sometimes`] marks a state that a suite must reach: one that never meets a fenced
//!   owner has not tested fencing, whatever it says.
//! - [`crash`] is a place between two steps that must be safe to die at.
//! - [`planted`] guards a wrong line. A suite that does not find it is a defect of the tests.
//!
//! All three do nothing, and cost nothing, unless the crate is built with the feature
//! `armed` *and* with debug assertions: a release can hold no planted bug. A process is
//! armed once, by a text that whoever starts it brings ([`arm`]); this crate reads neither
//! environment nor clock.
//!
//! Names are literals, `part.state`, and unique in the tree: the tests read them out of the
//! sources, so that "all of them" is a number.

#[cfg(all(feature = "armed", debug_assertions))]
mod armed;
#[cfg(feature = "armed")]
mod hunt;
mod plan;

#[cfg(feature = "armed")]
pub use hunt::{Hunt, arm_as_told, hunt};
pub use plan::{Crash, Malformed, Plan};

/// The variable by which the starter of a process arms it.
pub const VARIABLE: &str = "GEARMESH_SITES";

/// Whether this build has places at all.
pub const ARMED: bool = cfg!(all(feature = "armed", debug_assertions));

/// Says what the places of this process shall do. Once; later plans are ignored, as all are
/// in builds without places.
///
/// # Errors
/// [`Malformed`] when the text is not a plan.
pub fn arm(text: &str) -> Result<(), Malformed> {
    let plan: Plan = text.parse()?;
    #[cfg(all(feature = "armed", debug_assertions))]
    armed::arm(plan);
    #[cfg(not(all(feature = "armed", debug_assertions)))]
    let _ = plan;
    Ok(())
}

/// Marks that a state was reached.
#[inline]
pub fn sometimes(name: &'static str) {
    #[cfg(all(feature = "armed", debug_assertions))]
    armed::reached(name);
    #[cfg(not(all(feature = "armed", debug_assertions)))]
    let _ = name;
}

/// Ends the process when the plan names this place: no destructor runs, nothing is flushed.
#[inline]
pub fn crash(name: &'static str) {
    #[cfg(all(feature = "armed", debug_assertions))]
    armed::crash(name);
    #[cfg(not(all(feature = "armed", debug_assertions)))]
    let _ = name;
}

/// Whether the bug of this name is planted in this process.
#[inline]
#[must_use]
pub fn planted(name: &'static str) -> bool {
    #[cfg(all(feature = "armed", debug_assertions))]
    return armed::planted(name);
    #[cfg(not(all(feature = "armed", debug_assertions)))]
    {
        let _ = name;
        false
    }
}

/// The states that this process has reached, by name.
#[must_use]
pub fn reached() -> Vec<&'static str> {
    #[cfg(all(feature = "armed", debug_assertions))]
    return armed::all_reached();
    #[cfg(not(all(feature = "armed", debug_assertions)))]
    Vec::new()
}
