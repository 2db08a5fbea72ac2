//! What the people do, one action after another, and what each took.
//!
//! All people do the same action, many of them at the same time, and the next begins when nothing is left to be done of the
//! one before. So what reaches the stores meanwhile belongs to that action, and divided by how often it was done it is what
//! one takes.

use std::collections::HashSet;
use std::io::{self, Error};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::Args;
use crate::crowd::Crowd;
use crate::meter::{Meter, Usage};
use crate::nodes::{Nodes, post};
use crate::session::{HOST, MOOD, password};

/// How many people share a room.
const ROOM: usize = 10;
/// How many messages each gets who is away.
const AWAY: usize = 3;
/// Of those who went away, each so many-th does not come back.
const STAYS_AWAY: usize = 5;
/// For how long nothing has to arrive until what has not is taken for lost on its way.
const SETTLED: Duration = Duration::from_secs(3);
/// For how long nothing has to arrive until what has not is lost.
const ARRIVED: Duration = Duration::from_secs(20);
/// How often what was lost on its way is sent again.
const ROUNDS: usize = 3;

/// One action, done many times.
pub(crate) struct Row {
    pub(crate) action: &'static str,
    pub(crate) times: Vec<Duration>,
    pub(crate) usage: Usage,
}

/// What became of all messages.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) sent: usize,
    pub(crate) received: usize,
    pub(crate) twice: usize,
    pub(crate) astray: usize,
    /// Messages that wait in the store for those who stayed away.
    pub(crate) stored: usize,
    /// Sent again since the stream had ended before the server acknowledged them.
    pub(crate) unacknowledged: usize,
    /// Sent again since the node that had them, or that they were on their way to, was killed.
    pub(crate) with_node: usize,
    pub(crate) lost: usize,
}

/// A run.
pub(crate) struct Story<'a> {
    pub(crate) args: &'a Args,
    pub(crate) crowd: Crowd,
    pub(crate) meter: &'a Meter,
    pub(crate) rows: Vec<Row>,
    pub(crate) account: Account,
}

impl Story<'_> {
    /// Everything.
    pub(crate) async fn run(&mut self, nodes: &mut Nodes) -> io::Result<()> {
        self.arrive().await?;
        self.meet_in_rooms().await?;
        self.publish().await?;
        self.chat().await?;
        if self.args.nodes > 1 {
            self.lose_a_node(nodes).await?;
        }
        self.go_away().await?;
        self.balance().await
    }

    fn everybody(&self) -> Vec<usize> {
        (0..self.args.people).collect()
    }

    /// They register, log in, and become friends.
    async fn arrive(&mut self) -> io::Result<()> {
        let all = self.everybody();
        self.step("register", all.clone(), async |crowd, person| {
            let name = crowd.name(person);
            let account = json!({ "user": name, "host": HOST, "password": password(name) });
            post(&crowd.address(person)?, "register", &account)
                .await
                .map(drop)
        })
        .await?;
        self.step(
            "log in for the first time",
            all.clone(),
            async |crowd, person| crowd.log_in(person).await.map(drop),
        )
        .await?;
        let pairs = all
            .iter()
            .flat_map(|person| self.crowd.next(*person).map(|friend| (*person, friend)));
        let pairs = pairs.collect::<Vec<_>>();
        self.step("become friends", pairs, async |crowd, (one, other)| {
            let (session, friend) = (crowd.session(one)?, crowd.session(other)?);
            let (mine, his) = (crowd.jid(one), crowd.jid(other));
            session.subscribe(&his);
            session.until(|known| known.present.contains(&his)).await?;
            friend.until(|known| known.present.contains(&mine)).await
        })
        .await?;
        self.step(
            "change one's presence",
            all.clone(),
            async |crowd, person| crowd.session(person)?.appear().await,
        )
        .await?;
        self.step("set one's vCard", all.clone(), async |crowd, person| {
            let card = format!(
                "<vCard xmlns='vcard-temp'><FN>{}</FN></vCard>",
                crowd.name(person)
            );
            crowd
                .session(person)?
                .ask("set", None, &card)
                .await
                .map(drop)
        })
        .await?;
        self.step("read a friend's vCard", all, async |crowd, person| {
            for friend in crowd.next(person).take(1) {
                let friend = crowd.jid(friend);
                crowd
                    .session(person)?
                    .ask("get", Some(&friend), "<vCard xmlns='vcard-temp'/>")
                    .await?;
            }
            Ok(())
        })
        .await
    }

    async fn meet_in_rooms(&mut self) -> io::Result<()> {
        let room = |person: usize| format!("room{}@conference.{HOST}", person / ROOM);
        let join = async |crowd: &Crowd, person: usize| {
            let (session, room) = (crowd.session(person)?, room(person));
            session.send(format!(
                "<presence to='{room}/{}'><x xmlns='http://jabber.org/protocol/muc'><history maxstanzas='0'/></x></presence>",
                crowd.name(person)
            ));
            session.until(|known| known.rooms.contains(&room)).await
        };
        let (first, others) = self
            .everybody()
            .into_iter()
            .partition(|person| person % ROOM == 0);
        self.step("make a room", first, join).await?;
        self.step("join a room", others, join).await?;
        self.step(
            "say something in a room",
            self.everybody(),
            async |crowd, person| {
                let session = crowd.session(person)?;
                let id = format!("said by {person}");
                session.send(format!(
                    "<message to='{}' type='groupchat' id='{id}'><body>hello</body></message>",
                    room(person)
                ));
                session.until(|known| known.said.contains(&id)).await
            },
        )
        .await?;
        self.step("leave a room", self.everybody(), async |crowd, person| {
            let (session, room) = (crowd.session(person)?, room(person));
            session.send(format!(
                "<presence to='{room}/{}' type='unavailable'/>",
                crowd.name(person)
            ));
            session.until(|known| !known.rooms.contains(&room)).await
        })
        .await
    }

    async fn publish(&mut self) -> io::Result<()> {
        for (action, mood) in [
            ("publish for the first time", "glad"),
            ("publish again", "calm"),
        ] {
            self.step(action, self.everybody(), async |crowd, person| {
                let item = format!(
                    "<pubsub xmlns='http://jabber.org/protocol/pubsub'><publish node='{MOOD}'><item id='current'>\
                     <mood xmlns='{MOOD}'>{mood}</mood></item></publish></pubsub>"
                );
                crowd.session(person)?.ask("set", None, &item).await?;
                let own = crowd.jid(person);
                for friend in crowd.friends(person) {
                    let told = crowd.session(friend)?;
                    told.until(|known| known.moods.get(&own).is_some_and(|text| text == mood)).await?;
                }
                Ok(())
            })
            .await?;
        }
        Ok(())
    }

    /// Who writes what to whom: each of his messages to another friend in turn.
    fn messages(&self) -> Vec<(usize, usize)> {
        let mut all = Vec::new();
        for round in 0..self.args.messages {
            for person in 0..self.args.people {
                let friends: Vec<usize> = self.crowd.friends(person).collect();
                if let Some(friend) = friends.get(round % friends.len().max(1)) {
                    all.push((person, *friend));
                }
            }
        }
        all
    }

    async fn chat(&mut self) -> io::Result<()> {
        let first = self.crowd.ledger.len();
        self.step(
            "write to a friend",
            self.messages(),
            async |crowd, (from, to)| crowd.write(from, to).await,
        )
        .await?;
        self.arrived(first);
        Ok(())
    }

    /// What counts for a message is when it arrived, and not when the server had it.
    fn arrived(&mut self, first: u64) {
        if let Some(row) = self.rows.last_mut() {
            row.times = self.crowd.ledger.times(first);
        }
    }

    /// They go on to write while the last node is killed: its people come back on another one, and what has not arrived is
    /// sent again.
    async fn lose_a_node(&mut self, nodes: &mut Nodes) -> io::Result<()> {
        let first = self.crowd.ledger.len();
        let messages = self.messages();
        let half = messages.len() / 2;
        let (before, after) = messages.split_at(half);
        let everybody = self.everybody();
        let last = self.args.nodes - 1;
        let killed = std::cell::Cell::new(false);
        let nodes = std::cell::RefCell::new(nodes);
        // The first message of the second half finds the node alive, and the last ones of the first half are under way.
        let all = before.iter().chain(after).copied().enumerate().collect();
        self.step(
            "write while a node is killed",
            all,
            async |crowd, (number, (from, to))| {
                if number >= half && !killed.replace(true) {
                    let mut nodes = nodes.borrow_mut();
                    nodes.kill(last)?;
                    crowd.set_addresses(nodes.addresses());
                }
                crowd.write(from, to).await
            },
        )
        .await?;
        for person in everybody {
            self.crowd.back(person).await?;
        }
        let everybody = (0..self.args.people)
            .map(|person| self.crowd.name(person).to_owned())
            .collect();
        for _ in 0..ROUNDS {
            self.crowd.ledger.settle(&everybody, SETTLED).await;
            for missing in self.crowd.ledger.missing() {
                self.account.with_node += 1;
                self.crowd.write_again(missing.from, missing.id).await?;
            }
        }
        self.crowd.ledger.settle(&everybody, SETTLED).await;
        self.arrived(first);
        Ok(())
    }

    /// Each other one leaves, is written to, and comes back; a few stay away.
    async fn go_away(&mut self) -> io::Result<()> {
        let leaving: Vec<usize> = (0..self.args.people).step_by(2).collect();
        self.step("log out", leaving.clone(), async |crowd, person| {
            crowd.log_out(person).await
        })
        .await?;
        let writers = leaving.iter().filter_map(|away| {
            let writer = self.crowd.next(*away).find(|friend| friend % 2 == 1);
            writer.map(|writer| (writer, *away))
        });
        let letters = writers.flat_map(|pair| [pair; AWAY]).collect();
        self.step(
            "write to somebody away",
            letters,
            async |crowd, (from, to)| crowd.write(from, to).await,
        )
        .await?;
        let back = leaving
            .iter()
            .copied()
            .filter(|person| !stays_away(*person))
            .collect();
        self.step("log in with 3 messages", back, async |crowd, person| {
            crowd.log_in(person).await?;
            let own = HashSet::from([crowd.name(person).to_owned()]);
            crowd.ledger.settle(&own, SETTLED).await;
            Ok(())
        })
        .await
    }

    /// Finds each message, with its receiver or in the store.
    async fn balance(&mut self) -> io::Result<()> {
        let present = (0..self.args.people).filter(|person| !stays_away(*person));
        let present = present
            .map(|person| self.crowd.name(person).to_owned())
            .collect();
        self.crowd.ledger.settle(&present, ARRIVED).await;
        let missing = self.crowd.ledger.missing();
        let mut lost = missing.len();
        for person in (0..self.args.people).filter(|person| stays_away(*person)) {
            let name = self.crowd.name(person);
            let waiting = missing.iter().filter(|missing| missing.to == name).count();
            let asked = json!({ "user": name, "host": HOST });
            let answer = post(&self.crowd.address(person)?, "get_offline_count", &asked).await?;
            let count = answer["value"].as_u64().or_else(|| answer.as_u64());
            let count =
                count.ok_or_else(|| Error::other(format!("no count of messages: {answer}")))?;
            let found = waiting.min(usize::try_from(count).unwrap_or(usize::MAX));
            self.account.stored += found;
            lost -= found;
        }
        let totals = self.crowd.ledger.totals();
        self.account = Account {
            sent: totals.sent,
            received: totals.received,
            twice: totals.twice,
            astray: totals.astray,
            unacknowledged: self.crowd.unacknowledged.load(Ordering::Relaxed),
            lost,
            ..std::mem::take(&mut self.account)
        };
        Ok(())
    }

    /// Has an action done with each of these things, and notes what it took.
    async fn step<T>(
        &mut self,
        action: &'static str,
        things: Vec<T>,
        work: impl AsyncFn(&Crowd, T) -> io::Result<()>,
    ) -> io::Result<()> {
        let bar = bar(action, things.len() as u64);
        let before = self.meter.read().await?;
        let (crowd, work) = (&self.crowd, &work);
        let mut running = stream::iter(things)
            .map(|thing| async move {
                let begun = Instant::now();
                work(crowd, thing).await.map(|()| begun.elapsed())
            })
            .buffer_unordered(self.args.at_once);
        let mut times = Vec::new();
        while let Some(took) = running.next().await {
            times.push(took.map_err(|error| Error::other(format!("{action}: {error}")))?);
            bar.inc(1);
        }
        drop(running);
        self.meter.quiet().await;
        bar.finish_and_clear();
        self.rows.push(Row {
            action,
            times,
            usage: self.meter.read().await?.since(&before),
        });
        Ok(())
    }
}

fn stays_away(person: usize) -> bool {
    person.is_multiple_of(2 * STAYS_AWAY)
}

fn bar(action: &str, total: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:34} {bar:40} {human_pos} of {human_len}");
    let bar = ProgressBar::new(total);
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_message(action.to_owned());
    bar
}
