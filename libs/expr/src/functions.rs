#![doc = include_str!("../FUNCTIONS.md")]
