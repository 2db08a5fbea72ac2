//! The program with memcached in front of the stores: how many requests that saves, and that it changes nothing else.

use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use emulator::{Emulator, Fault, Rule};
use erltf::{Atom, OwnedTerm as Erl};

use crate::memcached::Server;
use crate::parent::{answer, emulator, send, start_with};

/// A process of the program, whose calls are made one after the other.
struct Program {
    child: Child,
    id: u64,
}

impl Program {
    fn start(emulator: &Emulator, more: &[&str]) -> Self {
        let child = start_with(emulator, "port", "hunter2hunter2", more);
        let mut program = Self { child, id: 0 };
        assert_eq!(program.ask("ping", &[]), atom("pong"));
        // The stores are open once they have answered.
        program.ask("last_get", &[text("nobody@example.com")]);
        program
    }

    /// One that keeps what it reads in memcached for an hour: nothing here becomes right by waiting.
    fn cached(emulator: &Emulator, memcached: &Server) -> Self {
        let more = ["--cache-server", &memcached.name, "--cache-ttl", "3600"];
        Self::start(emulator, &more)
    }

    /// The answer to a call, which has to be one.
    fn ask(&mut self, operation: &str, arguments: &[Erl]) -> Erl {
        self.id += 1;
        let mut call = vec![atom(operation)];
        call.extend_from_slice(arguments);
        let term = erltf::encode(&Erl::Tuple(call)).expect("a term");
        let body = [&self.id.to_be_bytes()[..], &term].concat();
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        send(&mut self.child, &[&length[..], &body].concat());
        let (id, term) = answer(&mut self.child);
        assert_eq!(id, self.id);
        match erltf::decode(&term) {
            Ok(Erl::Tuple(parts)) if parts[0] == atom("ok") => parts[1].clone(),
            other => panic!("{operation}: {other:?}"),
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn atom(name: &str) -> Erl {
    Erl::Atom(Atom::new(name))
}

fn text(text: &str) -> Erl {
    Erl::Binary(text.as_bytes().to_vec())
}

/// Counts the requests that the emulator gets.
fn requests(emulator: &Emulator) -> Arc<AtomicUsize> {
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    emulator
        .faults()
        .add(Rule::new(Fault::none()).when(move |_| {
            counter.fetch_add(1, Ordering::SeqCst);
            false
        }));
    count
}

fn set_vcard(program: &mut Program, person: &Erl, card: &str) {
    program.ask("vcard_set", &[person.clone(), text(card), Erl::Nil]);
}

/// What a server asks for all the time: vCards, privacy lists of people who have none, secrets, and when somebody was there.
fn ask_for_everything(program: &mut Program) -> Vec<Erl> {
    let mut answers = Vec::new();
    for person in 0..10 {
        let person = text(&format!("p{person}@example.com"));
        for operation in ["vcard_get", "privacy_get", "auth_get", "last_get"] {
            answers.push(program.ask(operation, std::slice::from_ref(&person)));
        }
    }
    answers
}

fn populate(program: &mut Program) {
    for person in (0..10).step_by(2) {
        let jid = text(&format!("p{person}@example.com"));
        set_vcard(program, &jid, &format!("<vCard>{person}</vCard>"));
        let secret = Erl::Tuple(vec![atom("plain"), text("secret")]);
        program.ask("auth_new", &[jid.clone(), secret]);
        program.ask(
            "last_set",
            &[jid, Erl::Integer(1_700_000_000), text("gone")],
        );
    }
}

#[test]
fn with_a_cache_there_are_fewer_requests() {
    let (emulator, memcached) = (emulator(), Server::start());
    let mut bare = Program::start(&emulator, &[]);
    populate(&mut bare);
    let mut cached = Program::cached(&emulator, &memcached);
    let count = requests(&emulator);
    let rounds = 5;
    let took = |program: &mut Program| {
        let before = count.load(Ordering::SeqCst);
        let answers: Vec<_> = (0..rounds).map(|_| ask_for_everything(program)).collect();
        (count.load(Ordering::SeqCst) - before, answers)
    };
    let (without, right) = took(&mut bare);
    let (with, answers) = took(&mut cached);
    assert_eq!(answers, right);
    // Each of the forty is asked for once, also what is not there.
    assert_eq!((without, with), (40 * rounds, 40));
    // What one node has read need not be read by another one.
    let mut other = Program::cached(&emulator, &memcached);
    let (with, answers) = took(&mut other);
    assert_eq!((with, answers), (0, right));
}

#[test]
fn what_another_node_writes_is_seen_at_once() {
    let (emulator, memcached) = (emulator(), Server::start());
    let mut one = Program::cached(&emulator, &memcached);
    let mut two = Program::cached(&emulator, &memcached);
    let ann = text("ann@example.com");
    let get = |program: &mut Program| program.ask("vcard_get", std::slice::from_ref(&ann));
    assert_eq!(get(&mut one), atom("none"));
    for n in 0..20 {
        let card = format!("<vCard>{n}</vCard>");
        set_vcard(&mut two, &ann, &card);
        assert_eq!(get(&mut one), text(&card), "{n}");
        assert_eq!(get(&mut two), text(&card), "{n}");
    }
    two.ask("vcard_del", std::slice::from_ref(&ann));
    assert_eq!(get(&mut one), atom("none"));
    // A password that was changed on one node counts on the other.
    let secret = |password: &str| Erl::Tuple(vec![atom("plain"), text(password)]);
    one.ask("auth_new", &[ann.clone(), secret("old")]);
    assert_eq!(
        two.ask("auth_get", std::slice::from_ref(&ann)),
        secret("old")
    );
    one.ask("auth_set", &[ann.clone(), secret("new")]);
    assert_eq!(
        two.ask("auth_get", std::slice::from_ref(&ann)),
        secret("new")
    );
}

/// A list with one rule.
fn list(name: &str) -> Erl {
    let no = || atom("false");
    let rule = vec![
        Erl::Integer(1),
        atom("deny"),
        atom("none"),
        atom("true"),
        no(),
        no(),
        no(),
        no(),
    ];
    Erl::Tuple(vec![text(name), Erl::List(vec![Erl::Tuple(rule)])])
}

#[test]
fn a_write_that_was_based_on_something_old_reads_past_the_cache() {
    let (emulator, memcached) = (emulator(), Server::start());
    let mut cached = Program::cached(&emulator, &memcached);
    // It writes past the cache, which does not hear of it.
    let mut bare = Program::start(&emulator, &[]);
    let ann = text("ann@example.com");
    let names = |program: &mut Program| match program.ask("privacy_get", std::slice::from_ref(&ann))
    {
        Erl::Tuple(parts) => format!("{:?}", parts[1]),
        other => panic!("{other:?}"),
    };
    cached.ask("privacy_set_list", &[ann.clone(), list("first")]);
    let before = names(&mut cached);
    bare.ask("privacy_set_list", &[ann.clone(), list("second")]);
    assert_eq!(names(&mut cached), before, "the cache has what was before");
    cached.ask("privacy_set_list", &[ann.clone(), list("third")]);
    let all = names(&mut bare);
    for name in ["first", "second", "third"] {
        let name = format!("{:?}", name.as_bytes());
        assert!(
            all.contains(name.trim_matches(['[', ']'])),
            "{name} in {all}"
        );
    }
    assert_eq!(names(&mut cached), all);
}

#[test]
fn without_its_memcached_it_goes_on() {
    let (emulator, mut memcached) = (emulator(), Server::start());
    let mut one = Program::cached(&emulator, &memcached);
    let mut two = Program::cached(&emulator, &memcached);
    let ann = text("ann@example.com");
    let get = |program: &mut Program| program.ask("vcard_get", std::slice::from_ref(&ann));
    set_vcard(&mut one, &ann, "<vCard>before</vCard>");
    assert_eq!(get(&mut two), text("<vCard>before</vCard>"));
    memcached.kill();
    for n in 0..5 {
        let card = format!("<vCard>{n}</vCard>");
        set_vcard(&mut one, &ann, &card);
        assert_eq!(get(&mut two), text(&card), "{n}");
        set_vcard(&mut two, &ann, "<vCard>two</vCard>");
        assert_eq!(get(&mut one), text("<vCard>two</vCard>"), "{n}");
    }
}
