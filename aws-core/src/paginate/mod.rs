//! Answers that come in pages, as streams.

mod cursor;

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

pub use self::cursor::{Cursor, Listing, LoopGuard};
use crate::error::Result;

/// A request that answers with one page and knows how to ask for the next.
pub trait Paged: Send + Sized + 'static {
    /// What one request answers with.
    type Page: Send;

    /// Fetches one page; with it comes the request for the next, if there is one.
    fn fetch(self) -> impl Future<Output = Result<(Self::Page, Option<Self>)>> + Send;
}

/// A page as the things that are in it.
pub trait IntoItems {
    /// One of the things.
    type Item;

    /// The things in their order.
    fn into_items(self) -> impl Iterator<Item = Self::Item>;
}

type Fetching<R> = Pin<Box<dyn Future<Output = Result<(<R as Paged>::Page, Option<R>)>> + Send>>;

enum State<R: Paged> {
    Next(R),
    Fetching(Fetching<R>),
    Done,
}

/// The pages of a request as a [`Stream`], each fetched when it is asked for. An error ends it.
#[must_use = "nothing is fetched until the stream is read"]
pub struct Pages<R: Paged>(State<R>);

// Nothing in it is pinned in place: the future is in a box of its own.
impl<R: Paged> Unpin for Pages<R> {}

impl<R: Paged> Pages<R> {
    /// The pages from this request on.
    pub fn new(first: R) -> Self {
        Self(State::Next(first))
    }

    /// The next page, or nothing after the last.
    ///
    /// # Errors
    /// As the request fails.
    pub async fn try_next(&mut self) -> Result<Option<R::Page>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx))
            .await
            .transpose()
    }
}

impl<R: Paged> Stream for Pages<R> {
    type Item = Result<R::Page>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Each page counts against what the runtime lets a task do in one go, so that answers which are always at hand,
        // of a service that never comes to an end, leave other tasks their turn.
        let turn = ready!(tokio::task::coop::poll_proceed(cx));
        let mut fetching = match std::mem::replace(&mut self.0, State::Done) {
            State::Next(request) => Box::pin(request.fetch()) as Fetching<R>,
            State::Fetching(fetching) => fetching,
            State::Done => return Poll::Ready(None),
        };
        match fetching.as_mut().poll(cx) {
            Poll::Pending => {
                self.0 = State::Fetching(fetching);
                Poll::Pending
            }
            Poll::Ready(Err(error)) => Poll::Ready(Some(Err(error))),
            Poll::Ready(Ok((page, next))) => {
                turn.made_progress();
                self.0 = next.map_or(State::Done, State::Next);
                Poll::Ready(Some(Ok(page)))
            }
        }
    }
}

impl<R: Paged> fmt::Debug for Pages<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.0 {
            State::Next(_) => "Next",
            State::Fetching(_) => "Fetching",
            State::Done => "Done",
        };
        f.debug_tuple("Pages").field(&state).finish()
    }
}

/// The things on the pages of a request, one after another, as a [`Stream`]. An error ends it.
#[must_use = "nothing is fetched until the stream is read"]
pub struct Items<R: Paged>
where
    R::Page: IntoItems,
{
    pages: Pages<R>,
    ready: VecDeque<<R::Page as IntoItems>::Item>,
}

impl<R: Paged> Unpin for Items<R> where R::Page: IntoItems {}

impl<R: Paged> Items<R>
where
    R::Page: IntoItems,
{
    /// The things from this request on.
    pub fn new(first: R) -> Self {
        Self {
            pages: Pages::new(first),
            ready: VecDeque::new(),
        }
    }

    /// The next thing, or nothing after the last.
    ///
    /// # Errors
    /// As the request for its page fails.
    pub async fn try_next(&mut self) -> Result<Option<<R::Page as IntoItems>::Item>> {
        poll_fn(|cx| Pin::new(&mut *self).poll_next(cx))
            .await
            .transpose()
    }

    /// All that are left, in memory.
    ///
    /// # Errors
    /// As the request for a page fails.
    pub async fn try_collect_all(mut self) -> Result<Vec<<R::Page as IntoItems>::Item>> {
        let mut all = Vec::new();
        while let Some(item) = self.try_next().await? {
            all.push(item);
        }
        Ok(all)
    }
}

impl<R: Paged> Stream for Items<R>
where
    R::Page: IntoItems,
{
    type Item = Result<<R::Page as IntoItems>::Item>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(Pin::new(&mut self.pages).poll_next(cx)) {
                Some(Ok(page)) => self.ready.extend(page.into_items()),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<R: Paged> fmt::Debug for Items<R>
where
    R::Page: IntoItems,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("ready", &self.ready.len())
            .field("pages", &self.pages)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;

    struct Count(u32);

    #[derive(Debug, PartialEq)]
    struct Page(Vec<u32>);

    impl IntoItems for Page {
        type Item = u32;
        fn into_items(self) -> impl Iterator<Item = u32> {
            self.0.into_iter()
        }
    }

    impl Paged for Count {
        type Page = Page;
        async fn fetch(self) -> Result<(Page, Option<Self>)> {
            match self.0 {
                9 => Err(Error::invalid("nine")),
                // An empty page is not the end.
                1 => Ok((Page(vec![]), Some(Self(2)))),
                n => Ok((Page(vec![n, n + 10]), (n != 3).then_some(Self(n + 1)))),
            }
        }
    }

    #[tokio::test]
    async fn all_pages_in_order_then_the_end() {
        assert_eq!(
            Items::new(Count(0)).try_collect_all().await.unwrap(),
            [0, 10, 2, 12, 3, 13]
        );
        let mut pages = Pages::new(Count(2));
        assert_eq!(pages.try_next().await.unwrap(), Some(Page(vec![2, 12])));
        assert_eq!(pages.try_next().await.unwrap(), Some(Page(vec![3, 13])));
        assert_eq!(pages.try_next().await.unwrap(), None);
        assert_eq!(pages.try_next().await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_error_ends_the_stream() {
        let mut items = Items::new(Count(8));
        assert_eq!(items.try_next().await.unwrap(), Some(8));
        assert_eq!(items.try_next().await.unwrap(), Some(18));
        assert!(items.try_next().await.is_err());
        assert_eq!(items.try_next().await.unwrap(), None);
    }
}
