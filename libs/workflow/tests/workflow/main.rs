//! Files as people write them: what is said of each, and what is read from it.

mod broken;
mod expressions;
mod fields;
mod graph;
mod groups;
mod hostile;
mod inputs;
mod keys;
mod kinds;
mod oktyv;
mod planned;
mod read;
mod schedules;
mod schema;
mod support;
mod syntax;
mod tools;
mod triggers;
