//! Expressions of workflow files: `${ JMESPath }` templates in text, bare JMESPath in conditions, and the older
//! `${task.result.path}` substitution of one foreign dialect ([`oktyv`]).
//!
//! A workflow file comes from anybody, so evaluating one of its expressions must be safe, cheap and predictable: the text
//! is bounded before it is parsed ([`EXPRESSION_MAX`], [`DEPTH_MAX`]), every step of the evaluation is paid for
//! ([`FUEL_MAX`]), and so is what comes out ([`OUTPUT_MAX`]). The grammar is that of the `jmespath` crate; the evaluator is
//! our own, because the crate's has no step limit, turns numbers into doubles and cannot tell a missing name from a null.
//!
//! Values are borrowed from the [`Scope`] for as long as possible: `${fetch.result.items[0].text}` copies one text, however
//! large the result is. Every error carries a code, one sentence, and the place in the text that it is about.
//!
//! [`Query`] is the same language over one value instead of named ones, and [`ordinaut`] the dialect of a second foreign
//! format. [`functions`] lists what can be called.
//!
//! This crate knows nothing of tasks, runs, files or time: names mean what the [`Scope`] says, and nothing here does I/O.

mod adjacency;
mod by_call;
mod call;
mod canonical;
mod code_call;
mod constant;
pub mod duration;
mod error;
mod eval;
mod exclude;
mod expression;
mod function;
pub mod functions;
mod limits;
mod lower;
mod missing;
mod nesting;
mod node;
mod number;
pub mod oktyv;
mod operands;
mod order;
pub mod ordinaut;
mod parse;
mod pattern;
mod query;
mod rewrite_call;
mod scope;
mod search;
mod signature;
mod strict;
mod suggest;
mod template;
mod text_call;
mod time_call;
mod token;
mod types;
mod value;
mod widen;

pub use error::{Error, Fix, Span};
pub use expression::{Expression, Path, Root, Step};
pub use limits::{
    CHAIN_MAX, DEPTH_MAX, EXPRESSION_MAX, FUEL_MAX, OPEN_MAX, OUTPUT_MAX, VALUE_DEPTH_MAX,
};
pub use query::Query;
pub use scope::Scope;
pub use search::{PATTERN_MAX, SEARCHED_TEXT_MAX};
pub use template::Template;
