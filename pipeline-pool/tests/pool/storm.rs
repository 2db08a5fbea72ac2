//! Many tasks at once, requests given up in every state, and a server that fails at random: every
//! reply is that of its request, nothing runs twice that may not, and in the end nothing is left.

use std::collections::HashMap;
use std::io;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::peer::{Conn, Peer, get, post, reply};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::poll_immediate;
use pipeline_pool::{
    BodyError, Connect, Connecting, HttpPool, Io, Kind, Method, Origin, Request, Response, Sent,
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::task::{JoinSet, yield_now};

/// Answers that broke off while they were read.
static CUT: AtomicUsize = AtomicUsize::new(0);

const CAP: usize = 4;
const TASKS: u64 = 64;
const REQUESTS: u64 = 25;

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 20) % sides
    }

    async fn pause(&mut self) {
        for _ in 0..self.throw(12) {
            yield_now().await;
        }
    }
}

/// Opens sockets that are counted from before they are open until after they are closed.
#[derive(Clone, Default)]
struct Counted(Arc<Sockets>);

#[derive(Default)]
struct Sockets {
    open: AtomicUsize,
    most: AtomicUsize,
}

struct Socket {
    tcp: Option<TcpStream>,
    sockets: Arc<Sockets>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.tcp = None;
        self.sockets.open.fetch_sub(1, SeqCst);
    }
}

impl Socket {
    fn tcp(&mut self) -> Pin<&mut TcpStream> {
        Pin::new(self.tcp.as_mut().unwrap())
    }
}

impl Connect for Counted {
    fn connect(&self, origin: &Origin) -> Connecting {
        let (sockets, port) = (self.0.clone(), origin.port());
        Box::pin(async move {
            let open = sockets.open.fetch_add(1, SeqCst) + 1;
            sockets.most.fetch_max(open, SeqCst);
            let mut socket = Socket { tcp: None, sockets };
            socket.tcp = Some(TcpStream::connect(("127.0.0.1", port)).await?);
            Ok(Box::new(socket) as Box<dyn Io>)
        })
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.tcp().poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.tcp().poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.tcp().poll_shutdown(cx)
    }
}

/// What the server does and has seen.
#[derive(Default)]
struct Server {
    calm: AtomicBool,
    /// How often each target was run.
    runs: Mutex<HashMap<String, usize>>,
}

impl Server {
    async fn serve(&self, mut conn: Conn, mut dice: Dice) {
        while let Some((target, _)) = conn.request().await {
            *self.runs.lock().unwrap().entry(target.clone()).or_default() += 1;
            dice.pause().await;
            let calm = self.calm.load(SeqCst);
            match dice.throw(120) {
                0 if !calm => return conn.reset(),
                1 if !calm => {
                    let reply = reply(&target);
                    let part = dice.throw(reply.len() as u64) as usize;
                    if conn.try_write(&reply[..part]).await {
                        conn.reset();
                    }
                    return;
                }
                2 if !calm => {
                    let body = format!("connection: close\r\ncontent-length: {}", target.len());
                    let last = format!("HTTP/1.1 200 OK\r\n{body}\r\n\r\n{target}");
                    conn.try_write(&last).await;
                    return;
                }
                3 if !calm => {
                    // More than was asked for. A whole answer could not be told from that to
                    // the next request.
                    let more = format!("{}/poison", reply(&target));
                    conn.try_write(&more).await;
                    return;
                }
                4 if !calm => {
                    conn.try_write("HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n")
                        .await;
                    return;
                }
                // One that is streamed, cut anywhere.
                10..14 if !calm => {
                    let reply = reply(&target.repeat(4000 / target.len() + 1));
                    let part = dice.throw(reply.len() as u64) as usize;
                    if conn.try_write(&reply[..part]).await && dice.throw(2) == 0 {
                        conn.reset();
                    }
                    return;
                }
                // Large, so that it is streamed.
                5..10 => {
                    let body = target.repeat(4000 / target.len() + 1);
                    if !conn.try_write(&reply(&body)).await {
                        return;
                    }
                }
                _ => {
                    if !conn.try_write(&reply(&target)).await {
                        return;
                    }
                }
            }
        }
    }
}

/// A request with a name of its own, and whether it may run twice.
fn request(origin: &Origin, name: &str, dice: &mut Dice) -> (Request, bool) {
    let mut request = match dice.throw(10) {
        0..6 => return (get(origin, name), true),
        6..8 => return (post(origin, name, "x"), false),
        _ => Request::new(Method::Put, origin, name).unwrap(),
    };
    let pieces = 1 + dice.throw(4);
    // Some bodies never end.
    let endless = dice.throw(8) == 0;
    let all = pieces + u64::from(endless);
    let stream = futures_util::stream::iter(0..all).then(move |i| async move {
        if i == pieces {
            std::future::pending::<()>().await;
        }
        yield_now().await;
        Ok::<_, BodyError>(Bytes::from_static(b"abc"))
    });
    request.stream(Some(all * 3), stream);
    if endless {
        request.timeout(Duration::from_millis(20));
    }
    (request, false)
}

/// Whether the body is the name, once or many times, as far as it comes.
async fn check(name: &str, response: Response, dice: &mut Dice) {
    let (_, mut body) = response.into_parts();
    let mut all = Vec::new();
    while dice.throw(12) > 0 {
        match body.chunk().await {
            Some(Ok(piece)) => all.extend_from_slice(&piece),
            Some(Err(error)) => {
                assert!(
                    matches!(error.kind(), Kind::Closed | Kind::Timeout),
                    "{error}"
                );
                assert_ne!(error.sent(), Sent::No, "{name} was answered: {error:?}");
                CUT.fetch_add(1, SeqCst);
                break;
            }
            None => break,
        }
    }
    let expected = name.repeat(all.len() / name.len() + 1);
    assert_eq!(all, &expected.as_bytes()[..all.len()], "for {name}");
}

/// What one task does; gives back the requests that may not run twice, and which of those were
/// never sent.
async fn client(
    pool: HttpPool,
    origin: Origin,
    task: u64,
    seed: u64,
) -> (Vec<String>, Vec<String>) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (task + 1));
    let (mut once, mut unsent) = (Vec::new(), Vec::new());
    for i in 0..REQUESTS {
        let name = format!("/{task}/{i}");
        let (mut request, repeatable) = request(&origin, &name, &mut dice);
        if !repeatable {
            once.push(name.clone());
        }
        if dice.throw(10) == 0 {
            request.timeout(Duration::from_millis(dice.throw(10)));
        }
        let mut sending = pin!(pool.send(&origin, request));
        let mut outcome = None;
        if dice.throw(3) == 0 {
            // Given up after a while, wherever it is then.
            outcome = poll_immediate(sending.as_mut()).await;
            if outcome.is_none() {
                dice.pause().await;
                outcome = poll_immediate(sending.as_mut()).await;
            }
        } else {
            outcome = Some(sending.await).or(outcome);
        }
        match outcome {
            Some(Ok(response)) => check(&name, response, &mut dice).await,
            Some(Err(error)) => {
                let kinds = [
                    Kind::Closed,
                    Kind::Timeout,
                    Kind::WaitTimeout,
                    Kind::Protocol,
                ];
                assert!(kinds.contains(&error.kind()), "{error:?}");
                if error.sent() == Sent::No {
                    unsent.push(name);
                }
            }
            None => {}
        }
    }
    (once, unsent)
}

async fn storm(seed: u64) {
    let mut peer = Peer::start().await;
    let origin = peer.origin.clone();
    let server = Arc::new(Server::default());
    let serving = server.clone();
    let listener = tokio::spawn(async move {
        let mut connections = JoinSet::new();
        for n in 1.. {
            let (conn, server) = (peer.accept().await, serving.clone());
            connections.spawn(async move { server.serve(conn, Dice(seed * 1000 + n)).await });
        }
    });
    let sockets = Counted::default();
    let pool = HttpPool::builder()
        .max_connections(CAP)
        .fixed_pipeline(6)
        .max_whole_body(1000)
        .body_window(1000)
        .hedge(0.1)
        .wait_timeout(Duration::from_secs(60))
        .connector(sockets.clone())
        .build();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(client(pool.clone(), origin.clone(), task, seed));
    }
    let (mut once, mut unsent) = (Vec::new(), Vec::new());
    while let Some(done) = tasks.join_next().await {
        let (more, never) = done.unwrap();
        once.extend(more);
        unsent.extend(never);
    }
    // After the storm everything works.
    server.calm.store(true, SeqCst);
    for i in 0..50 {
        let name = format!("/calm/{i}");
        let response = pool.send(&origin, get(&origin, &name)).await.unwrap();
        check(&name, response, &mut Dice(u64::MAX)).await;
    }
    assert_eq!(pool.stats().origins[0].waiting, 0);
    let watched = pool.clone();
    pool.close(Duration::from_secs(60)).await;
    let stats = watched.stats();
    let figures = &stats.origins[0];
    let left = (
        stats.connections,
        figures.connections,
        figures.idle,
        figures.waiting,
    );
    assert_eq!(left, (0, 0, 0, 0));
    assert_eq!(figures.opened, figures.closed());
    assert_eq!(sockets.0.open.load(SeqCst), 0);
    let most = sockets.0.most.load(SeqCst);
    assert!(
        most <= CAP && stats.most_connections <= CAP,
        "{most} sockets"
    );
    assert!(figures.deepest > 1 && figures.replays > 0, "{figures:?}");
    assert_ne!(CUT.load(SeqCst), 0);
    let runs = server.runs.lock().unwrap();
    for name in once {
        assert!(runs.get(&name).is_none_or(|n| *n == 1), "{name} ran twice");
    }
    for name in unsent {
        assert_eq!(
            runs.get(&name),
            None,
            "{name} ran, and its caller was told not"
        );
    }
    listener.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn many_threads_in_a_storm() {
    for seed in 1..=2 {
        storm(seed).await;
    }
}

#[tokio::test]
async fn one_thread_in_a_storm() {
    for seed in 3..=4 {
        storm(seed).await;
    }
}
