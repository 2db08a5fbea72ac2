//! What an object holds where it is more than one text.
//!
//! *Problem:* A message that waits has an envelope beside its stanza; a person's privacy lists have names and order. An
//! object is one run of bytes. *Decision:* Fields with names and lengths, in a form that can be read with the eye and takes
//! any bytes: `KIND 1`, then for each field `NAME LENGTH`, a line end, the bytes, a line end. *Cost:* A form of our own, of
//! a few lines; JSON would need a library that all users of this crate compile, and could not hold a stanza as it is.

use bytes::{BufMut as _, Bytes, BytesMut};

use crate::error::{Error, Result};

/// Fields with names; a name can come several times, and the order stays.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Record {
    kind: &'static str,
    fields: Vec<(String, Bytes)>,
}

impl Record {
    /// A record of this kind without fields.
    pub(crate) fn new(kind: &'static str) -> Self {
        Self {
            kind,
            fields: Vec::new(),
        }
    }

    /// Adds a field; its name has letters, digits and `-` only.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Bytes>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// The bytes of the first field of this name.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where there is none.
    pub(crate) fn get(&self, name: &str) -> Result<&Bytes> {
        self.find(name).ok_or_else(|| {
            Error::invalid(format!("a stored {} lacks the field {name:?}", self.kind))
        })
    }

    /// The bytes of the first field of this name, if there is one.
    pub(crate) fn find(&self, name: &str) -> Option<&Bytes> {
        self.fields
            .iter()
            .find(|(field, _)| field == name)
            .map(|(_, value)| value)
    }

    /// The bytes of all fields of this name, in their order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Bytes> {
        let named = self.fields.iter().filter(move |(field, _)| field == name);
        named.map(|(_, value)| value)
    }

    /// All fields, in their order.
    pub(crate) fn fields(&self) -> &[(String, Bytes)] {
        &self.fields
    }

    /// The text of the first field of this name.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where there is none, or it is no UTF-8.
    pub(crate) fn text(&self, name: &str) -> Result<&str> {
        text(self.kind, self.get(name)?)
    }

    /// The number in the first field of this name.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where there is none, or it is no number.
    pub(crate) fn number(&self, name: &str) -> Result<u64> {
        let number = self.text(name)?.parse();
        number.map_err(|_| {
            Error::invalid(format!(
                "the field {name:?} of a stored {} is no number",
                self.kind
            ))
        })
    }

    /// What is stored.
    pub(crate) fn encode(&self) -> Bytes {
        let size: usize = self
            .fields
            .iter()
            .map(|(name, value)| name.len() + value.len() + 24)
            .sum();
        let mut out = BytesMut::with_capacity(size + self.kind.len() + 4);
        out.put_slice(format!("{} 1\n", self.kind).as_bytes());
        for (name, value) in &self.fields {
            out.put_slice(format!("{name} {}\n", value.len()).as_bytes());
            out.put_slice(value);
            out.put_u8(b'\n');
        }
        out.freeze()
    }

    /// The record of this kind that is stored as these bytes.
    ///
    /// # Errors
    /// [`Kind::Invalid`](crate::Kind::Invalid) where they are none.
    pub(crate) fn decode(kind: &'static str, stored: &Bytes) -> Result<Self> {
        let damaged = || Error::invalid(format!("a stored {kind} is damaged, or something else"));
        let mut rest = stored.clone();
        let line = |rest: &mut Bytes| {
            let end = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .ok_or_else(damaged)?;
            let line = rest.split_to(end);
            let _newline = rest.split_to(1);
            String::from_utf8(line.to_vec()).map_err(|_| damaged())
        };
        if line(&mut rest)? != format!("{kind} 1") {
            return Err(damaged());
        }
        let mut record = Self::new(kind);
        while !rest.is_empty() {
            let head = line(&mut rest)?;
            let (name, length) = head.split_once(' ').ok_or_else(damaged)?;
            let length: usize = length.parse().map_err(|_| damaged())?;
            if rest.get(length) != Some(&b'\n') {
                return Err(damaged());
            }
            record.fields.push((name.to_owned(), rest.split_to(length)));
            let _newline = rest.split_to(1);
        }
        Ok(record)
    }
}

/// Bytes that have to be text.
///
/// # Errors
/// [`Kind::Invalid`](crate::Kind::Invalid) where they are no UTF-8.
pub(crate) fn text<'a>(kind: &str, bytes: &'a [u8]) -> Result<&'a str> {
    std::str::from_utf8(bytes)
        .map_err(|_| Error::invalid(format!("a text in a stored {kind} is no UTF-8")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn records_come_back(fields in proptest::collection::vec(("[a-z-]{1,8}", any::<Vec<u8>>()), 0..8)) {
            let mut record = Record::new("thing");
            for (name, value) in fields {
                record = record.with(&name, value);
            }
            let stored = record.encode();
            prop_assert!(Record::decode("thing", &stored).unwrap() == record);
            prop_assert!(Record::decode("other", &stored).is_err());
            // A part of it is a record only where it ends between two fields.
            for end in 0..stored.len() {
                if let Ok(part) = Record::decode("thing", &stored.slice(..end)) {
                    prop_assert!(part.fields.len() < record.fields.len());
                }
            }
        }

        #[test]
        fn no_bytes_break_it(bytes: Vec<u8>, lines in "thing 1\n[a-z 0-9\n]{0,40}") {
            let _ = Record::decode("thing", &bytes.into());
            let _ = Record::decode("thing", &lines.into());
        }
    }

    #[test]
    fn fields_are_found() {
        let record = Record::new("thing")
            .with("n", "12")
            .with("g", "a")
            .with("g", "b")
            .with("x", &b"\xff"[..]);
        assert_eq!(
            record.encode(),
            &b"thing 1\nn 2\n12\ng 1\na\ng 1\nb\nx 1\n\xff\n"[..]
        );
        assert_eq!(record.number("n").unwrap(), 12);
        assert_eq!(record.text("g").unwrap(), "a");
        assert_eq!(record.all("g").collect::<Vec<_>>(), ["a", "b"]);
        assert!(record.number("g").is_err() && record.text("x").is_err());
        assert!(record.get("y").unwrap_err().message().contains("\"y\""));
    }
}
