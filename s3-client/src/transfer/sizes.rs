//! How an object is cut into parts.

use aws_core::{Error, Result};

use crate::limits;

/// The least size of a part that is not the last: 5 MiB.
pub(crate) const MIN_PART: u64 = 5 << 20;
/// The size of a part unless it is told, or more are needed.
pub(crate) const PART: u64 = 8 << 20;
/// The most bytes of an object: 48.8 TiB, which is [what the largest parts
/// hold](https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html).
pub(crate) const MAX_OBJECT: u64 = limits::MAX_PARTS as u64 * limits::MAX_PUT;
/// How many parts of unknown number are of one size before the next are twice as large.
const STEP: u64 = 1000;
const MIB: u64 = 1 << 20;

/// The sizes of the parts of one object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    /// All of this size, but for the last.
    Even(u64),
    /// Growing from this size, so that their number is enough for objects of some TiB. Any size that is enough for the
    /// largest would be too large for the memory of the usual.
    Growing(u64),
}

impl Sizes {
    /// The sizes for an object of this length, if that is known, in parts of this size, if one is wished.
    pub(crate) fn new(len: Option<u64>, wish: Option<u64>) -> Result<Self> {
        if let Some(size) = wish {
            check(size)?;
        }
        let Some(len) = len else {
            return Ok(wish.map_or(Self::Growing(PART), Self::Even));
        };
        if len > MAX_OBJECT {
            return Err(Error::invalid(format!(
                "the object has {len} bytes, over the limit of {MAX_OBJECT}"
            )));
        }
        let most = u64::from(limits::MAX_PARTS);
        match wish {
            Some(size) if len.div_ceil(size) > most => Err(Error::invalid(format!(
                "{len} bytes in parts of {size} are {} parts, over the limit of {most}",
                len.div_ceil(size)
            ))),
            Some(size) => Ok(Self::Even(size)),
            None => Ok(Self::Even(
                PART.max(len.div_ceil(most).next_multiple_of(MIB)),
            )),
        }
    }

    /// The size of the part of this number, from 1.
    pub(crate) fn of(self, number: u32) -> u64 {
        match self {
            Self::Even(size) => size,
            Self::Growing(size) => {
                let doubled = u64::from(number.saturating_sub(1)) / STEP;
                (size << doubled.min(32)).min(limits::MAX_PUT)
            }
        }
    }
}

/// The size of a part: 5 MiB to 5 GiB.
fn check(size: u64) -> Result<()> {
    if (MIN_PART..=limits::MAX_PUT).contains(&size) {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "a part size of {size} bytes is not within {MIN_PART} to {}",
        limits::MAX_PUT
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_object_fits_into_its_parts() {
        for len in [
            0,
            1,
            PART,
            80_000 * MIB,
            80_000 * MIB + 1,
            5 << 40,
            MAX_OBJECT,
        ] {
            let sizes = Sizes::new(Some(len), None).unwrap();
            let fits = (PART..=limits::MAX_PUT).contains(&sizes.of(1));
            assert!(
                fits && len.div_ceil(sizes.of(1)) <= 10_000,
                "{len}: {sizes:?}"
            );
        }
        let largest = Sizes::new(Some(MAX_OBJECT), Some(limits::MAX_PUT));
        assert_eq!(largest.unwrap(), Sizes::Even(5 << 30));
        let unknown = Sizes::new(None, None).unwrap();
        assert_eq!(
            (unknown.of(1), unknown.of(1000), unknown.of(1001)),
            (PART, PART, 2 * PART)
        );
        let all: u64 = (1..=10_000).map(|number| unknown.of(number)).sum();
        assert!(all >= 7 << 40, "{all}");
        assert!(unknown.of(10_000) <= limits::MAX_PUT);
    }

    #[test]
    fn wishes_are_checked_and_named() {
        assert_eq!(
            Sizes::new(Some(1 << 30), Some(MIN_PART)).unwrap(),
            Sizes::Even(MIN_PART)
        );
        assert_eq!(Sizes::new(None, Some(PART)).unwrap().of(9_999), PART);
        for (len, wish, words) in [
            (Some(1), Some(MIN_PART - 1), ["5242879", "5242880"]),
            (Some(1), Some((5 << 30) + 1), ["5368709121", "5368709120"]),
            (None, Some(0), ["0 bytes", "5242880"]),
            (
                Some(MAX_OBJECT + 1),
                None,
                ["53687091200001", "53687091200000"],
            ),
            (
                Some(10_000 * MIN_PART + 1),
                Some(MIN_PART),
                ["10001 parts", "10000"],
            ),
        ] {
            let error = Sizes::new(len, wish).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }
}
