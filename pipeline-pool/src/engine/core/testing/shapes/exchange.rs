//! The protocol that is spoken in the simulation: a number is answered by the same number.

use bytes::{Buf, BytesMut};

use crate::error::{Error, Kind};
use crate::outbox::Outbox;
use crate::protocol::{Decoded, Encoded, Protocol, Treatment};

/// The bytes of a request, and of a reply.
pub(super) const FRAME: usize = 4;

/// Each request is a number, and so is its reply.
pub(super) struct Exchange;

/// A request that only reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Question(pub(super) u32);

impl Protocol for Exchange {
    type Request = Question;
    type Reply = u32;

    fn treatment(_: &Question) -> Treatment {
        Treatment {
            repeatable: true,
            alone: false,
        }
    }

    fn duplicate(question: &Question) -> Option<Question> {
        Some(*question)
    }

    fn encode(&mut self, question: &mut Question, out: &mut Outbox) -> Encoded {
        out.put(&question.0.to_be_bytes());
        Encoded::Wholly
    }

    fn decode(
        &mut self,
        question: &Question,
        input: &mut BytesMut,
        _: bool,
    ) -> Result<Decoded<u32>, Error> {
        if input.len() < FRAME {
            return Ok(Decoded::More);
        }
        let reply = input.get_u32();
        if reply != question.0 {
            return Err(Error::new(Kind::Protocol, "a reply to another request"));
        }
        Ok(Decoded::Reply {
            reply,
            reusable: true,
        })
    }

    fn is_amid(&self) -> bool {
        false
    }
}
