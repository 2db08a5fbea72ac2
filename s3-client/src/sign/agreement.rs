//! What a client and a store have agreed on: which version of signatures, and which region for which bucket.
//!
//! *Problem:* One program has to serve stores that take only Version 2, only Version 4, or both, and hosts do not tell.
//! *Decision:* A host of the [table](super::hosts) is believed. Everywhere else Version 2 goes first, since it needs no
//! region, and since stores that take only Version 4 know Version 2 and have words for refusing it: those that take only
//! Version 2 are mostly older than Version 4, and answer it with whatever their parser stumbles over. A refusal in such
//! [words](super::refusal) changes the version for the whole client, and a version that was refused is never gone back
//! to, so that nothing alternates. A region is learnt for its bucket; until a first success, when all that is known is
//! a guess, for the others too. A refusal of a request that was signed before the last lesson teaches nothing: it is
//! signed by what is known since. *Cost:* A store that takes only Version 4 refuses one request of each client.
//!
//! ```text
//!             refused for its version            refused for its region
//!   ┌───────┐ ──────────────────► ┌───────────┐ ───────┐
//!   │ start │                     │ the other │        │ the named one
//!   └───────┘ ◄─ ─ ─ never ─ ─ ─  │  version  │ ◄──────┘
//!     │  ▲ │                      └───────────┘
//!     └──┘ └── any other answer of the store ──► settled: nobody waits any more
//!    region
//! ```

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use aws_core::v4::Scope;

use super::refusal::{Refusal, Wanted};
use super::signer::Signer;
use crate::route::Memory;

/// How much of a signature may be changed by what a store answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freedom {
    /// Nothing: it was said.
    None,
    /// The region: the host tells the version.
    Region,
    /// The version and the region.
    All,
}

/// What a refusal is good for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Lesson {
    /// Nothing follows from it.
    Nothing,
    /// The request is signed by what is known now, and sent again.
    SignAgain,
    /// Nothing follows, but this setting would help.
    Hint(String),
}

/// How requests are signed as long as nothing else was learnt, and what may be learnt.
#[derive(Debug)]
pub(crate) struct Agreement {
    start: Signer,
    freedom: Freedom,
    /// Whether `start` was not said, and is no more than where to begin.
    guessed: bool,
    /// The region for a store that wants Version 4 and does not say which.
    region: String,
    /// Whether a request has succeeded.
    proven: AtomicBool,
    /// The versions that were refused: [`V2`], [`V4`].
    refused: AtomicU8,
    /// Held while something is learnt, so that lessons come one after the other.
    learning: RwLock<()>,
}

const V2: u8 = 1;
const V4: u8 = 2;

fn version(signer: &Signer) -> u8 {
    match signer {
        Signer::Anonymous => 0,
        Signer::V2 => V2,
        Signer::V4(_) => V4,
    }
}

impl Agreement {
    /// Requests are signed by `start`; `region` is that of a store which wants Version 4 and names none.
    pub(crate) fn new(start: Signer, freedom: Freedom, region: &str) -> Self {
        let freedom = match start {
            Signer::Anonymous => Freedom::None,
            _ => freedom,
        };
        Self {
            start,
            freedom,
            guessed: false,
            region: region.to_owned(),
            proven: AtomicBool::new(false),
            refused: AtomicU8::new(0),
            learning: RwLock::new(()),
        }
    }

    /// The same for a host of which nothing is known.
    pub(crate) fn guess(region: &str) -> Self {
        Self {
            guessed: true,
            ..Self::new(Signer::V2, Freedom::All, region)
        }
    }

    /// Whether the version itself has to be found out.
    pub(crate) fn is_open(&self) -> bool {
        self.freedom == Freedom::All
    }

    /// Whether nothing is known of how requests about this bucket are to be signed, and nothing was said.
    pub(crate) fn is_unknown(&self, memory: &Memory, bucket: Option<&Arc<str>>) -> bool {
        self.guessed && !self.proven.load(Ordering::Acquire) && memory.signer(bucket).is_none()
    }

    /// How requests about this bucket, or about none, are signed.
    pub(crate) fn signer(&self, memory: &Memory, bucket: Option<&Arc<str>>) -> Signer {
        let learnt = memory.signer(bucket);
        learnt.unwrap_or_else(|| self.start.clone())
    }

    /// Notes that a request has succeeded.
    pub(crate) fn succeeded(&self) {
        if !self.proven.load(Ordering::Relaxed) {
            self.proven.store(true, Ordering::Release);
        }
    }

    /// Learns from a refusal of a request about this bucket, or about none, that was signed when `lesson` was the last
    /// one about it.
    pub(crate) fn learn(
        &self,
        memory: &Memory,
        bucket: Option<&Arc<str>>,
        refusal: Refusal<'_>,
        lesson: u64,
    ) -> Lesson {
        let _one_at_a_time = self
            .learning
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if memory.lesson(bucket) != lesson {
            return Lesson::SignAgain;
        }
        let current = self.signer(memory, bucket);
        let Some((wanted, named)) = self.answer(&current, refusal) else {
            return Lesson::Nothing;
        };
        let same_version = version(&wanted) == version(&current);
        match self.freedom {
            _ if current == Signer::Anonymous => return Lesson::Nothing,
            Freedom::None => return Lesson::Hint(setting(&wanted, true)),
            Freedom::Region if !same_version => return Lesson::Hint(setting(&wanted, false)),
            Freedom::Region | Freedom::All => {}
        }
        if same_version {
            if self.freedom == Freedom::All && !self.proven.load(Ordering::Acquire) {
                memory.learn_signer(wanted.clone());
            }
            memory.learn_signer_of(bucket, wanted);
            return Lesson::SignAgain;
        }
        let refused = self.refused.fetch_or(version(&current), Ordering::AcqRel);
        if refused & version(&wanted) != 0 {
            let both = "(It has refused requests by either version of signatures.)";
            return Lesson::Hint(both.to_owned());
        }
        memory.learn_signer(wanted.clone());
        if named {
            memory.learn_signer_of(bucket, wanted);
        }
        Lesson::SignAgain
    }

    /// What a refusal of a request that was signed so asks for, and whether it has named a region.
    fn answer(&self, current: &Signer, refusal: Refusal<'_>) -> Option<(Signer, bool)> {
        let v4 = |region: Option<&str>| {
            let scope = Scope::s3(region.unwrap_or(&self.region));
            (Signer::V4(scope), region.is_some())
        };
        match (current, refusal) {
            (Signer::V4(scope), Refusal::Region(region) | Refusal::Place(region)) => {
                (scope.region() != region).then(|| v4(Some(region)))
            }
            // Only what is signed by Version 4 has a region to be refused.
            (_, Refusal::Region(region)) => Some(v4(Some(region))),
            (_, Refusal::Place(_)) => None,
            (Signer::V4(_), Refusal::Version { wanted, .. }) => {
                (wanted != Wanted::V4).then_some((Signer::V2, false))
            }
            (_, Refusal::Version { wanted, region }) => (wanted != Wanted::V2).then(|| v4(region)),
        }
    }

    /// What to try where a key is refused that may be right: nothing was said or learnt of the version.
    pub(crate) fn doubt(&self, memory: &Memory, bucket: Option<&Arc<str>>) -> Option<String> {
        self.is_unknown(memory, bucket).then(|| {
            let v4 = Signer::V4(Scope::s3(&self.region));
            format!(
                "(It was signed by Version 2, since nothing is known of the host. If the keys are right: {})",
                setting(&v4, false).trim_matches(['(', ')'])
            )
        })
    }
}

/// The setting that would sign so.
fn setting(wanted: &Signer, may_negotiate: bool) -> String {
    let wanted = match wanted {
        Signer::V4(scope) => format!("v4({:?})", scope.region()),
        Signer::V2 | Signer::Anonymous => "V2".to_owned(),
    };
    let or = match may_negotiate {
        true => ", or .negotiate(true)",
        false => "",
    };
    format!("(Give the builder .signature(Signature::{wanted}){or}.)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Lesson::{Hint, Nothing, SignAgain};

    struct Client {
        agreement: Agreement,
        memory: Memory,
    }

    fn v4(region: &str) -> Signer {
        Signer::V4(Scope::s3(region))
    }

    fn version(wanted: Wanted) -> Refusal<'static> {
        Refusal::Version {
            wanted,
            region: None,
        }
    }

    impl Client {
        fn of(agreement: Agreement) -> Self {
            Self {
                agreement,
                memory: Memory::default(),
            }
        }

        fn unknown() -> Self {
            Self::of(Agreement::guess("us-east-1"))
        }

        fn signs(&self, bucket: &str) -> Signer {
            self.agreement.signer(&self.memory, Some(&bucket.into()))
        }

        /// The answer to a request that is signed by what is known now.
        fn refuse(&self, bucket: &str, refusal: Refusal<'_>) -> Lesson {
            self.refuse_old(bucket, refusal, self.lesson(bucket))
        }

        fn refuse_old(&self, bucket: &str, refusal: Refusal<'_>, lesson: u64) -> Lesson {
            let bucket = Some(Arc::from(bucket));
            self.agreement
                .learn(&self.memory, bucket.as_ref(), refusal, lesson)
        }

        fn lesson(&self, bucket: &str) -> u64 {
            self.memory.lesson(Some(&bucket.into()))
        }
    }

    #[test]
    fn a_refusal_of_version_2_changes_the_version_for_all_buckets() {
        for wanted in [Wanted::V4, Wanted::Other] {
            let client = Client::unknown();
            assert_eq!(client.signs("a"), Signer::V2);
            assert_eq!(client.refuse("a", version(wanted)), SignAgain);
            assert_eq!(client.signs("a"), v4("us-east-1"));
            assert_eq!(client.signs("b"), v4("us-east-1"));
            assert_eq!(
                client.agreement.signer(&client.memory, None),
                v4("us-east-1")
            );
        }
    }

    #[test]
    fn the_region_that_a_refusal_names_is_used() {
        let client = Client::unknown();
        let garage = Refusal::Version {
            wanted: Wanted::Other,
            region: Some("garage"),
        };
        assert_eq!(client.refuse("a", garage), SignAgain);
        assert_eq!(client.signs("a"), v4("garage"));
        assert_eq!(client.signs("b"), v4("garage"));
        // What was named for a bucket is not changed by what is named for another.
        client.refuse("b", Refusal::Region("eu"));
        assert_eq!(
            (client.signs("a"), client.signs("c")),
            (v4("garage"), v4("eu"))
        );
        // It is one that names it in its refusal of the guess.
        let client = Client::unknown();
        client.refuse("a", version(Wanted::V4));
        assert_eq!(client.refuse("a", Refusal::Region("eu")), SignAgain);
        assert_eq!((client.signs("a"), client.signs("b")), (v4("eu"), v4("eu")));
    }

    #[test]
    fn a_region_that_was_guessed_for_a_bucket_is_no_knowledge_of_it() {
        let client = Client::unknown();
        client.refuse("a", version(Wanted::V4));
        // Another bucket is the first to be told the store's own region.
        assert_eq!(client.refuse("b", Refusal::Region("eu")), SignAgain);
        assert_eq!((client.signs("a"), client.signs("c")), (v4("eu"), v4("eu")));
    }

    #[test]
    fn after_a_success_a_region_is_that_of_its_bucket() {
        let client = Client::unknown();
        client.refuse("a", version(Wanted::V4));
        client.agreement.succeeded();
        assert_eq!(client.refuse("b", Refusal::Region("eu")), SignAgain);
        assert_eq!(client.signs("a"), v4("us-east-1"));
        assert_eq!(client.signs("b"), v4("eu"));
        assert_eq!(client.refuse("b", Refusal::Region("eu")), Nothing);
    }

    #[test]
    fn where_a_bucket_is_says_nothing_against_version_2() {
        let client = Client::unknown();
        client.agreement.succeeded();
        assert_eq!(client.refuse("a", Refusal::Place("eu")), Nothing);
        assert_eq!(
            (client.signs("a"), client.signs("b")),
            (Signer::V2, Signer::V2)
        );
        let client = Client::of(Agreement::new(v4("us"), Freedom::All, "us-east-1"));
        client.agreement.succeeded();
        assert_eq!(client.refuse("a", Refusal::Place("eu")), SignAgain);
        assert_eq!((client.signs("a"), client.signs("b")), (v4("eu"), v4("us")));
        assert_eq!(client.refuse("a", Refusal::Place("eu")), Nothing);
    }

    #[test]
    fn a_refusal_of_version_4_leads_to_version_2() {
        for wanted in [Wanted::V2, Wanted::Other] {
            let client = Client::of(Agreement::new(v4("eu"), Freedom::All, "us-east-1"));
            assert_eq!(client.refuse("a", version(wanted)), SignAgain);
            assert_eq!(
                (client.signs("a"), client.signs("b")),
                (Signer::V2, Signer::V2)
            );
        }
        // Also where a region was learnt for a bucket.
        let client = Client::of(Agreement::new(v4("eu"), Freedom::All, "us-east-1"));
        client.agreement.succeeded();
        client.refuse("a", Refusal::Region("us"));
        assert_eq!(client.refuse("b", version(Wanted::V2)), SignAgain);
        assert_eq!(
            (client.signs("a"), client.signs("b")),
            (Signer::V2, Signer::V2)
        );
    }

    #[test]
    fn words_that_ask_for_what_was_sent_teach_nothing() {
        let client = Client::unknown();
        assert_eq!(client.refuse("a", version(Wanted::V2)), Nothing);
        assert_eq!(client.signs("a"), Signer::V2);
        client.refuse("a", version(Wanted::V4));
        assert_eq!(client.refuse("a", version(Wanted::V4)), Nothing);
        assert_eq!(client.signs("a"), v4("us-east-1"));
    }

    #[test]
    fn versions_do_not_alternate() {
        let client = Client::unknown();
        assert_eq!(client.refuse("a", version(Wanted::Other)), SignAgain);
        let Hint(hint) = client.refuse("a", version(Wanted::Other)) else {
            panic!("both were refused");
        };
        assert!(hint.contains("either version"), "{hint}");
        assert_eq!(client.signs("a"), v4("us-east-1"));
        assert!(matches!(client.refuse("b", version(Wanted::V2)), Hint(_)));
    }

    #[test]
    fn what_was_signed_before_a_lesson_is_signed_again() {
        let client = Client::unknown();
        let early = client.lesson("a");
        assert_eq!(client.refuse("a", version(Wanted::Other)), SignAgain);
        // The 63 others that were under way: the same refusal must not undo the lesson.
        for _ in 0..63 {
            assert_eq!(
                client.refuse_old("b", version(Wanted::Other), early),
                SignAgain
            );
        }
        assert_eq!(client.signs("b"), v4("us-east-1"));
        // A lesson about one bucket is none about another.
        client.agreement.succeeded();
        let before = client.lesson("b");
        client.refuse("a", Refusal::Region("eu"));
        assert_eq!(client.lesson("b"), before);
    }

    #[test]
    fn what_was_said_is_kept_and_the_setting_is_named() {
        let said = |signer, freedom| Client::of(Agreement::new(signer, freedom, "us-east-1"));
        for (client, refusal, hint) in [
            (
                said(Signer::V2, Freedom::None),
                version(Wanted::V4),
                "(Give the builder .signature(Signature::v4(\"us-east-1\")), or .negotiate(true).)",
            ),
            (
                said(v4("eu"), Freedom::None),
                Refusal::Region("us"),
                "(Give the builder .signature(Signature::v4(\"us\")), or .negotiate(true).)",
            ),
            (
                said(v4("eu"), Freedom::None),
                version(Wanted::V2),
                "(Give the builder .signature(Signature::V2), or .negotiate(true).)",
            ),
            // The host tells the version.
            (
                said(v4("eu"), Freedom::Region),
                version(Wanted::V2),
                "(Give the builder .signature(Signature::V2).)",
            ),
        ] {
            let before = client.signs("a");
            assert_eq!(client.refuse("a", refusal), Hint(hint.to_owned()));
            assert_eq!(client.signs("a"), before);
        }
        let host = said(v4("eu"), Freedom::Region);
        assert_eq!(host.refuse("a", Refusal::Region("us")), SignAgain);
        assert_eq!((host.signs("a"), host.signs("b")), (v4("us"), v4("eu")));
        let nobody = said(Signer::Anonymous, Freedom::All);
        assert_eq!(nobody.refuse("a", version(Wanted::V4)), Nothing);
        assert!(!nobody.agreement.is_open());
    }

    #[test]
    fn nothing_is_known_until_something_is_learnt_or_succeeds() {
        let unknown = |client: &Client| {
            let known = client.agreement.is_unknown(&client.memory, None);
            assert_eq!(
                known,
                client.agreement.doubt(&client.memory, None).is_some()
            );
            known
        };
        let client = Client::unknown();
        assert!(unknown(&client));
        client.refuse("a", version(Wanted::V4));
        assert!(!unknown(&client));
        let client = Client::unknown();
        client.agreement.succeeded();
        assert!(!unknown(&client));
        let said = Client::of(Agreement::new(Signer::V2, Freedom::All, "us-east-1"));
        assert!(!unknown(&said));
    }
}
