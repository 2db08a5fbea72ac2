//! A protocol and its callers for the tests of the engine.

use std::task::Waker;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::call::{Caller, Order};
use super::entry::Entry;
use crate::error::Error;
use crate::outbox::Outbox;
use crate::protocol::{Class, Decoded, Encoded, Protocol};

/// A byte is answered by a byte.
pub(crate) struct Toy;

/// What a request of [`Toy`] is.
pub(crate) struct Ask {
    pub(crate) class: Class,
    /// Dropped with the request.
    pub(crate) held: Option<Box<dyn std::any::Any + Send>>,
}

impl Protocol for Toy {
    type Request = Ask;
    type Reply = u8;

    fn class(ask: &Ask) -> Class {
        ask.class
    }

    fn encode(&mut self, _: &mut Ask, out: &mut Outbox) -> Encoded {
        out.put(b"?");
        Encoded::Wholly
    }

    fn decode(&mut self, _: &Ask, input: &mut BytesMut, _: bool) -> Result<Decoded<u8>, Error> {
        if input.is_empty() {
            return Ok(Decoded::More);
        }
        let reply = input.split_to(1)[0];
        Ok(Decoded::Reply {
            reply,
            reusable: true,
        })
    }

    fn is_amid(&self) -> bool {
        false
    }
}

/// A request that may run twice, and beside others.
pub(crate) fn ask() -> Ask {
    Ask {
        class: Class {
            repeatable: true,
            alone: false,
        },
        held: None,
    }
}

/// A request in this place of the order of arrival.
pub(crate) fn order(seq: u64, deadline: Instant) -> Order {
    Order {
        seq,
        deadline,
        bound: None,
    }
}

/// The two ends of a plain request.
pub(crate) fn caller(order: Order) -> (Caller<Toy>, Entry<Toy>) {
    caller_of(ask(), order)
}

/// The two ends of a request.
pub(crate) fn caller_of(ask: Ask, order: Order) -> (Caller<Toy>, Entry<Toy>) {
    let mut caller = Caller::new(ask, order.deadline);
    match caller.hand_in(order, Waker::noop()) {
        Some(entry) => (caller, entry),
        None => unreachable!("it was not handed in before"),
    }
}

/// A deadline that no test reaches.
pub(crate) fn later(now: Instant) -> Instant {
    now + Duration::from_secs(3600)
}
