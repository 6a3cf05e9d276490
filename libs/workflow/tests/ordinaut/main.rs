//! Documents of other dialects as they are read and written over, and the one form of our files.

mod conversions;
mod expressions;
mod forms;
mod pipelines;
mod support;
