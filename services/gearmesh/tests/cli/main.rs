//! The binary as people use it: each test in a folder of its own.

mod control;
mod dev;
mod folder;
mod hosting;
mod reports;
mod run;
mod schedule;
mod terminal;
mod tools;
mod workflow;
