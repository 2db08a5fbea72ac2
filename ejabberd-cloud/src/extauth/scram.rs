//! What is kept of a password, and whether another one is the same: SCRAM's keys
//! ([RFC 5802, 3](https://www.rfc-editor.org/rfc/rfc5802#section-3)), in the form in which ejabberd keeps them, so that
//! people who were registered by one front can log in by the other.
//!
//! Passwords are taken as they come. ejabberd prepares those with letters beyond ASCII first, so that such a password can
//! have other bytes here than there.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cloud_stores::auth::{ScramKeys, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha512};

use super::ExtauthError;

/// What [RFC 5802](https://www.rfc-editor.org/rfc/rfc5802#section-5.1) says an iteration count is at least, and what
/// ejabberd takes.
const ITERATIONS: u32 = 4096;
/// More than this is not computed: each takes a microsecond or two, for each login.
const MOST_ITERATIONS: u32 = 1_000_000;

/// The hash functions of SCRAM, by the names that ejabberd has for them.
#[derive(Clone, Copy)]
enum Hash {
    Sha1,
    Sha256,
    Sha512,
}

impl Hash {
    fn of(name: &str) -> Option<Self> {
        match name {
            "sha" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn salted(self, password: &[u8], salt: &[u8], iterations: u32) -> Vec<u8> {
        let mut out = vec![
            0;
            match self {
                Self::Sha1 => 20,
                Self::Sha256 => 32,
                Self::Sha512 => 64,
            }
        ];
        match self {
            Self::Sha1 => pbkdf2::pbkdf2_hmac::<Sha1>(password, salt, iterations, &mut out),
            Self::Sha256 => pbkdf2::pbkdf2_hmac::<Sha256>(password, salt, iterations, &mut out),
            Self::Sha512 => pbkdf2::pbkdf2_hmac::<Sha512>(password, salt, iterations, &mut out),
        }
        out
    }

    fn digest(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha1 => Sha1::digest(bytes).to_vec(),
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn mac(self, key: &[u8], text: &[u8]) -> Vec<u8> {
        fn of<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
            // A MAC of this kind takes a key of any length.
            M::new_from_slice(key)
                .map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec())
                .unwrap_or_default()
        }
        match self {
            Self::Sha1 => of::<Hmac<Sha1>>(key, text),
            Self::Sha256 => of::<Hmac<Sha256>>(key, text),
            Self::Sha512 => of::<Hmac<Sha512>>(key, text),
        }
    }
}

/// What is kept of this password: keys by SHA-1, as ejabberd's default is, with a new salt.
pub(super) fn secret(password: &str) -> Result<Secret, ExtauthError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|_| ExtauthError::NoSalt)?;
    let salted = Hash::Sha1.salted(password.as_bytes(), &salt, ITERATIONS);
    let stored_key = Hash::Sha1.digest(&Hash::Sha1.mac(&salted, b"Client Key"));
    Ok(Secret::Scram(ScramKeys {
        hash: "sha".to_owned(),
        stored_key: STANDARD.encode(stored_key),
        server_key: STANDARD.encode(Hash::Sha1.mac(&salted, b"Server Key")),
        salt: STANDARD.encode(salt),
        iterations: ITERATIONS,
    }))
}

/// Whether this is the password that the secret was made of. The time it takes does not tell how much of it is right.
pub(super) fn is_of(secret: &Secret, password: &str) -> bool {
    match secret {
        Secret::Plain(own) => {
            // Their digests are compared, so that not even the length shows.
            let digest = |text: &str| Sha256::digest(text.as_bytes());
            same(&digest(own), &digest(password))
        }
        Secret::Scram(keys) => {
            let (Some(hash), Ok(salt), Ok(stored)) = (
                Hash::of(&keys.hash),
                STANDARD.decode(&keys.salt),
                STANDARD.decode(&keys.stored_key),
            ) else {
                return false;
            };
            if keys.iterations == 0 || keys.iterations > MOST_ITERATIONS {
                return false;
            }
            let salted = hash.salted(password.as_bytes(), &salt, keys.iterations);
            same(&hash.digest(&hash.mac(&salted, b"Client Key")), &stored)
        }
        _ => false,
    }
}

fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .fold(0, |different, (a, b)| different | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of [RFC 5802, 5](https://www.rfc-editor.org/rfc/rfc5802#section-5) and that of
    /// [RFC 7677, 3](https://www.rfc-editor.org/rfc/rfc7677#section-3), whose password is `pencil`. The StoredKey
    /// follows from their proofs.
    #[test]
    fn the_examples_of_the_standards_are_met() {
        let cases = [
            (
                "sha",
                "QSXCR+Q6sek8bf92",
                concat!(
                    "n=user,r=fyko+d2lbbFgONRv9qkxdawL,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,",
                    "s=QSXCR+Q6sek8bf92,i=4096,c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j"
                ),
                "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
                "rmF9pqV8S7suAoZWja4dJRkFsKQ=",
            ),
            (
                "sha256",
                "W22ZaJ0SNY7soEsUEjb6gQ==",
                concat!(
                    "n=user,r=rOprNGfwEbeRWgbNEkqO,",
                    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,",
                    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
                ),
                "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
                "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
            ),
        ];
        for (name, salt, message, proof, signature) in cases {
            let hash = Hash::of(name).expect("known");
            let salted = hash.salted(b"pencil", &STANDARD.decode(salt).expect("base64"), 4096);
            let client = hash.mac(&salted, b"Client Key");
            let stored = hash.digest(&client);
            let signed = hash.mac(&stored, message.as_bytes());
            let proven: Vec<u8> = client.iter().zip(&signed).map(|(a, b)| a ^ b).collect();
            assert_eq!(STANDARD.encode(proven), proof, "{name}");
            let server = hash.mac(&salted, b"Server Key");
            assert_eq!(
                STANDARD.encode(hash.mac(&server, message.as_bytes())),
                signature,
                "{name}"
            );

            let keys = ScramKeys {
                hash: name.to_owned(),
                stored_key: STANDARD.encode(stored),
                server_key: STANDARD.encode(server),
                salt: salt.to_owned(),
                iterations: 4096,
            };
            assert!(is_of(&Secret::Scram(keys.clone()), "pencil"));
            assert!(!is_of(&Secret::Scram(keys.clone()), "pencils"));
            assert!(!is_of(
                &Secret::Scram(ScramKeys {
                    iterations: 0,
                    ..keys.clone()
                }),
                "pencil"
            ));
            assert!(!is_of(
                &Secret::Scram(ScramKeys {
                    hash: "md5".to_owned(),
                    ..keys
                }),
                "pencil"
            ));
        }
    }

    #[test]
    fn what_is_kept_of_a_password_knows_it_again() {
        let (one, two) = (
            secret("s3cret").expect("a salt"),
            secret("s3cret").expect("a salt"),
        );
        assert!(one != two, "each has a salt of its own");
        assert!(is_of(&one, "s3cret") && is_of(&two, "s3cret"));
        for other in ["", "s3cre", "s3cret ", "S3cret"] {
            assert!(!is_of(&one, other));
        }
        assert!(is_of(&Secret::Plain("s3cret".to_owned()), "s3cret"));
        assert!(!is_of(&Secret::Plain("s3cret".to_owned()), "s3crets"));
    }
}
