//! Values over the limit of a server, which are stored in pieces.

use bytes::{Bytes, BytesMut};

use super::client::Memcached;
use super::error::{Error, Kind, Result};
use super::key::WireKey;
use super::node::{OwedWhen, join};
use super::value::Value;
use super::wire::{Fetch, Item, Op, Outcome, Status, StoreMode, StoreOp};

/// The flag of an entry that says where the pieces of its value are.
pub(crate) const SPLIT_FLAG: u32 = 1 << 31;
/// The form of such an entry.
const MANIFEST_FORM: &str = "pieces1";
/// How many pieces are under way at a time.
const MAX_PIECES_AT_ONCE: usize = 8;

/// What stands in the entry: `pieces1 <bytes> <bytes of a piece> <turn>`. Each write has a turn of
/// its own, so that no value is put together from the pieces of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Manifest {
    len: usize,
    piece: usize,
    turn: u64,
}

impl Manifest {
    fn text(self) -> String {
        let Self { len, piece, turn } = self;
        format!("{MANIFEST_FORM} {len} {piece} {turn:x}")
    }

    fn parse(text: &[u8]) -> Option<Self> {
        let mut words = std::str::from_utf8(text).ok()?.split(' ');
        let form = words.next()?;
        let manifest = Self {
            len: words.next()?.parse().ok()?,
            piece: words.next()?.parse().ok()?,
            turn: u64::from_str_radix(words.next()?, 16).ok()?,
        };
        let fits = form == MANIFEST_FORM
            && words.next().is_none()
            && (1..manifest.len).contains(&manifest.piece);
        fits.then_some(manifest)
    }
}

/// Gives the value of an entry. It is put together if the entry says where its pieces are. Gives nothing if one of
/// them is missing.
pub(crate) async fn open(client: &Memcached, key: &WireKey, item: Item) -> Result<Option<Value>> {
    if !client.0.split || item.flags & SPLIT_FLAG == 0 {
        return Ok(Some(item.into()));
    }
    let Some(manifest) = Manifest::parse(&item.data) else {
        return Ok(None);
    };
    if manifest.len > client.0.max_read {
        let (len, most) = (manifest.len, client.0.max_read);
        let text = format!(
            "a value of {len} bytes is kept in pieces, and the most that is read is {most}"
        );
        return Err(Error::new(Kind::Protocol, text).seen());
    }
    let mut data = BytesMut::new();
    let count = manifest.len.div_ceil(manifest.piece);
    for start in (0..count).step_by(MAX_PIECES_AT_ONCE) {
        let pieces = (start..count.min(start + MAX_PIECES_AT_ONCE)).map(|index| {
            let key = key.piece(manifest.turn, index);
            Box::pin(async move {
                let node = client.route(&key).node;
                node.ask(Op::Get(Fetch::plain(key))).await
            })
        });
        for piece in join(pieces.collect()).await {
            let piece = match piece {
                Ok(reply) => reply.outcome,
                Err(error) if error.kind() == Kind::Down => return Ok(None),
                Err(error) => return Err(error),
            };
            let Outcome::Value(piece) = piece else {
                return Ok(None);
            };
            let left = manifest.len.saturating_sub(data.len());
            if piece.data.len() != left.min(manifest.piece) {
                return Ok(None);
            }
            data.extend_from_slice(&piece.data);
        }
    }
    Ok(Some(Value {
        data: data.freeze(),
        flags: item.flags & !SPLIT_FLAG,
        cas: item.cas,
    }))
}

/// Stores the pieces of a value, and puts where they are in its place.
///
/// # Errors
/// It fails when a piece could not be stored. The entry itself is then as it was.
pub(crate) async fn write(client: &Memcached, store: &mut StoreOp) -> Result<()> {
    let turn = fastrand::u64(..);
    let limits = client.now();
    let first = store.key.piece(turn, usize::MAX);
    let most = limits.nodes.iter().map(|node| node.max_value(&first)).min();
    let piece = most.unwrap_or(0);
    let manifest = Manifest {
        len: store.value.len(),
        piece,
        turn,
    };
    let text = Bytes::from(manifest.text());
    if piece < text.len() {
        let text = format!("the limit of {piece} bytes leaves no room for pieces");
        return Err(Error::new(Kind::TooLarge, text));
    }
    let value = std::mem::replace(&mut store.value, text);
    let count = value.len().div_ceil(piece);
    for start in (0..count).step_by(MAX_PIECES_AT_ONCE) {
        let pieces = (start..count.min(start + MAX_PIECES_AT_ONCE)).map(|index| {
            let from = index * piece;
            let part = StoreOp {
                mode: StoreMode::Set,
                key: store.key.piece(turn, index),
                value: value.slice(from..value.len().min(from + piece)),
                flags: 0,
                ttl: store.ttl,
                cas: None,
            };
            Box::pin(async move {
                let key = part.key.clone();
                let node = client.route(&key).node;
                // Nobody reads a piece that no entry names.
                let op = Op::Store(part);
                node.change(&key, op, None, OwedWhen::Never, &[]).await
            })
        });
        for stored in join(pieces.collect()).await {
            if stored?.outcome != Outcome::Status(Status::Done) {
                let text = "a piece of the value was not stored";
                return Err(Error::new(Kind::Protocol, text).seen());
            }
        }
    }
    store.flags |= SPLIT_FLAG;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_read_as_it_was_written() {
        let manifest = Manifest {
            len: 3_000_000,
            piece: 1_000_000,
            turn: u64::MAX,
        };
        assert_eq!(Manifest::parse(manifest.text().as_bytes()), Some(manifest));
        for text in [
            "",
            "pieces1",
            "pieces1 10 5 x",
            "pieces1 10 0 1",
            "pieces1 10 10 1",
            "pieces1 10 5 1 ",
            "pieces2 10 5 1",
            "pieces1 -1 5 1",
            "pieces1 99999999999999999999 5 1",
            "\u{fffd}",
        ] {
            assert_eq!(Manifest::parse(text.as_bytes()), None, "{text:?}");
        }
    }
}
