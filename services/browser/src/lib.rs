//! The browser engine.
