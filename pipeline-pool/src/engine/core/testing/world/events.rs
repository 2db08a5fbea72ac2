//! What can happen in the world, and how it is drawn from a seed.

use crate::engine::core::depth::Width;
use crate::engine::core::testing::random::Random;

/// What a request is like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) repeatable: bool,
    pub(super) alone: bool,
    /// It comes in so many pieces, which its source has to give first.
    pub(super) pieces: Option<usize>,
    pub(super) timeout_ms: u64,
    /// It is bound to a connection.
    pub(super) bound: bool,
}

/// How a server answers on a connection without being told by an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// Only events make it answer.
    Silent,
    /// It answers what has arrived at once.
    AtOnce,
    /// It answers each request so many milliseconds after it has arrived.
    After(u64),
}

/// One thing that happens. Numbers choose among those that there are at that time.
#[derive(Clone, Copy, Debug)]
pub(super) enum Happening {
    /// A caller hands in a request.
    Submit(usize, Wish),
    /// A caller goes away.
    Cancel(usize),
    /// A connection that was being opened is open.
    Dialed(usize, Manner),
    /// A connection cannot be opened.
    Refused(usize),
    /// A connection cannot be opened for want of a file descriptor.
    Exhausted(usize),
    /// A second socket is wanted for a connection that is being opened.
    Race(usize),
    /// Such a socket is closed.
    Raced(usize),
    /// The socket takes so many bytes more.
    Accept(usize, usize),
    /// The server answers so many requests.
    Answer(usize, usize),
    /// The server answers a request, and says that it will close.
    AnswerLast(usize),
    /// The server answers before the whole request has arrived.
    AnswerEarly(usize),
    /// The server begins a large answer, or ends it.
    Large(usize),
    /// The server sends an interim answer.
    Interim(usize),
    /// The server sends an answer that nobody asked for.
    Unasked(usize),
    /// The server sends what is no answer.
    Garbage(usize),
    /// So many bytes from the server arrive.
    Deliver(usize, usize),
    /// The server closes.
    Close(usize),
    /// The connection is reset.
    Reset(usize),
    /// The reader of a large answer has no room, or has room again.
    Pause(usize),
    /// The reader of a large answer goes away.
    Desert(usize),
    /// A source has so many pieces more.
    Feed(usize, usize),
    /// A source fails.
    FailSource(usize),
    /// The runtime of a connection drops its task.
    Drop(usize),
    /// An endpoint learns that more or fewer connections than are usual serve its callers better, or
    /// that they do so no more.
    Widen(usize, Width),
    /// So many milliseconds pass.
    Pass(u64),
}

/// What holds for a whole run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) sites: usize,
    pub(super) max_connections: usize,
    pub(super) usual_connections: usize,
    pub(super) narrow_connections: usize,
    pub(super) max_total: usize,
    pub(super) max_opening: usize,
    pub(super) max_depth: usize,
    pub(super) fixed_depth: bool,
    pub(super) max_waiters: usize,
    pub(super) wait_timeout_ms: u64,
    pub(super) hedge: f64,
    /// Sockets take all that is written.
    pub(super) open_windows: bool,
    /// What a server sends arrives at once and whole.
    pub(super) whole_delivery: bool,
    /// Nothing goes wrong: servers answer, and do nothing else.
    pub(super) calm: bool,
    /// At the end all is given up, instead of being answered.
    pub(super) aborts: bool,
}

impl Plan {
    pub(super) fn draw(random: &mut Random) -> Self {
        let max_connections = 1 + random.below(5);
        let usual_connections = 1 + random.below(max_connections);
        let fixed_depth = !random.one_in(4);
        Self {
            sites: 1 + random.below(3),
            max_connections,
            usual_connections,
            narrow_connections: 1 + random.below(usual_connections),
            max_total: 1 + random.below(8),
            max_opening: 1 + random.below(4),
            max_depth: random.pick(&[1, 2, 3, 4, 8]),
            fixed_depth,
            max_waiters: random.pick(&[3, 10, 40]),
            wait_timeout_ms: random.pick(&[200, 2000, 10_000]),
            hedge: random.pick(&[0.0, 0.0, 0.0, 0.5]),
            open_windows: !random.one_in(3),
            whole_delivery: !random.one_in(3),
            calm: random.one_in(4),
            aborts: random.one_in(8),
        }
    }
}

/// Draws what happens next.
pub(super) fn draw(plan: &Plan, random: &mut Random) -> Happening {
    loop {
        let n = random.below(64);
        let event = match random.below(100) {
            0..22 => Happening::Submit(n, wish(random)),
            22..25 => Happening::Cancel(n),
            25..37 => Happening::Dialed(n, manner(random)),
            37..40 => Happening::Refused(n),
            40 => Happening::Exhausted(n),
            41..43 => Happening::Race(n),
            43..45 => Happening::Raced(n),
            45..52 => Happening::Accept(n, random.pick(&[1, 7, 8, 30, 1000])),
            52..62 => Happening::Answer(n, 1 + random.below(4)),
            62..64 => Happening::AnswerLast(n),
            64 => Happening::AnswerEarly(n),
            65..68 => Happening::Large(n),
            68 => Happening::Interim(n),
            69 => Happening::Unasked(n),
            70 => Happening::Garbage(n),
            71..77 => Happening::Deliver(n, random.pick(&[1, 3, 4, 1000])),
            77..79 => Happening::Close(n),
            79..81 => Happening::Reset(n),
            81..83 => Happening::Pause(n),
            83 => Happening::Desert(n),
            84..88 => Happening::Feed(n, 1 + random.below(3)),
            88 => Happening::FailSource(n),
            89 => Happening::Drop(n),
            90 => Happening::Widen(n, random.pick(&[Width::Narrow, Width::Usual, Width::Wide])),
            _ => Happening::Pass(random.pick(&[0, 1, 1, 5, 10, 20, 50, 300, 3000])),
        };
        let is_calm = matches!(
            event,
            Happening::Submit(..)
                | Happening::Dialed(..)
                | Happening::Accept(..)
                | Happening::Answer(..)
                | Happening::Large(_)
                | Happening::Interim(_)
                | Happening::Deliver(..)
                | Happening::Feed(..)
                | Happening::Pass(_)
        );
        if is_calm || !plan.calm {
            return event;
        }
    }
}

fn wish(random: &mut Random) -> Wish {
    let repeatable = !random.one_in(3);
    let pieces = random.one_in(10).then(|| 1 + random.below(3));
    Wish {
        repeatable,
        alone: !repeatable || pieces.is_some() || random.one_in(10),
        pieces,
        timeout_ms: random.pick(&[30, 1000, 5000, 60_000, 60_000]),
        bound: random.one_in(20),
    }
}

fn manner(random: &mut Random) -> Manner {
    match random.below(6) {
        0..2 => Manner::Silent,
        2..4 => Manner::AtOnce,
        _ => Manner::After(random.pick(&[1, 10, 40])),
    }
}
