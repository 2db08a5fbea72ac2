//! Storing many objects: [`Bucket::put_many`].

use std::fmt;
use std::sync::Arc;

use aws_core::Result;
use futures_core::Stream;

use super::bounded::{BoxStream, Job};
use super::{CONCURRENCY, Results, boxed, of_iter};
use crate::bucket::Bucket;
use crate::object::put::{Put, Stored};
use crate::request::source::Source;

/// A request to store many objects; made by [`Bucket::put_many`] and [`Bucket::put_many_from`].
#[must_use = "nothing is sent before results() is read"]
pub struct PutMany {
    bucket: Bucket,
    items: BoxStream<(String, Source)>,
    concurrency: usize,
    each: Option<Arc<dyn Fn(Put) -> Put + Send + Sync>>,
}

impl Bucket {
    /// Stores many objects, some at a time: keys and bodies. They may be without end: no more of them are asked
    /// for than there are requests under way.
    ///
    /// ```
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let put = photos.put_many((0..10_000).map(|i| (format!("{i}.txt"), format!("number {i}"))));
    /// let mut stored = put.each(|put| put.content_type("text/plain")).results();
    /// while let Some((key, stored)) = stored.next().await {
    ///     println!("{key}: {:?}", stored?.etag());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn put_many<I, K, B>(&self, items: I) -> PutMany
    where
        I: IntoIterator<Item = (K, B), IntoIter: Send + 'static>,
        K: Into<String> + 'static,
        B: Into<Source> + 'static,
    {
        self.put_many_from(of_iter(items))
    }

    /// Stores many objects, some at a time, that come as a stream. As [`put_many`](Self::put_many).
    pub fn put_many_from<S, K, B>(&self, items: S) -> PutMany
    where
        S: Stream<Item = (K, B)> + Send + 'static,
        K: Into<String> + 'static,
        B: Into<Source> + 'static,
    {
        PutMany {
            bucket: self.clone(),
            items: boxed(items, |(key, body)| Some((key.into(), body.into()))),
            concurrency: CONCURRENCY,
            each: None,
        }
    }
}

impl PutMany {
    /// How many requests run at once, 1 or more. Defaults to 64.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// Refines each request, for example by a [media type](Put::content_type).
    pub fn each(mut self, refine: impl Fn(Put) -> Put + Send + Sync + 'static) -> Self {
        self.each = Some(Arc::new(refine));
        self
    }

    /// Keys, and what the store says of each object, in the order in which they are stored; the failure of one is
    /// no failure of another.
    pub fn results(self) -> Results<(String, Result<Stored>)> {
        let Self { bucket, each, .. } = self;
        let jobs = boxed(self.items, move |(key, body)| {
            let put = bucket.put(key.as_str(), body);
            let put = match &each {
                Some(refine) => refine(put),
                None => put,
            };
            let job: Job<_> = Box::pin(async move { (key, put.send().await) });
            Some(job)
        });
        Results::new(jobs, self.concurrency)
    }
}

impl fmt::Debug for PutMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutMany")
            .field("bucket", &self.bucket)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
