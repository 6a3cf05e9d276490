//! The binary as people use it: each test in a folder of its own.

mod dev;
mod folder;
mod hosting;
mod run;
mod schedule;
mod tools;
