//! The pointer: which release nodes shall run.
//!
//! *Problem:* A plain put of one object loses: of two publishers at once, either may be the last to write, with a number
//! that both have taken; and a put that is late on its way makes the object old again after both have gone. Compare-and-swap
//! of an object is not portable: Ceph's RADOS Gateway refuses `If-Match` on puts. *Decision:* Each move of the pointer is an
//! object of its own, `history/N`, which is claimed by a create-only put. So moves have one order, and each number is taken
//! once, on every store that takes `If-None-Match: *`. `current` is a copy of the last move, so that an idle follower has
//! one small thing to ask for. Whoever writes it looks for later moves afterwards, and copies the last of them
//! ([`advance`]). Followers ignore what is not later than what they know; and when
//! they start, and in the place of every 60th question for `current`, they ask whether there is a move after the one that
//! they know.
//! *What remains:* A put of `current` that arrives late, after every publisher has looked, hides a later move for as long as
//! that takes; nobody goes back. The pointer in SimpleDB ([`Place::SimpleDb`]) closes that, too: it is written
//! under the condition that it is what was read, and read consistently. *Cost:* A move is one put and one listing more than
//! a plain put; old moves are collected with other garbage.

pub(crate) mod advance;
#[cfg(test)]
mod model;
mod place;

use serde::{Deserialize, Serialize};

pub use self::place::Place;
pub(crate) use self::place::{Pointers, Polled};
use super::layout::Channel;
use super::sign::{SignKey, TrustKey};
use crate::digest::Digest;
use crate::error::{Error, Kind, Result};

/// The most bytes of a pointer: a value in SimpleDB has 1,024.
pub(crate) const MAX_POINTER: usize = 1024;

/// Why a pointer was moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Cause {
    /// A release was published: the number of the release grows.
    Publish,
    /// Somebody wants an earlier release: the only cause for which a number gets smaller.
    Rollback,
    /// A release of another channel was found good.
    Promote,
}

/// A release, and the digest of its manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// The number of the release.
    pub release: u64,
    /// The digest of its manifest.
    pub manifest: Digest,
}

/// One move of the pointer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pointer {
    /// The number of the move, 1 or more. It only grows.
    pub seq: u64,
    /// What nodes shall run.
    pub target: Target,
    /// When they shall change to it, in seconds since 1970; at once, if nothing is said.
    pub at: Option<u64>,
    /// What they shall run until then, if they run nothing yet.
    pub before: Option<Target>,
    /// Why it was moved.
    pub cause: Cause,
    /// A random name of the moving, by which its author knows it again.
    pub by: String,
    /// The signature in Base64, if it is signed.
    pub signature: Option<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PointerWire {
    seq: u64,
    release: u64,
    manifest: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    at: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    before: Option<(u64, String)>,
    cause: Cause,
    by: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    signature: Option<String>,
}

impl Pointer {
    /// The document.
    pub(crate) fn encode(&self) -> String {
        let wire = PointerWire {
            seq: self.seq,
            release: self.target.release,
            manifest: self.target.manifest.to_string(),
            at: self.at,
            before: self
                .before
                .map(|before| (before.release, before.manifest.to_string())),
            cause: self.cause,
            by: self.by.clone(),
            signature: self.signature.clone(),
        };
        // A value of numbers and texts is always JSON.
        serde_json::to_string(&wire).unwrap_or_default()
    }

    /// Reads a document; `key` is what errors name.
    pub(crate) fn decode(key: &str, text: &[u8]) -> Result<Self> {
        let bad =
            |what: String| Error::new(Kind::Content, key, format!("it is no pointer: {what}"));
        if text.len() > MAX_POINTER {
            return Err(bad(format!(
                "it has {} bytes, and {MAX_POINTER} are allowed",
                text.len()
            )));
        }
        let wire: PointerWire =
            serde_json::from_slice(text).map_err(|error| bad(error.to_string()))?;
        let digest = |text: &str| text.parse().map_err(|error| bad(format!("{error}")));
        if wire.seq == 0 || wire.release == 0 {
            return Err(bad("its numbers begin at 1".into()));
        }
        let before = match wire.before {
            None => None,
            Some((release, manifest)) => Some(Target {
                release,
                manifest: digest(&manifest)?,
            }),
        };
        Ok(Self {
            seq: wire.seq,
            target: Target {
                release: wire.release,
                manifest: digest(&wire.manifest)?,
            },
            at: wire.at,
            before,
            cause: wire.cause,
            by: wire.by,
            signature: wire.signature,
        })
    }

    /// What a node that runs nothing yet has to run at this time, in seconds since 1970.
    pub(crate) fn effective(&self, now: u64) -> Target {
        match (self.at, self.before) {
            (Some(at), Some(before)) if at > now => before,
            _ => self.target,
        }
    }

    /// What is signed: all that it says, and whose pointer it is, so that no other can be put in its place.
    fn signed(&self, prefix: &str, channel: &Channel) -> String {
        let target = |target: &Target| format!("{} {}", target.release, target.manifest);
        let before = self.before.as_ref().map(target).unwrap_or_default();
        let at = self.at.map(|at| at.to_string()).unwrap_or_default();
        format!(
            "s3-sync pointer 1\n{prefix}\n{channel}\n{}\n{}\n{at}\n{before}\n{:?}\n{}\n",
            self.seq,
            target(&self.target),
            self.cause,
            self.by
        )
    }

    pub(crate) fn sign(&mut self, prefix: &str, channel: &Channel, key: &SignKey) {
        self.signature = Some(key.sign(self.signed(prefix, channel).as_bytes()));
    }

    /// Whether one of these keys has signed it; true where no key is named.
    pub(crate) fn is_trusted(&self, prefix: &str, channel: &Channel, keys: &[TrustKey]) -> bool {
        let text = self.signed(prefix, channel);
        let signature = self.signature.as_deref().unwrap_or_default();
        let good = |key: &TrustKey| key.verifies(text.as_bytes(), signature);
        keys.is_empty() || keys.iter().any(good)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::release::sign::tests::key;

    pub(crate) fn pointer(seq: u64, release: u64) -> Pointer {
        Pointer {
            seq,
            target: Target {
                release,
                manifest: Digest::of(&release.to_be_bytes()),
            },
            at: None,
            before: None,
            cause: Cause::Publish,
            by: format!("by-{seq}-{release}"),
            signature: None,
        }
    }

    fn full() -> Pointer {
        let mut full = pointer(u64::MAX, u64::MAX - 1);
        full.at = Some(u64::MAX);
        full.before = Some(pointer(1, u64::MAX).target);
        full.by = "0123456789abcdef0123456789abcdef".into();
        full.sign("app/", &Channel::main(), &key());
        full
    }

    #[test]
    fn pointers_are_read_back_and_fit_a_value_of_simpledb() {
        for pointer in [pointer(57, 42), full()] {
            let text = pointer.encode();
            assert!(text.len() <= MAX_POINTER, "{}", text.len());
            assert_eq!(Pointer::decode("k", text.as_bytes()).unwrap(), pointer);
        }
    }

    #[test]
    fn what_is_no_pointer_is_refused() {
        let good = pointer(57, 42).encode();
        for (from, to) in [
            ("57", "0"),
            ("42", "0"),
            ("42", "-1"),
            ("publish", "destroy"),
            ("\"by\"", "\"bye\""),
            ("\"manifest\":\"", "\"manifest\":\"x"),
            ("{", ""),
        ] {
            let bad = good.replacen(from, to, 1);
            let told = Pointer::decode("k", bad.as_bytes())
                .unwrap_err()
                .to_string();
            assert!(told.starts_with("k: it is no pointer"), "{told}");
        }
        let long = format!("{good}{}", " ".repeat(MAX_POINTER));
        assert!(Pointer::decode("k", long.as_bytes()).is_err());
    }

    #[test]
    fn a_signature_is_of_all_that_a_pointer_says_and_of_whose_it_is() {
        let (trust, main) = ([key().public()], Channel::main());
        let good = full();
        assert!(good.is_trusted("app/", &main, &trust));
        let read = Pointer::decode("k", good.encode().as_bytes()).unwrap();
        assert!(read.is_trusted("app/", &main, &trust));
        assert!(!good.is_trusted("other/", &main, &trust));
        assert!(!good.is_trusted("app/", &"canary".parse().unwrap(), &trust));
        type Forge = fn(&mut Pointer);
        let forges: [Forge; 9] = [
            |p| p.seq -= 1,
            |p| p.target.release -= 1,
            |p| p.target.manifest = Digest::of(b"evil"),
            |p| p.at = None,
            |p| p.before = None,
            |p| p.before = Some(p.target),
            |p| p.cause = Cause::Rollback,
            |p| p.by.push('x'),
            |p| p.signature = None,
        ];
        for (i, forge) in forges.into_iter().enumerate() {
            let mut forged = good.clone();
            forge(&mut forged);
            assert!(!forged.is_trusted("app/", &main, &trust), "{i}");
            assert!(forged.is_trusted("app/", &main, &[]), "{i}");
        }
        // An unsigned one is followed where nothing was said of trust, and only there.
        assert!(pointer(1, 1).is_trusted("app/", &main, &[]));
        assert!(!pointer(1, 1).is_trusted("app/", &main, &trust));
    }
}
