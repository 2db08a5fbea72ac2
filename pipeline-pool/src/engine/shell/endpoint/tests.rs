//! An endpoint whose connections are pipes within the process, in virtual time.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;
use crate::engine::core::depth::Width;
use crate::engine::core::testing::{Ask, Toy, WAIT, ask, caller, later, order};
use crate::engine::shell::sending::SendingCall;
use crate::engine::shell::testing::endpoint;

/// An endpoint whose depth is 4 as its server is far and quick, and that server's end of a
/// connection with a request that is not answered.
async fn deep() -> (Arc<Endpoint<Toy>>, DuplexStream) {
    let config = Config {
        max_connections: 1,
        max_depth: 4,
        ..Config::default()
    };
    let rtt = Duration::from_millis(50);
    let (endpoint, mut ends) = endpoint(config, &SharedPermits::new(1), Some(rtt));
    let send = || tokio::spawn(SendingCall::new(endpoint.clone(), ask(), None, None));
    let answered = send();
    let mut server = ends.recv().await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'?');
    tokio::time::sleep(rtt + Duration::from_millis(1)).await;
    server.write_u8(7).await.unwrap();
    assert_eq!(answered.await.unwrap().unwrap(), 7);
    assert_eq!(endpoint.lock().depth().depth(), 4);
    send();
    assert_eq!(server.read_u8().await.unwrap(), b'?');
    (endpoint, server)
}

async fn until_closed(endpoint: &Endpoint<Toy>) {
    while endpoint.counters.closed_by().iter().sum::<u64>() == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_ends_from_this_side_says_nothing_of_the_depth() {
    let (endpoint, server) = deep().await;
    endpoint.abort();
    until_closed(&endpoint).await;
    assert_eq!(endpoint.lock().depth().depth(), 4);
    drop(server);
    // A server that hangs up amid its first answers does not stand pipelining.
    let (endpoint, server) = deep().await;
    drop(server);
    until_closed(&endpoint).await;
    assert_eq!(endpoint.lock().depth().depth(), 1);
}

#[test]
fn another_gives_way_when_the_opening_that_was_about_to_is_given_up() {
    let permits = SharedPermits::new(1);
    let _permit = permits.acquire_extra().unwrap();
    let make = || endpoint(Config::default(), &permits, None).0;
    let (going, staying, waiting) = (make(), make(), make());
    let now = Instant::now();
    let id = going.lock().handle_permit(now);
    going.close_one();
    let open = staying.lock().handle_permit(now);
    staying.lock().handle_opened(open, None);
    let refused = permits.acquire(waiting.member, true).err();
    assert_eq!(refused, Some(Refused::Anew));
    permits.evict();
    assert_eq!(
        (going.holdings().leaving, staying.holdings().leaving),
        (1, 0)
    );
    going.withdrawn(id);
    assert_eq!(
        (going.holdings().leaving, staying.holdings().leaving),
        (0, 1)
    );
}

#[test]
fn a_caller_in_line_looks_at_its_clock_when_its_wait_is_over() {
    let (endpoint, _) = endpoint(Config::default(), &SharedPermits::new(1), None);
    let now = Instant::now();
    let wait = endpoint.config.wait_timeout;
    let order = order(1, later(now));
    assert_eq!(endpoint.limit(&order, now), Some(order.deadline));
    let (_caller, ticket) = caller(order);
    let submitted = endpoint.lock().handle_submit(ticket, true, now);
    assert!(matches!(submitted, Ok(Submitted::Queued)));
    assert_eq!(endpoint.limit(&order, now), Some(now + wait));
    // Then it is told, and has left the queue.
    assert_eq!(endpoint.limit(&order, now + wait), Some(order.deadline));
    assert!(endpoint.lock().waiting() == 0);
    assert_eq!(endpoint.limit(&order, order.deadline), None);
}

#[tokio::test(start_paused = true)]
async fn no_copy_of_a_request_waits_where_all_has_been_given_up() {
    let config = Config {
        max_connections: 2,
        hedge: 1.0,
        ..Config::default()
    };
    let (endpoint, mut ends) = endpoint(config, &SharedPermits::new(2), None);
    let send = |ask| tokio::spawn(SendingCall::new(endpoint.clone(), ask, None, None));
    let answered = send(ask());
    let mut server = ends.recv().await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'?');
    server.write_u8(7).await.unwrap();
    assert_eq!(answered.await.unwrap().unwrap(), 7);
    // It is given up while the connection hears that the reply is late, and has it copied.
    let given_up = endpoint.clone();
    let late = send(Ask {
        heard: Some(Box::new(move || given_up.abort())),
        ..ask()
    });
    assert_eq!(server.read_u8().await.unwrap(), b'?');
    let begun = tokio::time::Instant::now();
    let second = Duration::from_secs(1);
    server.write_u8(WAIT).await.unwrap();
    tokio::time::advance(second).await;
    let error = late.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), Kind::Shutdown);
    assert_eq!(begun.elapsed(), second);
    assert_eq!(endpoint.counters.hedges.load(Ordering::Relaxed), 1);
    assert!(endpoint.lock().is_gone());
}

#[tokio::test(start_paused = true)]
async fn further_connections_are_opened_where_few_serve_nobody() {
    let config = Config {
        max_connections: 16,
        usual_connections: 16,
        max_depth: 1,
        ..Config::default()
    };
    let (endpoint, mut ends) = endpoint(config, &SharedPermits::new(16), None);
    endpoint.lock().teach_width(Width::Narrow);
    let send = || tokio::spawn(SendingCall::new(endpoint.clone(), ask(), None, None));
    let answered = send();
    let mut first = ends.recv().await.unwrap();
    assert_eq!(first.read_u8().await.unwrap(), b'?');
    first.write_u8(7).await.unwrap();
    assert_eq!(answered.await.unwrap().unwrap(), 7);
    // The first eight are not answered.
    let waiting: Vec<_> = (0..9).map(|_| send()).collect();
    let mut servers = vec![first];
    while servers.len() < 8 {
        servers.push(ends.recv().await.unwrap());
    }
    let began = tokio::time::Instant::now();
    let mut next = ends.recv().await.unwrap();
    assert!(began.elapsed() <= Duration::from_secs(1));
    assert_eq!(next.read_u8().await.unwrap(), b'?');
    next.write_u8(8).await.unwrap();
    let served = async {
        while !waiting.iter().any(tokio::task::JoinHandle::is_finished) {
            tokio::task::yield_now().await;
        }
    };
    served.await;
}
