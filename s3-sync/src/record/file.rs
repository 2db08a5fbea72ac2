//! Files of records: a line that says what it is, then blocks of records, each with its length and a CRC-32 before it.

use std::fs::File;
use std::io::{self, BufReader, Read as _, Seek as _, SeekFrom, Write as _};

use super::{Record, form};

const MAGIC: &[u8] = b"s3-sync records 1\n";
/// From which size on a block is written.
const BLOCK: usize = 64 << 10;
/// A block ends with a record, which is never as long as this.
const MAX_BLOCK: usize = BLOCK + (4 << 10);

/// Writes records, which come in the order of their keys.
#[derive(Debug)]
pub(crate) struct Writer {
    file: File,
    block: Vec<u8>,
    begun: bool,
}

impl Writer {
    /// Writes to an empty file.
    pub(crate) fn new(file: File) -> Self {
        Self {
            file,
            block: Vec::with_capacity(MAX_BLOCK),
            begun: false,
        }
    }

    pub(crate) fn add(&mut self, record: &Record) -> io::Result<()> {
        form::write(record, &mut self.block);
        match self.block.len() >= BLOCK {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.begun {
            self.file.write_all(MAGIC)?;
            self.begun = true;
        }
        if self.block.is_empty() {
            return Ok(());
        }
        let mut head = [0; 8];
        head[..4].copy_from_slice(&(self.block.len() as u32).to_le_bytes());
        head[4..].copy_from_slice(&crc32fast::hash(&self.block).to_le_bytes());
        self.file.write_all(&head)?;
        self.file.write_all(&self.block)?;
        self.block.clear();
        Ok(())
    }

    /// Writes what is left; the file stands at its end.
    pub(crate) fn finish(mut self) -> io::Result<File> {
        self.flush()?;
        Ok(self.file)
    }
}

/// Reads records in the order in which they were written. Ends at the first thing that is none: what comes then is not known.
#[derive(Debug)]
pub(crate) struct Reader {
    file: Option<BufReader<File>>,
    block: Vec<u8>,
    at: usize,
    next: Option<Record>,
    damaged: bool,
}

impl Reader {
    /// Reads a file from its beginning.
    pub(crate) fn new(mut file: File) -> io::Result<Self> {
        file.seek(SeekFrom::Start(0))?;
        let mut reader = Self::empty();
        let mut file = BufReader::with_capacity(BLOCK, file);
        let mut magic = [0; MAGIC.len()];
        match file.read_exact(&mut magic) {
            Ok(()) if magic == MAGIC => reader.file = Some(file),
            Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => return Err(error),
            _ => reader.damaged = true,
        }
        Ok(reader)
    }

    /// There are no records.
    pub(crate) fn empty() -> Self {
        Self {
            file: None,
            block: Vec::new(),
            at: 0,
            next: None,
            damaged: false,
        }
    }

    /// Whether something was found that is no record.
    pub(crate) fn is_damaged(&self) -> bool {
        self.damaged
    }

    /// The next record, which stays the next one.
    pub(crate) fn peek(&mut self) -> Option<&Record> {
        if self.next.is_none() {
            self.next = self.read();
        }
        self.next.as_ref()
    }

    /// The record of this key, after those before it have been passed over, of which `passed` is told.
    pub(crate) fn seek(&mut self, key: &str, mut passed: impl FnMut()) -> Option<Record> {
        while let Some(next) = self.peek() {
            match next.key.as_str().cmp(key) {
                std::cmp::Ordering::Less => {
                    self.next = None;
                    passed();
                }
                std::cmp::Ordering::Equal => return self.next.take(),
                std::cmp::Ordering::Greater => return None,
            }
        }
        None
    }

    fn read(&mut self) -> Option<Record> {
        if self.at >= self.block.len() && !self.fill() {
            return None;
        }
        let mut rest = self.block.get(self.at..)?;
        let record = form::read(&mut rest);
        self.at = self.block.len() - rest.len();
        if record.is_none() {
            self.damaged = true;
            self.file = None;
            self.block.clear();
        }
        record
    }

    /// Reads the next block; whether there is one.
    fn fill(&mut self) -> bool {
        let Some(file) = &mut self.file else {
            return false;
        };
        self.at = 0;
        match block(file, &mut self.block) {
            Ok(true) => true,
            Ok(false) => {
                self.file = None;
                false
            }
            Err(_) => {
                self.damaged = true;
                self.file = None;
                self.block.clear();
                false
            }
        }
    }
}

impl Iterator for Reader {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        self.peek()?;
        self.next.take()
    }
}

fn block(file: &mut impl io::Read, into: &mut Vec<u8>) -> io::Result<bool> {
    into.clear();
    let mut head = [0; 8];
    if file.read(&mut head[..1])? == 0 {
        return Ok(false);
    }
    file.read_exact(&mut head[1..])?;
    let [a, b, c, d, sum @ ..] = head;
    let len = u32::from_le_bytes([a, b, c, d]) as usize;
    if len > MAX_BLOCK {
        return Err(io::ErrorKind::InvalidData.into());
    }
    into.resize(len, 0);
    file.read_exact(into)?;
    match crc32fast::hash(into) == u32::from_le_bytes(sum) {
        true => Ok(true),
        false => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::tree::Stamp;

    fn record(key: u32) -> Record {
        Record {
            key: format!("{key:06}"),
            sha: Digest::of(&key.to_le_bytes()),
            md5: None,
            stamp: Stamp::default(),
            mode: 0o600,
            etag: String::new(),
            settled: true,
        }
    }

    fn written(records: u32) -> File {
        let mut writer = Writer::new(tempfile::tempfile().unwrap());
        for key in 0..records {
            writer.add(&record(key)).unwrap();
        }
        writer.finish().unwrap()
    }

    #[test]
    fn records_come_back_in_order() {
        let mut reader = Reader::new(written(5000)).unwrap();
        let mut passed = 0;
        assert_eq!(reader.seek("000007", || passed += 1), Some(record(7)));
        assert_eq!(reader.seek("000007x", || passed += 1), None);
        assert_eq!(passed, 7);
        assert_eq!(reader.next(), Some(record(8)));
        assert_eq!(reader.by_ref().count(), 5000 - 9);
        assert!(!reader.is_damaged());
        let mut none = Reader::new(written(0)).unwrap();
        assert_eq!((none.next(), none.is_damaged()), (None, false));
    }

    #[test]
    fn what_is_damaged_ends_it() {
        let whole = written(5000);
        let len = whole.metadata().unwrap().len();
        for cut in [0, 3, MAGIC.len() as u64 + 3, len / 2, len - 1] {
            let file = written(5000);
            file.set_len(cut).unwrap();
            let mut reader = Reader::new(file).unwrap();
            let found = reader.by_ref().enumerate();
            let right = found
                .filter(|(n, found)| *found == record(*n as u32))
                .count();
            assert!(right < 5000 && reader.is_damaged(), "{cut}");
        }
        let mut flipped = written(5000);
        flipped.seek(SeekFrom::Start(len / 2)).unwrap();
        flipped.write_all(&[0xff, 0xee, 0xdd]).unwrap();
        let mut reader = Reader::new(flipped).unwrap();
        let found: Vec<Record> = reader.by_ref().collect();
        assert!(found.len() < 5000 && reader.is_damaged());
        assert!(
            found
                .iter()
                .enumerate()
                .all(|(n, found)| *found == record(n as u32))
        );
    }
}
