//! Which of a host's addresses is next: the least used one that works.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::core::backoff::Backoff;

/// For how long an address is tried last after failures.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));

/// How a host's addresses are used and how they have been doing. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Addresses(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    pages: HashMap<SocketAddr, Page>,
    turn: u64,
}

struct Page {
    /// Connections that are open or being opened.
    used: usize,
    /// When it was last chosen, counted in choices.
    turn: u64,
    /// It is tried last until these failures are over.
    backoff: Backoff,
}

impl Default for Page {
    fn default() -> Self {
        Self {
            used: 0,
            turn: 0,
            backoff: PAUSES,
        }
    }
}

impl Addresses {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of these addresses, in the order in which to try them.
    pub(crate) fn plan(&self, addresses: &[SocketAddr], now: Instant) -> Vec<SocketAddr> {
        let mut book = self.book();
        book.pages
            .retain(|address, page| page.used > 0 || addresses.contains(address));
        let page = |address: &SocketAddr| book.pages.get(address);
        let pause = |address: &SocketAddr| {
            let until = page(address).and_then(|page| page.backoff.until());
            until.filter(|until| *until > now.into_std())
        };
        let (mut paused, mut sound): (Vec<_>, Vec<_>) = addresses
            .iter()
            .copied()
            .partition(|address| pause(address).is_some());
        sound.sort_by_key(|address| page(address).map_or((0, 0), |p| (p.used, p.turn)));
        paused.sort_by_key(pause);
        // The system puts the family first that it has a route for (RFC 6724).
        let v6_first = addresses.first().is_some_and(SocketAddr::is_ipv6);
        let (first, second): (Vec<_>, Vec<_>) = sound
            .into_iter()
            .partition(|address| address.is_ipv6() == v6_first);
        let mut plan = interleave(first, second);
        plan.append(&mut paused);
        plan
    }

    /// Notes a connection that is going to be opened, until the lease is dropped.
    pub(crate) fn lease(&self, address: SocketAddr) -> Lease {
        let mut book = self.book();
        book.turn += 1;
        let turn = book.turn;
        let page = book.pages.entry(address).or_default();
        page.used += 1;
        page.turn = turn;
        Lease {
            addresses: self.clone(),
            address,
            on_trial: AtomicBool::new(false),
        }
    }

    /// Has this address tried last for a while, longer with each failure. `random` spreads the
    /// returns of many clients.
    pub(crate) fn failed(&self, address: SocketAddr, now: Instant, random: u64) {
        let mut book = self.book();
        let page = book.pages.entry(address).or_default();
        let share = (random >> 11) as f64 / (1_u64 << 53) as f64;
        page.backoff.fail_spread(share, now.into_std());
    }

    fn succeeded(&self, address: SocketAddr) {
        let mut book = self.book();
        if let Some(page) = book.pages.get_mut(&address) {
            page.backoff.end();
        }
    }

    #[cfg(test)]
    pub(crate) fn used(&self, address: SocketAddr) -> usize {
        self.book().pages.get(&address).map_or(0, |page| page.used)
    }
}

/// One from each in turn, beginning with the first.
fn interleave<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    let mut all = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let before = all.len();
        all.extend(first.next());
        all.extend(second.next());
        if all.len() == before {
            return all;
        }
    }
}

/// A number that cannot be told in advance.
pub(crate) fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// One connection's claim on its address; dropped with the connection.
pub(crate) struct Lease {
    addresses: Addresses,
    address: SocketAddr,
    /// What is asked of the address decides whether it works.
    on_trial: AtomicBool,
}

impl Lease {
    /// The address has taken the connection, and has still to show that it works: if it is given
    /// up before that, as when the address is silent in a handshake, it has failed.
    pub(crate) fn begin_trial(&self) {
        self.on_trial.store(true, Ordering::Relaxed);
    }

    /// The connection can be used.
    pub(crate) fn succeeded(&self) {
        self.on_trial.store(false, Ordering::Relaxed);
        self.addresses.succeeded(self.address);
    }

    /// The connection could not be made ready for use.
    pub(crate) fn failed(&self) {
        self.on_trial.store(false, Ordering::Relaxed);
        self.addresses
            .failed(self.address, Instant::now(), random());
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if *self.on_trial.get_mut() {
            self.failed();
        }
        if let Some(page) = self.addresses.book().pages.get_mut(&self.address) {
            page.used = page.used.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first pause, if chance makes it the longest.
    const PAUSE: Duration = Duration::from_millis(250);

    fn v4(n: u8) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, n], 80))
    }

    fn v6(n: u16) -> SocketAddr {
        SocketAddr::from(([0xfd, 0, 0, 0, 0, 0, 0, n], 80))
    }

    #[test]
    fn families_take_turns_and_the_systems_choice_begins() {
        let now = Instant::now();
        let plan = Addresses::default().plan(&[v6(1), v6(2), v4(1), v4(2), v4(3)], now);
        assert_eq!(plan, [v6(1), v4(1), v6(2), v4(2), v4(3)]);
        let plan = Addresses::default().plan(&[v4(1), v4(2), v6(1)], now);
        assert_eq!(plan, [v4(1), v6(1), v4(2)]);
    }

    #[test]
    fn the_least_used_is_first_and_equals_take_turns() {
        let now = Instant::now();
        let all = [v4(1), v4(2), v4(3)];
        let book = Addresses::default();
        let mut leases = Vec::new();
        for round in 0..4 {
            for address in all {
                assert_eq!(book.plan(&all, now)[0], address, "in round {round}");
                leases.push(book.lease(address));
            }
        }
        let gone = leases.remove(7);
        drop(gone);
        assert_eq!(book.plan(&all, now)[0], v4(2));
        leases.clear();
        assert_eq!(book.plan(&all, now), [v4(1), v4(2), v4(3)]);
        drop(book.lease(v4(1)));
        assert_eq!(book.plan(&all, now), [v4(2), v4(3), v4(1)]);
    }

    #[test]
    fn what_failed_is_last_until_its_pause_is_over() {
        let now = Instant::now();
        let all = [v4(1), v4(2), v4(3)];
        let book = Addresses::default();
        book.failed(v4(1), now, u64::MAX);
        assert_eq!(book.plan(&all, now), [v4(2), v4(3), v4(1)]);
        book.failed(v4(2), now, 0);
        book.failed(v4(3), now, u64::MAX);
        // None is left out, and the one that may come back first is first.
        assert_eq!(book.plan(&all, now)[0], v4(2));
        assert_eq!(book.plan(&all, now).len(), 3);
        assert_eq!(book.plan(&all, now + PAUSE), all);
        drop(book.lease(v4(1)));
        let lease = book.lease(v4(1));
        lease.succeeded();
        drop(lease);
        assert_eq!(book.plan(&all, now)[0], v4(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_given_up_on_trial_has_failed() {
        let all = [v4(1), v4(2)];
        let book = Addresses::default();
        let first = |book: &Addresses| book.plan(&all, Instant::now())[0];
        // One that was outrun is not on trial.
        drop(book.lease(v4(1)));
        drop(book.lease(v4(2)));
        assert_eq!(first(&book), v4(1));
        let lease = book.lease(v4(1));
        lease.begin_trial();
        drop(lease);
        drop(book.lease(v4(2)));
        assert_eq!(first(&book), v4(2));
        let lease = book.lease(v4(1));
        lease.begin_trial();
        lease.succeeded();
        drop(lease);
        drop(book.lease(v4(2)));
        assert_eq!(first(&book), v4(1));
    }

    #[test]
    fn a_success_forgets_the_failures_before_it() {
        let now = Instant::now();
        let all = [v4(1), v4(2)];
        let book = Addresses::default();
        for _ in 0..6 {
            book.failed(v4(1), now, u64::MAX);
        }
        let lease = book.lease(v4(1));
        lease.succeeded();
        drop((lease, book.lease(v4(2))));
        // The next pause is as short as the first.
        book.failed(v4(1), now, u64::MAX);
        assert_eq!(book.plan(&all, now), [v4(2), v4(1)]);
        assert_eq!(book.plan(&all, now + PAUSE), all);
    }

    #[test]
    fn what_is_no_longer_named_is_forgotten() {
        let now = Instant::now();
        let book = Addresses::default();
        book.failed(v4(1), now, 0);
        let lease = book.lease(v4(2));
        book.plan(&[v4(3)], now);
        assert_eq!(book.book().pages.len(), 1);
        drop(lease);
        book.plan(&[v4(3)], now);
        assert!(book.book().pages.is_empty());
    }
}
