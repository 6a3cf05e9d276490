//! The identity engine.
