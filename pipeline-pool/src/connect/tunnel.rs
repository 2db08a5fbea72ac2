//! Tunnels through a proxy: `CONNECT`
//! ([RFC 9110, 9.3.6](https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6)).

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::proxy::Via;
use crate::error::{Error, Kind};
use crate::http1::head::Heads;
use crate::origin::Origin;

/// The most bytes before the end of the answer's head, interim answers included.
const MAX_TUNNEL_HEAD: usize = 16 * 1024;

/// Asks the proxy at the other end for a tunnel to the origin.
///
/// # Errors
/// [`Kind::Connect`] when it does not grant one, says something that is no HTTP, or more than it
/// should.
pub(crate) async fn tunnel<T>(io: &mut T, via: &Via, origin: &Origin) -> Result<(), Error>
where
    T: AsyncRead + AsyncWrite + Unpin,
{
    let failed = |why: String| {
        let text = format!("no connection to {origin}: the proxy {} {why}", via.name());
        Error::new(Kind::Connect, text)
    };
    let lost = |error: io::Error| failed("was lost".to_owned()).with_source(error);
    let request = request(via, origin);
    io.write_all(request.as_bytes()).await.map_err(lost)?;
    io.flush().await.map_err(lost)?;

    let mut input = BytesMut::with_capacity(512);
    let mut heads = Heads::default();
    let mut room = MAX_TUNNEL_HEAD;
    loop {
        let parsed = heads.next(&mut input, MAX_TUNNEL_HEAD);
        let parsed =
            parsed.map_err(|e| failed("did not answer in HTTP/1.1".to_owned()).with_source(e))?;
        if let Some(head) = parsed {
            input.advance(head.end);
            match head.status {
                100 | 102..=199 => continue,
                // Such an answer has no body, whatever its head says, and the other side of the
                // tunnel has not been spoken to.
                200..=299 if input.is_empty() => return Ok(()),
                200..=299 => return Err(failed("sent bytes that nobody asked for".to_owned())),
                407 if via.authorization.is_none() => {
                    return Err(failed("wants user and password (status 407)".to_owned()));
                }
                status => return Err(failed(format!("answered with status {status}"))),
            }
        }
        if room == 0 {
            return Err(failed("sent too long a head".to_owned()));
        }
        let read = (&mut *io)
            .take(room as u64)
            .read_buf(&mut input)
            .await
            .map_err(lost)?;
        if read == 0 {
            return Err(lost(io::ErrorKind::UnexpectedEof.into()));
        }
        room -= read;
    }
}

fn request(via: &Via, origin: &Origin) -> String {
    let host = origin.host();
    let place = match host.contains(':') {
        true => format!("[{host}]:{}", origin.port()),
        false => format!("{host}:{}", origin.port()),
    };
    let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n");
    if let Some(authorization) = &via.authorization {
        request.push_str(&format!("Proxy-Authorization: {authorization}\r\n"));
    }
    request.push_str("\r\n");
    request
}

#[cfg(test)]
mod tests {
    use super::super::proxy::Proxy;
    use super::*;

    /// The request that the proxy got, and how its answer was taken.
    async fn ask(
        proxy: &str,
        origin: &str,
        answer: &[u8],
        step: usize,
    ) -> (String, Result<(), Error>) {
        let via = Proxy::http(proxy).unwrap().http.unwrap();
        let origin = Origin::parse(origin).unwrap();
        let (mut near, mut far) = tokio::io::duplex(64 * 1024);
        let server = async {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                far.read_buf(&mut request).await.unwrap();
            }
            for piece in answer.chunks(step) {
                // The client may have left after an answer that it refuses.
                if far.write_all(piece).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            drop(far);
            String::from_utf8(request).unwrap()
        };
        let client = async {
            let result = tunnel(&mut near, &via, &origin).await;
            drop(near);
            result
        };
        let (request, result) = tokio::join!(server, client);
        (request, result)
    }

    #[tokio::test]
    async fn the_origin_is_asked_for_with_its_port() {
        let ok = b"HTTP/1.1 200 Connection established\r\n\r\n";
        let (request, result) = ask("me:secret@proxy:3128", "https://a.example", ok, 100).await;
        result.unwrap();
        let expected = "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\
                        Proxy-Authorization: Basic bWU6c2VjcmV0\r\n\r\n";
        assert_eq!(request, expected);
        let (request, _) = ask("proxy", "http://[::1]:9000", ok, 100).await;
        assert_eq!(
            request,
            "CONNECT [::1]:9000 HTTP/1.1\r\nHost: [::1]:9000\r\n\r\n"
        );
    }

    #[tokio::test]
    async fn an_answer_may_come_in_pieces_and_after_interim_ones() {
        let answer =
            b"HTTP/1.1 103 Early\r\nA: b\r\n\r\nHTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n";
        for step in [1, 2, 7, 100] {
            ask("proxy", "https://a.example", answer, step)
                .await
                .1
                .unwrap();
        }
    }

    #[tokio::test]
    async fn refusals_name_the_proxy_the_origin_and_the_status() {
        for (answer, why) in [
            ("HTTP/1.1 403 Forbidden\r\n\r\n", "answered with status 403"),
            ("HTTP/1.1 407 Auth\r\n\r\n", "answered with status 407"),
            ("HTTP/1.1 302 Found\r\n\r\n", "answered with status 302"),
            ("HTTP/1.1 101 Switching\r\n\r\n", "answered with status 101"),
            (
                "HTTP/1.1 200 OK\r\n\r\nhello",
                "sent bytes that nobody asked for",
            ),
            ("SSH-2.0-OpenSSH\r\n", "did not answer in HTTP/1.1"),
            ("HTTP/1.1 200 OK\r\n", "was lost"),
            ("", "was lost"),
        ] {
            let proxy = "http://me:secret@proxy:3128";
            let (_, result) = ask(proxy, "https://a.example", answer.as_bytes(), 100).await;
            let error = result.expect_err(answer);
            assert_eq!(error.kind(), Kind::Connect);
            assert!(!error.may_have_been_sent());
            let expected =
                format!("no connection to https://a.example: the proxy proxy:3128 {why}");
            assert_eq!(error.detail(), expected);
            let shown = format!("{error} {error:?}");
            assert!(
                !shown.contains("secret") && !shown.contains("bWU6"),
                "{shown}"
            );
        }
    }

    #[tokio::test]
    async fn an_endless_head_is_refused() {
        let mut long = b"HTTP/1.1 200 OK\r\nA: ".to_vec();
        long.resize(MAX_TUNNEL_HEAD + 100, b'a');
        let error = ask("proxy", "https://a.example", &long, 1000)
            .await
            .1
            .unwrap_err();
        assert!(error.detail().ends_with("sent too long a head"), "{error}");
        let many = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(MAX_TUNNEL_HEAD / 25 + 1);
        let error = ask("proxy", "https://a.example", &many, 1000)
            .await
            .1
            .unwrap_err();
        assert!(error.detail().ends_with("sent too long a head"), "{error}");
    }

    #[tokio::test]
    async fn a_proxy_that_wants_a_password_is_told_apart() {
        let (_, result) = ask(
            "proxy",
            "https://a.example",
            b"HTTP/1.1 407 No\r\n\r\n",
            100,
        )
        .await;
        assert!(
            result
                .unwrap_err()
                .detail()
                .contains("wants user and password")
        );
    }
}
