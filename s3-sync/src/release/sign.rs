//! Ed25519 signatures of pointers: who may make nodes run something, beside who may write to the bucket.
//!
//! *Problem:* Whoever has a key that writes to the bucket could make every node run anything. *Decision:* The pointer can be
//! signed with a key that no node and no bucket has; followers that are told to trust one or more public keys follow
//! nothing else. A pointer has the digest of its manifest, and that one those of all files, so that one signature covers every
//! byte. Keys are files as OpenSSL makes them: `openssl genpkey -algorithm ed25519 -out key.pem`, and
//! `openssl pkey -in key.pem -pubout -out key.pub`. The signatures are those of `ring`, which TLS uses here, too. *Cost:* One
//! signature for each move of the pointer, and one check for each pointer that a follower has not seen.

use std::fmt;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::error::{Error, Kind, Result};

/// The most bytes of a file with a key.
const MAX_KEY_FILE: usize = 4096;
/// What stands before the 32 bytes of a public key of Ed25519 in
/// [RFC 8410](https://www.rfc-editor.org/rfc/rfc8410#section-4)'s form.
const PUBLIC_DER: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];

/// A private key that signs pointers. `Debug` shows nothing of it.
pub struct SignKey(Ed25519KeyPair);

impl SignKey {
    /// Reads a file with a private key of Ed25519 in PKCS#8, as PEM.
    ///
    /// # Errors
    /// When it cannot be read or is none. The error has nothing of what is in the file.
    pub fn read(file: &Path) -> Result<Self> {
        let about = file.display().to_string();
        let text = Zeroizing::new(read(file)?);
        Self::from_pem(&text).ok_or_else(|| {
            let what =
                "this is no private key of Ed25519 in PEM (openssl genpkey -algorithm ed25519)";
            Error::new(Kind::Usage, about, what)
        })
    }

    /// Takes a private key of Ed25519 in PKCS#8, as PEM.
    pub fn from_pem(text: &str) -> Option<Self> {
        let der = Zeroizing::new(pem(text, "PRIVATE KEY")?);
        // OpenSSL's files do not have the public key, which `from_pkcs8` demands.
        Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der)
            .ok()
            .map(Self)
    }

    /// The public key that checks its signatures.
    pub fn public(&self) -> TrustKey {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        TrustKey(bytes)
    }

    pub(crate) fn sign(&self, text: &[u8]) -> String {
        STANDARD.encode(self.0.sign(text).as_ref())
    }
}

impl fmt::Debug for SignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignKey").finish_non_exhaustive()
    }
}

/// A public key whose signatures are trusted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrustKey([u8; 32]);

impl TrustKey {
    /// Reads a file with a public key of Ed25519, as PEM.
    ///
    /// # Errors
    /// When it cannot be read or is none.
    pub fn read(file: &Path) -> Result<Self> {
        let about = file.display().to_string();
        // It may be that somebody names the private key by mistake: its content is not for errors, either.
        let text = Zeroizing::new(read(file)?);
        Self::from_pem(&text).ok_or_else(|| {
            let what = "this is no public key of Ed25519 in PEM (openssl pkey -pubout)";
            Error::new(Kind::Usage, about, what)
        })
    }

    /// Takes a public key of Ed25519, as PEM.
    pub fn from_pem(text: &str) -> Option<Self> {
        let der = pem(text, "PUBLIC KEY")?;
        der.strip_prefix(&PUBLIC_DER)?.try_into().ok().map(Self)
    }

    /// Whether this is a signature of the text by the key's owner.
    pub(crate) fn verifies(&self, text: &[u8], signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature) else {
            return false;
        };
        UnparsedPublicKey::new(&ED25519, &self.0)
            .verify(text, &signature)
            .is_ok()
    }
}

impl fmt::Debug for TrustKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TrustKey({})", STANDARD.encode(self.0))
    }
}

fn read(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file).map_err(|error| Error::file("read", file, &error))?;
    if text.len() > MAX_KEY_FILE {
        let what = format!(
            "it has {} bytes, and a key has {MAX_KEY_FILE} at most",
            text.len()
        );
        return Err(Error::new(Kind::Usage, file.display().to_string(), what));
    }
    Ok(text)
}

/// The bytes between the lines that begin and end a thing of this name.
fn pem(text: &str, name: &str) -> Option<Vec<u8>> {
    let (_, text) = text.split_once(&format!("-----BEGIN {name}-----"))?;
    let (text, _) = text.split_once(&format!("-----END {name}-----"))?;
    let text: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    STANDARD.decode(text.as_bytes()).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    // The key of RFC 8410, 10.3, which everybody has.
    const PRIVATE: &str = "-----BEGIN PRIVATE KEY-----\n\
         MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
         -----END PRIVATE KEY-----\n";
    const PUBLIC: &str = "-----BEGIN PUBLIC KEY-----\n\
         MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
         -----END PUBLIC KEY-----\n";

    pub(crate) fn key() -> SignKey {
        SignKey::from_pem(PRIVATE).unwrap()
    }

    #[test]
    fn the_key_of_the_rfc_signs_and_verifies() {
        let (private, public) = (key(), TrustKey::from_pem(PUBLIC).unwrap());
        assert_eq!(private.public(), public);
        let signature = private.sign(b"text");
        assert!(public.verifies(b"text", &signature));
        assert!(!public.verifies(b"texts", &signature));
        for other in ["", "x", &signature[4..], &signature.to_lowercase()] {
            assert!(!public.verifies(b"text", other), "{other}");
        }
        assert!(!TrustKey([1; 32]).verifies(b"text", &signature));
    }

    #[test]
    fn nothing_of_a_private_key_is_shown() {
        let secret = "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp";
        assert_eq!(format!("{:?}", key()), "SignKey { .. }");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key.pem");
        // A private key where a public one belongs, and one that is broken.
        for text in [PRIVATE, &PRIVATE.replace("VhC", "Vh")] {
            std::fs::write(&file, text).unwrap();
            let told = TrustKey::read(&file).unwrap_err();
            assert!(
                !format!("{told} {told:?}").contains(&secret[20..]),
                "{told}"
            );
            assert!(told.to_string().contains("key.pem"), "{told}");
        }
        let told = SignKey::read(&file).unwrap_err();
        assert!(
            !format!("{told} {told:?}").contains(&secret[20..]),
            "{told}"
        );
        std::fs::write(&file, "x".repeat(MAX_KEY_FILE + 1)).unwrap();
        assert!(
            SignKey::read(&file)
                .unwrap_err()
                .to_string()
                .contains("4097 bytes")
        );
    }

    #[test]
    fn what_is_no_key_is_none() {
        for text in ["", PUBLIC, "-----BEGIN PRIVATE KEY-----", &PRIVATE[..60]] {
            assert!(SignKey::from_pem(text).is_none(), "{text}");
        }
        for text in ["", PRIVATE, &PUBLIC.replace("MCow", "MCox")] {
            assert!(TrustKey::from_pem(text).is_none(), "{text}");
        }
    }
}
