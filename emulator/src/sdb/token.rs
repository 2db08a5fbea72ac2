//! Next tokens: where a page ended, bound to the request that it is a page of.

use base64::prelude::*;

use super::error::{SdbError, SdbResult};
use crate::encode::{hex, md5};

/// Writes a token that only the same `scope` can read.
pub(crate) fn write(scope: &str, parts: &[&str]) -> String {
    let mut fields = vec![hex(&md5(scope.as_bytes()))];
    fields.extend(parts.iter().map(|part| BASE64_STANDARD.encode(part)));
    BASE64_STANDARD.encode(fields.join(" "))
}

pub(crate) fn read(token: &str, scope: &str) -> SdbResult<Vec<String>> {
    // Clients wrap long base64 at times.
    let compact: String = token.split_ascii_whitespace().collect();
    let text = decode(&compact).ok_or_else(SdbError::next_token)?;
    let mut fields = text.split(' ');
    if fields.next() != Some(&hex(&md5(scope.as_bytes()))) {
        return Err(SdbError::next_token());
    }
    fields
        .map(|field| decode(field).ok_or_else(SdbError::next_token))
        .collect()
}

fn decode(text: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(text).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_bound_to_their_request() {
        let token = write("select", &["a b", "", "é"]);
        assert_eq!(read(&token, "select").unwrap(), ["a b", "", "é"]);
        assert_eq!(read(&token, "other").unwrap_err().code, "InvalidNextToken");
        assert_eq!(read("x", "select").unwrap_err().code, "InvalidNextToken");
    }
}
