//! A protocol that is not HTTP: how it begins, and requests that are bound to a connection.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use bytes::BytesMut;
use pipeline_pool::{
    Begin, Beginning, ConnectionId, Decoded, Encoded, Error, Io, Kind, Origin, Outbox, Pool,
    PoolBuilder, Protocol, Sent, Treatment,
};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A line is answered by a line; a request that begins with `!` may run once only.
struct Lines(ConnectionId);

impl Protocol for Lines {
    type Request = &'static str;
    type Reply = (String, ConnectionId);

    fn treatment(line: &&'static str) -> Treatment {
        Treatment {
            repeatable: !line.starts_with('!'),
            alone: false,
        }
    }

    fn encode(&mut self, line: &mut &'static str, out: &mut Outbox) -> Encoded {
        out.put(line.as_bytes());
        out.put(b"\n");
        Encoded::Wholly
    }

    fn decode(
        &mut self,
        _: &&'static str,
        input: &mut BytesMut,
        _: bool,
    ) -> Result<Decoded<Self::Reply>, Error> {
        let Some(end) = memchr::memchr(b'\n', input) else {
            return Ok(Decoded::More);
        };
        let line = String::from_utf8_lossy(&input.split_to(end + 1)).into_owned();
        let reply = (line.trim_end().to_owned(), self.0);
        Ok(Decoded::Reply {
            reply,
            reusable: true,
        })
    }

    fn is_amid(&self) -> bool {
        false
    }
}

/// Sends a greeting and takes what the server says to it.
#[derive(Default)]
struct Greet(AtomicUsize);

impl Begin<Lines> for Greet {
    fn begin<'a>(&'a self, io: &'a mut dyn Io, connection: ConnectionId) -> Beginning<'a, Lines> {
        let turn = self.0.fetch_add(1, SeqCst);
        Box::pin(async move {
            let failed = |kind| Error::new(kind, "no welcome");
            io.write_all(format!("hello {turn}\n").as_bytes())
                .await
                .map_err(|_| failed(Kind::Closed))?;
            let mut answer = [0; 3];
            match io.read_exact(&mut answer).await {
                Ok(_) if &answer == b"hi\n" => Ok(Lines(connection)),
                Ok(_) => Err(failed(Kind::Connect)),
                Err(_) => Err(failed(Kind::Closed)),
            }
        })
    }
}

struct Conn(BufReader<TcpStream>);

impl Conn {
    async fn accept(listener: &TcpListener) -> Self {
        Self(BufReader::new(listener.accept().await.unwrap().0))
    }

    async fn greeted(listener: &TcpListener) -> Self {
        let mut conn = Self::accept(listener).await;
        assert!(conn.line().await.starts_with("hello"));
        conn.say("hi\n").await;
        conn
    }

    /// The next line; empty once the client has closed.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    async fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    /// Answers the next line with itself.
    async fn echo(&mut self, want: &str) {
        let line = self.line().await;
        assert_eq!(line, want);
        self.say(&format!("{line}\n")).await;
    }
}

async fn start(connections: usize) -> (TcpListener, Pool<Lines>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Origin::other("lines", false, "127.0.0.1", port).unwrap();
    let builder = PoolBuilder::default().max_connections(connections);
    (listener, builder.build(&server, Greet::default()))
}

/// Two connections that have answered once, the one that was used last at the end.
async fn two(listener: &TcpListener, pool: &Pool<Lines>) -> [(Conn, ConnectionId); 2] {
    let a = tokio::spawn(pool.send("a"));
    let mut first = Conn::greeted(listener).await;
    assert_eq!(first.line().await, "a");
    let b = tokio::spawn(pool.send("b"));
    let mut second = Conn::greeted(listener).await;
    second.echo("b").await;
    let (_, two) = b.await.unwrap().unwrap();
    first.say("a\n").await;
    let (_, one) = a.await.unwrap().unwrap();
    let c = tokio::spawn(pool.send("c"));
    first.echo("c").await;
    assert_eq!(c.await.unwrap().unwrap().1, one, "the last used one");
    [(second, two), (first, one)]
}

#[tokio::test]
async fn a_bound_request_goes_to_its_connection_only() {
    let (listener, pool) = start(2).await;
    let [(mut old, older), (mut new, newer)] = two(&listener, &pool).await;
    for _ in 0..3 {
        let sent = tokio::spawn(pool.send("x").on(older));
        old.echo("x").await;
        assert_eq!(sent.await.unwrap().unwrap().1, older);
    }
    // Behind what is under way, though the other is idle.
    let (x, y) = (pool.send("x").on(older), pool.send("!y").on(older));
    let (x, y) = (tokio::spawn(x), tokio::spawn(y));
    let z = tokio::spawn(pool.send("z").on(newer));
    new.echo("z").await;
    let mut lines = [old.line().await, old.line().await];
    old.say(&format!("{}\n{}\n", lines[0], lines[1])).await;
    lines.sort();
    assert_eq!(lines, ["!y", "x"]);
    assert_eq!(x.await.unwrap().unwrap(), ("x".to_owned(), older));
    assert_eq!(y.await.unwrap().unwrap(), ("!y".to_owned(), older));
    assert_eq!(z.await.unwrap().unwrap().1, newer);
    let stats = pool.stats();
    assert_eq!((stats.opened, stats.connections), (2, 2));
    pool.close(Duration::from_secs(10)).await;
    assert_eq!(old.line().await, "");
}

#[tokio::test]
async fn a_bound_request_ends_with_its_connection() {
    let (listener, pool) = start(2).await;
    let [(mut old, older), (mut new, _)] = two(&listener, &pool).await;
    // Repeatable or not, it is not sent again elsewhere.
    let sent = tokio::spawn(pool.send("x").on(older));
    assert_eq!(old.line().await, "x");
    drop(old);
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Closed, Sent::All));
    let error = pool.send("x").on(older).await.unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Gone, Sent::No));
    assert!(!error.may_have_been_sent());
    let other = tokio::spawn(pool.send("other"));
    new.echo("other").await;
    other.await.unwrap().unwrap();
    assert_eq!(pool.stats().replays, 0);
}

#[tokio::test]
async fn a_bound_request_does_not_wait_behind_a_late_answer() {
    let (listener, pool) = start(1).await;
    let ask = |line| tokio::spawn(pool.send(line));
    let sent = ask("a");
    let mut conn = Conn::greeted(&listener).await;
    conn.echo("a").await;
    let (_, id) = sent.await.unwrap().unwrap();
    // What is usual has to be known before something can be late.
    for _ in 0..64 {
        let sent = ask("a");
        conn.echo("a").await;
        sent.await.unwrap().unwrap();
    }
    let late = ask("late");
    assert_eq!(conn.line().await, "late");
    let error = loop {
        // Until the connection counts as late, a bound request is written and waits.
        let limit = Duration::from_millis(50);
        let error = pool.send("!bound").on(id).timeout(limit).await.unwrap_err();
        if error.kind() != Kind::Timeout {
            break error;
        }
        if error.may_have_been_sent() {
            assert_eq!(conn.line().await, "!bound");
        }
    };
    assert_eq!((error.kind(), error.sent()), (Kind::Gone, Sent::No));
    conn.say("late\n").await;
    assert_eq!(late.await.unwrap().unwrap().0, "late");
}

#[tokio::test]
async fn requests_wait_until_the_protocol_has_begun() {
    let (listener, pool) = start(1).await;
    let sent = tokio::spawn(pool.send("a"));
    let mut conn = Conn::accept(&listener).await;
    assert_eq!(conn.line().await, "hello 0");
    conn.say("h").await;
    conn.say("i\n").await;
    conn.echo("a").await;
    assert_eq!(sent.await.unwrap().unwrap().0, "a");
}

#[tokio::test]
async fn a_refused_beginning_fails_those_who_wait_unsent() {
    let (listener, pool) = start(1).await;
    let sent = tokio::spawn(pool.send("!a"));
    let mut conn = Conn::accept(&listener).await;
    conn.line().await;
    conn.say("no\n").await;
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Connect, Sent::No));
    assert_eq!(pool.stats().open_failed, 1);
}

#[tokio::test]
async fn a_server_that_hangs_up_at_the_beginning_is_asked_once_more() {
    let (listener, pool) = start(1).await;
    let sent = tokio::spawn(pool.send("a"));
    let mut conn = Conn::accept(&listener).await;
    assert_eq!(conn.line().await, "hello 0");
    drop(conn);
    let mut conn = Conn::accept(&listener).await;
    assert_eq!(conn.line().await, "hello 1");
    conn.say("hi\n").await;
    conn.echo("a").await;
    sent.await.unwrap().unwrap();
    drop(conn);

    let sent = tokio::spawn(pool.send("!b"));
    for turn in ["hello 2", "hello 3"] {
        let mut conn = Conn::accept(&listener).await;
        assert_eq!(conn.line().await, turn);
    }
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.sent()), (Kind::Closed, Sent::No));
}
