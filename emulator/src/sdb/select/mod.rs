//! The language of select expressions.
//!
//! An expression is split into tokens, parsed into a tree, and answered from the items that the
//! index cannot rule out, each of which is held against the tree.

mod eval;
mod lex;
pub(super) mod page;
pub(super) mod parse;
mod plan;
mod rows;
mod tree;
