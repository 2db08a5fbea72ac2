//! Whether what is on both sides is the same, by what is known of it without reading it.

use crate::digest::Digest;
use crate::etag::{Md5Sum, Meaning, Sums, Wanted};

/// What is known of an object.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectFacts<'a> {
    pub(crate) size: u64,
    pub(crate) etag: &'a str,
    /// What the index says, if it speaks of an object of this tag and size.
    pub(crate) sha: Option<Digest>,
}

/// What the user lets a comparison believe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Trust {
    /// Objects of the same size whose content nothing tells are taken for the same.
    pub size: bool,
    /// Tags that look like digests are none.
    pub opaque_etags: bool,
}

/// Whether two are the same, or what has to be found out first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Same,
    Differs,
    /// The file has to be read, for its SHA-256 and what is wanted besides.
    ReadFile(Wanted),
    /// The object has to be read.
    ReadObject,
}

/// What a tag says, if it may be believed.
pub(crate) fn meaning(etag: &str, trust: Trust) -> Meaning {
    match trust.opaque_etags {
        true => Meaning::Nothing,
        false => Meaning::of(etag),
    }
}

/// Compares a file, of which digests may be known, with an object.
pub(crate) fn file_with_object(
    size: u64,
    known: Option<Sums>,
    object: &ObjectFacts<'_>,
    trust: Trust,
) -> Verdict {
    if size != object.size {
        return Verdict::Differs;
    }
    if let Some(sha) = object.sha {
        return match known {
            Some(sums) => same(sums.sha == sha),
            None => Verdict::ReadFile(Wanted::Sha),
        };
    }
    match meaning(object.etag, trust) {
        Meaning::Md5(md5) => match known.and_then(|sums| sums.md5) {
            Some(own) => same(own == md5),
            None => Verdict::ReadFile(Wanted::Md5),
        },
        Meaning::Parts(parts, _) if !Meaning::part_sizes(parts, size).is_empty() => {
            Verdict::ReadFile(Wanted::Parts(parts))
        }
        Meaning::Parts(..) | Meaning::Nothing => unknown(trust),
    }
}

/// The same when the file has been read for what was wanted. It has the size of the object.
pub(crate) fn read_file_with_object(
    sums: Sums,
    parts: &[Md5Sum],
    object: &ObjectFacts<'_>,
    trust: Trust,
) -> Verdict {
    if let Some(sha) = object.sha {
        return same(sums.sha == sha);
    }
    match meaning(object.etag, trust) {
        Meaning::Md5(md5) => same(sums.md5 == Some(md5)),
        Meaning::Parts(_, tag) if parts.contains(&tag) => Verdict::Same,
        Meaning::Parts(..) | Meaning::Nothing => unknown(trust),
    }
}

/// Compares two objects. Tags of different kinds, or of parts, may differ where contents do not.
pub(crate) fn objects(source: &ObjectFacts<'_>, target: &ObjectFacts<'_>, trust: Trust) -> Verdict {
    if source.size != target.size {
        return Verdict::Differs;
    }
    if let (Some(a), Some(b)) = (source.sha, target.sha) {
        return same(a == b);
    }
    let (a, b) = (meaning(source.etag, trust), meaning(target.etag, trust));
    match (a, b) {
        (Meaning::Md5(a), Meaning::Md5(b)) => same(a == b),
        (Meaning::Nothing, _) => unknown(trust),
        (a, b) if a == b => Verdict::Same,
        _ => unknown(trust),
    }
}

/// Whether an object that was found to be the same as a file may have another content, since only sizes were compared.
pub(crate) fn is_guess(object: &ObjectFacts<'_>, trust: Trust) -> bool {
    let told = object.sha.is_some() || matches!(meaning(object.etag, trust), Meaning::Md5(_));
    trust.size && !told
}

fn unknown(trust: Trust) -> Verdict {
    match trust.size {
        true => Verdict::Same,
        false => Verdict::ReadObject,
    }
}

fn same(yes: bool) -> Verdict {
    match yes {
        true => Verdict::Same,
        false => Verdict::Differs,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAG: &str = "d41d8cd98f00b204e9800998ecf8427e";
    const BELIEVE: Trust = Trust {
        size: false,
        opaque_etags: false,
    };

    fn object<'a>(etag: &'a str, sha: Option<&[u8]>) -> ObjectFacts<'a> {
        let sha = sha.map(Digest::of);
        ObjectFacts { size: 9, etag, sha }
    }

    fn sums(content: &[u8], md5: Option<Md5Sum>) -> Option<Sums> {
        let sha = Digest::of(content);
        Some(Sums { sha, md5 })
    }

    #[test]
    fn what_is_known_is_believed_before_anything_is_read() {
        let Meaning::Md5(md5) = Meaning::of(TAG) else {
            panic!("it is an MD5");
        };
        let parts = format!("{TAG}-1");
        let odd = format!("{TAG}-9000");
        for (size, known, object, verdict) in [
            (
                8,
                sums(b"a", None),
                object(TAG, Some(b"a")),
                Verdict::Differs,
            ),
            (9, sums(b"a", None), object("?", Some(b"a")), Verdict::Same),
            (
                9,
                sums(b"b", Some(md5)),
                object(TAG, Some(b"a")),
                Verdict::Differs,
            ),
            (
                9,
                None,
                object(TAG, Some(b"a")),
                Verdict::ReadFile(Wanted::Sha),
            ),
            (9, sums(b"b", Some(md5)), object(TAG, None), Verdict::Same),
            (
                9,
                sums(b"b", Some([0; 16])),
                object(TAG, None),
                Verdict::Differs,
            ),
            (
                9,
                sums(b"b", None),
                object(TAG, None),
                Verdict::ReadFile(Wanted::Md5),
            ),
            (
                9,
                sums(b"b", None),
                object(&parts, None),
                Verdict::ReadFile(Wanted::Parts(1)),
            ),
            (9, None, object(&odd, None), Verdict::ReadObject),
            (9, None, object("", None), Verdict::ReadObject),
        ] {
            assert_eq!(
                file_with_object(size, known, &object, BELIEVE),
                verdict,
                "{object:?}"
            );
        }
        let careful = Trust {
            opaque_etags: true,
            ..BELIEVE
        };
        let found = file_with_object(9, sums(b"b", Some(md5)), &object(TAG, None), careful);
        assert_eq!(found, Verdict::ReadObject);
        let lax = Trust {
            size: true,
            ..careful
        };
        assert_eq!(
            file_with_object(9, None, &object(TAG, None), lax),
            Verdict::Same
        );
    }

    #[test]
    fn what_was_read_tells_it_or_the_object_has_to_be_read() {
        let tag = format!("{TAG}-2");
        let Meaning::Parts(_, sum) = Meaning::of(&tag) else {
            panic!("it is of parts");
        };
        let own = Sums {
            sha: Digest::of(b"a"),
            md5: None,
        };
        let judge = |parts: &[Md5Sum], object| read_file_with_object(own, parts, &object, BELIEVE);
        assert_eq!(judge(&[], object(&tag, Some(b"a"))), Verdict::Same);
        assert_eq!(judge(&[], object(&tag, Some(b"b"))), Verdict::Differs);
        assert_eq!(judge(&[[1; 16], sum], object(&tag, None)), Verdict::Same);
        assert_eq!(judge(&[[1; 16]], object(&tag, None)), Verdict::ReadObject);
        assert_eq!(judge(&[], object(TAG, None)), Verdict::Differs);
    }

    #[test]
    fn objects_are_compared_by_digest_or_tag() {
        let parts = format!("{TAG}-2");
        for (a, b, verdict) in [
            (
                object("x", Some(b"a")),
                object("y", Some(b"a")),
                Verdict::Same,
            ),
            (
                object(TAG, Some(b"a")),
                object(TAG, Some(b"b")),
                Verdict::Differs,
            ),
            (object(TAG, Some(b"a")), object(TAG, None), Verdict::Same),
            (object(&parts, None), object(&parts, None), Verdict::Same),
            (
                object(TAG, None),
                object("00000000000000000000000000000000", None),
                Verdict::Differs,
            ),
            (object(&parts, None), object(TAG, None), Verdict::ReadObject),
            (object(TAG, None), object(&parts, None), Verdict::ReadObject),
            (object("x", None), object("x", None), Verdict::ReadObject),
        ] {
            assert_eq!(objects(&a, &b, BELIEVE), verdict, "{a:?} {b:?}");
            let lax = Trust {
                size: true,
                ..BELIEVE
            };
            let found = match verdict {
                Verdict::ReadObject => Verdict::Same,
                known => known,
            };
            assert_eq!(objects(&a, &b, lax), found, "{a:?} {b:?}");
        }
    }
}
