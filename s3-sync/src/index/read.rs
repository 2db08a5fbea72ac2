//! Reading an index as a stream.

use std::cmp::Ordering;
use std::io::{self, BufRead, BufReader, Read};

use flate2::read::GzDecoder;

use super::{Entry, HEAD, MAX_LINE, line};

/// Reads the entries of an index in the order of their keys. Ends at the first thing that is none.
pub(crate) struct IndexReader {
    lines: Option<Box<dyn BufRead + Send>>,
    line: Vec<u8>,
    last: String,
    next: Option<Entry>,
    /// Why it ended before its end.
    fault: Option<String>,
}

impl IndexReader {
    /// Reads a compressed index.
    pub(crate) fn new(from: impl Read + Send + 'static) -> Self {
        let lines = BufReader::with_capacity(64 << 10, GzDecoder::new(from));
        let mut reader = Self {
            lines: Some(Box::new(lines)),
            ..Self::empty()
        };
        match reader.line() {
            Ok(true) if reader.line == HEAD.as_bytes() => {}
            Ok(_) => reader.end("it is no index of a form that is known here"),
            Err(error) => reader.end(&error.to_string()),
        }
        reader
    }

    /// There is no index.
    pub(crate) fn empty() -> Self {
        Self {
            lines: None,
            line: Vec::new(),
            last: String::new(),
            next: None,
            fault: None,
        }
    }

    /// Why it ended before its end.
    pub(crate) fn fault(&self) -> Option<&str> {
        self.fault.as_deref()
    }

    fn end(&mut self, fault: &str) {
        self.lines = None;
        self.fault = Some(fault.to_owned());
    }

    /// Reads a line without its end; whether there is one.
    fn line(&mut self) -> io::Result<bool> {
        self.line.clear();
        let Some(lines) = &mut self.lines else {
            return Ok(false);
        };
        let mut bounded = lines.take(MAX_LINE as u64);
        bounded.read_until(b'\n', &mut self.line)?;
        match self.line.pop() {
            None => Ok(false),
            Some(b'\n') => Ok(true),
            Some(_) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                format!("a line of it has no end within {MAX_LINE} bytes"),
            )),
        }
    }

    fn read(&mut self) -> Option<Entry> {
        match self.line() {
            Ok(true) => {}
            Ok(false) => {
                self.lines = None;
                return None;
            }
            Err(error) => {
                self.end(&error.to_string());
                return None;
            }
        }
        let Some(entry) = line::read(&self.line) else {
            self.end("a line of it is no entry");
            return None;
        };
        if entry.key <= self.last {
            self.end("its keys are not in order");
            return None;
        }
        self.last.clear();
        self.last.push_str(&entry.key);
        Some(entry)
    }

    /// The entry of this key, after those before it have been passed over, of which `passed` is told.
    pub(crate) fn seek(&mut self, key: &str, mut passed: impl FnMut()) -> Option<Entry> {
        loop {
            if self.next.is_none() {
                self.next = self.read();
            }
            match self.next.as_ref()?.key.as_str().cmp(key) {
                Ordering::Less => {
                    self.next = None;
                    passed();
                }
                Ordering::Equal => return self.next.take(),
                Ordering::Greater => return None,
            }
        }
    }

    /// Whether there is another entry.
    pub(crate) fn has_more(&mut self) -> bool {
        if self.next.is_none() {
            self.next = self.read();
        }
        self.next.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::super::write;
    use super::*;
    use crate::digest::Digest;
    use crate::record::Record;
    use crate::tree::Stamp;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::io::Write as _;

    fn record(key: &str) -> Record {
        Record {
            key: key.to_owned(),
            sha: Digest::of(key.as_bytes()),
            md5: None,
            stamp: Stamp {
                size: 3,
                mtime: -5,
                ..Stamp::default()
            },
            mode: 0o640,
            etag: "x".to_owned(),
            settled: false,
        }
    }

    fn compressed(text: &str) -> Vec<u8> {
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        out.write_all(text.as_bytes()).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn entries_come_back() {
        let mut bytes = Vec::new();
        let without = Record {
            etag: String::new(),
            ..record("c")
        };
        let records = ["a", "b\n\"\u{e9}", "c", "d"].map(record);
        write(records.iter().cloned().chain([without]), &mut bytes).unwrap();
        let mut index = IndexReader::new(io::Cursor::new(bytes));
        let mut passed = 0;
        let entry = index.seek("b\n\"\u{e9}", || passed += 1).unwrap();
        assert_eq!(
            (entry.size, entry.mtime, entry.mode, passed),
            (3, -5, 0o640, 1)
        );
        assert_eq!(entry.sha, records[1].sha);
        assert_eq!(index.seek("bb", || ()), None);
        assert!(index.seek("d", || ()).is_some());
        assert!(!index.has_more());
        assert_eq!(index.fault(), None);
    }

    #[test]
    fn what_is_no_index_is_told_and_bounded() {
        let mut good = Vec::new();
        write([record("a")].into_iter(), &mut good).unwrap();
        let mut lines = String::new();
        io::Read::read_to_string(&mut GzDecoder::new(&good[..]), &mut lines).unwrap();
        let line = lines.lines().nth(1).unwrap();
        let cut = good[..good.len() - 9].to_vec();
        for (bytes, fault) in [
            (b"not gzip at all".to_vec(), "gzip"),
            (Vec::new(), ""),
            (compressed(""), "no index"),
            (compressed("{}\n"), "no index"),
            (
                compressed(&format!("{HEAD}\n{}", "x".repeat(1 << 20))),
                "no end",
            ),
            (compressed(&format!("{HEAD}\n{{}}\n")), "no entry"),
            (
                compressed(&format!("{HEAD}\n{line}\n{line}\n")),
                "not in order",
            ),
            (compressed(&format!("{HEAD}\n{line}")), "no end"),
            (cut, ""),
        ] {
            let mut index = IndexReader::new(io::Cursor::new(bytes));
            while index.has_more() {
                index.next = None;
            }
            let told = index.fault().unwrap_or_else(|| panic!("no fault: {fault}"));
            assert!(told.contains(fault), "{told}: {fault}");
        }
    }
}
