//! Servers that answer by a script: what must end a connection, and what a proxy does.

use std::time::Duration;

use cache_layer::memcached::{Dialect, Kind, Leased, Memcached, ServerState};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::server::patient;

struct Peer {
    listener: TcpListener,
    name: String,
}

struct Conn(BufReader<TcpStream>);

impl Peer {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let name = listener.local_addr().unwrap().to_string();
        Self { listener, name }
    }

    fn client(&self, dialect: Dialect) -> Memcached {
        let builder = patient().servers([&self.name]).dialect(dialect);
        builder.connections(1).build().unwrap()
    }

    async fn accept(&self) -> Conn {
        Conn(BufReader::new(self.listener.accept().await.unwrap().0))
    }

    /// A connection that has been asked for the meta protocol and has it.
    async fn meta(&self) -> Conn {
        let mut conn = self.accept().await;
        conn.expect("mn").await;
        conn.expect("stats settings").await;
        conn.say("MN\r\nEND\r\n").await;
        conn
    }
}

impl Conn {
    /// The next line; empty when the client has closed.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    async fn expect(&mut self, want: &str) {
        assert_eq!(self.line().await, want);
    }

    async fn say(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }
}

#[tokio::test]
async fn doubtful_answers_end_the_connection_and_reach_nobody() {
    let classic = [
        "ERROR\r\n",
        "CLIENT_ERROR bad command line format\r\n",
        "SERVER_ERROR out of memory writing get response\r\n",
        "SERVER_ERROR\r\n",
        "STORED\r\n",
        "VALUE b 0 1\r\nx\r\nEND\r\n",
        "VALUE a 0 1\r\nxx\r\nEND\r\n",
        "VALUE a 0 1\r\nx\r\nVALUE a 0 1\r\nx\r\nEND\r\n",
        "VALUE a 0 -1\r\nEND\r\n",
        "VALUE a 0 999999999999\r\n",
        "VALUE a\r\nEND\r\n",
        "END\n",
        "END\r\nEND\r\n",
        "\r\n",
    ];
    let meta = [
        "EN\r\n",
        "EN O2\r\n",
        "VA 1 O2\r\nx\r\n",
        "VA 1 f1\r\nx\r\n",
        "VA 1 f-1 O1\r\nx\r\n",
        "VA x O1\r\nx\r\n",
        "VA 1 O1\r\nxx\r\n",
        "HD O1\r\n",
        "NS O1\r\n",
        "MN\r\n",
        "ENO1\r\n",
        "VA 99999999999999999999 O1\r\n",
        "ERROR\r\n",
    ];
    for (dialect, answers) in [(Dialect::Classic, &classic[..]), (Dialect::Meta, &meta[..])] {
        for answer in answers {
            let peer = Peer::start().await;
            let cache = peer.client(dialect);
            let asked = tokio::spawn(cache.get("a").send());
            let mut conn = match dialect {
                Dialect::Meta => peer.meta().await,
                _ => peer.accept().await,
            };
            conn.line().await;
            conn.say(answer).await;
            let outcome = asked.await.unwrap();
            if *answer == "END\r\nEND\r\n" {
                assert_eq!(outcome.unwrap(), None, "the first is an answer");
            } else {
                let error = outcome.expect_err(answer);
                assert_eq!(error.kind(), Kind::Protocol, "{answer:?}: {error}");
                assert!(
                    error
                        .to_string()
                        .starts_with(&format!("memcached at {}: ", peer.name))
                );
            }
            conn.expect("").await;
        }
    }
}

#[tokio::test]
async fn what_a_server_says_is_quoted_without_values() {
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Classic);
    let asked = tokio::spawn(cache.get("a").send());
    let mut conn = peer.accept().await;
    conn.line().await;
    conn.say("SERVER_ERROR backend \u{7} is away\r\n").await;
    let error = asked.await.unwrap().unwrap_err();
    let text = error.to_string();
    assert!(
        text.ends_with("the server answered SERVER_ERROR backend \\u{7} is away"),
        "{text}"
    );
    let asked = tokio::spawn(cache.get("a").send());
    let mut conn = peer.accept().await;
    conn.line().await;
    conn.say("hiddenhiddenhidden hidden\r\n").await;
    let error = asked.await.unwrap().unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("does not belong here: hiddenhiddenhidd"),
        "{error}"
    );
}

#[tokio::test]
async fn a_bad_chunk_is_answered_twice_and_shifts_nothing() {
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Classic);
    let first = tokio::spawn(cache.get("a").send());
    let mut conn = peer.accept().await;
    conn.expect("get a").await;
    conn.say("END\r\n").await;
    first.await.unwrap().unwrap();
    let set = tokio::spawn(cache.set("a", "x").send());
    conn.expect("set a 0 0 1").await;
    let get = tokio::spawn(cache.get("b").send());
    conn.expect("x").await;
    conn.expect("get b").await;
    conn.say("CLIENT_ERROR bad data chunk\r\nERROR\r\nVALUE b 0 1\r\nx\r\nEND\r\n")
        .await;
    let error = set.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Protocol);
    assert!(error.is_owed());
    // The read goes to another connection, and so does the delete that is owed.
    let mut conn = peer.accept().await;
    for _ in 0..2 {
        match &conn.line().await[..] {
            "get b" => conn.say("VALUE b 0 1\r\ny\r\nEND\r\n").await,
            "delete a" => conn.say("NOT_FOUND\r\n").await,
            other => panic!("{other}"),
        }
    }
    assert_eq!(get.await.unwrap().unwrap().unwrap().data, "y");
}

#[tokio::test]
async fn a_change_that_nobody_waits_for_is_made_good() {
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Classic);
    let mut set = Box::pin(cache.set("a", "x").send());
    tokio::select! {
        _ = &mut set => panic!("nobody answers"),
        mut conn = peer.accept() => {
            tokio::select! {
                _ = &mut set => panic!("nobody answers"),
                line = conn.line() => assert_eq!(line, "set a 0 0 1"),
            }
            drop(set);
            assert_eq!(cache.get("a").await.unwrap(), None, "it may be the new or the old");
            conn.expect("x").await;
            conn.say("STORED\r\n").await;
            conn.expect("delete a").await;
            conn.say("DELETED\r\n").await;
            // It was in doubt, so it is deleted a second time.
            conn.expect("delete a").await;
            assert_eq!(cache.get("a").await.unwrap(), None);
            conn.say("NOT_FOUND\r\n").await;
            while cache.stats()[0].owed != Some(0) {
                tokio::task::yield_now().await;
            }
            let get = tokio::spawn(cache.get("a").send());
            conn.expect("get a").await;
            conn.say("END\r\n").await;
            assert_eq!(get.await.unwrap().unwrap(), None);
        }
    }
}

#[tokio::test]
async fn what_is_owed_is_deleted_before_it_is_changed_again() {
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Classic);
    let set = tokio::spawn(cache.set("a", "x").send());
    let mut conn = peer.accept().await;
    conn.expect("set a 0 0 1").await;
    conn.expect("x").await;
    set.abort();
    assert!(set.await.unwrap_err().is_cancelled());
    conn.say("STORED\r\n").await;
    conn.expect("delete a").await;
    let set = tokio::spawn(cache.set("a", "y").send());
    // Before the first delete is answered.
    conn.expect("delete a").await;
    conn.say("DELETED\r\nNOT_FOUND\r\n").await;
    conn.expect("set a 0 0 1").await;
    conn.expect("y").await;
    conn.say("STORED\r\n").await;
    set.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_answer_ends_the_failures_in_a_row() {
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Classic);
    let asked = tokio::spawn(cache.get("a").send());
    // It is sent twice.
    for _ in 0..2 {
        peer.accept().await.expect("get a").await;
    }
    assert_eq!(asked.await.unwrap().unwrap_err().kind(), Kind::Closed);
    assert_eq!(cache.stats()[0].state, ServerState::Failing(1));
    let asked = tokio::spawn(cache.get("a").send());
    let mut conn = peer.accept().await;
    conn.expect("get a").await;
    conn.say("END\r\n").await;
    asked.await.unwrap().unwrap();
    assert_eq!(cache.stats()[0].state, ServerState::Up);
}

#[tokio::test]
async fn an_addition_is_owed_a_delete_where_it_may_have_run() {
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Classic);
    let add = tokio::spawn(cache.add("a", "x").send());
    let mut conn = peer.accept().await;
    conn.expect("add a 0 0 1").await;
    drop(conn);
    let error = add.await.unwrap().unwrap_err();
    assert!(error.is_owed() && error.may_have_been_sent(), "{error:?}");
    // What the server does not understand has not run.
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Classic);
    let add = tokio::spawn(cache.add("a", "x").cas(1).send());
    let mut conn = peer.accept().await;
    conn.expect("version").await;
    conn.say("VERSION 1.4\r\n").await;
    let error = add.await.unwrap().unwrap_err();
    assert_eq!((error.kind(), error.is_owed()), (Kind::Unsupported, false));
}

#[tokio::test]
async fn an_owed_key_is_neither_leased_nor_filled() {
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Meta);
    let asked = tokio::spawn(cache.get_lease("a").send());
    let mut conn = peer.meta().await;
    conn.expect("mg a v f c N10 O1").await;
    // A lease without a number is none.
    conn.say("VA 0 f0 c0 W O1\r\n\r\n").await;
    assert!(matches!(asked.await.unwrap().unwrap(), Leased::Away));
    let asked = tokio::spawn(cache.get_lease("a").send());
    conn.expect("mg a v f c N10 O2").await;
    conn.say("VA 0 f0 c5 W O2\r\n\r\n").await;
    let Leased::Miss(lease) = asked.await.unwrap().unwrap() else {
        panic!("it is asked to fill");
    };
    let set = tokio::spawn(cache.set("a", "x").send());
    conn.expect("ms a 1 T0 O3").await;
    set.abort();
    assert!(set.await.unwrap_err().is_cancelled());
    assert!(matches!(cache.get_lease("a").await.unwrap(), Leased::Away));
    let error = cache.fill(lease, "old").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Gone);
    conn.expect("x").await;
    conn.expect("md a O4").await;
}

#[tokio::test]
async fn a_proxy_that_hangs_up_is_spoken_to_in_the_classic_protocol() {
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Auto);
    let asked = tokio::spawn(cache.get("b").send());
    let mut conn = peer.accept().await;
    conn.expect("mn").await;
    drop(conn);
    let mut conn = peer.accept().await;
    conn.expect("get a").await;
    conn.say("VALUE a 0 3\r\nx\r\n\r\nEND\r\n").await;
    conn.expect("get b").await;
    conn.say("VALUE b 0 1 \r\nx\r\nEND\r\n").await;
    assert_eq!(asked.await.unwrap().unwrap().unwrap().data, "x");
    // It is remembered.
    drop(conn);
    let asked = tokio::spawn(cache.get("b").send());
    let mut conn = peer.accept().await;
    conn.expect("get a").await;
    conn.say("END\r\n").await;
    conn.expect("get b").await;
    conn.say("END\r\n").await;
    asked.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_old_server_is_spoken_to_in_the_classic_protocol() {
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Auto);
    let asked = tokio::spawn(cache.get("b").send());
    let mut conn = peer.accept().await;
    conn.expect("mn").await;
    conn.expect("stats settings").await;
    conn.say("ERROR\r\nSTAT item_size_max 2097152\r\nSTAT x\r\nEND\r\n")
        .await;
    conn.expect("get b").await;
    conn.say("END\r\n").await;
    asked.await.unwrap().unwrap();
    let error = cache.add("k", vec![0; 2 << 20]).await.unwrap_err();
    assert!(
        error.to_string().ends_with("over the limit of 2097071"),
        "{error}"
    );
}

#[tokio::test]
async fn what_is_no_memcached_is_not_used() {
    for (dialect, answer, text) in [
        (
            Dialect::Auto,
            "HTTP/1.1 400 Bad Request\r\n\r\n",
            "the server is no memcached",
        ),
        (
            Dialect::Meta,
            "ERROR\r\nEND\r\n",
            "the server does not speak the meta protocol",
        ),
        (
            Dialect::Auto,
            "MN\r\nEND\r\nEND\r\n",
            "the server says more than was asked",
        ),
    ] {
        let peer = Peer::start().await;
        let cache = peer.client(dialect);
        let asked = tokio::spawn(cache.get("a").send());
        let mut conn = peer.accept().await;
        conn.say(answer).await;
        let error = asked.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), Kind::Connect);
        assert!(error.to_string().contains(text), "{error}");
        assert!(!error.may_have_been_sent());
    }
    let peer = Peer::start().await;
    let cache = peer.client(Dialect::Meta);
    let asked = tokio::spawn(cache.get("a").send());
    drop(peer.accept().await);
    let error = asked.await.unwrap().unwrap_err();
    assert!(
        error.to_string().contains("hung up at the meta protocol"),
        "{error}"
    );
}

#[tokio::test]
async fn opening_takes_no_longer_than_an_operation_may() {
    let peer = Peer::start().await;
    let limit = Duration::from_millis(50);
    let builder = patient().servers([&peer.name]).timeout(limit);
    let cache = builder.build().unwrap();
    // It accepts and says nothing.
    let error = cache.get("a").await.unwrap_err();
    assert_eq!(error.kind(), Kind::Timeout);
    assert!(!error.may_have_been_sent());
    assert_eq!(cache.stats()[0].timeouts, 1);
}
