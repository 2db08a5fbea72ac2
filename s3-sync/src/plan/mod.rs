//! What is to be done to bring a target level with its source: sans-IO, from two ordered streams.
//!
//! *Problem:* A comparison of two trees of millions of files must not hold either of them, and must not ask the store about
//! single objects. *Decision:* Both sides come in the byte order of their keys and are [merged](merge); what is on both sides is
//! [compared](compare) by what is known of it without reading it, and where that does not tell, the answer is the question that
//! has to be asked of the content. [Guards](guard) judge the deletes when all is known. *Cost:* The streams have to be in order,
//! which each of them checks.

pub(crate) mod compare;
pub(crate) mod guard;
pub(crate) mod merge;
pub(crate) mod price;
