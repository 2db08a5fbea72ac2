//! Opening connections.

mod stream;
mod tcp;
#[cfg(feature = "tls")]
pub(crate) mod tls;

pub(crate) use stream::Stream;
pub(crate) use tcp::{Settings, connect};
