//! Happy eyeballs ([RFC 8305](https://www.rfc-editor.org/rfc/rfc8305)) within the cap on sockets.
//!
//! The first attempt runs under the permit of the connection that is being opened, and each that
//! runs beside it under an extra one. Permits are alike: at every instant there are as many as
//! sockets, and an extra one goes back only after a socket is closed.
//!
//! *Problem:* Names have addresses of two families, some of them silent; trying all at once would break
//! the cap on sockets. *Decision:* Addresses are tried 250 ms apart ([RFC
//! 8305](https://www.rfc-editor.org/rfc/rfc8305)), each further socket under a permit of its own;
//! without a spare permit they are tried one after another, and a silent address makes way after 1.5 s.
//! An address that failed is tried last for a growing while. Connections are spread over the addresses
//! of a name, which is looked up again every few seconds. *Cost:* At the cap, a name with silent
//! addresses takes 1.5 s for each of them once.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::engine::shell::extra_permit::{ExtraPermit, ExtraPermits};

/// How long an attempt goes before the next begins beside it.
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// Steps that an attempt gets when the next cannot begin beside it.
const MAX_STEPS_ALONE: u32 = 6;

/// The attempts under way. Fields go in this order: sockets are closed before permits are given
/// back, also when the race is given up.
struct Field<F, S: Fn(SocketAddr)> {
    attempts: Vec<(SocketAddr, Pin<Box<F>>)>,
    permits: Vec<ExtraPermit>,
    slow: S,
}

impl<F, S: Fn(SocketAddr)> Field<F, S> {
    /// Gives back permits that have no socket any more.
    fn settle(&mut self) {
        self.permits.truncate(self.attempts.len().saturating_sub(1));
    }
}

impl<F, S: Fn(SocketAddr)> Drop for Field<F, S> {
    fn drop(&mut self) {
        // Time is up, and these have not answered.
        self.attempts
            .iter()
            .for_each(|(address, _)| (self.slow)(*address));
    }
}

enum RaceEvent<T> {
    Ended(usize, io::Result<T>),
    Step,
}

/// Tries these addresses in their order until one answers. `slow` is told of those that were
/// outrun by a later one, had to make way for it, or have not answered when the race is given up.
pub(crate) async fn race<T, F>(
    addresses: Vec<SocketAddr>,
    permits: &dyn ExtraPermits,
    dial: impl Fn(SocketAddr) -> F,
    slow: impl Fn(SocketAddr),
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut rest = addresses.into_iter();
    let mut field = Field {
        attempts: Vec::new(),
        permits: Vec::new(),
        slow,
    };
    let mut last = None;
    let mut steps = 0;
    let mut step = pin!(sleep_until(Instant::now() + ATTEMPT_DELAY));
    loop {
        if field.attempts.is_empty() {
            let Some(address) = rest.next() else {
                let none = || io::Error::new(io::ErrorKind::NotFound, "there is no address");
                return Err(last.unwrap_or_else(none));
            };
            field.attempts.push((address, Box::pin(dial(address))));
            steps = 0;
            step.as_mut().reset(Instant::now() + ATTEMPT_DELAY);
        }
        let more = rest.len() > 0;
        let event = poll_fn(|cx| {
            for (i, (_, attempt)) in field.attempts.iter_mut().enumerate() {
                if let Poll::Ready(result) = attempt.as_mut().poll(cx) {
                    return Poll::Ready(RaceEvent::Ended(i, result));
                }
            }
            match more {
                true => step.as_mut().poll(cx).map(|()| RaceEvent::Step),
                false => Poll::Pending,
            }
        });
        match event.await {
            RaceEvent::Ended(winner, Ok(won)) => {
                field.attempts[..winner]
                    .iter()
                    .for_each(|(address, _)| (field.slow)(*address));
                field.attempts.clear();
                field.settle();
                return Ok(won);
            }
            RaceEvent::Ended(i, Err(error)) => {
                drop(field.attempts.remove(i));
                // More sockets are no cure for having too many.
                if super::is_exhausted(&error) {
                    rest = Vec::new().into_iter();
                }
                last = Some(error);
                // The next has no reason to wait, and this one's permit.
                if let Some(address) = rest.next() {
                    field.attempts.push((address, Box::pin(dial(address))));
                    step.as_mut().reset(Instant::now() + ATTEMPT_DELAY);
                } else {
                    field.settle();
                }
            }
            RaceEvent::Step => {
                step.as_mut().reset(Instant::now() + ATTEMPT_DELAY);
                if let Some(permit) = permits.extra_permit() {
                    field.permits.push(permit);
                } else {
                    steps += 1;
                    if steps < MAX_STEPS_ALONE {
                        continue;
                    }
                    let (address, attempt) = field.attempts.remove(0);
                    drop(attempt);
                    (field.slow)(address);
                }
                steps = 0;
                if let Some(address) = rest.next() {
                    field.attempts.push((address, Box::pin(dial(address))));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Counts permits and sockets, and sees that there are never more sockets.
    #[derive(Default)]
    struct Count {
        free: AtomicUsize,
        sockets: AtomicUsize,
        most: AtomicUsize,
        permits: AtomicUsize,
    }

    struct CountedPermit(Arc<Count>);

    impl Drop for CountedPermit {
        fn drop(&mut self) {
            self.0.free.fetch_add(1, SeqCst);
            let left = self.0.permits.fetch_sub(1, SeqCst) - 1;
            assert!(
                self.0.sockets.load(SeqCst) <= left,
                "a permit went before its socket"
            );
        }
    }

    struct Socket(Arc<Count>);

    impl Drop for Socket {
        fn drop(&mut self) {
            self.0.sockets.fetch_sub(1, SeqCst);
        }
    }

    struct Few(Arc<Count>);

    impl ExtraPermits for Few {
        fn extra_permit(&self) -> Option<ExtraPermit> {
            let take = |free: usize| free.checked_sub(1);
            self.0.free.fetch_update(SeqCst, SeqCst, take).ok()?;
            self.0.permits.fetch_add(1, SeqCst);
            Some(Box::new(CountedPermit(self.0.clone())))
        }
    }

    fn address(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 80))
    }

    const NEVER: u64 = u64::MAX;

    struct RaceRun {
        result: io::Result<u8>,
        /// What was tried, and when in ms.
        tried: Vec<(u8, u64)>,
        slow: Vec<u8>,
        took: u64,
        most: usize,
    }

    /// Races addresses that take so many ms each, and then answer or fail.
    async fn run(extra: usize, script: &[(u64, Result<(), i32>)]) -> RaceRun {
        let count = Arc::new(Count::default());
        count.free.store(extra, SeqCst);
        count.permits.store(1, SeqCst);
        let begun = Instant::now();
        let ms = || begun.elapsed().as_millis() as u64;
        let tried = RefCell::new(Vec::new());
        let slow = RefCell::new(Vec::new());
        let dial = |address: SocketAddr| {
            let SocketAddr::V4(v4) = address else {
                unreachable!("only v4 here")
            };
            let n = v4.ip().octets()[3];
            tried.borrow_mut().push((n, ms()));
            let (after, result) = script[n as usize];
            let socket = Socket(count.clone());
            let now = count.sockets.fetch_add(1, SeqCst) + 1;
            assert!(
                now <= count.permits.load(SeqCst),
                "a socket without a permit"
            );
            count.most.fetch_max(now, SeqCst);
            async move {
                let _socket = socket;
                match after {
                    NEVER => std::future::pending().await,
                    _ => tokio::time::sleep(Duration::from_millis(after)).await,
                }
                result.map(|()| n).map_err(io::Error::from_raw_os_error)
            }
        };
        let all = (0..script.len() as u8).map(address).collect();
        let note = |address: SocketAddr| {
            let SocketAddr::V4(v4) = address else {
                unreachable!("only v4 here")
            };
            slow.borrow_mut().push(v4.ip().octets()[3]);
        };
        let result = race(all, &Few(count.clone()), dial, note).await;
        assert_eq!(count.sockets.load(SeqCst), 0);
        assert_eq!(count.free.load(SeqCst), extra, "an extra permit was kept");
        RaceRun {
            result,
            tried: tried.take(),
            slow: slow.take(),
            took: ms(),
            most: count.most.load(SeqCst),
        }
    }

    const REFUSED: i32 = 111;

    #[tokio::test(start_paused = true)]
    async fn the_first_address_wins_when_it_answers_in_time() {
        let run = run(8, &[(249, Ok(())), (1, Ok(()))]).await;
        assert_eq!(run.result.unwrap(), 0);
        assert_eq!((run.tried, run.took), (vec![(0, 0)], 249));
        assert!(run.slow.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_address_costs_one_step() {
        let run = run(
            8,
            &[(NEVER, Ok(())), (NEVER, Ok(())), (20, Ok(())), (1, Ok(()))],
        )
        .await;
        assert_eq!(run.result.unwrap(), 2);
        assert_eq!(run.tried, [(0, 0), (1, 250), (2, 500)]);
        assert_eq!((run.slow, run.took, run.most), (vec![0, 1], 520, 3));
    }

    #[tokio::test(start_paused = true)]
    async fn an_earlier_attempt_may_still_win() {
        let run = run(8, &[(300, Ok(())), (NEVER, Ok(()))]).await;
        assert_eq!(run.result.unwrap(), 0);
        assert!(run.slow.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_brings_on_the_next_at_once() {
        let refused = Err(REFUSED);
        let run = run(0, &[(3, refused), (3, refused), (3, Ok(()))]).await;
        assert_eq!(run.result.unwrap(), 2);
        assert_eq!((run.took, run.most), (9, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_beside_another_attempt_reuses_its_permit() {
        let script = [(NEVER, Ok(())), (10, Err(REFUSED)), (10, Ok(()))];
        let run = run(1, &script).await;
        assert_eq!(run.result.unwrap(), 2);
        assert_eq!((run.took, run.most), (270, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_extra_permit_attempts_run_in_sequence() {
        let run = run(0, &[(NEVER, Ok(())), (10, Ok(()))]).await;
        assert_eq!(run.result.unwrap(), 1);
        assert_eq!((run.slow, run.took, run.most), (vec![0], 1510, 1));
    }

    #[tokio::test(start_paused = true)]
    async fn when_all_fail_the_last_reason_is_told() {
        let run = run(1, &[(1, Err(113)), (1, Err(REFUSED))]).await;
        assert_eq!(run.result.unwrap_err().raw_os_error(), Some(REFUSED));
    }

    #[tokio::test(start_paused = true)]
    async fn without_descriptors_no_further_address_is_tried() {
        let run = run(1, &[(1, Err(24)), (1, Ok(()))]).await;
        assert_eq!(run.result.unwrap_err().raw_os_error(), Some(24));
        assert_eq!(run.tried.len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_race_that_is_given_up_closes_sockets_before_it_frees_permits() {
        let script = [(NEVER, Ok(())), (NEVER, Ok(())), (NEVER, Ok(()))];
        let limit = Duration::from_millis(900);
        // What is dropped checks the order.
        assert!(tokio::time::timeout(limit, run(2, &script)).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_silent_to_the_end_is_slow() {
        let slow = RefCell::new(Vec::new());
        let silent = |_| std::future::pending::<io::Result<()>>();
        let permits = Few(Arc::default());
        let all = vec![address(1), address(2)];
        let race = race(all, &permits, silent, |address| {
            slow.borrow_mut().push(address);
        });
        assert!(
            tokio::time::timeout(Duration::from_secs(5), race)
                .await
                .is_err()
        );
        // The first had made way.
        assert_eq!(slow.take(), [address(1), address(2)]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_has_failed_keeps_no_permit_from_others() {
        let count = Arc::new(Count::default());
        count.free.store(1, SeqCst);
        count.permits.store(1, SeqCst);
        let (first, second) = (address(1), address(2));
        let dial = |address: SocketAddr| {
            let count = count.clone();
            async move {
                if address == second {
                    assert_eq!(count.free.load(SeqCst), 0);
                    return Err(io::Error::from_raw_os_error(REFUSED));
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
                Ok(count.free.load(SeqCst))
            }
        };
        let permits = Few(count.clone());
        let free = race(vec![first, second], &permits, dial, |_| {}).await;
        assert_eq!(free.unwrap(), 1, "the first was still being tried");
    }
}
