//! How a record is written as bytes.

use super::Record;
use crate::digest::Digest;
use crate::tree::Stamp;

const HAS_MD5: u8 = 1;
const SETTLED: u8 = 2;

/// Puts a record behind what is there.
pub(super) fn write(record: &Record, out: &mut Vec<u8>) {
    text(&record.key, out);
    text(&record.etag, out);
    let mut flags = 0;
    if record.md5.is_some() {
        flags |= HAS_MD5;
    }
    if record.settled {
        flags |= SETTLED;
    }
    out.push(flags);
    out.extend_from_slice(record.sha.as_bytes());
    if let Some(md5) = &record.md5 {
        out.extend_from_slice(md5);
    }
    let stamp = &record.stamp;
    out.extend_from_slice(&stamp.size.to_le_bytes());
    out.extend_from_slice(&stamp.mtime.to_le_bytes());
    out.extend_from_slice(&stamp.ctime.to_le_bytes());
    out.extend_from_slice(&stamp.inode.to_le_bytes());
    out.extend_from_slice(&record.mode.to_le_bytes());
}

/// A text of up to 64 KiB: keys and tags are shorter.
fn text(text: &str, out: &mut Vec<u8>) {
    let len = u16::try_from(text.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&text.as_bytes()[..len.into()]);
}

/// Takes a record off the front; nothing if the bytes are none.
pub(super) fn read(from: &mut &[u8]) -> Option<Record> {
    let key = read_text(from)?;
    let etag = read_text(from)?;
    let [flags] = take(from)?;
    let sha = Digest::from_bytes(take(from)?);
    let md5 = match flags & HAS_MD5 {
        0 => None,
        _ => Some(take(from)?),
    };
    Some(Record {
        key,
        sha,
        md5,
        stamp: Stamp {
            size: u64::from_le_bytes(take(from)?),
            mtime: i64::from_le_bytes(take(from)?),
            ctime: i64::from_le_bytes(take(from)?),
            inode: u64::from_le_bytes(take(from)?),
        },
        mode: u32::from_le_bytes(take(from)?),
        etag,
        settled: flags & SETTLED != 0,
    })
}

fn read_text(from: &mut &[u8]) -> Option<String> {
    let len = u16::from_le_bytes(take(from)?).into();
    let (text, rest) = from.split_at_checked(len)?;
    *from = rest;
    String::from_utf8(text.to_vec()).ok()
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_whole_and_not_in_part() {
        for (md5, settled) in [(None, true), (Some([9; 16]), false)] {
            let record = Record {
                key: "a/\u{e9}".to_owned(),
                sha: Digest::of(b"x"),
                md5,
                stamp: Stamp {
                    size: 1,
                    mtime: -2,
                    ctime: i64::MAX,
                    inode: u64::MAX,
                },
                mode: 0o644,
                etag: "tag".to_owned(),
                settled,
            };
            let mut bytes = Vec::new();
            write(&record, &mut bytes);
            for cut in 0..bytes.len() {
                assert_eq!(read(&mut &bytes[..cut]), None, "{cut}");
            }
            bytes.push(7);
            let mut rest = &bytes[..];
            assert_eq!(read(&mut rest), Some(record));
            assert_eq!(rest, [7]);
        }
    }
}
