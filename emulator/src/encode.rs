//! Percent, hex and digest encodings shared by both services.

use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};
use sha1::Sha1;
use sha2::Sha256;

const HEX_UPPER: &[u8; 16] = b"0123456789ABCDEF";
const HEX_LOWER: &[u8; 16] = b"0123456789abcdef";

/// Appends `input` with every byte outside RFC 3986's unreserved set as `%XX`.
pub(crate) fn percent_encode(out: &mut Vec<u8>, input: &[u8]) {
    for &byte in input {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(byte);
        } else {
            push_percent(out, byte);
        }
    }
}

/// What S3 writes into a listing under `encoding-type=url`: a space is `+`, and `/` and `*` stay.
pub(crate) fn listing_encode(input: &str) -> String {
    let mut out = Vec::with_capacity(input.len());
    for &byte in input.as_bytes() {
        match byte {
            b' ' => out.push(b'+'),
            b'-' | b'_' | b'.' | b'/' | b'*' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            _ => push_percent(&mut out, byte),
        }
    }
    ascii(out)
}

fn push_percent(out: &mut Vec<u8>, byte: u8) {
    out.push(b'%');
    out.push(HEX_UPPER[usize::from(byte >> 4)]);
    out.push(HEX_UPPER[usize::from(byte & 15)]);
}

/// Decodes `%XX` and, as forms have it, `+` as a space. A stray `%` stands for itself.
pub(crate) fn form_decode(input: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(input.len());
    let mut rest = input;
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        match (byte, tail) {
            (b'+', _) => out.push(b' '),
            (b'%', [high, low, after @ ..]) => match (nibble(*high), nibble(*low)) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    rest = after;
                }
                _ => out.push(b'%'),
            },
            _ => out.push(byte),
        }
    }
    out
}

fn nibble(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

/// The `name=value` pairs of a query string or a form, decoded, in the order they were sent.
pub(crate) fn form_pairs(input: &[u8]) -> Vec<(Vec<u8>, Vec<u8>)> {
    input
        .split(|&byte| byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |&byte| byte == b'=');
            let name = halves.next().unwrap_or_default();
            let value = halves.next().unwrap_or_default();
            (form_decode(name), form_decode(value))
        })
        .collect()
}

/// Writes the bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut out = Vec::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(HEX_LOWER[usize::from(byte >> 4)]);
        out.push(HEX_LOWER[usize::from(byte & 15)]);
    }
    ascii(out)
}

fn ascii(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// The MD5 digest that ETags and `Content-MD5` are made of.
pub(crate) fn md5(bytes: &[u8]) -> [u8; 16] {
    Md5::digest(bytes).into()
}

/// Whether `signature` is the HMAC-SHA1 of `message`, in constant time.
pub(crate) fn hmac_sha1_matches(secret: &str, message: &[u8], signature: &[u8]) -> bool {
    Hmac::<Sha1>::new_from_slice(secret.as_bytes())
        .is_ok_and(|mac| mac.chain_update(message).verify_slice(signature).is_ok())
}

/// Whether `signature` is the HMAC-SHA256 of `message`, in constant time.
pub(crate) fn hmac_sha256_matches(secret: &str, message: &[u8], signature: &[u8]) -> bool {
    Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .is_ok_and(|mac| mac.chain_update(message).verify_slice(signature).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_keeps_only_unreserved() {
        let mut out = Vec::new();
        percent_encode(&mut out, "a-Z_0.~ /+é".as_bytes());
        assert_eq!(out, b"a-Z_0.~%20%2F%2B%C3%A9");
    }

    #[test]
    fn forms_decode_and_keep_stray_percents() {
        assert_eq!(form_decode(b"a+b%20c%2"), b"a b c%2");
        assert_eq!(form_decode(b"%zz%C3%A9%"), "%zzé%".as_bytes());
        assert_eq!(
            form_pairs(b"a=1&&b&=x&c=d=e"),
            [("a", "1"), ("b", ""), ("", "x"), ("c", "d=e")]
                .map(|(name, value)| (name.into(), value.into()))
        );
    }

    #[test]
    fn listings_encode_spaces_as_plus() {
        assert_eq!(listing_encode("a b+c/d~*\u{1}"), "a+b%2Bc/d%7E*%01");
    }

    #[test]
    fn digests_match_their_published_vectors() {
        assert_eq!(hex(&md5(b"")), "d41d8cd98f00b204e9800998ecf8427e");
        // RFC 2202, case 2.
        let tag = [
            0xef, 0xfc, 0xdf, 0x6a, 0xe5, 0xeb, 0x2f, 0xa2, 0xd2, 0x74, 0x16, 0xd5, 0xf1, 0x84,
            0xdf, 0x9c, 0x25, 0x9a, 0x7c, 0x79,
        ];
        assert!(hmac_sha1_matches(
            "Jefe",
            b"what do ya want for nothing?",
            &tag
        ));
        assert!(!hmac_sha1_matches(
            "Jefe",
            b"what do ya want for nothing!",
            &tag
        ));
        assert!(!hmac_sha1_matches(
            "Jefe",
            b"what do ya want for nothing?",
            b""
        ));
    }
}
