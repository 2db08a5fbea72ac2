//! The names of header fields that a request may be given.

use crate::error::{Error, Kind};
use crate::http1::octets::is_token;

/// The name of a header field, which is checked once, when it is made. In a `const` it is the compiler that checks it, and no
/// request does:
///
/// ```
/// use pipeline_pool::{FieldName, Method, Origin, Request};
///
/// const RANGE: FieldName = FieldName::from_static("range");
///
/// # fn main() -> Result<(), pipeline_pool::Error> {
/// let origin = Origin::parse("http://localhost:8080")?;
/// let mut request = Request::new(Method::Get, &origin, "/greeting")?;
/// request.field(RANGE, &["bytes=", "0-1023"])?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FieldName(&'static str);

impl FieldName {
    /// The field of this name, which is to be written in lower case.
    ///
    /// # Panics
    /// When the name is not a token ([RFC 9110, 5.6.2](https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2)), has a
    /// capital letter, or is one that the pool writes itself. In a `const` that is an error of the compiler.
    pub const fn from_static(name: &'static str) -> Self {
        let bytes = name.as_bytes();
        assert!(!bytes.is_empty(), "a field without a name");
        let mut i = 0;
        while i < bytes.len() {
            let is_lower = is_token(bytes[i]) && !bytes[i].is_ascii_uppercase();
            assert!(is_lower, "a name in lower case is a token without capitals");
            i += 1;
        }
        let mut own = 0;
        while own < OWN.len() {
            assert!(
                !is_same(OWN[own], name),
                "the pool writes this field itself"
            );
            own += 1;
        }
        Self(name)
    }

    /// Returns the name, in lower case.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

/// The fields that the pool writes itself.
const OWN: [&str; 5] = [
    "host",
    "connection",
    "expect",
    "content-length",
    "transfer-encoding",
];

const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut same = one.len() == other.len();
    let mut i = 0;
    while same && i < one.len() {
        same = one[i] == other[i];
        i += 1;
    }
    same
}

/// Refuses a name that is none, or that of a field that the pool writes itself.
///
/// # Errors
/// [`Kind::Invalid`], naming the field.
pub(super) fn check(name: &str) -> Result<(), Error> {
    let illegal = |text| Err(Error::new(Kind::Invalid, text));
    if name.is_empty() || !name.bytes().all(is_token) {
        return illegal(format!("illegal header name {name:?}"));
    }
    let is_own = |own: &&str| own.eq_ignore_ascii_case(name);
    if OWN.iter().any(is_own) {
        return illegal(format!("the header {name} is written by the pool"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::panic::catch_unwind;

    use super::*;

    #[test]
    fn a_name_is_a_token_in_lower_case_of_a_field_that_the_pool_does_not_write() {
        assert_eq!(FieldName::from_static("x-amz-date").as_str(), "x-amz-date");
        let bad = ["", "a b", "a:", "Date", "\u{e9}"];
        for name in bad.into_iter().chain(OWN) {
            let made = catch_unwind(|| FieldName::from_static(name));
            assert!(made.is_err(), "{name:?}");
        }
        assert!(!is_same("host", "hose") && !is_same("host", "hosts"));
    }

    #[test]
    fn names_are_checked_alike_when_they_are_not_known_before() {
        for name in ["Date", "x-amz-date", "hosts"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "a b", "a:", "Host", "Transfer-Encoding", "expect"] {
            assert_eq!(check(name).unwrap_err().kind(), Kind::Invalid, "{name:?}");
        }
    }
}
