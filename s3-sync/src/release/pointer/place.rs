//! Where the pointer is kept, and how each place is asked.

use std::sync::Arc;

use bytes::Bytes;
use s3_client::answer::Fetched;
use sdb_client::{Domain, Expected};

use super::advance::{Advance, AdvanceAction, AdvanceEvent, Outcome, WantedMove};
use super::{MAX_POINTER, Pointer};
use crate::error::{Error, Kind, Result};
use crate::release::layout::Channel;
use crate::release::sign::{SignKey, TrustKey};
use crate::release::store::{App, Created, is_missing, is_uncertain, pause};
use crate::step::Steps;

/// The attributes of an item that is a pointer.
const SEQ: &str = "seq";
const POINTER: &str = "pointer";

/// Where the pointer is kept.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Place {
    /// Beside the releases, in the bucket.
    #[default]
    Bucket,
    /// In an item of SimpleDB, which is written under the condition that it is what was read. A channel other than that of all
    /// nodes has its own item, whose name ends in `@` and the name of the channel.
    SimpleDb {
        /// The domain, which has to be there.
        domain: Domain,
        /// The name of the item.
        item: String,
    },
}

/// The pointer of a channel.
#[derive(Clone, Debug)]
pub(crate) struct Pointers {
    pub(crate) app: App,
    pub(crate) place: Place,
    pub(crate) channel: Channel,
    pub(crate) sign: Option<Arc<SignKey>>,
    pub(crate) trust: Vec<TrustKey>,
    pub(crate) steps: Steps,
}

/// What a follower was told.
#[derive(Debug)]
pub(crate) enum Polled {
    /// There is nothing new.
    Unchanged,
    /// There is no pointer.
    Missing,
    /// The pointer as it is, and its entity tag.
    Pointer(Pointer, Option<String>),
}

impl Pointers {
    /// The pointer of all nodes, in the bucket, of whomever it is.
    pub(crate) fn of(app: &App) -> Self {
        Self {
            app: app.clone(),
            place: Place::Bucket,
            channel: Channel::main(),
            sign: None,
            trust: Vec::new(),
            steps: Steps::default(),
        }
    }

    /// That nothing is published there, as an error.
    pub(crate) fn nothing(&self) -> Error {
        let about = match &self.place {
            Place::Bucket => format!("{}{}", self.app.url(), self.channel),
            Place::SimpleDb { domain, item } => {
                format!("sdb:{}/{}", domain.name(), self.channel.item(item))
            }
        };
        Error::new(Kind::Content, about, "nothing is published yet")
    }

    /// The last move, which is that one that is known or a later one.
    pub(crate) async fn last(&self, known: Option<&Pointer>) -> Result<Option<Pointer>> {
        match &self.place {
            Place::Bucket => self.last_in_bucket(known.cloned()).await,
            Place::SimpleDb { domain, item } => self.read_item(domain, item).await,
        }
    }

    async fn last_in_bucket(&self, known: Option<Pointer>) -> Result<Option<Pointer>> {
        let known = match known {
            Some(known) => Some(known),
            None => match self.get(&self.app.layout.current(&self.channel)).await {
                Ok(current) => current,
                // A copy that cannot be read is no reason to refuse the next move, which writes it anew.
                Err(error) if error.kind() == Kind::Content => None,
                Err(error) => return Err(error),
            },
        };
        let layout = &self.app.layout;
        let after = known
            .as_ref()
            .map(|known| layout.entry(&self.channel, known.seq));
        let keys = self.app.keys(layout.history(&self.channel), after).await?;
        let moves = keys
            .iter()
            .filter_map(|key| layout.seq_of(&self.channel, key));
        match moves.max() {
            Some(seq) => self.get(&layout.entry(&self.channel, seq)).await,
            None => Ok(known),
        }
    }

    /// Asks for `current`, unless it has this entity tag.
    pub(crate) async fn poll(&self, etag: Option<&str>) -> Result<Polled> {
        let Place::Bucket = &self.place else {
            return Ok(match self.last(None).await? {
                Some(pointer) => Polled::Pointer(pointer, None),
                None => Polled::Missing,
            });
        };
        let key = self.app.layout.current(&self.channel);
        let get = self.app.bucket.get(&key);
        let object = match etag {
            Some(etag) => match get.if_none_match(etag).send().await {
                Ok(Fetched::NotModified(_)) => return Ok(Polled::Unchanged),
                Ok(Fetched::Object(object)) => Ok(object),
                Err(error) => Err(error),
            },
            None => get.send().await,
        };
        let object = match object {
            Err(error) if is_missing(&error) => return Ok(Polled::Missing),
            object => object?,
        };
        let etag = object.head.etag().map(str::to_owned);
        let text = object.body.bytes(MAX_POINTER).await?;
        Ok(Polled::Pointer(self.trusted(&key, &text)?, etag))
    }

    /// Whether there is a move after this one, by a request whose answer has no body.
    pub(crate) async fn is_behind(&self, seq: u64) -> Result<bool> {
        let Place::Bucket = &self.place else {
            return Ok(false);
        };
        let next = self.app.layout.entry(&self.channel, seq.saturating_add(1));
        match self.app.bucket.head(next).send().await {
            Ok(_) => Ok(true),
            Err(error) if is_missing(&error) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Moves the pointer.
    pub(crate) async fn advance(&self, wanted: WantedMove) -> Result<Outcome> {
        let mut advance = Advance::new(wanted);
        let mut lost: Option<Error> = None;
        // Only what this call has claimed itself is signed here: anybody who writes to the bucket may have put other moves.
        let mut own: Option<Pointer> = None;
        let mut last_is_ours = true;
        let mut tries = 0;
        loop {
            let event = match advance.action() {
                AdvanceAction::Read { known } => AdvanceEvent::Last(match (&self.place, known) {
                    // There is no copy that could be older than the item.
                    (Place::SimpleDb { .. }, Some(known)) => Some(known),
                    (_, known) => {
                        let last = self.last(known.as_ref()).await?;
                        last_is_ours = last.as_ref().is_none_or(|last| self.is_own_key(last));
                        last
                    }
                }),
                AdvanceAction::Claim(mut pointer) => {
                    if !last_is_ours {
                        pointer.before = None;
                    }
                    if let Some(key) = &self.sign {
                        pointer.sign(self.app.layout.prefix(), &self.channel, key);
                    }
                    let claimed = self.claim(&pointer).await?;
                    own = Some(pointer);
                    match claimed {
                        Created::Done => AdvanceEvent::Claimed,
                        Created::Taken => AdvanceEvent::Taken,
                        Created::Lost(error) => {
                            lost = Some(error);
                            AdvanceEvent::Lost
                        }
                    }
                }
                AdvanceAction::Settle(seq) => AdvanceEvent::Move(self.settle(seq).await?),
                AdvanceAction::Announce(pointer) => {
                    let is_it = |own: &&Pointer| own.seq == pointer.seq && own.by == pointer.by;
                    let copy = own.as_ref().filter(is_it).unwrap_or(&pointer);
                    match self.announce(copy).await {
                        Ok(()) => AdvanceEvent::Announced,
                        Err(error) if error.store().is_some_and(is_uncertain) => AdvanceEvent::Lost,
                        Err(error) => return Err(error),
                    }
                }
                AdvanceAction::Done(Outcome::Unknown) => {
                    let about = self.channel.to_string();
                    let unknown =
                        || Error::new(Kind::Content, about, "it is not known whether it was moved");
                    return Err(lost.unwrap_or_else(unknown));
                }
                AdvanceAction::Done(outcome) => return Ok(outcome),
            };
            if event == AdvanceEvent::Lost {
                tokio::time::sleep(pause(tries)).await;
                tries += 1;
            }
            advance.handle(event);
        }
    }

    /// Whether the key that signs here has signed this pointer; true where nothing is signed.
    pub(crate) fn is_own_key(&self, pointer: &Pointer) -> bool {
        let key: Vec<TrustKey> = self.sign.iter().map(|key| key.public()).collect();
        pointer.is_trusted(self.app.layout.prefix(), &self.channel, &key)
    }

    /// Whether `current` is the copy of this move, which is the last one.
    pub(crate) async fn is_announced(&self, last: &Pointer) -> Result<bool> {
        if let Place::SimpleDb { .. } = &self.place {
            return Ok(true);
        }
        let key = self.app.layout.current(&self.channel);
        match self.app.read(&key, MAX_POINTER).await {
            Ok(text) => Ok(text.is_some_and(|text| text == last.encode().as_bytes())),
            Err(error) if error.kind() == Kind::Content => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn claim(&self, pointer: &Pointer) -> Result<Created> {
        let text = pointer.encode();
        let Place::SimpleDb { domain, item } = &self.place else {
            let key = self.app.layout.entry(&self.channel, pointer.seq);
            self.steps.tell("claim", &key);
            return self.app.create(&key, text).await;
        };
        self.steps.tell("put", item);
        let was = match pointer.seq {
            1 => Expected::absent(SEQ),
            seq => Expected::equals(SEQ, (seq - 1).to_string()),
        };
        let put = domain
            .put(self.channel.item(item))
            .replace(SEQ, pointer.seq.to_string());
        let put = put.replace(POINTER, text).expect(was);
        crate::release::store::created(put.send().await.map(drop))
    }

    /// The move of this number. Of an item that has gone on, the later move.
    async fn settle(&self, seq: u64) -> Result<Option<Pointer>> {
        match &self.place {
            Place::Bucket => self.get(&self.app.layout.entry(&self.channel, seq)).await,
            Place::SimpleDb { domain, item } => {
                let last = self.read_item(domain, item).await?;
                Ok(last.filter(|last| last.seq >= seq))
            }
        }
    }

    /// Writes `current`: the copy has the signature that the move has, and gets none here.
    async fn announce(&self, pointer: &Pointer) -> Result<()> {
        if let Place::SimpleDb { .. } = &self.place {
            return Ok(());
        }
        let key = self.app.layout.current(&self.channel);
        self.steps.tell("put", &key);
        self.app.put(&key, pointer.encode()).await
    }

    async fn get(&self, key: &str) -> Result<Option<Pointer>> {
        let text = self.app.read(key, MAX_POINTER).await?;
        text.map(|text| self.trusted(key, &text)).transpose()
    }

    async fn read_item(&self, domain: &Domain, item: &str) -> Result<Option<Pointer>> {
        let name = self.channel.item(item);
        let read = domain.get(&name).consistent(true).send().await?.item;
        let text = read
            .first(POINTER)
            .map(|text| Bytes::copy_from_slice(text.as_bytes()));
        text.map(|text| self.trusted(&name, &text)).transpose()
    }

    fn trusted(&self, key: &str, text: &[u8]) -> Result<Pointer> {
        let pointer = Pointer::decode(key, text)?;
        match pointer.is_trusted(self.app.layout.prefix(), &self.channel, &self.trust) {
            true => Ok(pointer),
            false => {
                let what = "it is not signed by a key that is trusted here";
                Err(Error::new(Kind::Content, key, what))
            }
        }
    }
}
