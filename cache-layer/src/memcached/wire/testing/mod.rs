//! What is to hold for any bytes that a server sends, for tests and for fuzzing.

mod any_bytes;
#[cfg(test)]
mod properties;

#[cfg(fuzzing)]
pub(crate) use any_bytes::answers;
