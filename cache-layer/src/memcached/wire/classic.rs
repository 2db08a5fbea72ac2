//! The classic text protocol
//! ([protocol.txt](https://github.com/memcached/memcached/blob/master/doc/protocol.txt)), which old
//! servers and proxies speak.

use pipeline_pool::{Error, Outbox};

use super::line::unexpected;
use super::{Codec, Command, DeleteOp, Item, Op, Outcome, Status, StoreMode, StoreOp, bad, number};

fn word(out: &mut Outbox, number: impl itoa::Integer) {
    out.put(b" ");
    out.put(itoa::Buffer::new().format(number).as_bytes());
}

/// Writes the command, unless this protocol has no words for it.
pub(super) fn encode(op: &Op, out: &mut Outbox) -> bool {
    match op {
        Op::Get(fetch) => {
            if fetch.vivify.is_some() || fetch.recache.is_some() {
                return false;
            }
            match (fetch.touch, fetch.cas) {
                (None, false) => out.put(b"get "),
                (None, true) => out.put(b"gets "),
                (Some(ttl), cas) => {
                    out.put(if cas { b"gats" } else { b"gat" });
                    word(out, ttl);
                    out.put(b" ");
                }
            }
            out.put(&fetch.key.text);
        }
        Op::Many { keys, cas } => {
            out.put(if *cas { b"gets" } else { b"get" });
            for key in keys {
                out.put(b" ");
                out.put(&key.text);
            }
        }
        Op::Store(store) => return put(store, out),
        Op::Delete(DeleteOp { key, cas, stale }) => {
            if cas.is_some() || stale.is_some() {
                return false;
            }
            out.put(b"delete ");
            out.put(&key.text);
        }
        Op::Arith(arith) => {
            if arith.initial.is_some() {
                return false;
            }
            out.put(if arith.up { b"incr " } else { b"decr " });
            out.put(&arith.key.text);
            word(out, arith.by);
        }
        Op::Touch { key, ttl } => {
            out.put(b"touch ");
            out.put(&key.text);
            word(out, *ttl);
        }
        Op::Inspect(_) => return false,
        Op::Version | Op::Stats { .. } | Op::Flush { .. } => return true,
    }
    out.put(b"\r\n");
    true
}

fn put(store: &StoreOp, out: &mut Outbox) -> bool {
    let verb: &[u8] = match (store.mode, store.cas) {
        (StoreMode::Set, Some(_)) => b"cas ",
        (_, Some(_)) => return false,
        (StoreMode::Set, None) => b"set ",
        (StoreMode::Add, None) => b"add ",
        (StoreMode::Replace, None) => b"replace ",
        (StoreMode::Append, None) => b"append ",
        (StoreMode::Prepend, None) => b"prepend ",
    };
    out.put(verb);
    out.put(&store.key.text);
    word(out, store.flags);
    word(out, store.ttl);
    word(out, store.value.len());
    if let Some(cas) = store.cas {
        word(out, cas);
    }
    out.put(b"\r\n");
    out.put_bytes(store.value.clone());
    out.put(b"\r\n");
    true
}

impl Codec {
    /// Takes a line of the answer; gives the answer if that was the end of it.
    pub(super) fn classic_line(
        &mut self,
        command: &Command,
        line: &[u8],
    ) -> Result<Option<Outcome>, Error> {
        let keys = match &command.op {
            Op::Get(fetch) => std::slice::from_ref(&fetch.key),
            Op::Many { keys, .. } => keys,
            Op::Arith(_) if line.first().is_some_and(u8::is_ascii_digit) => {
                // A counter that has shrunk is padded with blanks.
                let number =
                    number(line.trim_ascii_end()).ok_or_else(|| bad("a counter is no number"))?;
                return Ok(Some(Outcome::Number(number)));
            }
            op => return status(op, line).map(|status| Some(Outcome::Status(status))),
        };
        if line != b"END" {
            let (key, item, len) = value(line)?;
            let seen = self.values.as_deref().unwrap_or_default();
            // They come in the order of the keys, unless a proxy has put them together.
            let next = seen.iter().rposition(Option::is_some).map_or(0, |i| i + 1);
            let here = |i: &usize| *keys[*i].text == *key;
            let index = (next..keys.len()).chain(0..next).find(here);
            let index = index.ok_or_else(|| bad("a value came of a key that was not asked for"))?;
            if seen.get(index).is_some_and(Option::is_some) {
                return Err(bad("one key was answered twice"));
            }
            if let Op::Many { .. } = &command.op {
                self.values(keys.len());
            }
            self.expect(item, len, index)?;
            return Ok(None);
        }
        let mut values = self.take_values(keys.len());
        Ok(Some(match &command.op {
            Op::Many { .. } => Outcome::Values(values),
            _ => match values.pop().flatten() {
                Some(item) => Outcome::Value(item),
                None => Outcome::Status(Status::NotFound),
            },
        }))
    }
}

/// Reads `VALUE <key> <flags> <bytes> [<cas>]`.
fn value(line: &[u8]) -> Result<(&[u8], Item, usize), Error> {
    let mut words = line.split(|b| *b == b' ');
    if words.next() != Some(b"VALUE") {
        return Err(unexpected(line));
    }
    let wrong = || bad("the line of a value cannot be read");
    let key = words.next().ok_or_else(wrong)?;
    let mut item = Item {
        flags: words.next().and_then(number).ok_or_else(wrong)?,
        ..Item::default()
    };
    let len = words.next().and_then(number).ok_or_else(wrong)?;
    // Some servers put a blank at the end.
    item.cas = match words.next().filter(|word| !word.is_empty()) {
        Some(cas) => Some(number(cas).ok_or_else(wrong)?),
        None => None,
    };
    Ok((key, item, len))
}

fn status(op: &Op, line: &[u8]) -> Result<Status, Error> {
    Ok(match (op, line) {
        (Op::Store(_), b"STORED") => Status::Done,
        (Op::Store(_), b"NOT_STORED") => Status::NotStored,
        (Op::Store(_), b"EXISTS") => Status::Exists,
        (Op::Delete(_), b"DELETED") => Status::Done,
        (Op::Touch { .. }, b"TOUCHED") => Status::Done,
        (Op::Store(_) | Op::Delete(_) | Op::Touch { .. } | Op::Arith(_), b"NOT_FOUND") => {
            Status::NotFound
        }
        _ => return Err(unexpected(line)),
    })
}
