//! The scheduler engine.
