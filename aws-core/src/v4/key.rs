//! The key of a day, derived once.

use std::sync::{Arc, PoisonError, RwLock};

use aws_sigv2::Credentials;
use aws_sigv2::mac::{Key, Sha256};
use zeroize::Zeroizing;

/// Keys kept: those of two days around midnight, for two credentials around a renewal, or some callers' own.
const KEPT: usize = 8;

/// The keys of the days and credentials of late, in one region and service.
#[derive(Default)]
pub(super) struct Keys(RwLock<Vec<Day>>);

struct Day {
    credentials: Credentials,
    day: [u8; 8],
    key: Arc<Key<Sha256>>,
}

impl Keys {
    /// Does something with a key. Others may use theirs meanwhile, but for those that have to derive one.
    pub(super) fn with<T>(
        &self,
        credentials: &Credentials,
        day: [u8; 8],
        region: &str,
        service: &str,
        work: impl FnOnce(&Arc<Key<Sha256>>) -> T,
    ) -> T {
        {
            let days = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let known = |d: &&Day| d.day == day && d.credentials == *credentials;
            if let Some(found) = days.iter().find(known) {
                return work(&found.key);
            }
        }
        let key = Arc::new(derive(credentials.secret_key(), &day, region, service));
        self.keep(Day {
            credentials: credentials.clone(),
            day,
            key: key.clone(),
        });
        work(&key)
    }

    fn keep(&self, day: Day) {
        let mut days = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if days.len() == KEPT {
            days.remove(0);
        }
        days.push(day);
    }
}

fn derive(secret: &str, day: &[u8], region: &str, service: &str) -> Key<Sha256> {
    let mut first = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
    first.extend_from_slice(b"AWS4");
    first.extend_from_slice(secret.as_bytes());
    let mut key = Key::<Sha256>::new(&first);
    for part in [day, region.as_bytes(), service.as_bytes(), b"aws4_request"] {
        let next = Zeroizing::new(<[u8; 32]>::from(key.sign(part)));
        key = Key::new(&*next);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v4::hex::Hex;

    #[test]
    fn the_published_derivation() {
        // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let key = derive(secret, b"20150830", "us-east-1", "iam");
        let signature = key.sign(
            b"AWS4-HMAC-SHA256\n20150830T123600Z\n20150830/us-east-1/iam/aws4_request\n\
              f536975d06c0309214f805bb90ccff089219ecd68b2577efef23edd43b7e1a59",
        );
        assert_eq!(
            Hex::of(signature).as_str(),
            "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
        );
    }

    #[test]
    fn keys_are_kept_apart_and_few() {
        let keys = Keys::default();
        let of = |credentials: &Credentials, day: &[u8; 8]| {
            keys.with(credentials, *day, "r", "s", |key| key.sign(b""))
        };
        let (one, other) = (Credentials::new("A", "a"), Credentials::new("A", "b"));
        let first = of(&one, b"20150830");
        assert_eq!(first, of(&Credentials::new("A", "a"), b"20150830"));
        assert_ne!(first, of(&other, b"20150830"));
        assert_ne!(first, of(&one, b"20150831"));
        for day in 10..40 {
            of(&one, format!("201501{day}").as_bytes().try_into().unwrap());
        }
        assert_eq!(keys.0.read().unwrap().len(), KEPT);
        assert_eq!(first, of(&one, b"20150830"));
    }
}
