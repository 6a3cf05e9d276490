//! The planner against a world in which time and answers are given.

mod attempts;
mod chaos;
mod children;
mod control;
mod cost;
mod definition;
mod doubts;
mod ends;
mod graph;
mod group_ends;
mod groups;
mod handlers;
mod items;
mod pauses;
mod people;
mod property;
mod reference;
mod repeats;
mod rules;
mod sound;
mod spec;
mod table_runs;
mod table_tasks;
mod undoing;
mod varied;
mod world;
