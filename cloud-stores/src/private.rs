//! XML that clients keep with the server ([XEP-0049](https://xmpp.org/extensions/xep-0049.html)): [`Stores::private`].
//!
//! One object for each person and namespace, `private/K/NS`, which is the element as it is: its namespace is the name. The
//! last write wins, as the extension has it.

use bytes::Bytes;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::error::Result;
use crate::jid::BareJid;
use crate::stores::{Body, Freshness, Stores, check_document};

/// The first part of the keys.
const STORE: &str = "private";

/// How many elements are stored at the same time for one action.
const PARALLEL: usize = 16;

/// XML that clients keep with the server; made by [`Stores::private`].
#[derive(Clone, Debug)]
pub struct Private(Stores);

impl Stores {
    /// XML that clients keep with the server.
    pub fn private(&self) -> Private {
        Private(self.clone())
    }
}

impl Private {
    /// Keeps elements, each with its namespace, in place of those that are there. One request each, all at the same time:
    /// after an error some may be stored.
    ///
    /// # Errors
    /// [`Kind::TooLarge`](crate::Kind::TooLarge) for an element of more than 4 MiB, and then nothing is stored; otherwise
    /// as the store fails.
    pub async fn set<N: AsRef<str>>(&self, jid: &BareJid, elements: &[(N, Bytes)]) -> Result<()> {
        let mut puts = Vec::with_capacity(elements.len());
        let checked = elements.iter().try_for_each(|(namespace, xml)| {
            puts.push((self.key(jid, namespace.as_ref()), Body::xml(xml.clone())));
            check_document("the element", xml.len())
        });
        self.act(jid, async {
            checked?;
            let puts = stream::iter(puts);
            let puts = puts.map(|(key, body)| async move { self.0.put_object(&key, body).await });
            puts.buffer_unordered(PARALLEL).try_collect().await
        })
        .await
    }

    /// The element of this namespace, if there is one. One request.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn get(&self, jid: &BareJid, namespace: &str) -> Result<Option<Bytes>> {
        self.act(jid, async {
            let key = self.key(jid, namespace);
            let there = self.0.get_object(&key, Freshness::AsSet).await?;
            Ok(there.map(|document| document.body))
        })
        .await
    }

    /// All elements of a person, in the order of their keys. A list, and one request for each.
    ///
    /// # Errors
    /// As the store fails.
    pub async fn all(&self, jid: &BareJid) -> Result<Vec<Bytes>> {
        self.act(jid, async {
            let keys = self.0.list_keys(&self.folder(jid)).await?;
            // A cache may not know yet that there is one where others have put it.
            let found = self.0.get_objects(keys, Freshness::Newest).await?;
            Ok(found
                .into_iter()
                .map(|(_, document)| document.body)
                .collect())
        })
        .await
    }

    /// Removes all elements of a person. A list, and one request for each 1,000 of them.
    ///
    /// # Errors
    /// As the store fails; some may be removed then.
    pub async fn remove(&self, jid: &BareJid) -> Result<()> {
        self.act(jid, async {
            let keys = self.0.list_keys(&self.folder(jid)).await?;
            self.0.delete_objects(keys).await
        })
        .await
    }

    fn key(&self, jid: &BareJid, namespace: &str) -> String {
        self.0.key(STORE, &[jid.as_str(), namespace])
    }

    fn folder(&self, jid: &BareJid) -> String {
        self.0.folder(STORE, &[jid.as_str()])
    }

    async fn act<T>(
        &self,
        jid: &BareJid,
        work: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.0.action("private data", jid.as_str(), work).await
    }
}
