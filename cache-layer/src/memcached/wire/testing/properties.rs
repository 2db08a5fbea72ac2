//! Answers at every cut, and any bytes.

use bytes::Bytes;
use proptest::prelude::*;

use super::any_bytes::{Line, MAX_VALUE_READ, answers, ops};
use crate::memcached::wire::{Item, Op, Outcome, Refusal, Status, WireDialect};

/// An answer to this command, as a server would write it and as it is to be read.
fn answer(dialect: WireDialect, op: &Op, opaque: u64, kind: u8, data: &[u8]) -> (Vec<u8>, Outcome) {
    let meta = dialect == WireDialect::Meta;
    let len = data.len();
    let line = |text: &str| [text.as_bytes(), b"\r\n"].concat();
    let status = |meta_text: &str, classic: &str, status| {
        let text = match meta {
            true => line(&format!("{meta_text} O{opaque}")),
            false => line(classic),
        };
        (text, Outcome::Status(status))
    };
    let item = |cas| Item {
        data: Bytes::copy_from_slice(data),
        flags: 5,
        cas,
        ..Item::default()
    };
    let body = |head: String| [head.as_bytes(), b"\r\n", data, b"\r\n"].concat();
    match op {
        Op::Get(fetch) if !meta && (fetch.vivify.is_some() || fetch.recache.is_some()) => {
            (line("VERSION 1.4"), Outcome::Unsupported)
        }
        Op::Inspect(_) if !meta => (line("VERSION 1.4"), Outcome::Unsupported),
        Op::Get(_) if kind & 1 == 0 => status("EN", "END", Status::NotFound),
        Op::Get(_) if meta => {
            let mut item = item(Some(9));
            (item.won, item.stale) = (kind & 2 != 0, kind & 4 != 0);
            let won = if item.won { " W" } else { "" };
            let stale = if item.stale { " X" } else { "" };
            let head = format!("VA {len} f5 c9 t-1 kabc{won}{stale} O{opaque} q9");
            (body(head), Outcome::Value(item))
        }
        Op::Get(_) => {
            let mut text = body(format!("VALUE a 5 {len} 9"));
            text.extend(line("END"));
            (text, Outcome::Value(item(Some(9))))
        }
        Op::Many { keys, .. } => {
            let mut text = Vec::new();
            let mut values = vec![None; keys.len()];
            for (i, key) in keys
                .iter()
                .enumerate()
                .filter(|(i, _)| kind & (1 << i) != 0)
            {
                let key = String::from_utf8(key.text.to_vec()).unwrap();
                text.extend(body(match meta {
                    true => format!("VA {len} f5 c9 O{}", opaque + i as u64),
                    false => format!("VALUE {key} 5 {len} 9"),
                }));
                values[i] = Some(item(Some(9)));
            }
            text.extend(line(if meta { "MN" } else { "END" }));
            (text, Outcome::Values(values))
        }
        Op::Store(_) => match kind % 6 {
            0 => status("HD", "STORED", Status::Done),
            1 => status("NS", "NOT_STORED", Status::NotStored),
            2 => status("EX", "EXISTS", Status::Exists),
            3 => status("NF", "NOT_FOUND", Status::NotFound),
            4 => (
                line("SERVER_ERROR object too large for cache"),
                Outcome::Refused(Refusal::TooLarge),
            ),
            _ => (
                line("SERVER_ERROR out of memory storing object"),
                Outcome::Refused(Refusal::OutOfMemory),
            ),
        },
        Op::Delete(_) if kind & 1 == 0 => status("NF", "NOT_FOUND", Status::NotFound),
        Op::Delete(_) => status("HD", "DELETED", Status::Done),
        Op::Touch { .. } if kind & 1 == 0 => status("EN", "NOT_FOUND", Status::NotFound),
        Op::Touch { .. } => status("HD", "TOUCHED", Status::Done),
        Op::Arith(_) => match kind % 3 {
            0 => status("NF", "NOT_FOUND", Status::NotFound),
            1 => (
                line("CLIENT_ERROR cannot increment or decrement non-numeric value"),
                Outcome::Refused(Refusal::NotNumber),
            ),
            _ if meta => (line(&format!("VA 2 O{opaque}\r\n17")), Outcome::Number(17)),
            _ => (line("17  "), Outcome::Number(17)),
        },
        Op::Inspect(_) if kind & 1 == 0 => (line("EN"), Outcome::Status(Status::NotFound)),
        Op::Inspect(_) => {
            let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            let pairs = vec![pair("exp", "-1"), pair("size", "60")];
            (line("ME a exp=-1 size=60"), Outcome::Pairs(pairs))
        }
        Op::Version => (line("VERSION 1.6.18"), Outcome::Text("1.6.18".to_owned())),
        Op::Stats { .. } => {
            let pairs = vec![
                ("pid".to_owned(), "1 2".to_owned()),
                ("x".to_owned(), String::new()),
            ];
            (line("STAT pid 1 2\r\nSTAT x\r\nEND"), Outcome::Pairs(pairs))
        }
        Op::Flush { .. } => (line("OK"), Outcome::Status(Status::Done)),
    }
}

proptest! {
    #[test]
    fn answers_are_read_at_every_cut(
        meta: bool,
        asked in prop::collection::vec((0usize..14, any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 1..12),
        cuts in prop::collection::vec(1usize..30, 1..50),
    ) {
        let dialect = if meta { WireDialect::Meta } else { WireDialect::Classic };
        let all = ops();
        let chosen: Vec<_> = asked.iter().map(|(op, ..)| all[*op].clone()).collect();
        let (mut input, mut want, mut opaque) = (Vec::new(), Vec::new(), 1);
        for (op, (_, kind, data)) in chosen.iter().zip(&asked) {
            let (text, outcome) = answer(dialect, op, opaque, *kind, data);
            opaque += op.opaques();
            input.extend(text);
            want.push(outcome);
        }
        let mut rest = &input[..];
        let mut pieces = Vec::new();
        for cut in cuts.iter().cycle() {
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = left;
            if rest.is_empty() { break }
        }
        let (got, error) = Line::new(dialect, chosen).0.read(pieces);
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert_eq!(got, want);
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(choice: [u8; 5], data: Vec<u8>) {
        answers(&[&choice[..], &data].concat());
    }

    #[test]
    fn any_words_are_an_answer_or_an_error(
        choice: [u8; 5],
        words in prop::collection::vec(prop::sample::select(vec![
            "VA", "HD", "EN", "NS", "EX", "NF", "MN", "ME", "VALUE", "END", "STORED", "DELETED",
            "ERROR", "STAT", "VERSION", "OK", " ", " ", " ", "a", "0", "1", "5", "f1", "c2", "O1",
            "O2", "W", "\r\n", "\r\n", "\r\n", "\n", "xxxxx",
        ]), 0..40),
    ) {
        answers(&[&choice[..], words.concat().as_bytes()].concat());
    }
}

#[test]
fn what_has_no_end_is_an_error() {
    for dialect in [WireDialect::Meta, WireDialect::Classic] {
        for op in ops() {
            let (line, _) = Line::new(dialect, vec![op]);
            let (outcomes, error) = line.read(["x".repeat(10_000).as_bytes()]);
            assert!(outcomes.is_empty() && error.is_some());
        }
        let head = match dialect {
            WireDialect::Meta => format!("VA {} O1\r\n", MAX_VALUE_READ + 1),
            WireDialect::Classic => format!("VALUE a 0 {}\r\n", MAX_VALUE_READ + 1),
        };
        let (line, _) = Line::new(dialect, vec![ops().swap_remove(0)]);
        let (_, error) = line.read([head.as_bytes()]);
        let text = error.expect("it is too long").to_string();
        assert!(
            text.contains("4097 bytes") && text.contains("4096"),
            "{text}"
        );
    }
}
