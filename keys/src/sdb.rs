//! Values as items of SimpleDB.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::{TryStreamExt as _, stream};
use s3_client::{Error, Result};
use sdb_client::query::{Filter, Query, attr, item_name};
use sdb_client::request::Select;
use sdb_client::{DeleteItem, Domain, Expected, Item, PutItem, SdbClient};

use crate::{Found, Key, Status, Tag, When, escape, foreign, parse};

/// The name up to the key, so that buckets are in the order of their keys: what lists go by.
const BUCKET: &str = "b";
const TAG: &str = "t";
const VALUE: &str = "v";

/// What a value begins with: it is text, or Base64.
const TEXT: &str = "t";
const BYTES: &str = "b";

/// The most bytes of a value as text: an item has 256 pairs of up to 1,024 bytes, of which three are the bucket, the tag,
/// and what tells how the value is cut.
const MAX_TEXT: usize = 253 * 1024;

/// Items on one page, at most.
const PAGE: u32 = 2500;

#[derive(Clone)]
pub(crate) struct Sdb {
    pub(crate) domain: Domain,
    pub(crate) consistent: bool,
}

impl Sdb {
    pub(crate) fn new(domain: Domain) -> Self {
        Self {
            domain,
            consistent: true,
        }
    }

    pub(crate) async fn put(&self, name: String, value: Bytes, when: When<'_>) -> Result<Tag> {
        let bucket = name.rfind('/').map_or("", |end| &name[..=end]).to_owned();
        let tag = format!("{:032x}", fastrand::u128(..));
        let text = match std::str::from_utf8(&value) {
            Ok(text) => format!("{TEXT}{text}"),
            Err(_) => format!("{BYTES}{}", STANDARD.encode(&value)),
        };
        if text.len() > MAX_TEXT {
            return Err(Error::invalid(format!(
                "the value of {} bytes takes {} as text, over the limit of {MAX_TEXT} for an item of SimpleDB",
                value.len(),
                text.len()
            )));
        }
        let put = PutItem::new(name)
            .replace(BUCKET, bucket)
            .replace(TAG, &*tag)
            .replace_long(VALUE, &text)?;
        let put = self.domain.put_item(put);
        let put = match when {
            When::Always => put,
            When::Absent => put.expect(Expected::absent(TAG)),
            When::Is(Tag(tag)) => put.expect(Expected::equals(TAG, tag)),
        };
        put.await?;
        Ok(Tag(tag))
    }

    pub(crate) async fn get(&self, name: String, most: usize) -> Result<Option<(Bytes, Tag)>> {
        let get = self.domain.get(name).consistent(self.consistent);
        let item = get.await?.item;
        if item.is_empty() {
            return Ok(None);
        }
        let tag = item.first(TAG).ok_or_else(|| foreign("it has no tag"))?;
        Ok(Some((value(&item, most)?, Tag(tag.to_owned()))))
    }

    pub(crate) async fn delete(&self, name: String) -> Result<()> {
        self.domain.delete(name).await.map(drop)
    }

    /// Goes from each page to the first bucket behind it, however many keys are in the last.
    pub(crate) fn buckets(&self, prefix: String) -> Found<Vec<u8>> {
        let (sdb, start) = (self.clone(), prefix.len());
        let pages = stream::try_unfold(Some(prefix.clone()), move |last| {
            let (sdb, end) = (sdb.clone(), end(&prefix));
            async move {
                let Some(last) = last else { return Ok(None) };
                let behind = attr(BUCKET).gt(&*last).and(attr(BUCKET).lt(end));
                let query = Query::attributes(sdb.domain.name(), [BUCKET]).filter(behind);
                let mut pages = sdb.select(query.order_by(attr(BUCKET)).limit(100)).pages();
                // A page may be empty and not the last.
                while let Some(page) = pages.try_next().await? {
                    let found = page.items.iter().filter_map(|item| item.first(BUCKET));
                    let mut found: Vec<String> = found.map(str::to_owned).collect();
                    found.dedup();
                    if let Some(next) = found.last().cloned() {
                        if next <= last {
                            return Err(no_progress());
                        }
                        return Ok(Some((found, Some(next))));
                    }
                }
                Ok(None)
            }
        });
        let names = pages.map_ok(|page| stream::iter(page.into_iter().map(Ok)));
        Found::new(names.try_flatten().and_then(move |name: String| {
            let name = name.get(start..).and_then(|name| name.strip_suffix('/'));
            let name = name.and_then(escape::unescape);
            std::future::ready(name.ok_or_else(|| foreign("its bucket is not encoded")))
        }))
    }

    pub(crate) fn keys(&self, prefix: String) -> Found<Key> {
        let query = Query::names(self.domain.name());
        let found = self.all(query, &prefix).items();
        Found::new(found.and_then(async |item| parse(&item.name)))
    }

    pub(crate) fn values(&self, prefix: String, most: usize) -> Found<(Key, Bytes)> {
        let query = Query::all(self.domain.name());
        let found = self.all(query, &prefix).items();
        Found::new(found.and_then(move |item| {
            let read = parse(&item.name).and_then(|key| Ok((key, value(&item, most)?)));
            std::future::ready(read)
        }))
    }

    /// Goes from page to page by name: what is stored meanwhile in front of it may be left, and is no reason to stop.
    pub(crate) async fn clear(&self, prefix: String) -> Result<()> {
        let mut last = prefix.clone();
        loop {
            let behind = item_name().gt(&*last).and(item_name().lt(end(&prefix)));
            let query = Query::names(self.domain.name()).filter(behind);
            let query = query.order_by(item_name()).limit(PAGE);
            let mut pages = self.client().select(query).consistent(true).pages();
            let mut names = Vec::new();
            // A page may be empty and not the last.
            while names.is_empty()
                && let Some(page) = pages.try_next().await?
            {
                names.extend(page.items.into_iter().map(|item| item.name));
            }
            let Some(next) = names.last().cloned() else {
                return Ok(());
            };
            if next <= last {
                return Err(no_progress());
            }
            let items = names.into_iter().map(DeleteItem::new);
            let delete = self.domain.batch_delete().items(items);
            delete.await?.into_result()?;
            last = next;
        }
    }

    pub(crate) async fn is_empty(&self, prefix: String) -> Result<bool> {
        let query = Query::names(self.domain.name()).filter(within(&prefix));
        let first = self.select(query.limit(1)).items().try_next().await?;
        Ok(first.is_none())
    }

    pub(crate) async fn status(&self, prefix: String) -> Result<Status> {
        let query = Query::count(self.domain.name()).filter(within(&prefix));
        let keys = self.select(query).count().await?.count;
        let buckets = self.buckets(prefix).fold(0, |count, _| count + 1).await?;
        Ok(Status {
            buckets,
            keys,
            bytes: None,
        })
    }

    /// All of a partition or a bucket, in order.
    fn all(&self, query: Query, prefix: &str) -> Select {
        let query = query.filter(within(prefix)).order_by(item_name());
        self.select(query.limit(PAGE))
    }

    fn select(&self, query: Query) -> Select {
        self.client().select(query).consistent(self.consistent)
    }

    fn client(&self) -> &SdbClient {
        self.domain.client()
    }
}

/// The items whose names begin with this, which ends with a slash.
fn within(prefix: &str) -> Filter {
    item_name().gt(prefix).and(item_name().lt(end(prefix)))
}

/// The first text behind all that begin with this, which ends with a slash.
fn end(prefix: &str) -> String {
    // A zero stands behind the slash in ASCII.
    format!("{}0", prefix.trim_end_matches('/'))
}

/// A service that lists backwards is not asked for ever.
fn no_progress() -> Error {
    Error::protocol("the list does not get on: it comes back to what was there before")
}

fn value(item: &Item, most: usize) -> Result<Bytes> {
    let text = item
        .long(VALUE)?
        .ok_or_else(|| foreign("it has no value"))?;
    let value = match (text.strip_prefix(TEXT), text.strip_prefix(BYTES)) {
        (Some(text), _) => Bytes::from(text.to_owned()),
        (_, Some(text)) => {
            let bytes = STANDARD.decode(text);
            Bytes::from(bytes.map_err(|_| foreign("its value is not Base64"))?)
        }
        _ => return Err(foreign("its value is neither text nor Base64")),
    };
    if value.len() > most {
        return Err(Error::protocol(format!(
            "a stored value has {} bytes, over the limit of {most} (max_value)",
            value.len()
        )));
    }
    Ok(value)
}
