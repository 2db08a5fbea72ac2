//! The language of [Select](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/UsingSelect.html):
//! words, then a tree, then the items that it holds for.

pub(crate) mod eval;
mod lex;
pub(crate) mod parse;
