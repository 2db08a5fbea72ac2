//! The clients that are measured, behind one interface.

pub mod hyper;
#[cfg(feature = "peers")]
pub mod object_store;
pub mod origins;
pub mod pool;
pub mod raw;
#[cfg(feature = "peers")]
pub mod reqwest;
pub mod s3;
pub mod simpledb;

use std::future::Future;

use bytes::Bytes;

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

/// A session that can store as well.
pub trait Writer: Session {
    /// One PUT of this body, its answer read to the end.
    ///
    /// # Errors
    /// Whatever the client says, and any status but 200, 201 and 204.
    fn put(&mut self, body: Bytes) -> impl Future<Output = Result<(), BoxError>> + Send;
}

/// A client or a session that PUTs this body where it would GET.
#[derive(Clone, Debug)]
pub struct Puts<C>(pub C, pub Bytes);

impl<C: Client<Session: Writer>> Client for Puts<C> {
    type Session = Puts<C::Session>;

    fn session(&self) -> Self::Session {
        Puts(self.0.session(), self.1.clone())
    }
}

impl<S: Writer> Session for Puts<S> {
    /// One PUT. Returns the length in bytes of what was sent.
    async fn get(&mut self) -> Result<usize, BoxError> {
        self.0.put(self.1.clone()).await?;
        Ok(self.1.len())
    }
}

/// The bucket and the key of a target `/bucket/key`.
///
/// # Errors
/// When it is none.
pub fn bucket_and_key(target: &str) -> Result<(&str, &str), BoxError> {
    let path = target.strip_prefix('/').and_then(|t| t.split_once('/'));
    Ok(path.ok_or("the target must be /bucket/key")?)
}

/// An error unless a PUT was answered so.
fn stored(status: u16) -> Result<(), BoxError> {
    match status {
        200 | 201 | 204 => Ok(()),
        _ => Err(format!("status {status}").into()),
    }
}

/// Gives rustls its cryptography: reqwest wants it to be there even for plain HTTP.
#[cfg(feature = "peers")]
fn provide_tls() {
    // Refused when it is there already, which is as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
