//! A process that may open only a few files still gets all its answers.
//!
//! The program runs itself under a lower limit, as the server must not share it.

#![allow(clippy::unwrap_used)]

#[cfg(unix)]
fn main() {
    match std::env::args().nth(1).as_deref() {
        Some("few-descriptors") => few::client(&std::env::args().nth(2).unwrap()),
        // A list of tests is asked for by tools that run them one by one.
        Some("--list") => {}
        _ => few::server(),
    }
}

#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
mod few {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::process::Command;

    use futures_util::future::join_all;
    use pipeline_pool::{HttpPool, Method, Origin, Request};

    const REQUESTS: usize = 200;
    /// What the runtime needs is among them.
    const DESCRIPTORS: usize = 24;

    pub(crate) fn server() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for io in listener.incoming() {
                std::thread::spawn(move || answer(io.unwrap()));
            }
        });
        let status = Command::new("sh")
            .arg("-c")
            .arg(format!(
                "ulimit -n {DESCRIPTORS} && exec \"$0\" few-descriptors {address}"
            ))
            .arg(std::env::current_exe().unwrap())
            .status()
            .unwrap();
        assert!(status.success(), "the client failed: {status}");
    }

    fn answer(io: TcpStream) {
        let mut out = io.try_clone().unwrap();
        for line in BufReader::new(io).lines() {
            match line {
                Ok(line) if line.is_empty() => {
                    if out
                        .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
                        .is_err()
                    {
                        return;
                    }
                }
                Ok(_) => {}
                Err(_) => return,
            }
        }
    }

    pub(crate) fn client(address: &str) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        // More connections than there are descriptors, all wanted at once.
        let pool = HttpPool::builder()
            .max_connections(REQUESTS)
            .max_opening(REQUESTS)
            .max_pipeline(1)
            .build();
        let origin = Origin::parse(&format!("http://{address}")).unwrap();
        runtime.block_on(async {
            let all = (0..REQUESTS).map(|i| {
                let request = Request::new(Method::Get, &origin, &format!("/{i}")).unwrap();
                pool.send(&origin, request)
            });
            for (i, response) in join_all(all).await.into_iter().enumerate() {
                let response = response.unwrap_or_else(|e| panic!("request {i} failed: {e}"));
                assert_eq!(response.body().as_whole().unwrap(), "ok");
            }
            // The limit was felt.
            let failed = pool.stats().origins[0].open_failed;
            assert!(failed > 0, "every connection could be opened");
            assert!(pool.stats().opened() < DESCRIPTORS as u64);
        });
    }
}
