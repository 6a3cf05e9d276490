//! The email engine.
