//! What the listings of a bucket have in common: [`BucketListing`], of which [`List`](super::List),
//! [`ListV1`](super::ListV1), [`ListVersions`](super::ListVersions) and
//! [`ListMultipart`](crate::request::ListMultipart) are the kinds.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use aws_core::operation::Answer;
use aws_core::paginate::{Cursor, Listing, Pages};
use aws_core::{Result, awaitable};
use pipeline_pool::Method;

use self::sealed::Kind;
use crate::bucket::Bucket;
use crate::idempotency::Row;
use crate::limits;
use crate::operation::{Call, S3Operation};
use crate::request::options::Options;
use crate::unsigned::UnsignedRequest;

/// This says what a listing lists; sealed.
pub trait Listed: Kind {}

impl<K: Kind> Listed for K {}

pub(crate) mod sealed {
    use super::{Result, Row, fmt};

    pub trait Kind: Clone + fmt::Debug + Default + Send + Sync + 'static {
        /// What one request answers with.
        type Page: Send;
        /// This names a page.
        type Token: Clone + fmt::Debug + PartialEq + Send + Sync + 'static;
        /// The row of the operation in the table of what may be sent twice, which names it too.
        const ROW: Row;
        /// The parameter that the store knows this listing by, if there is one, and its value, if it has one.
        const MARK: Option<(&'static str, Option<&'static str>)>;
        /// The parameter with the most entries of a page.
        const PAGE_SIZE: &'static str = "max-keys";
        /// Whether the store is asked to encode keys, since XML cannot carry every character that a key can have.
        const IS_ENCODED: bool = true;

        /// The parameters that only this listing has, for the page of this token.
        fn parameters<'a>(&'a self, token: Option<&'a Self::Token>) -> Result<Parameters<'a>>;
        /// The page of an answer's text.
        fn read(text: &[u8]) -> Result<Self::Page>;
        /// The token of the page behind this one; nothing on the last page.
        fn next(page: &Self::Page) -> Option<Self::Token>;
    }

    /// The values of parameters, of which those are sent that are there.
    pub(crate) type Parameters<'a> = [(&'static str, Option<&'a str>); 3];

    /// A listing whose entries may tell how far an archived object is restored.
    pub trait TellsRestores: Kind {}
}

/// A request that lists what a bucket has.
///
/// [`pages`](Self::pages) makes a stream of it; awaited, it gives one page. A store that sends a stream round in circles
/// is an error.
#[must_use = "nothing is sent until this is awaited or made a stream"]
#[derive(Clone, Debug)]
pub struct BucketListing<K: Listed> {
    pub(crate) bucket: Bucket,
    /// What only this kind of listing can be told.
    pub(crate) told: K,
    prefix: Option<String>,
    delimiter: Option<String>,
    page_size: Option<u32>,
    restore_status: bool,
    pub(crate) cursor: Cursor<K::Token>,
    options: Options,
}

impl<K: Listed> BucketListing<K> {
    pub(crate) fn new(bucket: Bucket) -> Self {
        Self {
            bucket,
            told: K::default(),
            prefix: None,
            delimiter: None,
            page_size: None,
            restore_status: false,
            cursor: Cursor::default(),
            options: Options::default(),
        }
    }

    pub(crate) fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Lists only keys that begin with this.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = Some(prefix.into());
        self
    }

    /// Keys that go on with this after the prefix are given as one of the page's `prefixes`. Usually `/`.
    pub fn delimiter(mut self, delimiter: impl Into<String>) -> Self {
        self.delimiter = Some(delimiter.into());
        self
    }

    /// The most entries and prefixes of one page, 1 to 1,000. Defaults to the store's choice, which is
    /// 1,000.
    pub fn page_size(mut self, entries: u32) -> Self {
        self.page_size = Some(entries);
        self
    }

    /// Makes a stream of the pages, each of which is fetched when it is asked for.
    pub fn pages(self) -> Pages<Self> {
        Pages::new(self)
    }

    /// Fetches one page by one request, as `.await` does.
    ///
    /// # Errors
    /// [`is_not_found`](crate::Error::is_not_found) when there is no such bucket; otherwise as sending and the
    /// store say.
    pub async fn send(self) -> Result<K::Page> {
        self.page().await
    }

    fn wire(&self) -> Result<UnsignedRequest> {
        let mut wire = UnsignedRequest::bucket_root(Method::Get, &self.bucket)?;
        wire.options(self.options.clone());
        match K::MARK {
            Some((name, Some(value))) => wire.query(name, value),
            Some((name, None)) => wire.flag(name),
            None => {}
        }
        if K::IS_ENCODED {
            wire.query("encoding-type", "url");
        }
        let size = self.page_size.map(|entries| entries.to_string());
        self.page_size.map_or(Ok(()), limits::page_size)?;
        let all = [
            ("prefix", self.prefix.as_deref()),
            ("delimiter", self.delimiter.as_deref()),
            (K::PAGE_SIZE, size.as_deref()),
        ];
        let own = self.told.parameters(self.cursor.at())?;
        for (name, value) in all.into_iter().chain(own) {
            if let Some(value) = value {
                wire.query(name, value);
            }
        }
        if self.restore_status {
            let name = Cow::Borrowed("x-amz-optional-object-attributes");
            wire.fields(vec![(name, "RestoreStatus".to_owned())])?;
        }
        Ok(wire)
    }
}

impl<K: Listed + sealed::TellsRestores> BucketListing<K> {
    /// Whether the store shall tell how far archived objects are restored. Defaults to no; stores without
    /// archives ignore it.
    pub fn restore_status(mut self, yes: bool) -> Self {
        self.restore_status = yes;
        self
    }
}

options!(BucketListing<K>, K: Listed);
awaitable!(BucketListing<K>, K::Page, K: Listed);

impl<K: Listed> Listing for BucketListing<K> {
    type Page = K::Page;
    type Token = K::Token;

    fn cursor(&mut self) -> &mut Cursor<K::Token> {
        &mut self.cursor
    }

    fn next(page: &K::Page) -> Option<K::Token> {
        K::next(page)
    }

    async fn ask(&self) -> Result<K::Page> {
        let call = Call::new(self.wire()?, ReadPage::<K>(PhantomData));
        self.bucket.client().call(&call).await
    }
}

/// Reads a page of a listing.
struct ReadPage<K>(PhantomData<K>);

impl<K: Listed> S3Operation for ReadPage<K> {
    type Output = K::Page;
    const ROW: Row = K::ROW;

    fn parse(&self, answer: Answer) -> Result<K::Page> {
        K::read(&answer.bytes())
    }
}
