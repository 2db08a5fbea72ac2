//! How a journal begins: what it is, and what its records are sealed by.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

use sha2::{Digest, Sha256};

use super::MAGIC;

/// At the beginning of journals of earlier versions that were flushed before each answer. Those that were not have
/// that of a snapshot.
const OLD_FLUSHED: &[u8; 8] = b"sdblog1f";
const SALTED: &[u8; 8] = b"sdblog2\n";
const SALTED_FLUSHED: &[u8; 8] = b"sdblog2f";
const SALT: usize = 16;
const SUM: usize = 8;
/// The length of what stands before the records of a journal that is written now, in bytes.
const HEAD: usize = MAGIC.len() + SALT + SUM;

/// What the checksums of records are of, besides the records.
///
/// A value is the caller's, and may be the very bytes of a record. Half a record that holds such a value must not seem
/// to have a whole one behind it, so each journal has a salt that its callers do not know, and each checksum is of the
/// place of its record, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seal {
    /// Of the record alone: in snapshots, which are whole or of no use, and in journals of earlier versions.
    Plain,
    /// Of the salt, the place and the record.
    Salted([u8; SALT]),
}

/// This is the form of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    /// Whether it is flushed before each answer.
    pub(super) flushed: bool,
    pub(super) seal: Seal,
}

/// What some bytes begin with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FormStart {
    /// A journal of this form.
    Whole(Form),
    /// A journal whose making was cut short; there is no record in it.
    Torn,
    /// The bytes are something else.
    Damaged,
    /// No journal.
    Foreign,
}

impl Form {
    /// That of a new journal.
    pub(super) fn new(flushed: bool) -> Self {
        let mut salt = [0; SALT];
        for part in salt.chunks_mut(8) {
            // Random keys are all that the standard library has of chance.
            let drawn = RandomState::new().build_hasher().finish();
            part.copy_from_slice(&drawn.to_le_bytes()[..part.len()]);
        }
        let seal = Seal::Salted(salt);
        Self { flushed, seal }
    }

    /// Whether journals of this form are written now.
    pub(super) fn is_current(&self, flushed: bool) -> bool {
        self.flushed == flushed && self.seal != Seal::Plain
    }

    /// What such a journal begins with.
    pub(super) fn head(&self) -> Vec<u8> {
        let Seal::Salted(salt) = self.seal else {
            return self.magic().to_vec();
        };
        let mut head = self.magic().to_vec();
        head.extend_from_slice(&salt);
        head.extend_from_slice(&sum(&head));
        head
    }

    /// The length of its beginning, in bytes.
    pub(super) fn len(&self) -> usize {
        match self.seal {
            Seal::Plain => MAGIC.len(),
            Seal::Salted(_) => HEAD,
        }
    }

    fn magic(&self) -> &'static [u8; 8] {
        match (self.seal, self.flushed) {
            (Seal::Plain, false) => MAGIC,
            (Seal::Plain, true) => OLD_FLUSHED,
            (Seal::Salted(_), false) => SALTED,
            (Seal::Salted(_), true) => SALTED_FLUSHED,
        }
    }
}

impl FormStart {
    pub(super) fn read(bytes: &[u8]) -> Self {
        for (magic, flushed) in [(MAGIC, false), (OLD_FLUSHED, true)] {
            if bytes.starts_with(magic) {
                let seal = Seal::Plain;
                return Self::Whole(Form { flushed, seal });
            }
        }
        for (magic, flushed) in [(SALTED, false), (SALTED_FLUSHED, true)] {
            if bytes.starts_with(magic) {
                return Self::salted(bytes, flushed);
            }
        }
        // The process may have ended within it, or the power before its bytes were there.
        let magics = [MAGIC, OLD_FLUSHED, SALTED, SALTED_FLUSHED];
        let begun = magics.iter().any(|magic| magic.starts_with(bytes));
        let zeros = bytes.len() <= HEAD && bytes.iter().all(|byte| *byte == 0);
        if begun || zeros {
            Self::Torn
        } else {
            Self::Foreign
        }
    }

    fn salted(bytes: &[u8], flushed: bool) -> Self {
        let salted = bytes.split_at_checked(MAGIC.len() + SALT);
        if let Some((head, rest)) = salted
            && rest.starts_with(&sum(head))
        {
            let mut salt = [0; SALT];
            salt.copy_from_slice(&head[MAGIC.len()..]);
            let seal = Seal::Salted(salt);
            return Self::Whole(Form { flushed, seal });
        }
        // It is flushed before the first record is written.
        if bytes.len() <= HEAD {
            Self::Torn
        } else {
            Self::Damaged
        }
    }
}

fn sum(head: &[u8]) -> [u8; SUM] {
    let mut first = [0; SUM];
    first.copy_from_slice(&Sha256::digest(head)[..SUM]);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_back_and_cut_ones_are_torn() {
        let plain = |flushed| Form {
            flushed,
            seal: Seal::Plain,
        };
        for form in [Form::new(false), Form::new(true), plain(false), plain(true)] {
            let mut bytes = form.head();
            assert_eq!(bytes.len(), form.len());
            for cut in 0..bytes.len() {
                assert_eq!(
                    FormStart::read(&bytes[..cut]),
                    FormStart::Torn,
                    "{form:?} {cut}"
                );
            }
            bytes.extend_from_slice(b"more");
            assert_eq!(FormStart::read(&bytes), FormStart::Whole(form));
        }
        assert_eq!(FormStart::read(&[0; HEAD]), FormStart::Torn);
        assert_eq!(FormStart::read(b"something else"), FormStart::Foreign);
        assert_ne!(Form::new(true), Form::new(true));
    }

    #[test]
    fn a_flipped_bit_in_the_salt_is_damage_where_records_follow() {
        let head = Form::new(true).head();
        for at in MAGIC.len()..head.len() {
            let mut wrong = head.clone();
            wrong[at] ^= 4;
            assert_eq!(FormStart::read(&wrong), FormStart::Torn, "{at}");
            wrong.push(0);
            assert_eq!(FormStart::read(&wrong), FormStart::Damaged, "{at}");
        }
    }
}
