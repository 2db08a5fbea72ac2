//! What a client has learnt of buckets from the answers of their stores.

use std::collections::HashMap;
use std::mem::discriminant;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use aws_core::v4::Scope;
use tokio::time::Instant;

use super::addressing::BucketAddress;
use crate::sign::Signer;

/// Buckets that are remembered; a client that meets more of them forgets all and learns again.
const MAX_BUCKETS: usize = 10_000;
/// Regions whose keys are kept; Amazon has some forty.
const MAX_REGIONS: usize = 100;
/// How long an address is remembered: a bucket can be removed and made anew elsewhere.
const ADDRESS_LIFETIME: Duration = Duration::from_secs(600);

/// What is known of buckets beyond what the client was told. Almost no client learns anything, so a request looks at
/// one atomic before it takes the lock.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// Which sorts of facts are known of any bucket.
    any: AtomicU8,
    known: RwLock<Known>,
}

const SIGNER: u8 = 1;
const ADDRESS: u8 = 2;
const DIGEST: u8 = 4;

#[derive(Debug, Default)]
struct Known {
    /// Requests about no bucket have an empty name.
    buckets: HashMap<Arc<str>, Facts>,
    /// How requests are signed about buckets of which nothing else is known, and the number of that lesson.
    signer: Option<(Signer, u64)>,
    /// How many lessons there were about signatures.
    lessons: u64,
    /// Buckets of one region share its keys.
    regions: Vec<Scope>,
}

/// What is known of one bucket.
#[derive(Debug, Default)]
struct Facts {
    signer: Option<(Signer, u64)>,
    address: Option<(BucketAddress, Instant)>,
    wants_digest: bool,
}

impl Memory {
    /// How requests about this bucket, or about none, are to be signed, if that is known.
    pub(crate) fn signer(&self, bucket: Option<&Arc<str>>) -> Option<Signer> {
        let known = self.of(SIGNER)?;
        known.signer(bucket).map(|(signer, _)| signer.clone())
    }

    /// The number of the lesson by which requests about this bucket, or about none, are signed; 0 before the first.
    pub(crate) fn lesson(&self, bucket: Option<&Arc<str>>) -> u64 {
        let known = self.of(SIGNER);
        let signer = known.as_ref().and_then(|known| known.signer(bucket));
        signer.map_or(0, |(_, lesson)| *lesson)
    }

    /// Remembers how requests are to be signed about buckets of which nothing else is known, and forgets what was
    /// known of single buckets by another version.
    pub(crate) fn learn_signer(&self, signer: Signer) {
        let mut known = self.learn(SIGNER);
        let version = discriminant(&signer);
        for facts in known.buckets.values_mut() {
            facts
                .signer
                .take_if(|(own, _)| discriminant(own) != version);
        }
        known.signer = Some(known.lesson(signer));
    }

    /// Remembers how requests about this bucket, or about none, are to be signed.
    pub(crate) fn learn_signer_of(&self, bucket: Option<&Arc<str>>, signer: Signer) {
        let mut known = self.learn(SIGNER);
        let lesson = known.lesson(signer);
        let name = bucket.cloned().unwrap_or_else(|| "".into());
        known.facts(name).signer = Some(lesson);
    }

    /// Where a bucket is, if it is known to be elsewhere than at the endpoint.
    pub(crate) fn address(&self, bucket: Option<&Arc<str>>) -> Option<BucketAddress> {
        let bucket = bucket?;
        let known = self.of(ADDRESS)?;
        let (address, since) = known.buckets.get(bucket)?.address.as_ref()?;
        if since.elapsed() < ADDRESS_LIFETIME {
            return Some(address.clone());
        }
        drop(known);
        self.forget_address(bucket);
        None
    }

    /// Drops an address that is old.
    #[cold]
    fn forget_address(&self, bucket: &Arc<str>) {
        let mut known = self.learn(ADDRESS);
        let is_old = |(_, since): &mut (_, Instant)| since.elapsed() >= ADDRESS_LIFETIME;
        if let Some(facts) = known.buckets.get_mut(bucket) {
            facts.address.take_if(is_old);
        }
    }

    /// Remembers for a while that a bucket is there.
    pub(super) fn learn_address(&self, bucket: &Arc<str>, address: BucketAddress) {
        let mut known = self.learn(ADDRESS);
        known.facts(bucket.clone()).address = Some((address, Instant::now()));
    }

    /// Whether uploads to this bucket need a digest, as far as is known.
    pub(crate) fn wants_digest(&self, bucket: &str) -> bool {
        let known = self.of(DIGEST);
        let facts = known.as_ref().and_then(|known| known.buckets.get(bucket));
        facts.is_some_and(|facts| facts.wants_digest)
    }

    /// Remembers that they do.
    pub(crate) fn learn_digest(&self, bucket: &Arc<str>) {
        self.learn(DIGEST).facts(bucket.clone()).wants_digest = true;
    }

    /// What is known, if anything of this sort is.
    fn of(&self, sort: u8) -> Option<RwLockReadGuard<'_, Known>> {
        if self.any.load(Ordering::Acquire) & sort == 0 {
            return None;
        }
        Some(self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn learn(&self, sort: u8) -> RwLockWriteGuard<'_, Known> {
        let known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        self.any.fetch_or(sort, Ordering::Release);
        known
    }
}

impl Known {
    fn signer(&self, bucket: Option<&Arc<str>>) -> Option<&(Signer, u64)> {
        let facts = self.buckets.get(bucket.map_or("", |b| b));
        let own = facts.and_then(|facts| facts.signer.as_ref());
        own.or(self.signer.as_ref())
    }

    /// What was learnt, with its number; the keys of a region are kept once.
    fn lesson(&mut self, signer: Signer) -> (Signer, u64) {
        self.lessons += 1;
        let Signer::V4(scope) = signer else {
            return (signer, self.lessons);
        };
        let known = self.regions.iter().find(|s| s.region() == scope.region());
        let scope = known.cloned().unwrap_or_else(|| {
            if self.regions.len() >= MAX_REGIONS {
                self.regions.clear();
            }
            self.regions.push(scope.clone());
            scope
        });
        (Signer::V4(scope), self.lessons)
    }

    fn facts(&mut self, bucket: Arc<str>) -> &mut Facts {
        if self.buckets.len() >= MAX_BUCKETS && !self.buckets.contains_key(&bucket) {
            self.buckets.clear();
            self.regions.clear();
        }
        self.buckets.entry(bucket).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pipeline_pool::Origin;

    fn address(url: &str) -> BucketAddress {
        BucketAddress {
            origin: Origin::parse(url).unwrap(),
            bucket_in_host: false,
            region: None,
        }
    }

    fn v4(region: &str) -> Signer {
        Signer::V4(Scope::s3(region))
    }

    #[tokio::test]
    async fn each_fact_is_of_its_bucket() {
        let memory = Memory::default();
        let (a, b): (Arc<str>, Arc<str>) = ("aaa".into(), "bbb".into());
        let facts = |bucket: &Arc<str>| {
            let signer = memory.signer(Some(bucket));
            let address = memory.address(Some(bucket));
            (signer, address, memory.wants_digest(bucket))
        };
        assert_eq!(facts(&a), (None, None, false));
        memory.learn_signer_of(Some(&a), v4("eu-west-1"));
        assert_eq!(facts(&a), (Some(v4("eu-west-1")), None, false));
        memory.learn_address(&a, address("http://there"));
        memory.learn_digest(&a);
        assert_eq!(
            facts(&a),
            (Some(v4("eu-west-1")), Some(address("http://there")), true)
        );
        memory.learn_signer_of(Some(&a), v4("eu-west-2"));
        memory.learn_address(&a, address("http://elsewhere"));
        assert_eq!(
            facts(&a),
            (
                Some(v4("eu-west-2")),
                Some(address("http://elsewhere")),
                true
            )
        );
        assert_eq!(facts(&b), (None, None, false));
        // Requests about no bucket are signed in some region too, and are nowhere else.
        assert_eq!(memory.signer(None), None);
        memory.learn_signer_of(None, v4("us-east-2"));
        assert_eq!(
            (memory.signer(None), memory.address(None)),
            (Some(v4("us-east-2")), None)
        );
        assert_eq!(facts(&b), (None, None, false));
    }

    #[test]
    fn what_holds_for_all_is_below_what_holds_for_one() {
        let memory = Memory::default();
        let (a, b): (Arc<str>, Arc<str>) = ("aaa".into(), "bbb".into());
        let known = |bucket| (memory.signer(Some(bucket)), memory.lesson(Some(bucket)));
        assert_eq!((known(&a), known(&b)), ((None, 0), (None, 0)));
        memory.learn_signer(v4("eu"));
        memory.learn_signer_of(Some(&a), v4("us"));
        assert_eq!(known(&a), (Some(v4("us")), 2));
        assert_eq!(known(&b), (Some(v4("eu")), 1));
        memory.learn_signer(v4("ap"));
        assert_eq!(known(&a), (Some(v4("us")), 2));
        assert_eq!(known(&b), (Some(v4("ap")), 3));
        memory.learn_digest(&a);
        memory.learn_signer(Signer::V2);
        assert_eq!(known(&a), (Some(Signer::V2), 4));
        assert_eq!(known(&b), (Some(Signer::V2), 4));
        assert!(memory.wants_digest(&a), "that is no signature");
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_is_forgotten_after_a_while() {
        let memory = Memory::default();
        let bucket: Arc<str> = "photos".into();
        memory.learn_address(&bucket, address("http://there"));
        memory.learn_digest(&bucket);
        tokio::time::advance(ADDRESS_LIFETIME - Duration::from_millis(1)).await;
        assert_eq!(memory.address(Some(&bucket)), Some(address("http://there")));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(memory.address(Some(&bucket)), None);
        let known = memory.known.read().unwrap();
        assert!(known.buckets[&bucket].address.is_none());
        assert!(known.buckets[&bucket].wants_digest, "that is no address");
    }

    #[test]
    fn a_server_that_names_ever_other_regions_fills_no_memory() {
        let memory = Memory::default();
        let bucket: Arc<str> = "photos".into();
        for i in 0..2 * MAX_REGIONS {
            memory.learn_signer_of(Some(&bucket), v4(&format!("region-{i}")));
        }
        let known = memory.known.read().unwrap();
        assert!(known.regions.len() <= MAX_REGIONS && known.buckets.len() == 1);
    }

    #[test]
    fn the_number_of_buckets_is_bounded() {
        let memory = Memory::default();
        for i in 0..=MAX_BUCKETS {
            memory.learn_digest(&format!("b{i}").into());
        }
        let last = format!("b{MAX_BUCKETS}");
        assert!(memory.wants_digest(&last) && !memory.wants_digest("b0"));
        assert_eq!(memory.known.read().unwrap().buckets.len(), 1);
    }
}
