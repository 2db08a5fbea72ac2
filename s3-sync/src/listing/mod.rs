//! The objects below a prefix, in the order of their keys, with the next page on its way.
//!
//! *Problem:* The merge with a tree is right only if a listing comes in the byte order of keys, and not every store lists so
//! (directory buckets do not). *Decision:* Each key is compared with the one before it. The first that is out of order is an
//! error that ends the run, before anything is deleted. Pages are fetched by a task of their own, which is one page ahead.
//! *Cost:* A comparison for each key.

use s3_client::Bucket;
use s3_client::answer::{ListPage, ObjectInfo};
use tokio::sync::mpsc;

use crate::error::{Error, Kind, Result};
use crate::etag::bare;
use crate::tree::is_reserved;

/// How many pages wait to be merged.
const AHEAD: usize = 2;

/// An object of a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    /// Its name below the prefix.
    pub(crate) key: String,
    pub(crate) size: u64,
    /// The tag without its quotes; empty if the store has told none.
    pub(crate) etag: String,
    /// Nanoseconds since 1970.
    pub(crate) modified: i64,
}

/// The pages of a listing, to be read by a thread that may wait. The end is said: a task that ends without a word has not
/// come to the end of the listing.
pub(crate) struct Pages(mpsc::Receiver<Result<Option<ListPage>>>);

/// Begins to list what lies below a prefix.
pub(crate) fn start(bucket: &Bucket, prefix: &str) -> Pages {
    let (sender, receiver) = mpsc::channel(AHEAD);
    let mut pages = bucket.list().prefix(prefix).pages();
    tokio::spawn(async move {
        loop {
            let page = pages.try_next().await.map_err(Error::from);
            let ended = !matches!(page, Ok(Some(_)));
            if sender.send(page).await.is_err() || ended {
                return;
            }
        }
    });
    Pages(receiver)
}

/// The objects of the pages in order. Keys that end in a slash and have no content stand for folders, and are passed over, as
/// is the index.
pub(crate) struct Listing<P> {
    pages: P,
    prefix: String,
    page: std::vec::IntoIter<ObjectInfo>,
    last: String,
    ended: bool,
}

impl Listing<Pages> {
    pub(crate) fn new(pages: Pages, prefix: &str) -> Self {
        Self::of(pages, prefix)
    }
}

impl Iterator for Pages {
    type Item = Result<ListPage>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.0.blocking_recv() {
            Some(page) => page.transpose(),
            None => {
                let what = "a defect of this program broke off the listing";
                Some(Err(Error::new(Kind::Defect, "", what)))
            }
        }
    }
}

impl<P: Iterator<Item = Result<ListPage>>> Listing<P> {
    fn of(pages: P, prefix: &str) -> Self {
        Self {
            pages,
            prefix: prefix.to_owned(),
            page: Vec::new().into_iter(),
            last: String::new(),
            ended: false,
        }
    }

    fn take(&mut self, object: ObjectInfo) -> Result<Option<Listed>> {
        let mut key = object.key;
        if !key.starts_with(&self.prefix) {
            let what = format!("the store lists it below {}", self.prefix);
            return Err(Error::new(Kind::Content, key, what));
        }
        if !self.last.is_empty() && key <= self.last {
            let what = format!(
                "the store lists it after {}, and so not in the order of bytes: two ordered lists cannot be compared",
                self.last.escape_debug()
            );
            return Err(Error::new(Kind::Content, key, what));
        }
        self.last.clear();
        self.last.push_str(&key);
        key.drain(..self.prefix.len());
        let is_folder = (key.is_empty() || key.ends_with('/')) && object.size == 0;
        if is_folder || is_reserved(&key) {
            return Ok(None);
        }
        let modified = object.last_modified.map_or(0, |time| {
            match time.duration_since(std::time::UNIX_EPOCH) {
                Ok(since) => i64::try_from(since.as_nanos()).unwrap_or(i64::MAX),
                Err(before) => -i64::try_from(before.duration().as_nanos()).unwrap_or(i64::MAX),
            }
        });
        Ok(Some(Listed {
            key,
            size: object.size,
            etag: bare(object.etag.as_deref().unwrap_or_default()).to_owned(),
            modified,
        }))
    }
}

impl<P: Iterator<Item = Result<ListPage>>> Iterator for Listing<P> {
    type Item = Result<Listed>;

    fn next(&mut self) -> Option<Result<Listed>> {
        while !self.ended {
            if let Some(object) = self.page.next() {
                match self.take(object) {
                    Ok(None) => continue,
                    Ok(Some(listed)) => return Some(Ok(listed)),
                    Err(error) => {
                        self.ended = true;
                        return Some(Err(error));
                    }
                }
            }
            match self.pages.next() {
                Some(Ok(page)) => self.page = page.objects.into_iter(),
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error));
                }
                None => self.ended = true,
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists these keys, two on a page, each as long as its last digit says.
    fn list(keys: &[&str]) -> (Vec<String>, Option<Error>) {
        let objects: Vec<ObjectInfo> = keys
            .iter()
            .map(|key| {
                let mut object = ObjectInfo::default();
                object.key = (*key).to_owned();
                object.etag = Some("\"x\"".to_owned());
                object.size = u64::from(!key.ends_with('/'));
                object
            })
            .collect();
        let pages = objects.chunks(2).map(|objects| {
            let mut page = ListPage::default();
            page.objects = objects.to_vec();
            Ok(page)
        });
        let mut found = Vec::new();
        for listed in Listing::of(pages, "p/") {
            match listed {
                Ok(listed) => {
                    assert_eq!(listed.etag, "x");
                    found.push(listed.key);
                }
                Err(error) => return (found, Some(error)),
            }
        }
        (found, None)
    }

    #[test]
    fn keys_lose_their_prefix_and_folders_are_passed_over() {
        let keys = ["p/", "p/.s3-sync", "p/a", "p/a/", "p/a/.s3-sync", "p/b"];
        let (found, error) = list(&keys);
        assert_eq!(found, ["a", "b"]);
        assert!(error.is_none(), "{error:?}");
    }

    #[test]
    fn a_listing_out_of_order_ends_with_an_error() {
        for keys in [
            ["p/a", "p/c", "p/b"],
            ["p/a", "p/b", "p/b"],
            ["p/a", "p/b", "q"],
        ] {
            let (found, error) = list(&keys);
            let error = error.expect("it is out of order");
            assert_eq!(error.kind(), Kind::Content);
            assert_eq!(error.about(), keys[2]);
            assert!(!found.is_empty());
        }
    }

    #[test]
    fn a_listing_that_breaks_off_has_no_end() {
        for (said, fault) in [(true, None), (false, Some(Kind::Defect))] {
            let (sender, receiver) = mpsc::channel(1);
            if said {
                sender.try_send(Ok(None)).unwrap();
            }
            drop(sender);
            let mut listing = Listing::new(Pages(receiver), "p/");
            let next = listing.next().map(|listed| listed.unwrap_err().kind());
            assert_eq!(next, fault);
            assert!(listing.next().is_none());
        }
    }
}
