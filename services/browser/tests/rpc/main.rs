//! The engine against real pages in a real Chromium.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

mod act;
mod demo;
mod egress;
mod ends;
mod navigate;
mod pages;
mod read;
mod support;
