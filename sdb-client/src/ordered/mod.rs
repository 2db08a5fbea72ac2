//! Numbers and dates as texts that sort as they do.
//!
//! SimpleDB compares everything as text, byte by byte, so `9` comes after `10`, and `-1` before `-2`. These
//! forms have a fixed width and sort right, so that comparisons, `between` and `order by` of a
//! [`Query`](crate::query::Query) mean what they say:
//!
//! | type | form | width | example |
//! |---|---|---|---|
//! | [`u8`] to [`u64`], [`usize`] | decimal, with leading zeros | 20 | 42: `00000000000000000042` |
//! | [`i8`] to [`i64`], [`isize`] | decimal plus 2⁶³, with leading zeros | 20 | -1: `09223372036854775807` |
//! | [`f32`], [`f64`] | hexadecimal: bits of the `f64`, all flipped if negative, else the first | 16 | 1.5: `bff8000000000000` |
//! | [`bool`] | `0` or `1` | 1 | |
//! | [`char`] | itself | 1 to 4 | |
//! | [`SystemTime`](std::time::SystemTime) | ISO 8601 in UTC with nanoseconds | 30 | `2009-04-15T12:00:00.000000000Z` |
//!
//! Integers of all widths share the form of the widest of their sign, so that a field can grow; signed and unsigned
//! are different forms and do not compare with each other. Floats have the order of [`f64::total_cmp`]: -0 is
//! less than 0, and all NaN come back as they were. Dates are those of the years 0 to 9999.
//!
//! ```
//! use sdb_client::ordered::{decode, encode};
//!
//! assert!(encode(&-2)? < encode(&-1)? && encode(&9)? < encode(&10)?);
//! assert!(encode(&-0.5)? < encode(&1e300)?);
//! assert_eq!(decode::<i64>(&encode(&-7i64)?)?, -7);
//! # Ok::<(), sdb_client::Error>(())
//! ```
//!
//! With the feature `serde` the module stands for a field of its own in a typed item, and [`Sorted`] for a value
//! within another type: `#[serde(with = "sdb_client::ordered")] age: u32`, `Option<Sorted<u32>>`.

mod date;

use aws_core::{Error, Result};

/// A type that has a text which sorts as its values do.
pub trait Ordered: Sized {
    /// Writes the value as a text that sorts as it does.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) for a date outside of the years 0 to 9999; nothing else fails.
    fn encode(&self) -> Result<String>;

    /// Reads a value from the text that [`encode`] made.
    ///
    /// # Errors
    /// [`Kind::Protocol`](crate::Kind::Protocol) when the text is not of the form of this type.
    fn decode(text: &str) -> Result<Self>;
}

/// Writes a value as a text that sorts as values do.
///
/// # Errors
/// [`Kind::Invalid`](crate::Kind::Invalid) for a date outside of the years 0 to 9999; nothing else fails.
pub fn encode<T: Ordered>(value: &T) -> Result<String> {
    value.encode()
}

/// The value of a text.
///
/// # Errors
/// [`Kind::Protocol`](crate::Kind::Protocol) when the text is not of the form of this type.
pub fn decode<T: Ordered>(text: &str) -> Result<T> {
    T::decode(text)
}

/// A value that serde writes as [`encode`] does, and reads as [`decode`]: for values within other types,
/// as in `Vec<Sorted<i64>>`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sorted<T>(pub T);

impl<T> From<T> for Sorted<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

/// The error for a text of another form. The text is data and stays out of it.
fn foreign(what: &str) -> Error {
    Error::protocol(format!("a value is not {what} in the form that sorts"))
}

/// The number of so many decimal digits and nothing else.
fn digits(text: &str, width: usize) -> Option<u64> {
    let plain = text.len() == width && text.bytes().all(|b| b.is_ascii_digit());
    if plain { text.parse().ok() } else { None }
}

/// A whole number of at most 64 bits.
trait Whole: Copy + TryFrom<i128> + TryInto<i128> {
    /// The type with its article, for errors.
    const NAME: &'static str;
}

impl Whole for u8 {
    const NAME: &'static str = "a u8";
}

impl Whole for u16 {
    const NAME: &'static str = "a u16";
}

impl Whole for u32 {
    const NAME: &'static str = "a u32";
}

impl Whole for u64 {
    const NAME: &'static str = "a u64";
}

impl Whole for usize {
    const NAME: &'static str = "a usize";
}

impl Whole for i8 {
    const NAME: &'static str = "an i8";
}

impl Whole for i16 {
    const NAME: &'static str = "an i16";
}

impl Whole for i32 {
    const NAME: &'static str = "an i32";
}

impl Whole for i64 {
    const NAME: &'static str = "an i64";
}

impl Whole for isize {
    const NAME: &'static str = "an isize";
}

/// What is added to a number so that the least of its type is 0: 2^63 where the type has negative ones.
fn offset<T: Whole>() -> i128 {
    if T::try_from(-1).is_ok() { 1 << 63 } else { 0 }
}

/// The whole numbers, `u8` to `u64`, `i8` to `i64`, `usize` and `isize`, as 20 digits.
impl<T: Whole> Ordered for T {
    fn encode(&self) -> Result<String> {
        let number: i128 = (*self).try_into().map_err(|_| foreign(T::NAME))?;
        Ok(format!("{:020}", number + offset::<T>()))
    }

    fn decode(text: &str) -> Result<Self> {
        let number = digits(text, 20).map(|number| i128::from(number) - offset::<T>());
        let number = number.and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| foreign(T::NAME))
    }
}

impl Ordered for f64 {
    fn encode(&self) -> Result<String> {
        let bits = self.to_bits();
        let sorted = if bits >> 63 == 1 {
            !bits
        } else {
            bits | 1 << 63
        };
        Ok(format!("{sorted:016x}"))
    }

    fn decode(text: &str) -> Result<Self> {
        let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        let plain = text.len() == 16 && text.bytes().all(hex);
        let sorted = plain.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        let sorted = sorted.ok_or_else(|| foreign("a float"))?;
        let bits = if sorted >> 63 == 1 {
            sorted & !(1 << 63)
        } else {
            !sorted
        };
        Ok(Self::from_bits(bits))
    }
}

impl Ordered for f32 {
    fn encode(&self) -> Result<String> {
        f64::from(*self).encode()
    }

    /// The nearest `f32`, where the text is that of an `f64` between two.
    fn decode(text: &str) -> Result<Self> {
        Ok(f64::decode(text)? as f32)
    }
}

impl Ordered for bool {
    fn encode(&self) -> Result<String> {
        Ok(if *self { "1" } else { "0" }.to_owned())
    }

    fn decode(text: &str) -> Result<Self> {
        match text {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(foreign("a bool")),
        }
    }
}

impl Ordered for char {
    fn encode(&self) -> Result<String> {
        Ok(self.to_string())
    }

    fn decode(text: &str) -> Result<Self> {
        text.parse().map_err(|_| foreign("a character"))
    }
}

/// Serializes a value, for `#[serde(with = "sdb_client::ordered")]`.
///
/// # Errors
/// As [`encode`], and as the serializer.
#[cfg(feature = "serde")]
pub fn serialize<T: Ordered, S: serde_core::Serializer>(
    value: &T,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let text = value.encode().map_err(serde_core::ser::Error::custom)?;
    serializer.serialize_str(&text)
}

/// Deserializes a value, for `#[serde(with = "sdb_client::ordered")]`.
///
/// # Errors
/// As [`decode`], and as the deserializer.
#[cfg(feature = "serde")]
pub fn deserialize<'de, T: Ordered, D: serde_core::Deserializer<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    let text = <std::borrow::Cow<'de, str> as serde_core::Deserialize>::deserialize(deserializer)?;
    T::decode(&text).map_err(serde_core::de::Error::custom)
}

#[cfg(feature = "serde")]
impl<T: Ordered> serde_core::Serialize for Sorted<T> {
    fn serialize<S: serde_core::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize(&self.0, serializer)
    }
}

#[cfg(feature = "serde")]
impl<'de, T: Ordered> serde_core::Deserialize<'de> for Sorted<T> {
    fn deserialize<D: serde_core::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserialize(deserializer).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use proptest::prelude::*;

    use super::date::RANGE;
    use super::*;

    fn time(seconds: i64, nanos: u32) -> SystemTime {
        let whole = Duration::from_secs(seconds.unsigned_abs());
        let at = if seconds < 0 {
            UNIX_EPOCH - whole
        } else {
            UNIX_EPOCH + whole
        };
        at + Duration::from_nanos(nanos.into())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn integers_sort_and_come_back(a: i64, b: i64, c: u64, d: u64, e: i8, f: i8) {
            prop_assert_eq!(encode(&a).unwrap().cmp(&encode(&b).unwrap()), a.cmp(&b));
            prop_assert_eq!(encode(&c).unwrap().cmp(&encode(&d).unwrap()), c.cmp(&d));
            prop_assert_eq!(encode(&e).unwrap().cmp(&encode(&f).unwrap()), e.cmp(&f));
            prop_assert_eq!(decode::<i64>(&encode(&a).unwrap()).unwrap(), a);
            prop_assert_eq!(decode::<u64>(&encode(&c).unwrap()).unwrap(), c);
            prop_assert_eq!(encode(&i64::from(e)).unwrap(), encode(&e).unwrap());
        }

        #[test]
        fn floats_sort_and_come_back(a: u64, b: u64) {
            let (a, b) = (f64::from_bits(a), f64::from_bits(b));
            prop_assert_eq!(encode(&a).unwrap().cmp(&encode(&b).unwrap()), a.total_cmp(&b));
            prop_assert_eq!(decode::<f64>(&encode(&a).unwrap()).unwrap().to_bits(), a.to_bits());
        }

        #[test]
        fn dates_sort_and_come_back(a in RANGE, b in RANGE, n in 0..1_000_000_000u32, m in 0..1_000_000_000u32) {
            for b in [a, b] {
                let (a, b) = (time(a, n), time(b, m));
                prop_assert_eq!(encode(&a).unwrap().cmp(&encode(&b).unwrap()), a.cmp(&b));
                prop_assert_eq!(decode::<SystemTime>(&encode(&a).unwrap()).unwrap(), a);
            }
        }

        #[test]
        fn no_text_is_a_panic(text: String) {
            let _ = (decode::<i64>(&text), decode::<f64>(&text), decode::<SystemTime>(&text));
        }
    }

    #[test]
    fn the_forms_are_these() {
        let table = [
            (encode(&42u8), "00000000000000000042"),
            (encode(&u64::MAX), "18446744073709551615"),
            (encode(&-1i32), "09223372036854775807"),
            (encode(&0i64), "09223372036854775808"),
            (encode(&i64::MIN), "00000000000000000000"),
            (encode(&i64::MAX), "18446744073709551615"),
            (encode(&1.5f64), "bff8000000000000"),
            (encode(&1.5f32), "bff8000000000000"),
            (encode(&-1.5f64), "4007ffffffffffff"),
            (encode(&f64::INFINITY), "fff0000000000000"),
            (encode(&true), "1"),
            (encode(&'\u{e9}'), "\u{e9}"),
            (encode(&UNIX_EPOCH), "1970-01-01T00:00:00.000000000Z"),
            (encode(&time(-1, 5)), "1969-12-31T23:59:59.000000005Z"),
            (
                encode(&time(951_782_400, 0)),
                "2000-02-29T00:00:00.000000000Z",
            ),
            (
                encode(&time(RANGE.start, 0)),
                "0000-01-01T00:00:00.000000000Z",
            ),
            (
                encode(&time(RANGE.end - 1, 999_999_999)),
                "9999-12-31T23:59:59.999999999Z",
            ),
        ];
        for (encoded, text) in table {
            assert_eq!(encoded.unwrap(), text);
        }
        assert!(encode(&time(RANGE.end, 0)).is_err());
        assert!(encode(&(time(RANGE.start, 0) - Duration::from_nanos(1))).is_err());
        let short = decode::<SystemTime>("2009-04-15T12:34:56Z").unwrap();
        assert_eq!(encode(&short).unwrap(), "2009-04-15T12:34:56.000000000Z");
        assert_eq!(
            decode::<SystemTime>("2009-04-15T12:34:56.5Z").unwrap(),
            short + Duration::from_millis(500)
        );
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "1",
            "+0000000000000000001",
            "99999999999999999999",
            "0000000000000000000x",
        ] {
            assert!(
                decode::<u64>(text).is_err() && decode::<i64>(text).is_err(),
                "{text}"
            );
        }
        assert!(decode::<u8>("00000000000000000256").is_err());
        assert!(decode::<i8>(&encode(&128i64).unwrap()).is_err());
        for text in [
            "",
            "bff800000000000",
            "BFF8000000000000",
            "+ff8000000000000",
        ] {
            assert!(decode::<f64>(text).is_err(), "{text}");
        }
        for text in [
            "",
            "2009-02-29T00:00:00Z",
            "2009-13-01T00:00:00Z",
            "2009-00-01T00:00:00Z",
            "2009-01-00T00:00:00Z",
            "2009-01-01T24:00:00Z",
            "2009-01-01T00:60:00Z",
            "2009-01-01T00:00:60Z",
            "2009-01-01T00:00:00",
            "2009-01-01T00:00:00.Z",
            "2009-01-01T00:00:00.0123456789Z",
            "2009-01-01T00:00:00.+1Z",
            "2009-01-01-01T00:00:00Z",
            "2009-1-1T00:00:00Z",
            "hush",
        ] {
            let error = decode::<SystemTime>(text).unwrap_err();
            assert!(!error.to_string().contains("hush"), "{text}");
        }
        assert!(decode::<bool>("true").is_err() && decode::<char>("ab").is_err());
    }
}
