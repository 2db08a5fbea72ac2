//! The meta protocol
//! ([protocol.txt](https://github.com/memcached/memcached/blob/master/doc/protocol.txt)).

use pipeline_pool::{Error, Outbox};

use super::line::unexpected;
use super::{Codec, Command, Fetch, Item, Op, Outcome, Status, StoreMode, StoreOp, bad, number};
use crate::memcached::key::WireKey;

/// Writes a flag and its number.
fn flag(out: &mut Outbox, flag: u8, number: impl itoa::Integer) {
    out.put(&[b' ', flag]);
    out.put(itoa::Buffer::new().format(number).as_bytes());
}

fn start(out: &mut Outbox, verb: &[u8], key: &WireKey) {
    out.put(verb);
    out.put(&key.text);
}

/// Writes what ends the first line: how the key is to be read, and the opaque.
fn end(out: &mut Outbox, key: &WireKey, opaque: u64) {
    if key.is_base64() {
        out.put(b" b");
    }
    flag(out, b'O', opaque);
    out.put(b"\r\n");
}

pub(super) fn encode(op: &Op, opaque: u64, out: &mut Outbox) {
    match op {
        Op::Get(fetch) => get(fetch, opaque, out),
        Op::Many { keys, cas } => {
            for (key, opaque) in keys.iter().zip(opaque..) {
                start(out, b"mg ", key);
                out.put(if *cas { b" v f c q" } else { b" v f q" });
                end(out, key, opaque);
            }
            out.put(b"mn\r\n");
        }
        Op::Store(store) => put(store, opaque, out),
        Op::Delete(delete) => {
            start(out, b"md ", &delete.key);
            if let Some(cas) = delete.cas {
                flag(out, b'C', cas);
            }
            if let Some(ttl) = delete.stale {
                out.put(b" I");
                flag(out, b'T', ttl);
            }
            end(out, &delete.key, opaque);
        }
        Op::Arith(arith) => {
            start(out, b"ma ", &arith.key);
            out.put(if arith.up { b" v MI" } else { b" v MD" });
            flag(out, b'D', arith.by);
            if let Some((initial, ttl)) = arith.initial {
                flag(out, b'N', ttl);
                flag(out, b'J', initial);
            }
            end(out, &arith.key, opaque);
        }
        Op::Touch { key, ttl } => {
            start(out, b"mg ", key);
            flag(out, b'T', *ttl);
            end(out, key, opaque);
        }
        Op::Inspect(key) => {
            start(out, b"me ", key);
            out.put(if key.is_base64() { b" b\r\n" } else { b"\r\n" });
        }
        Op::Version | Op::Stats { .. } | Op::Flush { .. } => {}
    }
}

fn get(fetch: &Fetch, opaque: u64, out: &mut Outbox) {
    start(out, b"mg ", &fetch.key);
    out.put(if fetch.cas { b" v f c" } else { b" v f" });
    if let Some(ttl) = fetch.touch {
        flag(out, b'T', ttl);
    }
    if let Some(ttl) = fetch.vivify {
        flag(out, b'N', ttl);
    }
    if let Some(left) = fetch.recache {
        flag(out, b'R', left);
    }
    end(out, &fetch.key, opaque);
}

fn put(store: &StoreOp, opaque: u64, out: &mut Outbox) {
    start(out, b"ms ", &store.key);
    out.put(b" ");
    out.put(itoa::Buffer::new().format(store.value.len()).as_bytes());
    flag(out, b'T', store.ttl);
    if store.flags != 0 {
        flag(out, b'F', store.flags);
    }
    if let Some(cas) = store.cas {
        flag(out, b'C', cas);
    }
    match store.mode {
        StoreMode::Set => {}
        StoreMode::Add => out.put(b" ME"),
        StoreMode::Replace => out.put(b" MR"),
        StoreMode::Append => out.put(b" MA"),
        StoreMode::Prepend => out.put(b" MP"),
    }
    end(out, &store.key, opaque);
    out.put_bytes(store.value.clone());
    out.put(b"\r\n");
}

/// The flags of a reply: what they say of the entry, and the opaque.
fn flags(words: &[u8]) -> Result<(Item, Option<u64>), Error> {
    let mut item = Item::default();
    let mut opaque = None;
    let wrong = || bad("a flag of the answer cannot be read");
    let mut rest = words;
    while let Some((&flag, after)) = rest.split_first() {
        if flag == b' ' {
            rest = after;
            continue;
        }
        let end = after.iter().position(|b| *b == b' ');
        let (value, next) = after.split_at(end.unwrap_or(after.len()));
        rest = next;
        match flag {
            b'f' => item.flags = number(value).ok_or_else(wrong)?,
            b'c' => item.cas = Some(number(value).ok_or_else(wrong)?),
            b'O' => opaque = Some(number(value).ok_or_else(wrong)?),
            b'W' => item.won = true,
            b'X' => item.stale = true,
            b'Z' => item.taken = true,
            // Other flags are the key and its form, and what newer servers add.
            _ => {}
        }
    }
    Ok((item, opaque))
}

impl Codec {
    /// Takes a line of the answer; gives the answer if that was the end of it.
    pub(super) fn meta_line(
        &mut self,
        command: &Command,
        line: &[u8],
    ) -> Result<Option<Outcome>, Error> {
        let (code, rest) = line.split_at(line.len().min(2));
        if !matches!(rest.first(), None | Some(b' ')) {
            return Err(unexpected(line));
        }
        if let Op::Many { keys, .. } = &command.op {
            return self.one_of_many(command.opaque, keys.len(), code, rest);
        }
        if let Op::Inspect(_) = &command.op {
            return inspected(code, rest, line).map(Some);
        }
        let (len, rest) = match code {
            b"VA" => length(rest)?,
            _ => (0, rest),
        };
        let (item, opaque) = flags(rest)?;
        if opaque != Some(command.opaque) {
            return Err(bad("an answer is not to the command it came for"));
        }
        let status = match (&command.op, code) {
            (Op::Get(_) | Op::Arith(_), b"VA") => {
                self.expect(item, len, 0)?;
                return Ok(None);
            }
            (Op::Get(_) | Op::Touch { .. }, b"EN") => Status::NotFound,
            (Op::Touch { .. } | Op::Store(_) | Op::Delete(_), b"HD") => Status::Done,
            (Op::Store(_) | Op::Arith(_), b"NS") => Status::NotStored,
            (Op::Store(_) | Op::Delete(_) | Op::Arith(_), b"EX") => Status::Exists,
            (Op::Store(_) | Op::Delete(_) | Op::Arith(_), b"NF") => Status::NotFound,
            _ => return Err(unexpected(line)),
        };
        Ok(Some(Outcome::Status(status)))
    }

    fn one_of_many(
        &mut self,
        first: u64,
        count: usize,
        code: &[u8],
        rest: &[u8],
    ) -> Result<Option<Outcome>, Error> {
        match code {
            b"MN" => return Ok(Some(Outcome::Values(self.take_values(count)))),
            b"VA" => {}
            _ => return Err(unexpected(code)),
        }
        let (len, rest) = length(rest)?;
        let (item, opaque) = flags(rest)?;
        let index = opaque
            .and_then(|opaque| usize::try_from(opaque.checked_sub(first)?).ok())
            .filter(|index| *index < count)
            .ok_or_else(|| bad("an answer is not to the command it came for"))?;
        if self.values(count)[index].is_some() {
            return Err(bad("one command was answered twice"));
        }
        self.expect(item, len, index)?;
        Ok(None)
    }
}

fn length(rest: &[u8]) -> Result<(usize, &[u8]), Error> {
    let rest = rest.get(1..).unwrap_or_default();
    let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
    let len = number(&rest[..end]).ok_or_else(|| bad("a value has no length"))?;
    Ok((len, &rest[end..]))
}

fn inspected(code: &[u8], rest: &[u8], line: &[u8]) -> Result<Outcome, Error> {
    match code {
        b"EN" => Ok(Outcome::Status(Status::NotFound)),
        b"ME" => {
            let text = String::from_utf8_lossy(rest);
            let pairs = text.split_ascii_whitespace().skip(1);
            let pairs = pairs.filter_map(|pair| pair.split_once('='));
            let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
            Ok(Outcome::Pairs(pairs.collect()))
        }
        _ => Err(unexpected(line)),
    }
}
