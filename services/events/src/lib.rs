//! The events engine.
