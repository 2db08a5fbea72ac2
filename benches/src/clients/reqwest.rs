//! reqwest, as most people use it: one `reqwest::Client`, no proxy, HTTP/1.1.
//!
//! It has no cap on connections; below the number of tasks a semaphore bounds the requests in
//! flight, which bounds the connections.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;

use super::{Client, Session, Writer, stored};
use crate::BoxError;

/// A client of reqwest with at most so many requests in flight.
#[derive(Clone, Debug)]
pub struct Reqwest {
    client: reqwest::Client,
    url: reqwest::Url,
    permits: Arc<Semaphore>,
}

impl Reqwest {
    /// At most `connections` at once.
    ///
    /// # Errors
    /// When the URL is not one.
    pub fn new(endpoint: &str, target: &str, connections: usize) -> Result<Self, BoxError> {
        super::provide_tls();
        Ok(Self {
            client: reqwest::Client::builder()
                .no_proxy()
                .pool_max_idle_per_host(connections)
                .build()?,
            url: format!("{endpoint}{target}").parse()?,
            permits: Arc::new(Semaphore::new(connections)),
        })
    }
}

impl Client for Reqwest {
    type Session = Self;

    fn session(&self) -> Self {
        self.clone()
    }
}

impl Session for Reqwest {
    async fn get(&mut self) -> Result<usize, BoxError> {
        let _permit = self.permits.acquire().await?;
        let response = self
            .client
            .get(self.url.clone())
            .send()
            .await?
            .error_for_status()?;
        Ok(response.bytes().await?.len())
    }
}

impl Writer for Reqwest {
    async fn put(&mut self, body: Bytes) -> Result<(), BoxError> {
        let _permit = self.permits.acquire().await?;
        let response = self.client.put(self.url.clone()).body(body).send().await?;
        stored(response.status().as_u16())?;
        response.bytes().await?;
        Ok(())
    }
}
