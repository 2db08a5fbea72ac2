//! Where a listing is, and whether it gets on.
//!
//! *Problem:* a server that answers with the token of an earlier page has a client list for ever. *Decision:* a listing
//! that comes back to a token is an error, however long the circle; one token is remembered, not all of them. *Cost:* a
//! circle is noticed after at most four rounds of it, not at its first page.

use std::borrow::Borrow;

use super::Paged;
use crate::error::{Error, Result};

/// Notices a listing that comes back to where it was, however long the circle, in the memory of one token.
///
/// The token it holds on to is replaced after 1, 2, 4, 8, … pages, so that in the end it is one of the circle's and
/// older than a round ([Brent](https://doi.org/10.1007/BF01933190)).
#[derive(Clone, Debug)]
pub struct LoopGuard<T = String> {
    held: Option<T>,
    /// Pages since it was taken.
    pages: u64,
    /// Pages until another is.
    until: u64,
}

impl<T> Default for LoopGuard<T> {
    fn default() -> Self {
        Self {
            held: None,
            pages: 0,
            until: 0,
        }
    }
}

impl<T> LoopGuard<T> {
    /// Takes note of the token of the next page.
    ///
    /// # Errors
    /// [`error`](LoopGuard::error) when the listing has been there before.
    pub fn step<B>(&mut self, token: &B) -> Result<()>
    where
        T: Borrow<B>,
        B: ToOwned + PartialEq + ?Sized,
        B::Owned: Into<T>,
    {
        if self.held.as_ref().map(Borrow::borrow) == Some(token) {
            return Err(LoopGuard::error());
        }
        self.pages += 1;
        if self.pages >= self.until {
            self.held = Some(token.to_owned().into());
            self.until = self.pages * 2;
            self.pages = 0;
        }
        Ok(())
    }
}

impl LoopGuard {
    /// This is said of a listing that goes in circles: a [`Kind::Protocol`](crate::Kind::Protocol).
    pub fn error() -> Error {
        Error::protocol(
            "the listing does not get on: it comes back to a page that was there before",
        )
    }
}

/// The token of the page that a listing asks for next, and the guard that sees it get on.
#[derive(Clone, Debug)]
pub struct Cursor<T> {
    at: Option<T>,
    guard: LoopGuard<T>,
}

impl<T> Default for Cursor<T> {
    fn default() -> Self {
        Self {
            at: None,
            guard: LoopGuard::default(),
        }
    }
}

impl<T: Clone + PartialEq> Cursor<T> {
    /// The token of the page that is asked for; nothing for the first page.
    pub fn at(&self) -> Option<&T> {
        self.at.as_ref()
    }

    /// Has the listing begin at this page.
    pub fn set(&mut self, token: T) {
        self.at = Some(token);
    }

    /// Sees that the page that was asked for does not name itself as the next one.
    ///
    /// # Errors
    /// [`LoopGuard::error`] when it does.
    pub fn check(&self, next: Option<&T>) -> Result<()> {
        match next.is_some() && next == self.at() {
            true => Err(LoopGuard::error()),
            false => Ok(()),
        }
    }

    /// Goes on to the page of this token, and says whether there is one.
    ///
    /// # Errors
    /// [`LoopGuard::error`] when the listing has been there before.
    pub fn advance(&mut self, next: Option<T>) -> Result<bool> {
        let Some(next) = next else { return Ok(false) };
        self.guard.step(&next)?;
        self.at = Some(next);
        Ok(true)
    }
}

/// A request for one page of a listing, in which each page names the next one by a token.
pub trait Listing: Send + Sync + Sized + 'static {
    /// What one request answers with.
    type Page: Send;
    /// This names a page.
    type Token: Clone + PartialEq + Send + Sync;

    /// Where the listing is.
    fn cursor(&mut self) -> &mut Cursor<Self::Token>;

    /// The token of the page behind this one; nothing on the last page.
    fn next(page: &Self::Page) -> Option<Self::Token>;

    /// Asks for the page at the cursor.
    fn ask(&self) -> impl Future<Output = Result<Self::Page>> + Send;

    /// Fetches the page at the cursor.
    fn page(mut self) -> impl Future<Output = Result<Self::Page>> + Send {
        async move {
            let page = self.ask().await?;
            self.cursor().check(Self::next(&page).as_ref())?;
            Ok(page)
        }
    }
}

impl<L: Listing> Paged for L {
    type Page = L::Page;

    async fn fetch(mut self) -> Result<(Self::Page, Option<Self>)> {
        let page = self.ask().await?;
        let next = Self::next(&page);
        let cursor = self.cursor();
        cursor.check(next.as_ref())?;
        let more = cursor.advance(next)?;
        Ok((page, more.then_some(self)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paginate::Pages;

    #[test]
    fn circles_are_noticed() {
        for (before, round) in [(0, 1), (0, 2), (0, 7), (5, 1), (3, 100), (1000, 3)] {
            let mut guard = LoopGuard::<String>::default();
            let token = |i: u32| {
                if i < before {
                    i
                } else {
                    before + (i - before) % round
                }
            };
            let noticed = (0..).find(|i| guard.step(token(*i).to_string().as_str()).is_err());
            assert!(
                noticed.is_some_and(|i| i < 4 * (before + round) + 4),
                "{before} {round}: {noticed:?}"
            );
        }
        let mut guard = LoopGuard::<u32>::default();
        assert!((0..10_000_u32).all(|i| guard.step(&i).is_ok()));
    }

    #[test]
    fn a_page_that_names_itself_is_an_error_and_the_last_names_none() {
        let mut cursor = Cursor::<u32>::default();
        assert!(cursor.check(None).is_ok() && cursor.check(Some(&1)).is_ok());
        assert!(cursor.advance(Some(1)).unwrap());
        assert_eq!(cursor.at(), Some(&1));
        assert!(cursor.check(Some(&2)).is_ok());
        let error = cursor.check(Some(&1)).unwrap_err();
        assert_eq!(error.kind(), crate::Kind::Protocol);
        assert!(!cursor.advance(None).unwrap());
    }

    /// A server that has the page behind each token.
    #[derive(Default)]
    struct Told(Cursor<u32>, Vec<Option<u32>>);

    impl Listing for Told {
        type Page = (u32, Option<u32>);
        type Token = u32;

        fn cursor(&mut self) -> &mut Cursor<u32> {
            &mut self.0
        }

        fn next(page: &Self::Page) -> Option<u32> {
            page.1
        }

        async fn ask(&self) -> Result<Self::Page> {
            let at = self.0.at().copied().unwrap_or(0);
            Ok((at, self.1[at as usize]))
        }
    }

    #[tokio::test]
    async fn a_listing_goes_from_token_to_token_to_its_end_or_into_an_error() {
        for (next, whole) in [
            (vec![Some(2), None, Some(1)], true),
            // It names itself, the page before it, and one further back.
            (vec![Some(1), Some(1)], false),
            (vec![Some(1), Some(2), Some(1)], false),
            (vec![Some(1), Some(2), Some(3), Some(1)], false),
        ] {
            let mut pages = Pages::new(Told(Cursor::default(), next));
            let mut seen = Vec::new();
            let ended = loop {
                match pages.try_next().await {
                    Ok(Some((at, _))) => seen.push(at),
                    Ok(None) => break true,
                    Err(_) => break false,
                }
            };
            assert_eq!(ended, whole, "{seen:?}");
            if whole {
                assert_eq!(seen, [0, 2, 1]);
            }
        }
        let mut one = Told(Cursor::default(), vec![None, Some(1)]);
        one.0.set(1);
        assert!(one.page().await.is_err(), "a page alone names itself");
    }
}
