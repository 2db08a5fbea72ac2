//! The clients that are measured, behind one interface.

pub mod hyper;
#[cfg(feature = "peers")]
pub mod object_store;
pub mod pool;
pub mod raw;
#[cfg(feature = "peers")]
pub mod reqwest;
pub mod s3;

use std::future::Future;

use crate::BoxError;

/// A client, shared by all tasks.
pub trait Client: Send + Sync + 'static {
    /// What one task holds of it.
    type Session: Session;

    /// The part for one more task.
    fn session(&self) -> Self::Session;
}

/// What one task needs to send one request after another.
pub trait Session: Send + 'static {
    /// One GET, its body read to the end. Returns the body's length in bytes.
    ///
    /// # Errors
    /// Whatever the client says, and any status but 200.
    fn get(&mut self) -> impl Future<Output = Result<usize, BoxError>> + Send;
}

/// Gives rustls its cryptography: reqwest wants it to be there even for plain HTTP.
#[cfg(feature = "peers")]
fn provide_tls() {
    // Refused when it is there already, which is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
