//! The planner against a world in which time and answers are given.

mod attempts;
mod ends;
mod graph;
mod items;
mod property;
mod reference;
mod rules;
mod spec;
mod world;
