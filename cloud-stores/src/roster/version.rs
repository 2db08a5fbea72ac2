//! The version of a whole roster, and whether it is valid.
//!
//! *Problem:* A client that names the version of what it knows is told "unchanged" if that is the stored one. The contacts
//! and the version are several items, written one after another, by several nodes at the same time, and each may end half
//! way. A version must never stand for more contacts than its holder has seen. *Decision:* The item of the version has the
//! version and a mark for each commit that is under way; it is valid only while there is no mark. A commit sets its new
//! version together with its mark, writes its contacts, and takes the mark away on the condition that nobody has begun
//! since. If somebody has, a version that nobody was told takes the place of what is there first: what the other told with
//! its own does not include these contacts. *Cost:* Two requests a commit, two more where two overlap. A node that ends half
//! way leaves its mark, and the roster is sent whole until the mark is an hour old and is cleared away.
//!
//! ```text
//!             begin: version := new, marks += own
//!   ┌───────┐ ─────────────────────────────────────────────────► ┌─────────────┐
//!   │ valid │                                                    │ n under way │ ──► begin: n + 1
//!   └───────┘ ◄── end of the last, or its mark is an hour old ── └─────────────┘ ◄── end of another
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use sdb_client::{Expected, Item, PutItem};

use super::Roster;
use crate::error::{Error, Result};
use crate::jid::BareJid;
use crate::layout::item_name;
use crate::stores::{Freshness, VERSION};
use crate::version::Version;

/// The version of the roster, behind a dot.
const ROSTER_VERSION: &str = "ver";
/// The marks of commits that are under way: `SECONDS-RANDOM`.
const PENDING: &str = "p";

/// The most bytes of a version.
const MAX_VERSION: usize = 1023;

/// How old a mark is, in seconds, whose node has surely ended: far more than any deadline, and than clocks differ.
const DEAD: u64 = 3600;

/// A commit that is under way.
pub(super) struct Pending {
    mark: String,
    /// What the item's own version was set to.
    own: Version,
}

impl Roster {
    /// The version of a person's roster; nothing if there is none, or if it is not valid while contacts are changed. One
    /// request.
    ///
    /// Read it before the contacts: what changes between the two is then sent again, instead of being missed.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn version(&self, jid: &BareJid) -> Result<Option<String>> {
        self.act(jid, async {
            let name = item_name(&[jid.as_str()]);
            // Old contacts with a new version would not be put right by anything: past every cache.
            let item = self
                .0
                .get_item(&self.domain(jid), &name, Freshness::Newest)
                .await?;
            let Some(item) = item else {
                return Ok(None);
            };
            let marks: Vec<&str> = item.all(PENDING).collect();
            if marks.is_empty() {
                let version = item
                    .first(ROSTER_VERSION)
                    .and_then(|text| text.strip_prefix('.'));
                return Ok(version.map(str::to_owned));
            }
            if marks.iter().all(|mark| is_dead(mark, now())) {
                self.clear(jid, &marks).await?;
            }
            Ok(None)
        })
        .await
    }

    /// Sets the version of a person's roster without a change, for a roster that has none. One request.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) for a version of more than 1,023 bytes; otherwise as the services fail.
    pub async fn set_version(&self, jid: &BareJid, version: &str) -> Result<()> {
        self.act(jid, async {
            let (put, _) = put(jid, version)?;
            self.0.put_item(&self.domain(jid), put).await
        })
        .await
    }

    /// Sets the new version, which is not valid yet.
    pub(super) async fn begin(&self, jid: &BareJid, version: &str) -> Result<Pending> {
        let (put, own) = put(jid, version)?;
        let mark = format!("{:012}-{:016x}", now(), fastrand::u64(..));
        let put = put.add(PENDING, &*mark);
        self.0.put_item(&self.domain(jid), put).await?;
        Ok(Pending { mark, own })
    }

    /// Makes the version valid, as far as this commit is concerned.
    pub(super) async fn end(&self, jid: &BareJid, pending: Pending) -> Result<()> {
        let domain = self.domain(jid);
        let name = item_name(&[jid.as_str()]);
        let unmark = domain.delete(&*name).value(PENDING, &*pending.mark);
        let unmark = unmark.timeout(self.0.request_time());
        let nobody_since = Expected::equals(VERSION, pending.own.to_string());
        match unmark.clone().expect(nobody_since).await {
            Ok(_) => return Ok(()),
            // The roster was removed meanwhile, and is not to come back.
            Err(error) if error.code() == Some("AttributeDoesNotExist") => return Ok(()),
            Err(error) if error.is_condition_failed() => {}
            Err(error) => {
                // Lost: it may be done. If not, what follows is right in any case.
                let item = self.0.get_item(&domain, &name, Freshness::Newest).await?;
                if !item.is_some_and(|item| has_mark(&item, &pending.mark)) {
                    return Ok(());
                }
                if error.kind() == sdb_client::Kind::Invalid {
                    return Err(error.into());
                }
            }
        }
        let fresh = format!("{:032x}", fastrand::u128(..));
        let (put, _) = put(jid, &fresh)?;
        self.0.put_item(&domain, put).await?;
        unmark.await?;
        Ok(())
    }

    /// Takes away the marks of commits that ended half way, after a version that nobody was told.
    async fn clear(&self, jid: &BareJid, marks: &[&str]) -> Result<()> {
        let domain = self.domain(jid);
        let (put, _) = put(jid, &format!("{:032x}", fastrand::u128(..)))?;
        self.0.put_item(&domain, put).await?;
        let mut unmark = domain.delete(item_name(&[jid.as_str()]));
        for mark in marks {
            unmark = unmark.value(PENDING, *mark);
        }
        unmark.timeout(self.0.request_time()).await?;
        Ok(())
    }
}

/// A put of a version, and what the item's own version is then.
fn put(jid: &BareJid, version: &str) -> Result<(PutItem, Version)> {
    if version.len() > MAX_VERSION {
        let bytes = version.len();
        return Err(Error::too_large(
            "the version of the roster",
            bytes,
            "bytes",
            MAX_VERSION,
        ));
    }
    let own = Version::unconditional();
    let put = PutItem::new(item_name(&[jid.as_str()]))
        .replace(ROSTER_VERSION, format!(".{version}"))
        .replace(VERSION, own.to_string());
    Ok((put, own))
}

fn has_mark(item: &Item, mark: &str) -> bool {
    item.all(PENDING).any(|one| one == mark)
}

/// Whether the commit of this mark has surely ended; one that is not understood is taken for new.
fn is_dead(mark: &str, now: u64) -> bool {
    let since = mark
        .split('-')
        .next()
        .and_then(|seconds| seconds.parse::<u64>().ok());
    since.is_some_and(|since| since.saturating_add(DEAD) < now)
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use emulator::Emulator;
    use s3_client::{Credentials, S3Client};
    use sdb_client::SdbClient;

    use super::*;
    use crate::Kind;
    use crate::roster::{RosterChange, RosterExpectation, RosterItem, RosterWrite};
    use crate::stores::Stores;

    #[test]
    fn marks_die_after_an_hour() {
        assert!(!is_dead("000000001000-abc", 4600));
        assert!(is_dead("000000001000-abc", 4601));
        assert!(!is_dead("000000009000-abc", 4601));
        assert!(!is_dead("noon", u64::MAX));
    }

    #[test]
    fn versions_have_a_limit() {
        let jid = BareJid::new("a", "b").unwrap();
        assert!(put(&jid, &"x".repeat(1023)).is_ok());
        assert_eq!(
            put(&jid, &"x".repeat(1024)).unwrap_err().kind(),
            Kind::TooLarge
        );
    }

    async fn roster() -> (Roster, Emulator) {
        let emulator = Emulator::start_blocking().unwrap();
        let keys = Credentials::new(emulator.access_key(), emulator.secret_key());
        let s3 = S3Client::builder()
            .endpoint(emulator.url())
            .credentials(keys.clone());
        let sdb = SdbClient::builder()
            .endpoint(emulator.url())
            .credentials(keys);
        let bucket = s3.build().unwrap().bucket("chat");
        bucket.create().await.unwrap();
        let stores = Stores::builder(bucket, sdb.build().unwrap()).shards(1);
        (stores.open().await.unwrap().roster(), emulator)
    }

    #[tokio::test]
    async fn a_commit_takes_two_requests_and_two_more_where_another_overlaps() {
        let (roster, emulator) = roster().await;
        let jid = BareJid::new("ann", "example.com").unwrap();
        let start = emulator.stats().requests;
        let alone = roster.begin(&jid, "1").await.unwrap();
        roster.end(&jid, alone).await.unwrap();
        let middle = emulator.stats().requests;
        assert_eq!(middle - start, 2);
        let first = roster.begin(&jid, "2").await.unwrap();
        let second = roster.begin(&jid, "3").await.unwrap();
        roster.end(&jid, first).await.unwrap();
        // The beginnings, a condition that does not hold, a version that nobody was told, and the mark.
        assert_eq!(emulator.stats().requests - middle, 5);
        assert_eq!(roster.version(&jid).await.unwrap(), None);
        roster.end(&jid, second).await.unwrap();
        assert!(roster.version(&jid).await.unwrap().is_some());
    }

    /// What somebody knows: a version, and the contacts that he has been sent with it and before.
    type Known = (String, BTreeSet<String>);

    /// One of the commits, as far as it has come.
    #[derive(Default)]
    struct Commit {
        steps: usize,
        pending: Option<Pending>,
    }

    async fn contacts(roster: &Roster, jid: &BareJid) -> BTreeSet<String> {
        let all = roster.all(jid).await.unwrap();
        all.into_iter().map(|entry| entry.item.contact).collect()
    }

    /// Whoever reads the contacts before their version is sent something again at worst: here he reads it first, and gets
    /// a version where there is none, as servers do.
    async fn login(roster: &Roster, jid: &BareJid) -> Known {
        let version = match roster.version(jid).await.unwrap() {
            Some(version) => version,
            None => {
                roster.set_version(jid, "of the login").await.unwrap();
                "of the login".to_owned()
            }
        };
        (version, contacts(roster, jid).await)
    }

    /// Does the next step of a commit, and says whether that was the last: then its contact is pushed with its version.
    async fn step(roster: &Roster, jid: &BareJid, commit: &mut Commit, name: &str) -> bool {
        commit.steps += 1;
        match commit.steps {
            1 => commit.pending = Some(roster.begin(jid, name).await.unwrap()),
            2 => {
                let item = RosterItem {
                    contact: name.to_owned(),
                    ..RosterItem::default()
                };
                let write = RosterWrite::Put(item);
                let change = RosterChange {
                    expected: RosterExpectation::Absent,
                    write,
                };
                roster.commit(jid, &[change], None).await.unwrap();
            }
            _ => roster
                .end(jid, commit.pending.take().unwrap())
                .await
                .unwrap(),
        }
        commit.steps == 3
    }

    /// Two commits in every order of their steps, and a client that logs in before any of them. Whenever he leaves and
    /// comes back, a version that is his own has to stand for what he knows. A node that ends half way is an order whose
    /// last steps are not done.
    #[tokio::test]
    async fn a_version_never_stands_for_contacts_that_its_holder_has_not_seen() {
        let (roster, _emulator) = roster().await;
        let (mut runs, mut unchanged) = (0, 0);
        for order in 0u32..64 {
            if order.count_ones() != 3 {
                continue;
            }
            for login_at in 0..6 {
                runs += 1;
                let jid = BareJid::new(format!("u{order}.{login_at}"), "example.com").unwrap();
                roster.set_version(&jid, "v0").await.unwrap();
                let mut commits = [Commit::default(), Commit::default()];
                let mut known: Vec<Known> = Vec::new();
                for place in 0..6 {
                    if place == login_at {
                        known.push(login(&roster, &jid).await);
                    }
                    let which = usize::try_from(order >> place & 1).unwrap();
                    let name = ["a@x", "b@x"][which];
                    let is_done = step(&roster, &jid, &mut commits[which], name).await;
                    if is_done && let Some((_, contacts)) = known.last() {
                        let mut contacts = contacts.clone();
                        contacts.insert(name.to_owned());
                        known.push((name.to_owned(), contacts));
                    }
                    let Some(version) = roster.version(&jid).await.unwrap() else {
                        continue;
                    };
                    let there = contacts(&roster, &jid).await;
                    for (_, contacts) in known.iter().filter(|(held, _)| *held == version) {
                        assert_eq!(
                            *contacts, there,
                            "{version} in the order {order:06b}, {login_at}"
                        );
                        unchanged += 1;
                    }
                }
                assert!(roster.version(&jid).await.unwrap().is_some());
            }
        }
        // It does happen that nothing has to be sent.
        assert!(runs == 120 && unchanged > 5, "{runs} {unchanged}");
    }
}
