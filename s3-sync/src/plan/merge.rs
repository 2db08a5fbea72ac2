//! Merging two streams that are in the order of their keys.

use std::cmp::Ordering;
use std::iter::Peekable;

use crate::error::Result;
use crate::listing::Listed;
use crate::tree::File;

/// What has a key.
pub(crate) trait Keyed {
    fn key(&self) -> &str;
}

impl Keyed for File {
    fn key(&self) -> &str {
        &self.key
    }
}

impl Keyed for Listed {
    fn key(&self) -> &str {
        &self.key
    }
}

/// A key and what there is of it on the two sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Pair<S, T> {
    Source(S),
    Target(T),
    Both(S, T),
}

/// The pairs of two ordered streams. The first error of a stream is the last item.
pub(crate) struct Merge<S, T, A, B>
where
    A: Iterator<Item = Result<S>>,
    B: Iterator<Item = Result<T>>,
{
    source: Peekable<A>,
    target: Peekable<B>,
    ended: bool,
}

impl<S, T, A, B> Merge<S, T, A, B>
where
    A: Iterator<Item = Result<S>>,
    B: Iterator<Item = Result<T>>,
{
    pub(crate) fn new(source: A, target: B) -> Self {
        Self {
            source: source.peekable(),
            target: target.peekable(),
            ended: false,
        }
    }
}

impl<S: Keyed, T: Keyed, A, B> Iterator for Merge<S, T, A, B>
where
    A: Iterator<Item = Result<S>>,
    B: Iterator<Item = Result<T>>,
{
    type Item = Result<Pair<S, T>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let order = match (self.source.peek(), self.target.peek()) {
            (None, None) => return None,
            (Some(Err(_)), _) | (Some(Ok(_)), None) => Ordering::Less,
            (_, Some(Err(_))) | (None, Some(Ok(_))) => Ordering::Greater,
            (Some(Ok(source)), Some(Ok(target))) => source.key().cmp(target.key()),
        };
        let pair = match order {
            Ordering::Less => self.source.next()?.map(Pair::Source),
            Ordering::Greater => self.target.next()?.map(Pair::Target),
            Ordering::Equal => match (self.source.next()?, self.target.next()?) {
                (Ok(source), Ok(target)) => Ok(Pair::Both(source, target)),
                (Err(error), _) | (_, Err(error)) => Err(error),
            },
        };
        self.ended = pair.is_err();
        Some(pair)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    impl Keyed for String {
        fn key(&self) -> &str {
            self
        }
    }

    fn merged(source: &[String], target: &[String]) -> Vec<Pair<String, String>> {
        let (source, target) = (source.iter().cloned(), target.iter().cloned());
        let merge = Merge::new(source.map(Ok), target.map(Ok));
        merge.collect::<Result<_>>().unwrap()
    }

    proptest! {
        #[test]
        fn every_key_comes_once_and_on_its_sides(
            source in prop::collection::btree_set("[ab/.-]{1,4}", 0..30),
            target in prop::collection::btree_set("[ab/.-]{1,4}", 0..30),
        ) {
            let list = |keys: &BTreeSet<String>| keys.iter().cloned().collect::<Vec<_>>();
            let pairs = merged(&list(&source), &list(&target));
            let mut all: Vec<&String> = source.union(&target).collect();
            all.sort_unstable();
            prop_assert_eq!(pairs.len(), all.len());
            for (pair, key) in pairs.iter().zip(all) {
                let right = match pair {
                    Pair::Source(a) => a == key && !target.contains(key),
                    Pair::Target(b) => b == key && !source.contains(key),
                    Pair::Both(a, b) => a == key && b == key,
                };
                prop_assert!(right, "{pair:?} {key}");
            }
        }
    }

    #[test]
    fn an_error_ends_it() {
        let source = ["a", "c"].map(|key| Ok(key.to_owned()));
        let target = [
            Ok("b".to_owned()),
            Err(Error::usage("no")),
            Ok("d".to_owned()),
        ];
        let mut merge = Merge::new(source.into_iter(), target.into_iter());
        assert!(matches!(merge.next(), Some(Ok(Pair::Source(_)))));
        assert!(matches!(merge.next(), Some(Ok(Pair::Target(_)))));
        assert!(matches!(merge.next(), Some(Err(_))));
        assert!(merge.next().is_none());
    }
}
