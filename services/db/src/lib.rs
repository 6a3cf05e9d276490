//! The db engine.
