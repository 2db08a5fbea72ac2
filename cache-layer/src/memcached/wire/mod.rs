//! The two text protocols of memcached, without a socket: commands become bytes, and bytes become replies.
//!
//! [`Codec`] speaks one of them on one connection. A meta command carries an opaque number that
//! its reply must repeat; a classic reply must name the key that was asked for. Whatever else comes
//! ends the connection, since memcached answers a bad chunk twice and every later reply would go
//! to the wrong command.

mod class;
mod classic;
mod command;
pub(crate) mod line;
mod meta;
mod reply;

#[cfg(any(test, fuzzing))]
pub(crate) mod testing;

use bytes::{Buf, BytesMut};
use pipeline_pool::{ConnectionId, Decoded, Encoded, Error, Outbox, Protocol, Treatment};

pub(crate) use command::{Arith, Command, DeleteOp, Fetch, Op, StoreMode, StoreOp};
pub(crate) use line::{bad, number, take_line};
pub(crate) use reply::{Item, Outcome, Refusal, Reply, Status};

/// Which of the protocols a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WireDialect {
    Meta,
    Classic,
}

/// How many pairs one answer may have, which is far more than any `stats` brings.
const MAX_PAIRS: usize = 100_000;

/// The state of the protocol on one connection.
pub(crate) struct Codec {
    dialect: WireDialect,
    connection: ConnectionId,
    /// The longest value that is read, in bytes.
    max_value: usize,
    next_opaque: u64,
    /// A value whose bytes are not all here.
    body: Option<Body>,
    /// What has come of an answer in several parts, whose end is to come.
    values: Option<Vec<Option<Item>>>,
    pairs: Option<Vec<(String, String)>>,
}

/// A value under way: what its line said of it.
struct Body {
    item: Item,
    len: usize,
    /// Which of the keys asked for it answers.
    index: usize,
}

impl Codec {
    pub(crate) fn new(dialect: WireDialect, connection: ConnectionId, max_value: usize) -> Self {
        Self {
            dialect,
            connection,
            max_value,
            next_opaque: 1,
            body: None,
            values: None,
            pairs: None,
        }
    }

    /// Reads all that is here of the answer to `command`.
    fn read(&mut self, command: &Command, input: &mut BytesMut) -> Result<Option<Outcome>, Error> {
        loop {
            if let Some(body) = &self.body {
                let whole = body.len + 2;
                if input.len() < whole {
                    input.reserve(whole - input.len());
                    return Ok(None);
                }
            }
            if let Some(body) = self.body.take() {
                if let Some(outcome) = self.take_body(command, body, input)? {
                    return Ok(Some(outcome));
                }
                continue;
            }
            let Some(len) = line::line_len(input)? else {
                return Ok(None);
            };
            let outcome = self.line(command, &input[..len])?;
            input.advance(len + 2);
            if outcome.is_some() {
                return Ok(outcome);
            }
        }
    }

    /// Takes a line of the answer; gives the answer if that was the end of it.
    fn line(&mut self, command: &Command, line: &[u8]) -> Result<Option<Outcome>, Error> {
        if let Some(outcome) = line::refusal(&command.op, line)? {
            return Ok(Some(outcome));
        }
        Ok(match &command.op {
            Op::Version => Some(line::version(line)?),
            Op::Flush { .. } => Some(line::exactly(line, b"OK", Outcome::Status(Status::Done))?),
            Op::Stats { .. } => self.pair(line)?,
            _ if command.unsupported => {
                line::version(line)?;
                Some(Outcome::Unsupported)
            }
            _ => match self.dialect {
                WireDialect::Meta => self.meta_line(command, line)?,
                WireDialect::Classic => self.classic_line(command, line)?,
            },
        })
    }

    /// Has the next `len` bytes be the value of `item`.
    fn expect(&mut self, item: Item, len: usize, index: usize) -> Result<(), Error> {
        if len > self.max_value {
            let most = self.max_value;
            return Err(bad(format!(
                "a value of {len} bytes came, and the most that is read is {most}"
            )));
        }
        self.body = Some(Body { item, len, index });
        Ok(())
    }

    fn take_body(
        &mut self,
        command: &Command,
        body: Body,
        input: &mut BytesMut,
    ) -> Result<Option<Outcome>, Error> {
        let Body {
            mut item,
            len,
            index,
        } = body;
        item.data = input.split_to(len).freeze();
        if input.get(..2) != Some(b"\r\n") {
            return Err(bad("a value did not end where it said"));
        }
        input.advance(2);
        match (&command.op, &mut self.values) {
            (Op::Arith(_), _) => {
                let number = number(item.data.trim_ascii())
                    .ok_or_else(|| bad("a counter's value is no number"))?;
                Ok(Some(Outcome::Number(number)))
            }
            (Op::Many { .. }, Some(values)) => {
                if let Some(place) = values.get_mut(index) {
                    *place = Some(item);
                }
                Ok(None)
            }
            _ if self.dialect == WireDialect::Meta => Ok(Some(Outcome::Value(item))),
            _ => {
                // The line `END` is still to come.
                self.values = Some(vec![Some(item)]);
                Ok(None)
            }
        }
    }

    /// The values so far, with room for as many as were asked for.
    fn values(&mut self, count: usize) -> &mut Vec<Option<Item>> {
        self.values
            .get_or_insert_with(|| (0..count).map(|_| None).collect())
    }

    fn take_values(&mut self, count: usize) -> Vec<Option<Item>> {
        std::mem::take(self.values(count))
    }

    fn pair(&mut self, line: &[u8]) -> Result<Option<Outcome>, Error> {
        let pairs = self.pairs.get_or_insert_default();
        if let Some(pair) = line::stat(line) {
            if pairs.len() == MAX_PAIRS {
                return Err(bad("the statistics do not end"));
            }
            pairs.push(pair);
            return Ok(None);
        }
        if matches!(line, b"END" | b"RESET" | b"OK") {
            return Ok(Some(Outcome::Pairs(std::mem::take(pairs))));
        }
        Err(line::unexpected(line))
    }
}

impl Protocol for Codec {
    type Request = Command;
    type Reply = Reply;

    fn treatment(command: &Command) -> Treatment {
        Treatment {
            repeatable: class::row_of(&command.op).repeatable,
            alone: false,
        }
    }

    fn encode(&mut self, command: &mut Command, out: &mut Outbox) -> Encoded {
        command.opaque = self.next_opaque;
        self.next_opaque += command.op.opaques();
        command.unsupported = false;
        match &command.op {
            Op::Version => out.put(b"version\r\n"),
            Op::Stats { what } => line::words(out, b"stats", what),
            Op::Flush { delay } => match delay {
                0 => out.put(b"flush_all\r\n"),
                delay => line::words(
                    out,
                    b"flush_all",
                    itoa::Buffer::new().format(*delay).as_bytes(),
                ),
            },
            op => match self.dialect {
                WireDialect::Meta => meta::encode(op, command.opaque, out),
                WireDialect::Classic => {
                    command.unsupported = !classic::encode(op, out);
                    if command.unsupported {
                        // Every command has its answer, so that this one has a place in the order.
                        out.put(b"version\r\n");
                    }
                }
            },
        }
        Encoded::Wholly
    }

    fn decode(
        &mut self,
        command: &Command,
        input: &mut BytesMut,
        _eof: bool,
    ) -> Result<Decoded<Reply>, Error> {
        Ok(match self.read(command, input)? {
            None => Decoded::More,
            Some(outcome) => {
                self.values = None;
                self.pairs = None;
                Decoded::Reply {
                    reply: Reply {
                        outcome,
                        connection: self.connection,
                    },
                    reusable: true,
                }
            }
        })
    }

    fn is_amid(&self) -> bool {
        self.body.is_some() || self.values.is_some() || self.pairs.is_some()
    }
}
