//! What only tests need of the rules.

mod hash;
