//! What a node and its server say to each other. Each frame of the port is one term; there are no ids.
//!
//! | from the server | |
//! |---|---|
//! | `{running, [Name], [Name]}` | which other nodes are joined to it, and which it knows at all, those that are away too |
//! | `{begin, [Name]}` | it wants to begin the cluster: it has reached these others, and none of them serves |
//! | `{removed, Name, true}` | it has removed this node, or could not |
//! | `{leave}` | it is about to end, and has taken its leave of the others |
//!
//! | to the server | |
//! |---|---|
//! | `{there, [Name]}` | these others are there, from now on |
//! | `{begin, true}` | whether it is to begin the cluster |
//! | `{remove, Name}` | this node is gone, and to be removed |
//! | `{lost}` | others have taken this node for gone: it has to join again, as a new one |
//! | `{left}` | the lease is given back |

use std::io;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::etf::{self, Term};

/// The longest message of a server: some thousand names.
const MAX_MESSAGE: usize = 1 << 20;

/// What the server says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Running {
        running: Vec<String>,
        known: Vec<String>,
    },
    Begin(Vec<String>),
    Removed(String, bool),
    Leave,
}

/// What it is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Told {
    There(Vec<String>),
    Begin(bool),
    Remove(String),
    Lost,
    Left,
}

impl Told {
    /// The frame of this message.
    pub(super) fn frame(self) -> Vec<u8> {
        let term = Term::Tuple(match self {
            Self::There(names) => vec![Term::atom("there"), list(names)],
            Self::Begin(yes) => vec![
                Term::atom("begin"),
                Term::atom(if yes { "true" } else { "false" }),
            ],
            Self::Remove(name) => vec![Term::atom("remove"), Term::binary(name)],
            Self::Lost => vec![Term::atom("lost")],
            Self::Left => vec![Term::atom("left")],
        });
        let mut frame = vec![0; 4];
        // Names are few and short: there is nothing that the format cannot hold.
        let _ = etf::encode(&term, &mut frame);
        let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
        frame[..4].copy_from_slice(&length.to_be_bytes());
        frame
    }
}

fn list(names: Vec<String>) -> Term {
    Term::List(names.into_iter().map(Term::binary).collect())
}

impl Heard {
    /// The message of this frame, if it is one.
    fn read(frame: &Bytes) -> Option<Self> {
        let Term::Tuple(parts) = etf::decode(frame).ok()? else {
            return None;
        };
        match &parts[..] {
            [Term::Atom(what), running, known] if what.as_str() == "running" => {
                Some(Self::Running {
                    running: names(running)?,
                    known: names(known)?,
                })
            }
            [Term::Atom(what), others] if what.as_str() == "begin" => {
                Some(Self::Begin(names(others)?))
            }
            [Term::Atom(what), removed, Term::Atom(done)] if what.as_str() == "removed" => {
                Some(Self::Removed(name(removed)?, done.as_str() == "true"))
            }
            [Term::Atom(what)] if what.as_str() == "leave" => Some(Self::Leave),
            _ => None,
        }
    }
}

fn names(term: &Term) -> Option<Vec<String>> {
    match term {
        Term::List(terms) => terms.iter().map(name).collect(),
        _ => None,
    }
}

fn name(term: &Term) -> Option<String> {
    match term {
        Term::Binary(bytes) => String::from_utf8(bytes.to_vec()).ok(),
        _ => None,
    }
}

/// The next message; nothing where the server has ended.
///
/// # Errors
/// Where what comes is no message.
pub(super) async fn next(input: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<Heard>> {
    let length = match input.read_u32().await {
        Ok(length) => length as usize,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    let wrong = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    if length > MAX_MESSAGE {
        return Err(wrong(format!(
            "a message of {length} bytes came, over the limit of {MAX_MESSAGE}"
        )));
    }
    let mut frame = vec![0; length];
    match input.read_exact(&mut frame).await {
        // A server that is killed may leave half a message behind.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    };
    match Heard::read(&frame.into()) {
        Some(heard) => Ok(Some(heard)),
        None => Err(wrong(
            "what came is no message to a node: shims and program are of different versions"
                .to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(term: &Term) -> Vec<u8> {
        let mut body = Vec::new();
        etf::encode(term, &mut body).expect("a term");
        [&(body.len() as u32).to_be_bytes()[..], &body].concat()
    }

    #[tokio::test]
    async fn messages_are_read_until_the_end() {
        let names = |names: &[&str]| {
            Term::List(
                names
                    .iter()
                    .map(|name| Term::binary(name.to_string()))
                    .collect(),
            )
        };
        let mut input = Vec::new();
        for term in [
            vec![Term::atom("running"), names(&["a"]), names(&["a", "b"])],
            vec![Term::atom("begin"), names(&[])],
            vec![
                Term::atom("removed"),
                Term::binary("b"),
                Term::atom("false"),
            ],
            vec![Term::atom("leave")],
        ] {
            input.extend(frame(&Term::Tuple(term)));
        }
        // Half of another one.
        input.extend([0, 0, 0, 9, 131]);
        let mut input = &input[..];
        let mut heard = Vec::new();
        while let Some(message) = next(&mut input).await.expect("messages") {
            heard.push(message);
        }
        assert_eq!(
            heard,
            [
                Heard::Running {
                    running: vec!["a".to_owned()],
                    known: vec!["a".to_owned(), "b".to_owned()]
                },
                Heard::Begin(Vec::new()),
                Heard::Removed("b".to_owned(), false),
                Heard::Leave,
            ]
        );
    }

    #[tokio::test]
    async fn what_is_no_message_is_an_error() {
        for (wrong, named) in [
            (frame(&Term::atom("leave")), "no message"),
            (frame(&Term::Tuple(vec![Term::atom("go")])), "no message"),
            (vec![255, 255, 255, 255], "over the limit"),
        ] {
            let error = next(&mut &wrong[..]).await.expect_err("wrong");
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn what_is_told_is_a_frame_with_a_term() {
        let frame = Told::There(vec!["a@b".to_owned()]).frame();
        assert_eq!(frame[..4], (frame.len() as u32 - 4).to_be_bytes());
        let term = etf::decode(&Bytes::from(frame[4..].to_vec())).expect("a term");
        let names = Term::List(vec![Term::binary("a@b")]);
        assert_eq!(term, Term::Tuple(vec![Term::atom("there"), names]));
    }
}
