//! A loop by hand over the meta protocol: many commands in each write, values skipped where they lie.
//! No queue, no wake-up, no request object, no timeout, no ring and no copy.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::key;
use crate::BoxError;
use crate::load::Meter;

/// Runs one connection until the meter stops, with `depth` commands in flight; new ones are written
/// once half of them are answered.
///
/// # Errors
/// When the connection fails, or an answer is no value.
pub async fn run(addr: SocketAddr, depth: usize, meter: Arc<Meter>) -> Result<(), BoxError> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let mut input = vec![0; 512 * 1024];
    let mut batch = String::new();
    let (mut filled, mut in_flight) = (0, 0);
    // The times of the writes and how many commands each had, oldest first.
    let mut sent = VecDeque::new();
    while !meter.stopped() {
        if in_flight <= depth / 2 {
            batch.clear();
            for _ in in_flight..depth {
                batch.push_str("mg ");
                batch.push_str(&key());
                batch.push_str(" v f\r\n");
            }
            sent.push_back((Instant::now(), depth - in_flight));
            stream.write_all(batch.as_bytes()).await?;
            in_flight = depth;
        }
        let n = stream.read(&mut input[filled..]).await?;
        if n == 0 {
            return Err("closed by the server".into());
        }
        filled += n;
        let (mut at, now) = (0, Instant::now());
        while let Some((len, value)) = answer(&input[at..filled])? {
            at += len;
            in_flight -= 1;
            if let Some((when, left)) = sent.front_mut() {
                meter.done(now - *when, &Ok(value));
                *left -= 1;
                if *left == 0 {
                    sent.pop_front();
                }
            }
        }
        input.copy_within(at..filled, 0);
        filled -= at;
    }
    Ok(())
}

/// The length of the first answer and of its value, once it is whole.
fn answer(input: &[u8]) -> Result<Option<(usize, usize)>, BoxError> {
    let Some(end) = memchr::memchr(b'\n', input) else {
        return Ok(None);
    };
    let line = std::str::from_utf8(&input[..end])?;
    let value = line.strip_prefix("VA ").ok_or("no value")?;
    let value: usize = value
        .split_ascii_whitespace()
        .next()
        .ok_or("no length")?
        .parse()?;
    let whole = end + 1 + value + 2;
    Ok((input.len() >= whole).then_some((whole, value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_when_it_is_whole() {
        let input = b"VA 3 f0\r\nabc\r\nVA";
        assert_eq!(answer(input).unwrap(), Some((14, 3)));
        assert_eq!(answer(&input[..13]).unwrap(), None);
        assert!(answer(b"EN\r\n").is_err());
    }
}
