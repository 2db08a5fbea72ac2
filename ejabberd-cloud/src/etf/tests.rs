//! What is read and written here, judged by Erlang itself and by the crate `erltf`.

use std::io::Read;
use std::process::{Command, Stdio};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

fn written(term: &Term) -> Bytes {
    let mut out = Vec::new();
    encode(term, &mut out).expect("short enough");
    out.into()
}

fn refused(bytes: &[u8]) -> &'static str {
    decode(&Bytes::copy_from_slice(bytes))
        .expect_err("no term")
        .what
}

/// Terms of all kinds, with numbers and lengths at the borders between two tags. Maps have binaries of different
/// lengths as keys, so that no key comes twice.
fn terms() -> impl Strategy<Value = Term> {
    let border = prop::sample::select(vec![
        0,
        1,
        255,
        256,
        -1,
        -256,
        2147483647,
        2147483648,
        -2147483648,
        -2147483649,
        i64::MAX,
        i64::MIN,
    ]);
    let leaf = prop_oneof![
        any::<i64>().prop_map(Term::Int),
        border.prop_map(Term::Int),
        prop::sample::select(vec!["ok", "error", "none", "", "ümläut", "Ω", "with space"])
            .prop_map(Term::atom),
        vec(any::<u8>(), 0..300).prop_map(Term::binary),
        vec(any::<u8>(), 0..300)
            .prop_map(|bytes| Term::List(bytes.iter().map(|b| Term::Int((*b).into())).collect())),
    ];
    leaf.prop_recursive(5, 64, 300, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Term::Tuple),
            vec(inner.clone(), 250..260).prop_map(Term::Tuple),
            vec(inner.clone(), 0..6).prop_map(Term::List),
            vec(inner, 0..6).prop_map(|values| {
                let pair = |(n, value): (usize, Term)| (Term::binary(vec![b'k'; n]), value);
                Term::Map(values.into_iter().enumerate().map(pair).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_read_again(term in terms()) {
        prop_assert_eq!(decode(&written(&term)), Ok(term));
    }

    #[test]
    fn another_reader_reads_what_is_written_and_its_writing_is_read(term in terms()) {
        let theirs = erltf::decode(&written(&term)).expect("their reading");
        let again = Bytes::from(erltf::encode(&theirs).expect("their writing"));
        // Their maps are sorted, and so are ours here, since longer keys come later.
        prop_assert_eq!(decode(&again), Ok(term));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let mut bytes = bytes;
        bytes.insert(0, VERSION);
        let _ = decode(&bytes.into());
    }

    #[test]
    fn no_changed_byte_and_no_missing_end_makes_it_panic(term in terms(), at: prop::sample::Index, byte: u8, cut: bool) {
        let mut bytes = written(&term).to_vec();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let whole = bytes.len();
        if cut {
            bytes.truncate(at);
        }
        let read = decode(&bytes.into());
        prop_assert!(!cut || at == whole || read.is_err());
    }
}

#[test]
fn a_length_that_the_input_does_not_have_takes_no_memory() {
    for tag in [tag::LIST, tag::BINARY, tag::LARGE_TUPLE, tag::MAP] {
        assert_eq!(
            refused(&[VERSION, tag, 255, 255, 255, 255]),
            "a length beyond the end"
        );
    }
    assert_eq!(
        refused(&[VERSION, tag::STRING, 255, 255, 1]),
        "a length beyond the end"
    );
    assert_eq!(
        refused(&[VERSION, tag::SMALL_TUPLE, 2, tag::NIL]),
        "a length beyond the end"
    );
    assert_eq!(
        refused(&[VERSION, tag::MAP, 0, 0, 0, 1, tag::NIL]),
        "a length beyond the end"
    );
}

#[test]
fn nesting_and_the_number_of_terms_have_limits() {
    let nested = |levels: usize| {
        let mut bytes = vec![VERSION];
        bytes.extend([tag::SMALL_TUPLE, 1].repeat(levels));
        bytes.push(tag::NIL);
        bytes
    };
    assert!(decode(&nested(MAX_DEPTH).into()).is_ok());
    assert_eq!(refused(&nested(MAX_DEPTH + 1)), "nested too deeply");
    assert_eq!(refused(&nested(1_000_000)), "nested too deeply");

    // The list itself is a term, too.
    let list = |count: usize| written(&Term::List(vec![Term::List(Vec::new()); count]));
    assert!(decode(&list(MAX_TERMS - 1)).is_ok());
    assert_eq!(refused(&list(MAX_TERMS)), "too many terms");
    let mut strings = vec![VERSION, tag::SMALL_TUPLE, 2];
    for _ in 0..2 {
        strings.extend([tag::STRING, 255, 255]);
        strings.extend([b'x'; 65_535]);
    }
    assert_eq!(refused(&strings), "too many terms");
}

#[test]
fn what_is_not_in_the_subset_is_refused() {
    assert_eq!(refused(&[]), "the end within a term");
    assert_eq!(refused(&[130, tag::NIL]), "not the external term format");
    assert_eq!(
        refused(&[VERSION, tag::NIL, tag::NIL]),
        "more than one term"
    );
    // A float, a compressed term, a list with a tail.
    assert_eq!(
        refused(&[VERSION, 70, 0, 0, 0, 0, 0, 0, 0, 0]),
        "a kind of term that is not read here"
    );
    assert_eq!(
        refused(&[VERSION, 80, 0, 0, 0, 1]),
        "a kind of term that is not read here"
    );
    let improper = [
        VERSION,
        tag::LIST,
        0,
        0,
        0,
        1,
        tag::NIL,
        tag::SMALL_INTEGER,
        1,
    ];
    assert_eq!(refused(&improper), "an improper list");
    assert_eq!(
        refused(&[VERSION, tag::SMALL_ATOM_UTF8, 1, 255]),
        "an atom that is not UTF-8"
    );
    let above = [VERSION, tag::SMALL_BIG, 8, 0, 0, 0, 0, 0, 0, 0, 0, 128];
    assert_eq!(refused(&above), "an integer of more than 64 bits");
    let nine = [VERSION, tag::SMALL_BIG, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    assert_eq!(refused(&nine), "an integer of more than 64 bits");
}

#[test]
fn what_is_shown_of_a_term_has_no_byte_of_its_binaries() {
    let term = Term::Tuple(vec![
        Term::atom("auth_set"),
        Term::binary("hunter2"),
        Term::Int(7),
    ]);
    let shown = format!("{term:?}");
    assert!(
        shown.contains("auth_set") && shown.contains("<<7 bytes>>"),
        "{shown}"
    );
    assert!(!shown.contains("hunter2"));
}

/// Erlang reads what is written here, compares it with the same term in its own notation, and writes it in turn by
/// each of its two ways to write atoms.
#[test]
fn erlang_reads_and_writes_the_same_terms() {
    let wide = |count: i64| (0..count).map(Term::Int).collect::<Vec<_>>();
    let pairs = [
        ("0", Term::Int(0)),
        ("255", Term::Int(255)),
        ("256", Term::Int(256)),
        ("-1", Term::Int(-1)),
        ("2147483647", Term::Int(i32::MAX.into())),
        ("2147483648", Term::Int(1 << 31)),
        ("-2147483648", Term::Int(i32::MIN.into())),
        ("-2147483649", Term::Int(i64::from(i32::MIN) - 1)),
        ("1732000000000000", Term::Int(1_732_000_000_000_000)),
        ("9223372036854775807", Term::Int(i64::MAX)),
        ("-9223372036854775808", Term::Int(i64::MIN)),
        ("ok", Term::atom("ok")),
        ("''", Term::atom("")),
        ("'\\x{fc}'", Term::atom("ü")),
        ("'\\x{3a9}'", Term::atom("Ω")),
        ("<<>>", Term::binary("")),
        ("<<0,255,\"x\">>", Term::binary(vec![0, 255, b'x'])),
        (
            "binary:copy(<<\"ab\">>, 500)",
            Term::binary("ab".repeat(500)),
        ),
        ("{}", Term::Tuple(Vec::new())),
        (
            "{a, {<<\"b\">>}}",
            Term::Tuple(vec![Term::atom("a"), Term::Tuple(vec![Term::binary("b")])]),
        ),
        ("list_to_tuple(lists:seq(0, 255))", Term::Tuple(wide(256))),
        ("[]", Term::List(Vec::new())),
        ("lists:seq(0, 255)", Term::List(wide(256))),
        ("lists:seq(0, 256)", Term::List(wide(257))),
        (
            "[[a], []]",
            Term::List(vec![
                Term::List(vec![Term::atom("a")]),
                Term::List(Vec::new()),
            ]),
        ),
        ("#{}", Term::Map(Vec::new())),
        (
            "#{a => [<<\"x\">>]}",
            Term::Map(vec![(Term::atom("a"), Term::List(vec![Term::binary("x")]))]),
        ),
    ];
    let mut program = String::from(
        "Hex = fun(B) -> io:put_chars([[io_lib:format(\"~2.16.0B\", [X]) || <<X>> <= B], $\\n]) end,\n",
    );
    for (text, term) in &pairs {
        let bytes = written(term)
            .iter()
            .map(u8::to_string)
            .collect::<Vec<_>>()
            .join(",");
        program += &format!(
            "(fun() -> T = {text}, T = binary_to_term(<<{bytes}>>), Hex(term_to_binary(T)), \
             Hex(term_to_binary(T, [{{minor_version, 2}}])) end)(),\n"
        );
    }
    program += "halt().\n";

    let mut erl = Command::new("erl")
        .args(["-noshell", "-noinput", "-eval", &program])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("erl is needed: apt-get install erlang-base, or ./test.sh --setup");
    let mut said = String::new();
    let out = erl.stdout.as_mut().expect("a pipe");
    out.read_to_string(&mut said).expect("text");
    assert!(erl.wait().expect("its end").success(), "{said}");

    let mut lines = said.lines();
    for (text, term) in &pairs {
        for _ in 0..2 {
            let line = lines
                .next()
                .unwrap_or_else(|| panic!("Erlang refused {text}: {said}"));
            let bytes: Bytes = (0..line.len() / 2)
                .map(|n| u8::from_str_radix(&line[2 * n..2 * n + 2], 16).expect("hex"))
                .collect();
            assert_eq!(decode(&bytes).as_ref(), Ok(term), "{text}");
        }
    }
    assert_eq!(lines.next(), None);
}
