//! Fetching many objects: [`Bucket::get_many`] and [`List::get_many`].

use std::fmt;
use std::sync::Arc;

use aws_core::Result;
use futures_core::Stream;

use super::bounded::{BoxStream, Job};
use super::{CONCURRENCY, Results, boxed, of_iter};
use crate::answer::object::Object;
use crate::bucket::Bucket;
use crate::list::{List, ObjectInfo};
use crate::object::get::Get;

type Filter = Box<dyn FnMut(&ObjectInfo) -> bool + Send>;
type Refine = Arc<dyn Fn(Get) -> Get + Send + Sync>;

/// A request to fetch many objects; made by [`Bucket::get_many`] and [`Bucket::get_many_from`].
#[must_use = "nothing is sent before results() is read"]
pub struct GetMany {
    bucket: Bucket,
    keys: BoxStream<String>,
    concurrency: usize,
    each: Option<Refine>,
}

/// A request to fetch the objects of a listing; made by [`List::get_many`].
#[must_use = "nothing is sent before results() is read"]
pub struct GetListed {
    list: List,
    filter: Option<Filter>,
    concurrency: usize,
    each: Option<Refine>,
}

impl Bucket {
    /// Fetches many objects, some at a time. The keys may be without end: no more of them are asked for than
    /// there are requests under way.
    ///
    /// ```
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let mut objects = photos.get_many(["a.jpg", "b.jpg"]).results();
    /// while let Some((key, object)) = objects.next().await {
    ///     match object {
    ///         Ok(object) => println!("{key}: {} bytes", object.body.bytes(1 << 20).await?.len()),
    ///         Err(error) => println!("{key}: {error}"),
    ///     }
    /// }
    /// # Ok(()) }
    /// ```
    pub fn get_many<I>(&self, keys: I) -> GetMany
    where
        I: IntoIterator<IntoIter: Send + 'static>,
        I::Item: Into<String> + 'static,
    {
        self.get_many_from(of_iter(keys))
    }

    /// Fetches many objects, some at a time, whose keys come as a stream. As [`get_many`](Self::get_many).
    pub fn get_many_from<S>(&self, keys: S) -> GetMany
    where
        S: Stream<Item: Into<String> + 'static> + Send + 'static,
    {
        GetMany {
            bucket: self.clone(),
            keys: boxed(keys, |key| Some(key.into())),
            concurrency: CONCURRENCY,
            each: None,
        }
    }
}

impl GetMany {
    /// How many requests run at once, 1 or more. Defaults to 64.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// Refines each request, for example by a [range](Get::range).
    pub fn each(mut self, refine: impl Fn(Get) -> Get + Send + Sync + 'static) -> Self {
        self.each = Some(Arc::new(refine));
        self
    }

    /// Keys and objects in the order in which their answers begin; the failure of one is no failure of another.
    ///
    /// Objects of more than 64 KiB are not whole then: each holds a connection until it is read or dropped.
    pub fn results(self) -> Results<(String, Result<Object>)> {
        let Self { bucket, each, .. } = self;
        let jobs = boxed(self.keys, move |key| {
            let get = refined(&bucket, &key, &each);
            let job: Job<_> = Box::pin(async move { (key, get.send().await) });
            Some(job)
        });
        Results::new(jobs, self.concurrency)
    }
}

impl List {
    /// Fetches the objects of the listing, some at a time, as they are listed.
    ///
    /// ```
    /// # async fn example(photos: s3_client::Bucket) -> s3_client::Result<()> {
    /// let mut small = photos.list().prefix("2009/").get_many().filter(|info| info.size < 4096).results();
    /// while let Some(listed) = small.next().await {
    ///     let (info, object) = listed?;
    ///     println!("{}: {:?}", info.key, object?.head.content_type());
    /// }
    /// # Ok(()) }
    /// ```
    pub fn get_many(self) -> GetListed {
        GetListed {
            list: self,
            filter: None,
            concurrency: CONCURRENCY,
            each: None,
        }
    }
}

impl GetListed {
    /// Fetches only those of which this is true. Defaults to all.
    pub fn filter(mut self, wanted: impl FnMut(&ObjectInfo) -> bool + Send + 'static) -> Self {
        self.filter = Some(Box::new(wanted));
        self
    }

    /// How many requests run at once besides the listing, 1 or more. Defaults to 64.
    pub fn concurrency(mut self, requests: usize) -> Self {
        self.concurrency = requests;
        self
    }

    /// Refines each request, for example by a [range](Get::range).
    pub fn each(mut self, refine: impl Fn(Get) -> Get + Send + Sync + 'static) -> Self {
        self.each = Some(Arc::new(refine));
        self
    }

    /// What the listing says of each object, and the object, in the order in which answers begin. An object that
    /// is gone meanwhile is an error of its own, which the store itself has given and no cache; an error of the listing comes in place of both, and nothing more
    /// is listed after it.
    pub fn results(self) -> Results<Result<(ObjectInfo, Result<Object>)>> {
        let Self { list, each, .. } = self;
        let mut filter = self.filter;
        let bucket = list.bucket.clone();
        let jobs = boxed(list.objects(), move |listed| {
            let job: Job<_> = match listed {
                Err(error) => Box::pin(async move { Err(error) }),
                Ok(info) => {
                    if !filter.as_mut().is_none_or(|wanted| wanted(&info)) {
                        return None;
                    }
                    let (bucket, each) = (bucket.clone(), each.clone());
                    Box::pin(async move {
                        let object = listed_object(&bucket, &info.key, &each).await;
                        Ok((info, object))
                    })
                }
            };
            Some(job)
        });
        Results::new(jobs, self.concurrency)
    }
}

/// Fetches an object that was just listed: a cache may hold from before that there is none, so the store is asked then.
async fn listed_object(bucket: &Bucket, key: &str, each: &Option<Refine>) -> Result<Object> {
    let object = refined(bucket, key, each).send().await;
    #[cfg(feature = "cache")]
    if bucket.client().is_cached() && object.as_ref().is_err_and(aws_core::Error::is_not_found) {
        let again = refined(bucket, key, each).cache(crate::request::CacheMode::Refresh);
        return again.send().await;
    }
    object
}

fn refined(bucket: &Bucket, key: &str, each: &Option<Refine>) -> Get {
    let get = bucket.get(key);
    match each {
        Some(refine) => refine(get),
        None => get,
    }
}

impl fmt::Debug for GetMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetMany")
            .field("bucket", &self.bucket)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for GetListed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GetListed")
            .field("list", &self.list)
            .field("concurrency", &self.concurrency)
            .finish_non_exhaustive()
    }
}
