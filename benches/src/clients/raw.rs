//! A loop by hand: one task a connection, 16 to 32 requests in each write, heads split by
//! httparse, bodies skipped where they lie. No queue, no wake-up, no request object, no timeout
//! and no copy: it is the floor that a client of general use cannot reach.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use rustix::net::sockopt::set_tcp_quickack;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::BoxError;
use crate::load::Meter;

/// Runs one connection until the meter stops, with `depth` requests in flight; new ones are
/// written once half of them are answered. They are GETs, or PUTs of the body given. With `quick_ack` a part of an answer is
/// acknowledged at once, which a server waits for that writes head and body apart with Nagle's algorithm on.
///
/// # Errors
/// When the connection fails, or an answer is not a 200 with a length.
pub async fn run(
    addr: SocketAddr,
    target: &str,
    put: Option<Bytes>,
    depth: usize,
    quick_ack: bool,
    meter: Arc<Meter>,
) -> Result<(), BoxError> {
    let mut stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let request = match &put {
        None => format!("GET {target} HTTP/1.1\r\nhost: {addr}\r\n\r\n").into_bytes(),
        Some(body) => {
            let len = body.len();
            let head =
                format!("PUT {target} HTTP/1.1\r\nhost: {addr}\r\ncontent-length: {len}\r\n\r\n");
            [head.as_bytes(), body].concat()
        }
    };
    let batch = request.repeat(depth);
    let mut input = vec![0; 256 * 1024];
    let (mut filled, mut in_flight) = (0, 0);
    // The times of the writes and how many requests each had, oldest first.
    let mut sent = std::collections::VecDeque::new();
    while !meter.stopped() {
        if in_flight <= depth / 2 {
            let more = depth - in_flight;
            sent.push_back((Instant::now(), more));
            stream.write_all(&batch[..more * request.len()]).await?;
            in_flight = depth;
        }
        let n = stream.read(&mut input[filled..]).await?;
        if n == 0 {
            return Err("closed by the server".into());
        }
        filled += n;
        let mut at = 0;
        let now = Instant::now();
        while let Some((len, body)) = answer(&input[at..filled])? {
            let body = put.as_ref().map_or(body, Bytes::len);
            at += len;
            in_flight -= 1;
            if let Some((when, left)) = sent.front_mut() {
                meter.done(now - *when, &Ok(body));
                *left -= 1;
                if *left == 0 {
                    sent.pop_front();
                }
            }
        }
        input.copy_within(at..filled, 0);
        filled -= at;
        if quick_ack && filled > 0 {
            // The system forgets it again and again.
            set_tcp_quickack(&stream, true)?;
        }
    }
    Ok(())
}

/// The length of the first answer and of its body, once it is whole.
fn answer(input: &[u8]) -> Result<Option<(usize, usize)>, BoxError> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Response::new(&mut fields);
    let httparse::Status::Complete(end) = head.parse(input)? else {
        return Ok(None);
    };
    match head.code {
        Some(200 | 201) => {}
        Some(204) => return Ok(Some((end, 0))),
        code => return Err(format!("status {code:?}").into()),
    }
    let mut fields = head.headers.iter();
    let length = fields.find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length = length.ok_or("no content-length")?;
    let body: usize = std::str::from_utf8(length.value)?.parse()?;
    Ok((input.len() >= end + body).then_some((end + body, body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_when_it_is_whole() {
        let input = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP";
        assert_eq!(answer(input).unwrap(), Some((input.len() - 4, 3)));
        assert_eq!(answer(&input[..input.len() - 5]).unwrap(), None);
        let input = b"HTTP/1.1 204 No Content\r\n\r\nHTTP";
        assert_eq!(answer(input).unwrap(), Some((input.len() - 4, 0)));
        assert!(answer(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n").is_err());
    }
}
