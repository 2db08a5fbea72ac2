use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use sha1::Sha1;
use sha2::Sha256;

/// Length in characters of a base64 SHA-1 signature.
pub(crate) const SHA1_CHARS: usize = 28;

/// Length in characters of a base64 SHA-256 signature.
pub(crate) const SHA256_CHARS: usize = 44;

/// Where canonical text goes: into a string that people read, or straight into a MAC.
pub(crate) trait Sink {
    fn put(&mut self, bytes: &[u8]);

    fn put_byte(&mut self, byte: u8) {
        self.put(&[byte]);
    }

    /// Puts text with its ASCII letters in lowercase.
    fn put_lower(&mut self, text: &str);
}

impl Sink for Vec<u8> {
    fn put_lower(&mut self, text: &str) {
        self.extend(text.bytes().map(|byte| byte.to_ascii_lowercase()));
    }

    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// Feeds a MAC by the buffer: canonical text arrives in pieces of a few bytes, and one update costs more
/// than a piece.
pub(crate) struct Feed<M> {
    mac: M,
    buffer: [u8; 192],
    filled: usize,
}

impl<M: Mac> Feed<M> {
    pub(crate) fn new(mac: M) -> Self {
        Self {
            mac,
            buffer: [0; 192],
            filled: 0,
        }
    }

    fn flush(&mut self) {
        self.mac.update(&self.buffer[..self.filled]);
        self.filled = 0;
    }

    fn finish(mut self) -> M {
        self.flush();
        self.mac
    }
}

impl<M: Mac> Sink for Feed<M> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if bytes.len() > self.buffer.len() - self.filled {
            self.flush();
            if bytes.len() > self.buffer.len() {
                self.mac.update(bytes);
                return;
            }
        }
        self.buffer[self.filled..self.filled + bytes.len()].copy_from_slice(bytes);
        self.filled += bytes.len();
    }

    fn put_lower(&mut self, text: &str) {
        if text.len() <= self.buffer.len() - self.filled {
            let start = self.filled;
            self.put(text.as_bytes());
            self.buffer[start..self.filled].make_ascii_lowercase();
        } else {
            text.bytes()
                .for_each(|byte| self.put_byte(byte.to_ascii_lowercase()));
        }
    }

    #[inline]
    fn put_byte(&mut self, byte: u8) {
        if self.filled == self.buffer.len() {
            self.flush();
        }
        self.buffer[self.filled] = byte;
        self.filled += 1;
    }
}

impl Feed<Hmac<Sha1>> {
    /// Appends the signature in base64.
    pub(crate) fn push_base64(self, out: &mut String) {
        push_base64::<SHA1_CHARS>(&self.finish().finalize().into_bytes(), out);
    }
}

impl Feed<Hmac<Sha256>> {
    /// Appends the signature in base64.
    pub(crate) fn push_base64(self, out: &mut String) {
        push_base64::<SHA256_CHARS>(&self.finish().finalize().into_bytes(), out);
    }
}

/// Encodes by way of the stack: `encode_string` works in chunks of a kilobyte, which costs more than 28
/// characters do.
fn push_base64<const CHARS: usize>(digest: &[u8], out: &mut String) {
    let mut text = [0; CHARS];
    match STANDARD.encode_slice(digest, &mut text) {
        Ok(length) => out.push_str(std::str::from_utf8(&text[..length]).unwrap_or_default()),
        Err(_) => STANDARD.encode_string(digest, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;

    #[test]
    fn buffering_does_not_show() {
        let credentials = Credentials::new("AKID", "hush");
        let text: Vec<u8> = (0..1000_u32).map(|i| (i % 251) as u8).collect();
        let mut whole = String::new();
        let mut feed = Feed::new(credentials.hmac_sha1());
        feed.put(&text);
        feed.push_base64(&mut whole);
        for piece in [1, 7, 64, 191, 192, 193, 400] {
            let mut feed = Feed::new(credentials.hmac_sha1());
            for chunk in text.chunks(piece) {
                if let [byte] = chunk {
                    feed.put_byte(*byte);
                } else {
                    feed.put(chunk);
                }
            }
            let mut signature = String::new();
            feed.push_base64(&mut signature);
            assert_eq!(signature, whole, "pieces of {piece}");
            assert_eq!(signature.len(), SHA1_CHARS);
        }
    }
}
