//! Properties of the codec over random answers and requests, cut and damaged at random.

use bytes::Bytes;
use futures_util::stream;
use proptest::prelude::*;
use proptest::sample::Index;

use super::check::{Answer, LIMITS, Run, encode, origin, plain, request, response, run};
use crate::http1::decode::Limits;
use crate::http1::request::{BodyError, Method, Request};

#[derive(Clone, Debug)]
enum BodyFraming {
    Length,
    Chunks {
        sizes: Vec<usize>,
        extension: &'static str,
        trailers: &'static str,
    },
    Close,
}

/// An answer, and what it takes to write it.
#[derive(Clone, Debug)]
struct SentAnswer {
    method: Method,
    status: u16,
    reason: &'static str,
    interim: usize,
    fields: Vec<(String, String)>,
    framing: BodyFraming,
    body: Vec<u8>,
}

impl SentAnswer {
    fn has_body(&self) -> bool {
        self.method != Method::Head && !matches!(self.status, 204 | 304)
    }

    fn write(&self, wire: &mut Vec<u8>) {
        for _ in 0..self.interim {
            wire.extend_from_slice(b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n");
        }
        wire.extend_from_slice(format!("HTTP/1.1 {}{}\r\n", self.status, self.reason).as_bytes());
        for (name, value) in self.all_fields() {
            wire.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        wire.extend_from_slice(b"\r\n");
        if !self.has_body() {
            return;
        }
        let BodyFraming::Chunks {
            sizes,
            extension,
            trailers,
        } = &self.framing
        else {
            return wire.extend_from_slice(&self.body);
        };
        let mut rest = &self.body[..];
        let mut sizes = sizes.iter();
        while !rest.is_empty() {
            let n = sizes.next().map_or(rest.len(), |&n| n.clamp(1, rest.len()));
            wire.extend_from_slice(format!("{n:x}{extension}\r\n").as_bytes());
            wire.extend_from_slice(&rest[..n]);
            wire.extend_from_slice(b"\r\n");
            rest = &rest[n..];
        }
        wire.extend_from_slice(format!("0{extension}\r\n{trailers}\r\n").as_bytes());
    }

    fn all_fields(&self) -> Vec<(String, String)> {
        let mut fields = self.fields.clone();
        let own = match self.framing {
            _ if self.status == 204 => return fields,
            BodyFraming::Length => ("Content-Length".to_owned(), self.body.len().to_string()),
            BodyFraming::Chunks { .. } => ("Transfer-Encoding".to_owned(), "chunked".to_owned()),
            BodyFraming::Close => ("Connection".to_owned(), "close".to_owned()),
        };
        fields.insert(fields.len() / 2, own);
        fields
    }

    fn answer(&self, limits: Limits) -> Answer {
        let body = if self.has_body() {
            self.body.clone()
        } else {
            Vec::new()
        };
        Answer {
            status: self.status,
            fields: self
                .all_fields()
                .into_iter()
                .map(|(n, v)| (n, v.into_bytes()))
                .collect(),
            streamed: body.len() > limits.whole,
            body,
            complete: true,
        }
    }
}

fn framing() -> impl Strategy<Value = BodyFraming> {
    let extension = prop::sample::select(vec!["", "", ";a", " ;a=\"b;\\\" c\"", ";a=1; b"]);
    let trailers = prop::sample::select(vec![
        "",
        "",
        "a: b\r\n",
        "x-sum: 1\r\nContent-Length: 7\r\n",
    ]);
    let chunks = (prop::collection::vec(1usize..80, 0..8), extension, trailers);
    let chunks = chunks.prop_map(|(sizes, extension, trailers)| BodyFraming::Chunks {
        sizes,
        extension,
        trailers,
    });
    prop_oneof![3 => Just(BodyFraming::Length), 3 => chunks, 1 => Just(BodyFraming::Close)]
}

fn field() -> impl Strategy<Value = (String, String)> {
    (
        "x-[a-zA-Z0-9_.!~-]{0,12}",
        "([!-~\u{e9}]([ -~\t]{0,20}[!-~])?)?",
    )
}

fn sent() -> impl Strategy<Value = SentAnswer> {
    // Bodies that look like answers are those that matter when framing slips.
    let body = prop_oneof![
        4 => prop::collection::vec(any::<u8>(), 0..200),
        1 => Just(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".repeat(2)),
        1 => Just(b"\r\n0\r\n\r\n".to_vec()),
        1 => Just(Vec::new()),
    ];
    let method =
        prop_oneof![4 => Just(Method::Get), 1 => Just(Method::Head), 1 => Just(Method::Put)];
    let status = prop::sample::select(vec![200, 200, 200, 206, 204, 304, 404, 503]);
    let reason = prop::sample::select(vec!["", " ", " OK", " N\u{f6}t \t Found"]);
    let interim = prop_oneof![6 => Just(0usize), 1 => 1usize..4];
    let fields = prop::collection::vec(field(), 0..6);
    let head = (method, status, reason, interim, fields);
    (head, framing(), body).prop_map(
        |((method, status, reason, interim, fields), framing, body)| SentAnswer {
            method,
            status,
            reason,
            interim,
            fields,
            framing,
            body,
        },
    )
}

/// Answers of one connection, as bytes and as what was meant; only the last may end by its close.
fn connection() -> impl Strategy<Value = (Vec<SentAnswer>, Vec<u8>)> {
    prop::collection::vec(sent(), 1..6).prop_map(|mut all| {
        let last = all.len() - 1;
        for sent in &mut all[..last] {
            if matches!(sent.framing, BodyFraming::Close) {
                sent.framing = BodyFraming::Length;
            }
        }
        let mut wire = Vec::new();
        for sent in &all {
            sent.write(&mut wire);
        }
        (all, wire)
    })
}

fn methods(all: &[SentAnswer]) -> Vec<Method> {
    all.iter().map(|sent| sent.method).collect()
}

fn cuts() -> impl Strategy<Value = Vec<usize>> {
    prop_oneof![
        Just(vec![1; 4096]),
        prop::collection::vec(1usize..8, 0..600),
        prop::collection::vec(1usize..300, 0..40),
    ]
}

#[derive(Clone, Debug)]
enum Damage {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Delete(Index, usize),
    Cut(Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 1..4),
        prop::sample::select(vec![
            "\r", "\n", "\r\n", "\0", " ", ":", ",", ";", "0", "\r\n ", "\r\n\r\n"
        ])
        .prop_map(|s: &str| s.as_bytes().to_vec()),
        prop::sample::select(vec![
            "\r\nContent-Length: 3",
            "\r\nTransfer-Encoding: chunked",
            "\r\nConnection: close",
            "HTTP/1.1 100 Continue\r\n\r\n",
        ])
        .prop_map(|s: &str| s.as_bytes().to_vec()),
    ];
    prop_oneof![
        (any::<Index>(), any::<u8>()).prop_map(|(i, b)| Damage::Flip(i, b)),
        (any::<Index>(), bytes).prop_map(|(i, b)| Damage::Insert(i, b)),
        (any::<Index>(), 1usize..6).prop_map(|(i, n)| Damage::Delete(i, n)),
        any::<Index>().prop_map(Damage::Cut),
    ]
}

fn damaged(mut wire: Vec<u8>, all: Vec<Damage>) -> Vec<u8> {
    for damage in all {
        if wire.is_empty() {
            break;
        }
        match damage {
            Damage::Flip(i, b) => {
                let i = i.index(wire.len());
                wire[i] ^= b;
            }
            Damage::Insert(i, bytes) => {
                let i = i.index(wire.len());
                wire.splice(i..i, bytes);
            }
            Damage::Delete(i, n) => {
                let i = i.index(wire.len());
                wire.drain(i..(i + n).min(wire.len()));
            }
            Damage::Cut(i) => wire.truncate(i.index(wire.len())),
        }
    }
    wire
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_what_was_sent_however_they_are_cut((all, wire) in connection(), cuts in cuts()) {
        let got = run(&methods(&all), &wire, cuts, LIMITS);
        let last = &all[all.len() - 1];
        let expected = Run {
            answers: all.iter().map(|sent| sent.answer(LIMITS)).collect(),
            reusable: last.status == 204 || !matches!(last.framing, BodyFraming::Close),
            failed: false,
            left: 0,
        };
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn an_end_anywhere_gives_what_was_whole_and_no_more(
        (all, wire) in connection(),
        end in any::<Index>(),
        cuts in cuts(),
    ) {
        let end = end.index(wire.len());
        let got = run(&methods(&all), &wire[..end], cuts, LIMITS);
        prop_assert!(got.failed || got.answers.len() == all.len());
        for (got, sent) in got.answers.iter().zip(&all) {
            let expected = sent.answer(LIMITS);
            let until_close = matches!(sent.framing, BodyFraming::Close);
            if got.complete && !until_close {
                prop_assert_eq!(got, &expected);
            } else {
                prop_assert!(expected.body.starts_with(&got.body));
            }
        }
    }

    #[test]
    fn what_follows_the_last_answer_is_left((all, wire) in connection(), extra in "[a-zH]{1,40}", cuts in cuts()) {
        prop_assume!(!all.iter().any(|sent| matches!(sent.framing, BodyFraming::Close)));
        let longer = [&wire[..], extra.as_bytes()].concat();
        let got = run(&methods(&all), &longer, cuts, LIMITS);
        prop_assert!(!got.failed);
        prop_assert_eq!(got.left, extra.len());
    }

    #[test]
    fn damage_is_seen_alike_however_it_is_cut(
        (all, wire) in connection(),
        damage in prop::collection::vec(damage(), 1..4),
        cuts in cuts(),
    ) {
        let wire = damaged(wire, damage);
        let methods = methods(&all);
        let whole = run(&methods, &wire, [], LIMITS);
        prop_assert!(whole.answers.len() <= all.len());
        let seen: usize = whole.answers.iter().map(|a| a.body.len()).sum();
        prop_assert!(seen + whole.left <= wire.len());
        prop_assert_eq!(run(&methods, &wire, cuts, LIMITS), whole);
    }

    #[test]
    fn any_bytes_are_survived(start in 0u8..4, bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let start: &[u8] = match start {
            0 => b"\0\x09",
            1 => b"\0\x20HTTP/1.1 200 OK\r\n",
            2 => b"\0\x28HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            _ => b"\0\x28HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n",
        };
        response(&[start, &bytes[..]].concat());
        request(&bytes);
    }

    #[test]
    fn requests_are_read_back_as_they_were_built(
        method in prop::sample::select(vec![
            Method::Get, Method::Head, Method::Put, Method::Post, Method::Delete, Method::Options,
        ]),
        target in "/[!\"$-~]{0,40}",
        fields in prop::collection::vec(("[a-zA-Z0-9!#$%&'*+.^_`|~-]{1,12}", "[ -~\t\u{e9}\u{4e2d}]{0,24}"), 0..8),
        body in prop::option::of(prop::collection::vec(any::<u8>(), 0..9000)),
        pieces in prop::option::of((prop::collection::vec(0usize..6000, 0..6), any::<bool>())),
    ) {
        let mut request = Request::new(method, &origin(), &target).unwrap();
        let mut expected = vec![("host".to_owned(), "h".to_owned())];
        for (name, value) in fields {
            if request.header(&name, &value).is_ok() {
                expected.push((name, value.trim_matches([' ', '\t']).to_owned()));
            }
        }
        let sent = body.clone().unwrap_or_default();
        match (body, pieces) {
            (Some(body), None) => request.body(body),
            (Some(body), Some((sizes, known))) => {
                let mut rest = Bytes::from(body);
                let mut parts: Vec<Result<Bytes, BodyError>> = Vec::new();
                for n in sizes {
                    parts.push(Ok(rest.split_to(n.min(rest.len()))));
                }
                parts.push(Ok(rest));
                request.stream(known.then_some(sent.len() as u64), stream::iter(parts));
            }
            (None, _) => {}
        }
        let bytes = encode(&mut request);

        let mut slots = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut slots);
        prop_assert!(matches!(parsed.parse(&bytes), Ok(httparse::Status::Complete(_))));
        prop_assert_eq!(parsed.method, Some(method.as_str()));
        prop_assert_eq!(parsed.path, Some(&target[..]));
        prop_assert_eq!(parsed.version, Some(1));
        let fields: Vec<_> = parsed.headers.iter()
            .map(|f| (f.name.to_owned(), String::from_utf8(f.value.to_vec()).unwrap()))
            .collect();
        prop_assert_eq!(&fields[..expected.len()], &expected[..]);
        prop_assert!(fields.len() <= expected.len() + 1);

        let read = plain(&bytes);
        prop_assert_eq!(read.line, format!("{method} {target} HTTP/1.1"));
        prop_assert_eq!(read.fields, fields);
        prop_assert_eq!(read.body, sent);
    }
}
