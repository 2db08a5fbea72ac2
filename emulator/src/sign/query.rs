//! The string to sign of the Query APIs: SimpleDB, EC2 and their generation.
//!
//! See [Signature Version 2](https://docs.aws.amazon.com/AmazonSimpleDB/latest/DeveloperGuide/HMACAuth.html).

use crate::encode::percent_encode;

/// Builds the string to sign from decoded parameters; a `Signature` among them is left out.
pub(crate) fn string_to_sign(
    method: &str,
    host: &str,
    path: &str,
    params: &[(Vec<u8>, Vec<u8>)],
) -> Vec<u8> {
    let mut sorted: Vec<_> = params
        .iter()
        .filter(|(name, _)| name != b"Signature")
        .collect();
    sorted.sort_unstable();
    let mut out = Vec::with_capacity(256);
    for part in [method, &host.to_ascii_lowercase(), path] {
        out.extend_from_slice(part.as_bytes());
        out.push(b'\n');
    }
    for (index, (name, value)) in sorted.into_iter().enumerate() {
        if index > 0 {
            out.push(b'&');
        }
        percent_encode(&mut out, name);
        out.push(b'=');
        percent_encode(&mut out, value);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::form_pairs;

    #[test]
    fn parameters_are_sorted_by_byte_and_encoded_again() {
        let params = form_pairs(
            b"Signature=zzz&Version=2009-04-15&Action=Select&SelectExpression=select+*%20from%20d&a=~%2F",
        );
        assert_eq!(
            String::from_utf8(string_to_sign("GET", "Sdb.Amazonaws.com", "/", &params)).unwrap(),
            "GET\nsdb.amazonaws.com\n/\n\
             Action=Select&SelectExpression=select%20%2A%20from%20d&Version=2009-04-15&a=~%2F"
        );
    }
}
