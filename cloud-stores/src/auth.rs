//! Who may log in, and by what: [`Stores::auth`].
//!
//! One item a person in the domain `users.NN`, with all attributes at each put (`-` for what there is not), so that nothing
//! is left of an earlier kind of secret. Registration is one put on the condition that there is no item: of many at the
//! same time one wins, and its secret is the one that is stored.

use std::fmt;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use sdb_client::query::{Filter, Query, attr};
use sdb_client::{Domain, Item, PutItem};

use crate::error::{Error, Kind, Result};
use crate::jid::BareJid;
use crate::layout::{DomainKind, item_name};
use crate::names::{escape, escape_prefix};
use crate::stores::{Freshness, Stores, VERSION, check_item, long, replace_long};
use crate::version::Version;

/// The localpart and the host, escaped: what selects compare.
const USER: &str = "u";
const HOST: &str = "h";
/// The localpart as it is.
const NAME: &str = "n";
const PLAIN: &str = "p";
const HASH: &str = "hash";
const STORED_KEY: &str = "sk";
const SERVER_KEY: &str = "ek";
const SALT: &str = "salt";
const ITERATIONS: &str = "it";

/// The value of an attribute that the person does not have; what there is begins with a dot.
const NONE: &str = "-";

/// Items on one page of a selection, at most.
const PAGE: usize = 2500;

/// How many shards are asked at the same time.
const PARALLEL: usize = 16;

/// What a person's password is checked by.
///
/// `Debug` shows which kind it is, and nothing of it.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Secret {
    /// The keys of [SCRAM](https://www.rfc-editor.org/rfc/rfc5802): the password cannot be found from them.
    Scram(ScramKeys),
    /// The password itself, up to 1,023 bytes, for mechanisms that need it. Whoever reads the domain reads it.
    Plain(String),
}

/// What a server keeps of a password for [SCRAM](https://www.rfc-editor.org/rfc/rfc5802#section-3). The keys and the salt
/// are texts as the server writes them, up to 1,023 bytes each, usually Base64.
///
/// `Debug` shows the hash and the number of iterations only.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramKeys {
    /// The hash function, as the server calls it: `sha`, `sha256`.
    pub hash: String,
    /// The StoredKey.
    pub stored_key: String,
    /// The ServerKey.
    pub server_key: String,
    /// The salt.
    pub salt: String,
    /// The iteration count.
    pub iterations: u32,
}

/// Which of the people of a host [`Auth::list`] is to give.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What the localparts begin with; all are given where it is empty.
    pub prefix: String,
    /// How many of them are left out first.
    pub offset: usize,
    /// How many there are at most; all without it.
    pub limit: Option<usize>,
}

/// Who may log in; made by [`Stores::auth`].
#[derive(Clone, Debug)]
pub struct Auth(Stores);

impl Stores {
    /// Who may log in, and by what.
    pub fn auth(&self) -> Auth {
        Auth(self.clone())
    }
}

impl Auth {
    /// Registers a person. One request.
    ///
    /// # Errors
    /// [`Kind::Exists`] if there is one of this name; a registration of this very call is not taken for one.
    pub async fn register(&self, jid: &BareJid, secret: &Secret) -> Result<()> {
        self.act(jid, async {
            let put = put(jid, secret)?;
            let written = self.0.put_item_if(&self.domain(jid), put, None).await;
            written.map(drop).map_err(|error| match error.kind() {
                Kind::Conflict => Error::new(Kind::Exists, "somebody has registered it before"),
                _ => error,
            })
        })
        .await
    }

    /// Sets the secret of a person, registered or not. One request.
    ///
    /// # Errors
    /// As the services fail; [`Kind::TooLarge`] for what is over the limits of [`Secret`].
    pub async fn set(&self, jid: &BareJid, secret: &Secret) -> Result<()> {
        self.act(jid, async {
            // Nothing was read, so nothing is known of the writes before.
            let put = put(jid, secret)?.replace(VERSION, Version::unconditional().to_string());
            self.0.put_item(&self.domain(jid), put).await
        })
        .await
    }

    /// The secret of a person, or nothing if nobody of this name is registered. One request.
    ///
    /// # Errors
    /// As the services fail: an outage is an error, and no missing person.
    pub async fn get(&self, jid: &BareJid) -> Result<Option<Secret>> {
        self.act(jid, async {
            let (domain, name) = (self.domain(jid), name(jid));
            let item = self.0.get_item(&domain, &name, Freshness::AsSet).await?;
            item.as_ref().map(secret).transpose()
        })
        .await
    }

    /// Removes a person; one that is not there is no error. One request.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn remove(&self, jid: &BareJid) -> Result<()> {
        self.act(jid, self.0.delete_item(&self.domain(jid), &name(jid)))
            .await
    }

    /// The localparts of the people of a host, in the order of their escaped forms, which for letters and digits is
    /// theirs. One request a shard for each 2,500 people that it has of them, or fewer with a limit.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn list(&self, host: &str, selection: &Selection) -> Result<Vec<String>> {
        let action = self.0.action("people", host, async {
            let most = selection
                .limit
                .map(|limit| limit.saturating_add(selection.offset));
            if most == Some(0) || selection.limit == Some(0) {
                return Ok(Vec::new());
            }
            let shards = self.0.domains(DomainKind::Users).into_iter();
            let found =
                stream::iter(shards).map(|domain| self.of_shard(domain, host, selection, most));
            let found: Vec<Vec<(String, String)>> =
                found.buffer_unordered(PARALLEL).try_collect().await?;
            let mut people: Vec<(String, String)> = found.into_iter().flatten().collect();
            people.sort_unstable();
            let people = people
                .into_iter()
                .map(|(_, name)| name)
                .skip(selection.offset);
            Ok(people.take(selection.limit.unwrap_or(usize::MAX)).collect())
        });
        action.await
    }

    /// How many people of a host there are whose localparts begin with this. One request a shard, or more where SimpleDB
    /// takes longer than five seconds to count.
    ///
    /// # Errors
    /// As the services fail.
    pub async fn count(&self, host: &str, prefix: &str) -> Result<usize> {
        let (_, is_exact) = escape_prefix(prefix);
        if !is_exact {
            // The domain cannot tell whether what was cut off fits.
            let prefix = prefix.to_owned();
            let selection = Selection {
                prefix,
                ..Selection::default()
            };
            return Ok(self.list(host, &selection).await?.len());
        }
        let action = self.0.action("people", host, async {
            let shards = self.0.domains(DomainKind::Users).into_iter();
            let counts = stream::iter(shards).map(|domain| async move {
                let query = Query::count(domain.name()).filter(of_host(host, prefix));
                let count = self
                    .0
                    .selection(query, Freshness::AsSet)
                    .count()
                    .await?
                    .count;
                Ok::<u64, Error>(count)
            });
            let counts: Vec<u64> = counts.buffer_unordered(PARALLEL).try_collect().await?;
            Ok(usize::try_from(counts.iter().sum::<u64>()).unwrap_or(usize::MAX))
        });
        action.await
    }

    /// The escaped and the true localparts of one shard, in order.
    async fn of_shard(
        &self,
        domain: Domain,
        host: &str,
        selection: &Selection,
        most: Option<usize>,
    ) -> Result<Vec<(String, String)>> {
        let most = most.unwrap_or(usize::MAX);
        let query = Query::attributes(domain.name(), [USER, NAME]);
        let query = query
            .filter(of_host(host, &selection.prefix))
            .order_by(attr(USER));
        // A page has 1 to 2,500 items.
        let page = u32::try_from(most.clamp(1, PAGE)).unwrap_or(u32::MAX);
        let mut items = self
            .0
            .selection(query.limit(page), Freshness::AsSet)
            .items();
        let mut found = Vec::new();
        while found.len() < most
            && let Some(item) = items.try_next().await?
        {
            let name = long(&item, NAME)?;
            if name.starts_with(&selection.prefix) {
                found.push((item.first(USER).unwrap_or_default().to_owned(), name));
            }
        }
        Ok(found)
    }

    fn domain(&self, jid: &BareJid) -> Domain {
        self.0.domain(DomainKind::Users, jid.as_str())
    }

    async fn act<T>(
        &self,
        jid: &BareJid,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.0.action("password", jid.as_str(), work).await
    }
}

fn name(jid: &BareJid) -> String {
    item_name(&[jid.as_str()])
}

fn of_host(host: &str, prefix: &str) -> Filter {
    let filter = attr(HOST).eq(escape(host));
    let (prefix, _) = escape_prefix(prefix);
    // What is compared is sorted by, so it is compared in any case.
    filter.and(attr(USER).starts_with(prefix))
}

fn put(jid: &BareJid, secret: &Secret) -> Result<PutItem> {
    let given = |value: &str| format!(".{value}");
    let none = || NONE.to_owned();
    let [plain, hash, stored_key, server_key, salt, iterations] = match secret {
        Secret::Plain(password) => [given(password), none(), none(), none(), none(), none()],
        Secret::Scram(keys) => [
            none(),
            given(&keys.hash),
            given(&keys.stored_key),
            given(&keys.server_key),
            given(&keys.salt),
            given(&keys.iterations.to_string()),
        ],
    };
    let put = PutItem::new(name(jid))
        .replace(USER, escape(jid.local()))
        .replace(HOST, escape(jid.domain()));
    let put = replace_long(put, NAME, jid.local(), "the localpart", 1023)?;
    let values = [
        ("the password", &*plain),
        ("the name of the hash", &*hash),
        ("the StoredKey", &*stored_key),
        ("the ServerKey", &*server_key),
        ("the salt", &*salt),
    ];
    check_item(&put, &values)?;
    Ok(put
        .replace(PLAIN, plain)
        .replace(HASH, hash)
        .replace(STORED_KEY, stored_key)
        .replace(SERVER_KEY, server_key)
        .replace(SALT, salt)
        .replace(ITERATIONS, iterations))
}

fn secret(item: &Item) -> Result<Secret> {
    let value = |name: &str| item.first(name).and_then(|value| value.strip_prefix('.'));
    if let Some(password) = value(PLAIN) {
        return Ok(Secret::Plain(password.to_owned()));
    }
    let text = |name: &str| {
        let lacking = || Error::invalid(format!("the person's item lacks its attribute {name:?}"));
        value(name).map(str::to_owned).ok_or_else(lacking)
    };
    let iterations = text(ITERATIONS)?.parse();
    Ok(Secret::Scram(ScramKeys {
        hash: text(HASH)?,
        stored_key: text(STORED_KEY)?,
        server_key: text(SERVER_KEY)?,
        salt: text(SALT)?,
        iterations: iterations
            .map_err(|_| Error::invalid("the person's iteration count is no number"))?,
    }))
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scram(keys) => f.debug_tuple("Scram").field(keys).finish(),
            Self::Plain(_) => f.write_str("Plain(..)"),
        }
    }
}

impl fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScramKeys")
            .field("hash", &self.hash)
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}
