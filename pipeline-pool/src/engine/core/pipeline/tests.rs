//! The order of one connection under random events, against a model of the server.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::engine::config::Config;
use crate::engine::core::call::{Caller, Order, Outcome};
use crate::engine::core::ticket::History;
use crate::error::Sent;
use crate::protocol::{Decoded, Treatment};

/// A protocol of lines: `r12` (repeatable) or `w12` (not) is answered by `12`.
struct LineProtocol;

#[derive(Debug)]
struct LineRequest {
    id: u32,
    treatment: Treatment,
}

impl Protocol for LineProtocol {
    type Request = LineRequest;
    type Reply = u32;

    fn treatment(request: &LineRequest) -> Treatment {
        request.treatment
    }

    fn encode(&mut self, request: &mut LineRequest, out: &mut Outbox) -> Encoded {
        let verb = if request.treatment.repeatable {
            'r'
        } else {
            'w'
        };
        out.put(format!("{verb}{}\n", request.id).as_bytes());
        Encoded::Wholly
    }

    fn decode(
        &mut self,
        _: &LineRequest,
        input: &mut BytesMut,
        _: bool,
    ) -> Result<Decoded<u32>, Error> {
        let Some(end) = input.iter().position(|b| *b == b'\n') else {
            return Ok(Decoded::More);
        };
        let line = input.split_to(end);
        input.advance(1);
        let text = std::str::from_utf8(&line).unwrap_or("?");
        let id = text
            .parse()
            .map_err(|_| Error::new(Kind::Protocol, "not a number"))?;
        Ok(Decoded::Reply {
            reply: id,
            reusable: true,
        })
    }

    fn is_amid(&self) -> bool {
        false
    }
}

#[derive(Clone, Debug)]
enum LineEvent {
    Push {
        repeatable: bool,
        alone: bool,
        deadline_ms: u64,
    },
    Fill,
    Write(usize),
    /// The server answers this many requests that have reached it.
    Serve(usize),
    /// This many bytes of the answers arrive.
    Read(usize),
    /// The caller of the n-th request goes away.
    Drop(usize),
    Tick(u64),
}

fn event() -> impl Strategy<Value = LineEvent> {
    prop_oneof![
        3 => (any::<bool>(), prop::bool::weighted(0.1), 1u64..5000)
            .prop_map(|(repeatable, alone, deadline_ms)| LineEvent::Push { repeatable, alone, deadline_ms }),
        3 => Just(LineEvent::Fill),
        3 => (1usize..12).prop_map(LineEvent::Write),
        3 => (1usize..4).prop_map(LineEvent::Serve),
        3 => (1usize..12).prop_map(LineEvent::Read),
        1 => (0usize..30).prop_map(LineEvent::Drop),
        1 => (1u64..2000).prop_map(LineEvent::Tick),
    ]
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum PeerEnding {
    /// The peer closes.
    Eof,
    Reset,
    /// Bytes that are no answer.
    Garbage,
    /// An answer more than was asked for.
    Unasked,
}

struct LineWorld {
    pipeline: Pipeline<LineProtocol>,
    config: Config,
    now: Instant,
    callers: HashMap<u32, Option<Caller<LineProtocol>>>,
    /// What has reached the server, and how much of it is whole requests served.
    wire: Vec<u8>,
    served: usize,
    seen: Vec<u32>,
    /// Answers on their way.
    answers: Vec<u8>,
    next: u32,
}

impl LineWorld {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            pipeline: Pipeline::new(LineProtocol, now),
            config: Config::default(),
            now,
            callers: HashMap::new(),
            wire: Vec::new(),
            served: 0,
            seen: Vec::new(),
            answers: Vec::new(),
            next: 0,
        }
    }

    /// Whole requests that have reached the server, in order.
    fn reached(&self) -> Vec<u32> {
        let whole = self
            .wire
            .split_inclusive(|b| *b == b'\n')
            .filter(|l| l.ends_with(b"\n"));
        whole
            .map(|l| {
                std::str::from_utf8(&l[1..l.len() - 1])
                    .unwrap()
                    .parse()
                    .unwrap()
            })
            .collect()
    }

    fn step(&mut self, event: LineEvent) -> Result<(), Error> {
        match event {
            LineEvent::Push {
                repeatable,
                alone,
                deadline_ms,
            } => {
                let treatment = Treatment {
                    repeatable,
                    alone: alone || !repeatable,
                };
                let order = Order {
                    since: self.now,
                    seq: u64::from(self.next),
                    deadline: self.now + Duration::from_millis(deadline_ms),
                    bound: None,
                };
                let id = self.next;
                let mut caller = Caller::new(LineRequest { id, treatment }, self.now);
                let ticket = caller.hand_in(order, Waker::noop()).unwrap();
                self.callers.insert(id, Some(caller));
                self.pipeline.queued.push_back(ticket);
                self.next += 1;
            }
            LineEvent::Fill => self.pipeline.fill(self.now),
            LineEvent::Write(n) => {
                let single = self.pipeline.out.single().unwrap().to_vec();
                let n = n.min(single.len());
                if n > 0 {
                    self.wire.extend_from_slice(&single[..n]);
                    self.pipeline.handle_written(n, self.now);
                }
            }
            LineEvent::Serve(n) => {
                let reached = self.reached();
                for id in reached.into_iter().skip(self.served).take(n) {
                    self.answers.extend_from_slice(format!("{id}\n").as_bytes());
                    self.seen.push(id);
                    self.served += 1;
                }
            }
            LineEvent::Read(n) => {
                let n = n.min(self.answers.len());
                self.pipeline.input.extend_from_slice(&self.answers[..n]);
                self.answers.drain(..n);
                self.pipeline.handle_input(self.now)?;
            }
            LineEvent::Drop(n) => {
                if let Some(caller) = self.callers.get_mut(&(n as u32)) {
                    *caller = None;
                }
            }
            LineEvent::Tick(ms) => {
                self.now += Duration::from_millis(ms);
                self.pipeline.handle_timeout(self.now, &self.config)?;
            }
        }
        Ok(())
    }

    fn end(&mut self, ending: PeerEnding) -> Error {
        match ending {
            PeerEnding::Eof => self.pipeline.handle_eof(),
            PeerEnding::Reset => return Error::new(Kind::Closed, "reset"),
            PeerEnding::Garbage => self.pipeline.input.extend_from_slice(b"x\n"),
            PeerEnding::Unasked => self.pipeline.input.extend_from_slice(b"777777\n"),
        }
        match self.pipeline.handle_input(self.now) {
            Err(error) => error,
            Ok(()) => Error::new(Kind::Closed, "nothing wrong was seen"),
        }
    }
}

#[test]
fn what_has_not_left_is_not_at_fault_for_what_came() {
    let push = || LineEvent::Push {
        repeatable: true,
        alone: false,
        deadline_ms: 5000,
    };
    let mut world = LineWorld::new();
    let warm = [
        push(),
        LineEvent::Fill,
        LineEvent::Write(9),
        LineEvent::Serve(1),
    ];
    let both = [
        push(),
        push(),
        LineEvent::Fill,
        LineEvent::Write("r1\n".len()),
    ];
    let events = warm.into_iter().chain([LineEvent::Read(9)]).chain(both);
    for event in events.chain([LineEvent::Serve(1), LineEvent::Read(9)]) {
        world.step(event).unwrap();
    }
    let cause = world.end(PeerEnding::Garbage);
    assert_eq!(cause.kind(), Kind::Protocol);
    let ending = world.pipeline.close(&cause, &world.config);
    let moved: Vec<_> = ending
        .again
        .iter()
        .map(|t| (t.order().seq, t.history().sent))
        .collect();
    assert_eq!(moved, [(2, Sent::No)]);
    assert_eq!(ending.replayed, 0);
}

#[test]
fn what_was_sent_and_lost_goes_alone_from_then_on() {
    let push = || LineEvent::Push {
        repeatable: true,
        alone: false,
        deadline_ms: 5000,
    };
    let mut world = LineWorld::new();
    let warm = [
        push(),
        LineEvent::Fill,
        LineEvent::Write(9),
        LineEvent::Serve(1),
        LineEvent::Read(9),
    ];
    let sent = "r1\nr2\n".len();
    let three = [
        push(),
        push(),
        push(),
        LineEvent::Fill,
        LineEvent::Write(sent),
    ];
    for event in warm.into_iter().chain(three) {
        world.step(event).unwrap();
    }
    let cause = world.end(PeerEnding::Reset);
    let again = world.pipeline.close(&cause, &world.config).again;
    let fate = again.iter().map(|t| (t.history().replays, t.is_alone()));
    // The last of them had not been sent.
    assert_eq!(fate.collect::<Vec<_>>(), [(1, true), (1, true), (0, false)]);
    // So it is when its caller hands it in again.
    let history = History {
        replays: 1,
        ..History::NONE
    };
    let mut caller = world.callers.remove(&2).flatten().unwrap();
    let again = caller.hand_in_again(history, Waker::noop()).unwrap();
    assert!(again.is_alone());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn everyone_hears_the_truth(
        events in prop::collection::vec(event(), 0..60),
        ending in prop_oneof![Just(PeerEnding::Eof), Just(PeerEnding::Reset), Just(PeerEnding::Garbage), Just(PeerEnding::Unasked)],
    ) {
        let mut world = LineWorld::new();
        let mut cause = None;
        for event in events {
            if let Err(error) = world.step(event) {
                cause = Some(error);
                break;
            }
            // What may not run twice is alone on the wire, and the server sees requests in order.
            let flight = &world.pipeline.flight;
            prop_assert!(flight.len() <= 1 || flight.iter().all(|f| !f.ticket.is_alone()));
            let reached = world.reached();
            prop_assert!(reached.windows(2).all(|w| w[0] < w[1]), "{reached:?}");
        }
        let forged = ending == PeerEnding::Unasked && cause.is_none();
        let cause = cause.unwrap_or_else(|| world.end(ending));
        let again = world.pipeline.close(&cause, &world.config).again;
        let reached: HashSet<u32> = world.reached().into_iter().collect();
        let touched = world.wire.split(|b| *b == b'\n').filter(|l| l.len() > 1);
        let touched = touched.filter_map(|l| std::str::from_utf8(&l[1..]).ok()?.parse::<u32>().ok());
        let touched: HashSet<u32> = touched.collect();

        // What goes elsewhere is in order, once, and may go: repeatable, or never on the wire.
        prop_assert!(again.windows(2).all(|w| w[0].order().seq < w[1].order().seq));
        let moved: HashSet<u32> = again.iter().map(|e| e.order().seq as u32).collect();
        for ticket in &again {
            let id = ticket.order().seq as u32;
            let on_wire = touched.contains(&id) || reached.contains(&id);
            prop_assert!(ticket.is_repeatable() || !on_wire, "{id} would run twice");
            prop_assert!(!reached.contains(&id) || ticket.history().sent == Sent::All);
        }
        for (id, caller) in &mut world.callers {
            let Some(caller) = caller else { continue };
            match caller.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(Outcome::Done(Ok(reply))) => {
                    prop_assert!(!moved.contains(id), "{id} was answered and sent again");
                    // A forged answer is the one thing that a protocol without names cannot tell.
                    prop_assert!(reply == *id || forged);
                    prop_assert!(world.seen.contains(id) || forged);
                }
                Poll::Ready(Outcome::Done(Err(error))) => {
                    prop_assert!(!moved.contains(id), "{id} failed and is sent again");
                    if reached.contains(id) {
                        prop_assert_ne!(error.sent(), Sent::No, "{} ran, and is told not to have", id);
                    }
                    if error.sent() == Sent::All {
                        prop_assert!(reached.contains(id));
                    }
                }
                Poll::Ready(Outcome::Again(..)) => prop_assert!(false, "nobody bounces here"),
                // Not told yet: then it must go elsewhere.
                Poll::Pending => prop_assert!(moved.contains(id), "{id} was forgotten"),
            }
        }
    }
}

#[test]
fn the_deepest_is_the_most_that_was_in_flight_at_once() {
    let mut world = LineWorld::new();
    let push = LineEvent::Push {
        repeatable: true,
        alone: false,
        deadline_ms: 1000,
    };
    assert_eq!(world.pipeline.deepest(), 0);
    // Nothing is pipelined before the first answer has come.
    for (round, requests) in [(1, 1), (2, 3), (3, 2)] {
        for _ in 0..requests {
            world.step(push.clone()).unwrap();
        }
        world.step(LineEvent::Fill).unwrap();
        for _ in 0..requests {
            world.step(LineEvent::Write(usize::MAX)).unwrap();
        }
        let most = if round == 1 { 1 } else { 3 };
        assert_eq!(world.pipeline.deepest(), most, "round {round}");
        world.step(LineEvent::Serve(requests)).unwrap();
        world.step(LineEvent::Read(usize::MAX)).unwrap();
        assert!(world.pipeline.is_idle(), "round {round}");
    }
}
