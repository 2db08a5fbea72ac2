//! The ring: which server a key belongs to.

mod hash;
mod libketama;
mod mode;
mod spy;
mod starts;
mod weighted;

use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::iter::FusedIterator;

use crate::Server;

pub use mode::{Mode, ModeError};
use starts::Starts;

// Owners are kept as u16.
const MAX_SERVERS: usize = 1 << 16;

/// A place on the ring, and the server that has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Point {
    /// Where on the ring, which runs from 0 to [`u32::MAX`] and wraps.
    pub hash: u32,
    /// Position in the list given to [`Ring::new`].
    pub server: usize,
}

/// Servers placed on a ring. A key belongs to the first point at or after its hash,
/// wrapping past the end.
///
/// Servers are known by their position in the list given to [`new`](Self::new). Adding
/// or removing one of `n` servers moves about one key in `n`. Points depend on the host
/// text, so changing a name to its address moves keys too.
#[derive(Clone, PartialEq, Eq)]
pub struct Ring {
    mode: Mode,
    servers: usize,
    /// Servers with at least one point.
    placed: usize,
    hashes: Box<[u32]>,
    owners: Box<[u16]>,
    starts: Starts,
}

impl Ring {
    /// Places `servers` on a ring.
    ///
    /// Shares are rounded down, so a server whose weight is below about 1/40 of the mean
    /// may get no point, and then no key.
    ///
    /// # Errors
    ///
    /// No servers, more than 65536, or one endpoint twice.
    pub fn new(mode: Mode, servers: &[Server]) -> Result<Self, RingError> {
        if servers.is_empty() {
            return Err(RingError::Empty);
        }
        if servers.len() > MAX_SERVERS {
            return Err(RingError::TooMany(servers.len()));
        }
        let mut seen = HashMap::with_capacity(servers.len());
        for (second, server) in servers.iter().enumerate() {
            if let Some(first) = seen.insert(server.endpoint(), second) {
                return Err(RingError::Duplicate { first, second });
            }
        }

        let mut points = Vec::new();
        let mut placed = 0;
        let share = Share::of(servers);
        for (owner, server) in (0..=u16::MAX).zip(servers) {
            let before = points.len();
            let mut put = |hash| points.push((hash, owner));
            match mode {
                Mode::KetamaWeighted => weighted::place(server, share, &mut put),
                Mode::Libketama => libketama::place(server, share, &mut put),
                Mode::KetamaSpy => spy::place(server, share, &mut put),
            }
            placed += usize::from(points.len() > before);
        }
        // Where two servers share a point, the one listed first has it.
        points.sort_unstable();
        let (hashes, owners): (Vec<_>, Vec<_>) = points.into_iter().unzip();
        Ok(Self {
            mode,
            servers: servers.len(),
            placed,
            starts: Starts::of(&hashes),
            hashes: hashes.into(),
            owners: owners.into(),
        })
    }

    /// Which program's ring this is.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// The server that `key` belongs to, as a position in the list given to
    /// [`new`](Self::new).
    pub fn server(&self, key: &[u8]) -> usize {
        usize::from(self.owners[self.find(self.hash(key))])
    }

    /// The point that `key` belongs to.
    pub fn point(&self, key: &[u8]) -> Point {
        self.at(self.find(self.hash(key)))
    }

    /// Where `key` falls on the ring.
    pub fn hash(&self, key: &[u8]) -> u32 {
        match self.mode {
            Mode::KetamaWeighted | Mode::Libketama => hash::md5(key)[0],
            Mode::KetamaSpy => hash::one_at_a_time(key),
        }
    }

    /// Every point, in ring order. Points with one hash come in server order; keys
    /// belong to the first of them.
    pub fn points(&self) -> Points<'_> {
        Points {
            ring: self,
            next: 0,
        }
    }

    /// Each server with a point, once, in the order their points follow `key`: first
    /// [`server(key)`](Self::server), then the ones to fail over to.
    ///
    /// The order differs from key to key, so the keys of a failed server spread over all
    /// the others, and a key's second server is its first once the failed one is off the
    /// list (exactly so while the rest keep their points, as with equal weights).
    pub fn successors(&self, key: &[u8]) -> Successors<'_> {
        Successors {
            ring: self,
            next: self.find(self.hash(key)),
            seen: vec![false; self.servers].into(),
            left: self.placed,
        }
    }

    fn at(&self, index: usize) -> Point {
        Point {
            hash: self.hashes[index],
            server: usize::from(self.owners[index]),
        }
    }

    fn find(&self, hash: u32) -> usize {
        let range = self.starts.range(hash);
        let index = range.start + self.hashes[range].partition_point(|point| *point < hash);
        if index == self.hashes.len() { 0 } else { index }
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("mode", &self.mode)
            .field("servers", &self.servers)
            .field("points", &self.hashes.len())
            .finish()
    }
}

/// The points of a ring; from [`Ring::points`].
#[derive(Debug, Clone)]
pub struct Points<'a> {
    ring: &'a Ring,
    next: usize,
}

impl Iterator for Points<'_> {
    type Item = Point;

    fn next(&mut self) -> Option<Point> {
        if self.next == self.ring.hashes.len() {
            return None;
        }
        self.next += 1;
        Some(self.ring.at(self.next - 1))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.ring.hashes.len() - self.next;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Points<'_> {}
impl FusedIterator for Points<'_> {}

/// The servers a key may go to, best first; from [`Ring::successors`].
#[derive(Debug, Clone)]
pub struct Successors<'a> {
    ring: &'a Ring,
    next: usize,
    seen: Box<[bool]>,
    left: usize,
}

impl Iterator for Successors<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        self.left = self.left.checked_sub(1)?;
        loop {
            let server = self.ring.at(self.next).server;
            self.next = (self.next + 1) % self.ring.hashes.len();
            if !std::mem::replace(&mut self.seen[server], true) {
                return Some(server);
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Successors<'_> {}
impl FusedIterator for Successors<'_> {}

/// Why a list of servers makes no ring.
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RingError {
    /// The list is empty.
    Empty,
    /// The list has this many servers, more than 65536.
    TooMany(usize),
    /// Two entries are one endpoint: the port is the same, and so is the host but for
    /// letter case or the spelling of an address.
    Duplicate {
        /// This is the position of the first server in the list, from 0.
        first: usize,
        /// This is the position of the second server in the list, from 0.
        second: usize,
    },
}

impl fmt::Display for RingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("no servers"),
            Self::TooMany(count) => write!(f, "{count} servers, at most {MAX_SERVERS}"),
            Self::Duplicate { first, second } => {
                write!(f, "servers {first} and {second} (from 0) are the same")
            }
        }
    }
}

impl Error for RingError {}

/// What the share of one server depends on besides its own weight.
#[derive(Clone, Copy)]
struct Share {
    servers: usize,
    total: u64,
    /// Every weight is 1.
    even: bool,
}

impl Share {
    fn of(servers: &[Server]) -> Self {
        Self {
            servers: servers.len(),
            total: servers.iter().map(|s| u64::from(s.weight())).sum(),
            even: servers.iter().all(|s| s.weight() == 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn servers(list: &[&str]) -> Vec<Server> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn refuses_bad_lists() {
        for mode in Mode::ALL {
            assert_eq!(Ring::new(mode, &[]), Err(RingError::Empty));
            for list in [
                ["a:1", "b:1", "a:1 5"],
                ["a:1", "b:1", "A:1"],
                ["[::1]:1", "b:1", "[0:0::1]:1"],
            ] {
                assert_eq!(
                    Ring::new(mode, &servers(&list)),
                    Err(RingError::Duplicate {
                        first: 0,
                        second: 2
                    })
                );
            }
            assert!(Ring::new(mode, &servers(&["a:1", "a:2"])).is_ok());
        }
        let many = vec![Server::new("a", 1, 1).unwrap(); MAX_SERVERS + 1];
        assert_eq!(
            Ring::new(Mode::Libketama, &many),
            Err(RingError::TooMany(MAX_SERVERS + 1))
        );
    }

    #[test]
    fn a_key_takes_the_first_point_at_or_after_it_and_wraps() {
        let mut ring = Ring::new(Mode::default(), &servers(&["a:1", "b:1"])).unwrap();
        ring.hashes = [5, 9, 9, 12].into();
        ring.starts = Starts::of(&ring.hashes);
        ring.owners = [1, 0, 1, 1].into();
        for (hash, index) in [(0, 0), (5, 0), (6, 1), (9, 1), (10, 3), (12, 3), (13, 0)] {
            assert_eq!(ring.find(hash), index, "{hash}");
        }
        assert_eq!(ring.find(u32::MAX), 0);
        let points: Vec<_> = ring.points().map(|p| (p.hash, p.server)).collect();
        assert_eq!(points, [(5, 1), (9, 0), (9, 1), (12, 1)]);
        assert_eq!(ring.points().len(), 4);
    }

    #[test]
    fn debug_is_short() {
        let ring = Ring::new(Mode::default(), &servers(&["a:1", "b:1"])).unwrap();
        assert_eq!(
            format!("{ring:?}"),
            "Ring { mode: KetamaWeighted, servers: 2, points: 320 }"
        );
    }
}
