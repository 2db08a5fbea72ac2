//! Memcached as the server that keeps entries.
//!
//! Over the meta protocol the server grants leases by itself. Over the classic one a lease is a **place**: an
//! entry of a value that nobody else stores, added by the one who is to fill, with the number that the server
//! gave it. A deletion takes the place away, and a fill replaces the entry of that number only.
//!
//! In both protocols a fill goes on the connection that told the number, or it is refused. After a restart of the
//! server its numbers begin anew, and a fill from before could replace an entry of the same number from after. Behind
//! a proxy the connection is that of the proxy, and outlives such a restart.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, timeout_at};

use super::{Backend, Deleted, Filled, Peeked};
use crate::memcached::{
    Error, Fetch, Key, Kind, Lease, Leased, Memcached, Stored, claim, fetch_value,
};
use crate::through::steps::Looked;
use crate::through::trust::{Placement, Shard};

/// The beginning of a place. No value begins like this.
const PLACE_PREFIX: &[u8] = b"rcplace:";

/// The right to fill a key.
pub(crate) enum FillRight {
    Meta(Lease),
    /// It is the place of this key.
    Classic(Key, Lease),
}

impl Backend for Memcached {
    type Right = FillRight;

    async fn look(
        &self,
        key: &Key,
        lease: Duration,
        renew: Option<Duration>,
        limit: Duration,
    ) -> Looked<FillRight, Bytes> {
        let until = Instant::now() + limit;
        if !self.is_classic() {
            let mut look = self.get_lease(key.clone()).lease(lease).limit(limit);
            if let Some(renew) = renew {
                look = look.refill_within(renew);
            }
            return match look.send().await {
                Ok(Leased::Hit { value, refill, .. }) => match refill {
                    Some(lease) => Looked::Renew(value.data, FillRight::Meta(lease)),
                    None => Looked::Hit(value.data),
                },
                Ok(Leased::Miss(lease)) => Looked::Win(FillRight::Meta(lease)),
                Ok(Leased::Wait) => Looked::Lost,
                Ok(Leased::Away) => Looked::Down,
                Err(error) if error.kind() == Kind::Unsupported => {
                    Box::pin(classic_look(self, key, lease, until)).await
                }
                Err(_) => Looked::Down,
            };
        }
        Box::pin(classic_look(self, key, lease, until)).await
    }

    async fn peek(&self, key: &Key) -> Peeked<Bytes> {
        // This future is not boxed, as most hits come this way.
        match fetch_value(self, Fetch::plain(self.wire(key))).await {
            Ok(Some(value)) => Peeked::Hit(value.data),
            Ok(None) => Peeked::Nothing,
            Err(_) => Peeked::Down,
        }
    }

    async fn fill(&self, lease: FillRight, value: Bytes, ttl: Duration) -> Filled {
        let (FillRight::Meta(lease) | FillRight::Classic(_, lease)) = lease;
        filled(Memcached::fill(self, lease, value).ttl(ttl).await)
    }

    async fn cancel(&self, lease: FillRight) {
        // A right that cannot be given back ends by itself.
        match lease {
            FillRight::Meta(lease) => {
                let _ = lease.give_back().await;
            }
            FillRight::Classic(key, lease) => {
                let place = self.gets(key.clone()).await;
                let number = Some(lease.number());
                if place.is_ok_and(|p| p.is_some_and(|p| p.cas == number)) {
                    let _ = Memcached::delete(self, key).await;
                }
            }
        }
    }

    async fn delete(&self, key: &Key) -> Deleted {
        match Memcached::delete(self, key.clone()).await {
            Ok(_) => Deleted::Done,
            Err(error) if error.is_owed() => Deleted::Owed,
            Err(_) => Deleted::Unknown,
        }
    }

    fn timeout(&self) -> Duration {
        Memcached::timeout(self)
    }
}

impl Placement for Memcached {
    fn list(&self) -> u64 {
        self.list_number()
    }

    fn shard(&self, key: &Key) -> Shard {
        let (list, server) = self.home(key.clone());
        let mut hasher = DefaultHasher::new();
        server.hash(&mut hasher);
        Shard {
            list,
            server: hasher.finish() as usize,
        }
    }
}

fn filled(stored: Result<Stored, Error>) -> Filled {
    match stored {
        Ok(stored) if stored.is_stored() => Filled::Stored,
        Ok(_) => Filled::Refused,
        Err(error) if matches!(error.kind(), Kind::Gone | Kind::TooLarge) => Filled::Refused,
        Err(_) => Filled::Down,
    }
}

/// A look over the classic protocol, which takes several commands. Together they have the time of one.
async fn classic_look(
    memcached: &Memcached,
    key: &Key,
    lease: Duration,
    until: Instant,
) -> Looked<FillRight, Bytes> {
    match timeout_at(until, take_place(memcached, key, lease)).await {
        Ok(Ok(looked)) => looked,
        Ok(Err(_)) | Err(_) => Looked::Down,
    }
}

async fn take_place(
    memcached: &Memcached,
    key: &Key,
    lease: Duration,
) -> Result<Looked<FillRight, Bytes>, Error> {
    match fetch_value(memcached, Fetch::plain(memcached.wire(key))).await? {
        Some(value) if value.data.starts_with(PLACE_PREFIX) => return Ok(Looked::Lost),
        Some(value) => return Ok(Looked::Hit(value.data)),
        None => {}
    }
    if !memcached.grants(key) {
        return Ok(Looked::Down);
    }
    let place = [
        PLACE_PREFIX,
        format!("{:016x}", fastrand::u64(..)).as_bytes(),
    ]
    .concat();
    let place = Bytes::from(place);
    let added = memcached.add(key.clone(), place.clone()).ttl(lease).await?;
    if !added.is_stored() {
        return Ok(Looked::Lost);
    }
    // This asks for the number that the server gave the place, if the place is still there.
    Ok(match claim(memcached, key).await? {
        Some((value, lease)) if value == place => {
            Looked::Win(FillRight::Classic(key.clone(), lease))
        }
        None if !memcached.grants(key) => {
            // Nobody can fill the place, and other reads would wait for that.
            Memcached::delete(memcached, key.clone()).await?;
            Looked::Down
        }
        _ => Looked::Lost,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memcached::Dialect;
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::TcpListener;

    /// Another has taken the place meanwhile.
    #[tokio::test]
    async fn a_place_of_another_is_neither_claimed_nor_given_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let memcached = Memcached::builder()
            .servers([listener.local_addr().unwrap().to_string()])
            .dialect(Dialect::Classic)
            .timeout(Duration::from_secs(60))
            .build()
            .unwrap();
        let server = tokio::spawn(async move {
            let mut io = BufReader::new(listener.accept().await.unwrap().0);
            let mut said = Vec::new();
            let mut place = String::new();
            let mut claims = 0;
            let mut line = String::new();
            while io.read_line(&mut line).await.unwrap() > 0 {
                let verb = line.split(' ').next().unwrap().to_owned();
                let answer = match &verb[..] {
                    "get" => "END\r\n".to_owned(),
                    "add" => {
                        place.clear();
                        io.read_line(&mut place).await.unwrap();
                        "STORED\r\n".to_owned()
                    }
                    _ => {
                        claims += 1;
                        // The first look is claimed, and given back too late. Then another is before the second.
                        let value = if claims < 3 {
                            &place[..24]
                        } else {
                            "rcplace:another's place."
                        };
                        format!("VALUE k 0 24 {claims}\r\n{value}\r\nEND\r\n")
                    }
                };
                said.push(verb);
                io.get_mut().write_all(answer.as_bytes()).await.unwrap();
                line.clear();
            }
            said
        });
        let (key, limit) = (Key::from("k"), Duration::from_secs(60));
        let look = async || Backend::look(&memcached, &key, limit, None, limit).await;
        let Looked::Win(lease) = look().await else {
            panic!("it is claimed");
        };
        memcached.cancel(lease).await;
        assert!(matches!(look().await, Looked::Lost));
        memcached.clone().close(Duration::ZERO).await;
        let said = server.await.unwrap();
        assert_eq!(said, ["get", "add", "gets", "gets", "get", "add", "gets"]);
    }

    /// Over the classic protocol a look is three commands, and each has the time of an operation by itself.
    #[tokio::test]
    async fn a_look_takes_no_longer_than_it_may_whatever_it_is_made_of() {
        for answered in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let memcached = Memcached::builder()
                .servers([listener.local_addr().unwrap().to_string()])
                .dialect(Dialect::Classic)
                .timeout(Duration::from_secs(60))
                .build()
                .unwrap();
            let server = tokio::spawn(async move {
                let mut io = BufReader::new(listener.accept().await.unwrap().0);
                for answer in ["END\r\n", "STORED\r\n"].into_iter().take(answered) {
                    let mut line = String::new();
                    io.read_line(&mut line).await.unwrap();
                    if line.starts_with("add") {
                        io.read_line(&mut line).await.unwrap();
                    }
                    io.get_mut().write_all(answer.as_bytes()).await.unwrap();
                }
                // And no more.
                std::future::pending::<()>().await;
            });
            let limit = Duration::from_millis(100);
            let key = Key::from("k");
            let look = Backend::look(&memcached, &key, limit, None, limit);
            let looked = tokio::time::timeout(Duration::from_secs(30), look).await;
            assert!(matches!(looked, Ok(Looked::Down)), "{answered}");
            server.abort();
        }
    }
}
