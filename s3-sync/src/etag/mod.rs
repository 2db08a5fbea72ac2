//! What an entity tag says of the content that it stands for.
//!
//! *Problem:* The tag of a listing is the MD5 of the content, or a digest of the digests of its parts, or nothing that says
//! anything of it (keys of KMS), and the tag alone does not tell whether it is the last. *Decision:* A tag of the right form is
//! taken for a digest, and only equality is believed: a content of the same digest is the same, and of another one it may be
//! another. For parts the sizes that tools use are tried, bounded by the number of parts that the tag tells. *Cost:* What was
//! stored by keys of KMS without an index is sent again once, and then the index knows it.
//!
//! [Common response headers](https://docs.aws.amazon.com/AmazonS3/latest/API/RESTCommonResponseHeaders.html)

mod sums;

pub(crate) use sums::{Hasher, Sums, Wanted};

/// An MD5 digest.
pub(crate) type Md5Sum = [u8; 16];

/// The sizes of parts that tools use, in MiB: this client and the AWS SDKs 8 MiB, rclone and s3cmd and the least that S3
/// allows 5, 15 and 16, s5cmd 50, others 64, the Java transfer manager and `aws configure` of large files 10 to 128.
const PART_MIBS: [u64; 9] = [8, 5, 16, 64, 10, 15, 32, 50, 100];

/// What a tag may say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Meaning {
    /// The MD5 digest of the content, unless it is encrypted by a key.
    Md5(Md5Sum),
    /// The digest of the digests of so many parts.
    Parts(u32, Md5Sum),
    /// Nothing that can be compared.
    Nothing,
}

impl Meaning {
    /// What a tag says, with or without its quotes.
    pub(crate) fn of(tag: &str) -> Self {
        let tag = bare(tag);
        let (digits, parts) = match tag.split_once('-') {
            Some((digits, parts)) => (digits, Some(parts)),
            None => (tag, None),
        };
        match (md5(digits), parts) {
            (Some(sum), None) => Self::Md5(sum),
            (Some(sum), Some(parts)) => match parts.parse() {
                Ok(parts @ 1..=10_000) => Self::Parts(parts, sum),
                _ => Self::Nothing,
            },
            (None, _) => Self::Nothing,
        }
    }

    /// The sizes of parts with which a content of this size has so many parts, the most usual ones first.
    pub(crate) fn part_sizes(parts: u32, size: u64) -> Vec<u64> {
        let parts = u64::from(parts);
        let fits = |part: &u64| size.div_ceil(*part).max(1) == parts;
        let usual = PART_MIBS.into_iter().map(|mib| mib << 20);
        let mut sizes: Vec<u64> = usual.filter(fits).collect();
        if parts == 1 {
            // Any size of a part makes one part of it.
            sizes.truncate(1);
            return sizes;
        }
        // Tools that keep below 10,000 parts enlarge them: evenly, or to whole MiB.
        let even = size.div_ceil(parts);
        let whole = even.div_ceil(1 << 20) << 20;
        for guess in [whole, even] {
            if parts > 1000 && fits(&guess) && !sizes.contains(&guess) {
                sizes.push(guess);
            }
        }
        sizes
    }
}

/// A tag without its quotes.
pub(crate) fn bare(tag: &str) -> &str {
    tag.trim_matches('"')
}

fn md5(digits: &str) -> Option<Md5Sum> {
    let digits = digits.as_bytes();
    if digits.len() != 32 {
        return None;
    }
    let mut sum = [0; 16];
    for (byte, pair) in sum.iter_mut().zip(digits.chunks_exact(2)) {
        let digit = |b: u8| char::from(b).to_digit(16);
        *byte = (digit(pair[0])? * 16 + digit(pair[1])?) as u8;
    }
    Some(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "d41d8cd98f00b204e9800998ecf8427e";

    #[test]
    fn tags_are_told_apart_by_their_form() {
        let sum = md5(EMPTY).unwrap();
        assert_eq!(Meaning::of(EMPTY), Meaning::Md5(sum));
        assert_eq!(Meaning::of(&format!("\"{EMPTY}\"")), Meaning::Md5(sum));
        assert_eq!(Meaning::of(&EMPTY.to_uppercase()), Meaning::Md5(sum));
        assert_eq!(
            Meaning::of(&format!("\"{EMPTY}-7\"")),
            Meaning::Parts(7, sum)
        );
        for tag in [
            "",
            "\"\"",
            "x",
            &EMPTY[1..],
            &format!("{EMPTY}-0"),
            &format!("{EMPTY}-x"),
            &format!("{EMPTY}-10001"),
        ] {
            assert_eq!(Meaning::of(tag), Meaning::Nothing, "{tag}");
        }
    }

    #[test]
    fn the_number_of_parts_bounds_their_size() {
        const MIB: u64 = 1 << 20;
        assert_eq!(Meaning::part_sizes(3, 20 * MIB), [8 * MIB]);
        assert_eq!(Meaning::part_sizes(4, 20 * MIB), [5 * MIB]);
        assert_eq!(
            Meaning::part_sizes(2, 20 * MIB),
            [16 * MIB, 10 * MIB, 15 * MIB]
        );
        assert_eq!(Meaning::part_sizes(1, 3), [8 * MIB]);
        assert_eq!(Meaning::part_sizes(1, 0), [8 * MIB]);
        assert!(Meaning::part_sizes(7, 3).is_empty());
        let huge = 100_000 * MIB;
        assert_eq!(
            Meaning::part_sizes(9091, huge),
            [11 * MIB, huge.div_ceil(9091)]
        );
    }
}
