//! What is to hold for any bytes that a server sends.

use bytes::{Bytes, BytesMut};
use pipeline_pool::{ConnectionId, Decoded, Error, Outbox, Protocol};

use crate::memcached::Key;
use crate::memcached::wire::{
    Arith, Codec, Command, DeleteOp, Fetch, Op, Outcome, StoreMode, StoreOp, WireDialect,
};

/// The longest value that is read here, in bytes.
pub(crate) const MAX_VALUE_READ: usize = 4096;

/// One of each kind of command.
pub(crate) fn ops() -> Vec<Op> {
    let key = |name: &str| Key::from(name).wire(false);
    let store = |mode, cas| {
        Op::Store(StoreOp {
            mode,
            key: key("a"),
            value: Bytes::from_static(b"value"),
            flags: 7,
            ttl: 60,
            cas,
        })
    };
    vec![
        Op::Get(Fetch::plain(key("a"))),
        Op::Get(Fetch {
            cas: true,
            touch: Some(60),
            ..Fetch::plain(key("a"))
        }),
        Op::Get(Fetch {
            cas: true,
            vivify: Some(30),
            recache: Some(5),
            ..Fetch::plain(key("a"))
        }),
        Op::Many {
            keys: ["a", "b", "c"].map(key).into(),
            cas: true,
        },
        store(StoreMode::Set, None),
        store(StoreMode::Set, Some(9)),
        store(StoreMode::Append, None),
        Op::Delete(DeleteOp {
            key: key("a"),
            cas: None,
            stale: None,
        }),
        Op::Arith(Arith {
            key: key("a"),
            up: true,
            by: 1,
            initial: None,
        }),
        Op::Touch {
            key: key("a"),
            ttl: 60,
        },
        Op::Inspect(key("a")),
        Op::Version,
        Op::Stats { what: Bytes::new() },
        Op::Flush { delay: 0 },
    ]
}

/// Commands on their way over one connection.
pub(crate) struct Line {
    codec: Codec,
    commands: Vec<Command>,
}

impl Line {
    /// These commands, encoded; and what was written.
    pub(crate) fn new(dialect: WireDialect, ops: Vec<Op>) -> (Self, usize) {
        let mut codec = Codec::new(dialect, ConnectionId::unused(), MAX_VALUE_READ);
        let mut out = Outbox::default();
        let mut commands = Vec::new();
        for op in ops {
            let mut command = Command::new(op);
            codec.encode(&mut command, &mut out);
            commands.push(command);
        }
        (Self { codec, commands }, out.len())
    }

    /// What the commands are answered by these pieces of input: as many answers as are whole, and
    /// the error that ended it.
    pub(crate) fn read<'a>(
        mut self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> (Vec<Outcome>, Option<Error>) {
        let mut outcomes = Vec::new();
        let mut input = BytesMut::new();
        for piece in pieces {
            input.extend_from_slice(piece);
            while !input.is_empty() || self.codec.is_amid() {
                let Some(command) = self.commands.get(outcomes.len()) else {
                    return (outcomes, None);
                };
                match self.codec.decode(command, &mut input, false) {
                    Err(error) => return (outcomes, Some(error)),
                    Ok(Decoded::Reply { reply, .. }) => {
                        assert!(!self.codec.is_amid(), "an answer has ended and goes on");
                        outcomes.push(reply.outcome);
                    }
                    Ok(Decoded::More) => break,
                    Ok(other) => panic!("{other:?}"),
                }
            }
        }
        (outcomes, None)
    }
}

/// Bytes as the answers to three commands. The first four say which protocol and commands, the fifth
/// where the input is cut: however it is, the answers are the same.
pub(crate) fn answers(data: &[u8]) {
    let Some((choice, input)) = data.split_at_checked(5) else {
        return;
    };
    let dialect = match choice[0] & 1 {
        0 => WireDialect::Meta,
        _ => WireDialect::Classic,
    };
    let all = ops();
    let chosen = || {
        let op = |byte: &u8| all[usize::from(*byte) % all.len()].clone();
        choice[1..4].iter().map(op).collect()
    };
    let (whole, failed) = Line::new(dialect, chosen()).0.read([input]);
    let step = usize::from(choice[4]) % 17 + 1;
    let (pieces, broken) = Line::new(dialect, chosen()).0.read(input.chunks(step));
    assert_eq!(whole, pieces);
    let text = |error: Option<Error>| error.map(|error| error.to_string());
    let (failed, broken) = (text(failed), text(broken));
    assert_eq!(failed, broken, "the same in whole and in pieces");
    for outcome in whole {
        if let Outcome::Value(item) = outcome {
            assert!(item.data.len() <= input.len().min(MAX_VALUE_READ));
        }
    }
}
