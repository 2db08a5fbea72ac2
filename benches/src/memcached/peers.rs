//! Other clients.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use async_memcached::AsciiProtocol;

use super::key;
use crate::BoxError;
use crate::load::Meter;

/// One task of async-memcached, on a connection of its own, until the meter stops.
///
/// # Errors
/// When there is no connection.
pub async fn async_memcached(addr: SocketAddr, meter: Arc<Meter>) -> Result<(), BoxError> {
    let mut client = async_memcached::Client::new(format!("tcp://{addr}")).await?;
    let mut start = Instant::now();
    while !meter.stopped() {
        let result = match client.get(key()).await {
            Ok(Some(value)) => Ok(value.data.map_or(0, |data| data.len())),
            Ok(None) => Err("a miss".into()),
            Err(error) => Err(error.into()),
        };
        let now = Instant::now();
        meter.done(now - start, &result);
        start = now;
    }
    Ok(())
}

/// One thread of memcache, which blocks, until the meter stops.
///
/// # Errors
/// When there is no connection.
pub fn memcache(addr: SocketAddr, meter: &Meter) -> Result<(), BoxError> {
    let client = memcache::connect(format!("memcache://{addr}?protocol=ascii"))?;
    let mut start = Instant::now();
    while !meter.stopped() {
        let result = match client.get::<Vec<u8>>(&key()) {
            Ok(Some(value)) => Ok(value.len()),
            Ok(None) => Err("a miss".into()),
            Err(error) => Err(error.into()),
        };
        let now = Instant::now();
        meter.done(now - start, &result);
        start = now;
    }
    Ok(())
}
