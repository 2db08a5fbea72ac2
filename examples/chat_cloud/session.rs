//! One person's stream: how it begins, and what comes over it.
//!
//! A task of its own reads. It answers what a client has to answer by itself (a request to see somebody's presence, what
//! this client can do, how much it has received) and notes everything else in [`Known`], where whoever waits for it finds
//! it. Messages of a chat go to the [`Ledger`](crate::ledger::Ledger).
//!
//! ```text
//!  connect ── stream ── SASL PLAIN ── stream ── bind ── stream management ──► Session
//!                                                       reader ──► Known, Ledger
//!                                                       writer ◄── send
//! ```

use std::collections::{HashMap, HashSet};
use std::io::{self, Error};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use aws_core::xml::Element;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio::io::AsyncWriteExt as _;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

use crate::ledger::Ledger;
use crate::wire::{self, Wire};
use crate::xml::escape;

/// The domain that ejabberd serves.
pub(crate) const HOST: &str = "localhost";
/// What people publish of themselves, and want to be told of others.
pub(crate) const MOOD: &str = "urn:x:mood";
/// How long anything may take, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(60);

const SM: &str = "urn:xmpp:sm:3";
const CAPS: &str = "http://jabber.org/protocol/caps";
/// Where this program tells that it is. The hash is none that a server checks: it is of one program alone.
const CAPS_NODE: &str = "urn:x:chat_cloud";
const CAPS_VERSION: &str = "1";

/// What a session has heard so far.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// Who of others is there, by bare JID.
    pub(crate) present: HashSet<String>,
    /// What each has published last, by bare JID.
    pub(crate) moods: HashMap<String, String>,
    /// Whom this person has asked to be told of, by bare JID.
    asked: HashSet<String>,
    /// Rooms that this person is in.
    pub(crate) rooms: HashSet<String>,
    /// What was said in rooms: the ids of messages.
    pub(crate) said: HashSet<String>,
    /// Answers that nobody has taken yet, by id.
    answers: HashMap<String, Element>,
    /// Why there is no more to come.
    ended: Option<String>,
}

/// A stream that is open; cheap to clone.
#[derive(Clone)]
pub(crate) struct Session {
    person: Arc<str>,
    known: Arc<watch::Sender<Known>>,
    out: mpsc::UnboundedSender<Out>,
    next: Arc<AtomicU64>,
}

/// What goes out.
enum Out {
    /// A stanza.
    Stanza(String),
    /// A message of a chat, which the server has to say that it has.
    Chat(String, u64),
    /// What counts for no stanza.
    Other(String),
}

impl Session {
    /// Logs a person in, and makes him present.
    pub(crate) async fn open(
        address: &str,
        person: &str,
        ledger: &Arc<Ledger>,
    ) -> io::Result<Self> {
        timeout(PATIENCE, Self::begin(address, person, ledger))
            .await
            .map_err(|_| Error::other(format!("{person} is not logged in after {PATIENCE:?}")))?
    }

    async fn begin(address: &str, person: &str, ledger: &Arc<Ledger>) -> io::Result<Self> {
        let mut wire = Wire::connect(address).await?;
        wire.begin().await?;
        let secret = BASE64_STANDARD.encode(format!("\0{person}\0{}", password(person)));
        wire.send(&format!(
            "<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{secret}</auth>"
        ))
        .await?;
        wire.expect("success").await?;
        wire.begin().await?;
        wire.send("<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>r</resource></bind></iq>")
            .await?;
        wire.expect("iq").await?;
        wire.send(&format!("<enable xmlns='{SM}'/>")).await?;
        wire.expect("enabled").await?;

        let (out, written) = mpsc::unbounded_channel();
        let session = Self {
            person: person.into(),
            known: Arc::new(watch::channel(Known::default()).0),
            out,
            next: Arc::default(),
        };
        let acknowledged = Acknowledged::default();
        tokio::spawn(write(wire.writer, written, acknowledged.clone()));
        let reading = Reading {
            reader: wire.reader,
            bytes: wire.bytes,
            session: session.clone(),
            ledger: Arc::clone(ledger),
            acknowledged,
            received: 0,
        };
        tokio::spawn(reading.run());
        session
            .ask("get", None, "<query xmlns='jabber:iq:roster'/>")
            .await?;
        session.appear().await?;
        Ok(session)
    }

    /// Says that this person is there, with what his client wants to be told.
    pub(crate) async fn appear(&self) -> io::Result<()> {
        let caps =
            format!("<c xmlns='{CAPS}' hash='none' node='{CAPS_NODE}' ver='{CAPS_VERSION}'/>");
        let own = jid(&self.person);
        self.known.send_modify(|known| {
            known.present.remove(&own);
        });
        self.send(format!("<presence>{caps}</presence>"));
        self.until(|known| known.present.contains(&own)).await
    }

    /// Asks somebody, by his bare JID, to be told of his presence; once.
    pub(crate) fn subscribe(&self, to: &str) {
        let mut is_new = false;
        self.known.send_if_modified(|known| {
            is_new = known.asked.insert(to.to_owned());
            false
        });
        if is_new {
            self.send(format!("<presence to='{}' type='subscribe'/>", escape(to)));
        }
    }

    /// Sends a stanza.
    pub(crate) fn send(&self, stanza: String) {
        // A stream that has ended says so to whoever waits for what follows.
        let _ = self.out.send(Out::Stanza(stanza));
    }

    /// Sends a message of a chat, which the ledger knows.
    pub(crate) fn chat(&self, to: &str, id: u64) {
        let to = escape(&jid(to));
        let text =
            format!("<message to='{to}' type='chat' id='{id}'><body>number {id}</body></message>");
        let _ = self.out.send(Out::Chat(text, id));
    }

    /// Asks, and gives the answer.
    pub(crate) async fn ask(
        &self,
        kind: &str,
        to: Option<&str>,
        content: &str,
    ) -> io::Result<Element> {
        let id = format!("q{}", self.next.fetch_add(1, Ordering::Relaxed));
        let to = to.map_or(String::new(), |to| format!(" to='{}'", escape(to)));
        self.send(format!("<iq type='{kind}' id='{id}'{to}>{content}</iq>"));
        self.until(|known| known.answers.contains_key(&id)).await?;
        let mut answer = None;
        self.known
            .send_modify(|known| answer = known.answers.remove(&id));
        match answer {
            Some(answer) if answer.attribute("type") == Some("result") => Ok(answer),
            answer => Err(Error::other(format!(
                "{}: {content} is refused: {answer:?}",
                self.person
            ))),
        }
    }

    /// Waits until something is known.
    pub(crate) async fn until(&self, holds: impl Fn(&Known) -> bool) -> io::Result<()> {
        let mut known = self.known.subscribe();
        let waiting = known.wait_for(|known| holds(known) || known.ended.is_some());
        let found = timeout(PATIENCE, waiting).await;
        let found = found.map_err(|_| Error::other(format!("{} waits in vain", self.person)))?;
        let found = found.map_err(|_| Error::other("there is no reader"))?;
        match &found.ended {
            Some(why) if !holds(&found) => Err(Error::other(format!("{}: {why}", self.person))),
            _ => Ok(()),
        }
    }

    /// Whether the stream has not ended.
    pub(crate) fn is_open(&self) -> bool {
        self.known.borrow().ended.is_none()
    }

    /// Waits for the end of the stream.
    pub(crate) async fn ended(&self) {
        let mut known = self.known.subscribe();
        // Its sender is here: there is no other end.
        let _ = known.wait_for(|known| known.ended.is_some()).await;
    }

    /// Ends the stream, and waits until the server has done so, too.
    pub(crate) async fn close(&self) {
        let _ = self.out.send(Out::Other("</stream:stream>".to_owned()));
        // That it ends is all there is to say.
        let _ = self.until(|_| false).await;
    }
}

/// The bare JID of a person.
pub(crate) fn jid(person: &str) -> String {
    format!("{person}@{HOST}")
}

/// What a person logs in with.
pub(crate) fn password(person: &str) -> String {
    format!("secret of {person}")
}

/// Messages that were sent and that the server has not acknowledged yet: each with how many stanzas were sent up to it.
#[derive(Clone, Default)]
struct Acknowledged(Arc<std::sync::Mutex<Vec<(u32, u64)>>>);

impl Acknowledged {
    fn sent(&self, count: u32, id: u64) {
        let mut waiting = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        waiting.push((count, id));
    }

    /// Which messages the server has, now that it has so many stanzas.
    fn up_to(&self, count: u32) -> Vec<u64> {
        let mut waiting = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let done = waiting.extract_if(.., |(sent, _)| *sent <= count);
        done.map(|(_, id)| id).collect()
    }
}

async fn write(
    mut writer: OwnedWriteHalf,
    mut all: mpsc::UnboundedReceiver<Out>,
    acknowledged: Acknowledged,
) {
    let count = AtomicU32::new(0);
    while let Some(out) = all.recv().await {
        let text = match out {
            Out::Stanza(text) => {
                count.fetch_add(1, Ordering::Relaxed);
                text
            }
            Out::Chat(text, id) => {
                let sent = count.fetch_add(1, Ordering::Relaxed) + 1;
                acknowledged.sent(sent, id);
                format!("{text}<r xmlns='{SM}'/>")
            }
            Out::Other(text) => text,
        };
        if writer.write_all(text.as_bytes()).await.is_err() {
            // The reader finds out by itself.
            return;
        }
    }
}

/// What reads a session.
struct Reading {
    reader: OwnedReadHalf,
    bytes: Vec<u8>,
    session: Session,
    ledger: Arc<Ledger>,
    acknowledged: Acknowledged,
    received: u32,
}

impl Reading {
    async fn run(mut self) {
        let why = loop {
            match wire::next(&mut self.reader, &mut self.bytes).await {
                Ok(Some(element)) => self.heard(element),
                Ok(None) => break "the stream has ended".to_owned(),
                Err(error) => break error.to_string(),
            }
        };
        self.session
            .known
            .send_modify(|known| known.ended = Some(why));
    }

    fn heard(&mut self, element: Element) {
        let from = element.attribute("from").unwrap_or_default().to_owned();
        let bare = from.split('/').next().unwrap_or_default().to_owned();
        let kind = element.attribute("type").unwrap_or_default().to_owned();
        match element.name() {
            "a" => {
                let count = element.attribute("h").and_then(|count| count.parse().ok());
                for id in self.acknowledged.up_to(count.unwrap_or(0)) {
                    self.ledger.acknowledged(id);
                }
                return;
            }
            "r" => {
                let text = format!("<a xmlns='{SM}' h='{}'/>", self.received);
                let _ = self.session.out.send(Out::Other(text));
                return;
            }
            "presence" => self.presence(&element, &bare, &kind),
            "message" => self.message(&element, bare, &kind),
            "iq" if kind == "get" => self.asked(&element, &from),
            "iq" => {
                let id = element.attribute("id").unwrap_or_default().to_owned();
                if kind != "set" {
                    self.session.known.send_modify(|known| {
                        known.answers.insert(id, element);
                    });
                }
            }
            _ => return,
        }
        self.received += 1;
    }

    fn presence(&self, element: &Element, bare: &str, kind: &str) {
        match kind {
            "subscribe" => {
                // Each sees the other: who is asked asks back.
                let to = escape(bare);
                self.session
                    .send(format!("<presence to='{to}' type='subscribed'/>"));
                self.session.subscribe(bare);
            }
            "" => {
                let statuses = element
                    .child("x")
                    .map(Element::children)
                    .unwrap_or_default();
                let is_own = statuses
                    .iter()
                    .any(|status| status.attribute("code") == Some("110"));
                self.session.known.send_modify(|known| {
                    known.present.insert(bare.to_owned());
                    if is_own {
                        known.rooms.insert(bare.to_owned());
                    }
                });
            }
            "unavailable" => self.session.known.send_modify(|known| {
                known.present.remove(bare);
                known.rooms.remove(bare);
            }),
            _ => {}
        }
    }

    fn message(&self, element: &Element, bare: String, kind: &str) {
        let id = element.attribute("id").unwrap_or_default();
        if let Some(items) = element
            .child("event")
            .and_then(|event| event.child("items"))
        {
            let text = items
                .child("item")
                .and_then(|item| item.child("mood"))
                .map(Element::text);
            if let Some(text) = text {
                let text = text.to_owned();
                self.session.known.send_modify(|known| {
                    known.moods.insert(bare, text);
                });
            }
        } else if kind == "groupchat" {
            let id = id.to_owned();
            self.session.known.send_modify(|known| {
                known.said.insert(id);
            });
        } else if let Ok(id) = id.parse() {
            match kind {
                "error" => self.ledger.refused(id),
                _ => self.ledger.received(id, &self.session.person),
            }
        }
    }

    /// What somebody asks this client: what it can do.
    fn asked(&self, element: &Element, from: &str) {
        let id = escape(element.attribute("id").unwrap_or_default());
        let node = element
            .child("query")
            .and_then(|query| query.attribute("node"));
        let node = node.map_or(String::new(), |node| format!(" node='{}'", escape(node)));
        let feature = |name: &str| format!("<feature var='{name}'/>");
        let features = [
            CAPS,
            "http://jabber.org/protocol/disco#info",
            &format!("{MOOD}+notify"),
        ]
        .map(feature);
        self.session.send(format!(
            "<iq type='result' id='{id}' to='{}'><query xmlns='http://jabber.org/protocol/disco#info'{node}>\
             <identity category='client' type='pc' name='chat_cloud'/>{}</query></iq>",
            escape(from),
            features.concat()
        ));
    }
}
