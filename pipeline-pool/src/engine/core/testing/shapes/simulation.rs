//! Two cores and the bytes between them, in virtual time: a client on the one, a server on the other.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::Shape;
use super::cost::{OPENING, SERVER, WAY};
use super::figures::Figures;
use super::server::{Number, Server};

/// A client that is simulated: it has the core to itself, and does one thing after another.
pub(super) trait Client {
    /// A connection is open.
    fn handle_opened(&mut self, connection: usize, now: Duration);

    /// Replies arrive on a connection.
    fn handle_arrival(&mut self, connection: usize, replies: &[Number]);

    /// The timer of a connection rings that was set for this instant.
    fn handle_timer(&mut self, connection: usize, at: Duration);

    /// Does the next thing, and says how long it took; nothing if there is nothing to do.
    fn turn(&mut self, now: Duration, out: &mut Out) -> Option<Duration>;

    /// What its callers have got since this was last asked.
    fn take_figures(&mut self) -> Figures;
}

/// What comes of a turn of a client.
#[derive(Debug, Default)]
pub(super) struct Out {
    /// Requests that were written on a connection.
    pub(super) written: Vec<(usize, Vec<Number>)>,
    /// Timers to be set.
    pub(super) timers: Vec<(usize, Duration)>,
    /// Connections to be opened.
    pub(super) openings: Vec<usize>,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The core of a side is free again.
    ClientFree,
    ServerFree,
    /// A connection is open.
    Opened(usize),
    /// Messages arrive at a side.
    AtClient(usize, Vec<Number>),
    AtServer(usize, Vec<Number>),
    /// A timer rings that was set for this connection.
    ClientTimer(usize),
    ServerTimer(usize),
}

/// A client, a server, and the clock.
pub(super) struct Simulation<C> {
    client: C,
    server: Server,
    now: Duration,
    /// What happens later, by its instant and the order in which it was decided.
    later: BinaryHeap<Reverse<(Duration, u64, Event)>>,
    decided: u64,
    client_busy: bool,
    server_busy: bool,
    /// Connections that the server has to look at.
    ready: VecDeque<usize>,
}

impl<C: Client> Simulation<C> {
    pub(super) fn new(client: C, shape: Shape) -> Self {
        Self {
            client,
            server: Server::new(shape, SERVER),
            now: Duration::ZERO,
            later: BinaryHeap::new(),
            decided: 0,
            client_busy: false,
            server_busy: false,
            ready: VecDeque::new(),
        }
    }

    fn decide(&mut self, at: Duration, event: Event) {
        self.decided += 1;
        self.later.push(Reverse((at, self.decided, event)));
    }

    /// Runs for so long, and says what the callers got meanwhile.
    pub(super) fn run(&mut self, time: Duration) -> Figures {
        let until = self.now + time;
        loop {
            self.use_cores();
            let next = self.later.peek();
            if next.is_none_or(|Reverse((at, ..))| *at > until) {
                break;
            }
            if let Some(Reverse((at, _, event))) = self.later.pop() {
                self.now = at;
                self.happen(event);
            }
        }
        self.now = until;
        let mut figures = self.client.take_figures();
        figures.time = time;
        figures
    }

    fn use_cores(&mut self) {
        while !self.client_busy {
            let mut out = Out::default();
            let Some(took) = self.client.turn(self.now, &mut out) else {
                break;
            };
            let end = self.now + took;
            for (connection, requests) in out.written {
                self.decide(end + WAY, Event::AtServer(connection, requests));
            }
            for (connection, at) in out.timers {
                self.decide(at.max(end), Event::ClientTimer(connection));
            }
            for connection in out.openings {
                self.decide(end + OPENING, Event::Opened(connection));
            }
            if !took.is_zero() {
                self.client_busy = true;
                self.decide(end, Event::ClientFree);
            }
        }
        while !self.server_busy
            && let Some(connection) = self.ready.pop_front()
        {
            let turn = self.server.turn(connection, self.now);
            let end = self.now + turn.took;
            if !turn.answered.is_empty() {
                self.decide(end + WAY, Event::AtClient(connection, turn.answered));
            }
            if let Some(next) = turn.next {
                self.decide(next.max(end), Event::ServerTimer(connection));
            }
            if !turn.took.is_zero() {
                self.server_busy = true;
                self.decide(end, Event::ServerFree);
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::ClientFree => self.client_busy = false,
            Event::ServerFree => self.server_busy = false,
            Event::Opened(connection) => self.client.handle_opened(connection, self.now),
            Event::AtClient(connection, replies) => {
                self.client.handle_arrival(connection, &replies);
            }
            Event::AtServer(connection, requests) => {
                self.server.handle_arrival(connection, requests);
                self.wake_server(connection);
            }
            Event::ClientTimer(connection) => self.client.handle_timer(connection, self.now),
            Event::ServerTimer(connection) => self.wake_server(connection),
        }
    }

    fn wake_server(&mut self, connection: usize) {
        if !self.ready.contains(&connection) {
            self.ready.push_back(connection);
        }
    }

    pub(super) fn client(&self) -> &C {
        &self.client
    }
}
