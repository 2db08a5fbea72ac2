//! Parameters and header fields in the order in which signatures have them.

/// Entries kept without allocation; a request with more of them spills to the heap.
const INLINE: usize = 16;

/// A small list that sorts without allocating.
pub(crate) struct List<T> {
    inline: [T; INLINE],
    length: usize,
    spill: Vec<T>,
}

impl<T: Copy + Default> List<T> {
    pub(crate) fn new() -> Self {
        Self {
            inline: [T::default(); INLINE],
            length: 0,
            spill: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, item: T) {
        if !self.spill.is_empty() {
            self.spill.push(item);
        } else if self.length < INLINE {
            self.inline[self.length] = item;
            self.length += 1;
        } else {
            self.spill.extend_from_slice(&self.inline);
            self.spill.push(item);
        }
    }

    pub(crate) fn as_slice(&self) -> &[T] {
        if self.spill.is_empty() {
            &self.inline[..self.length]
        } else {
            &self.spill
        }
    }

    /// Sorts, keeping the order of equals.
    pub(crate) fn sort_by(&mut self, order: impl Fn(&T, &T) -> std::cmp::Ordering) {
        if !self.spill.is_empty() {
            self.spill.sort_by(order);
            return;
        }
        let items = &mut self.inline[..self.length];
        for i in 1..items.len() {
            let mut j = i;
            while j > 0 && order(&items[j], &items[j - 1]).is_lt() {
                items.swap(j, j - 1);
                j -= 1;
            }
        }
    }
}

/// Splits a query string as sent into names and values, still escaped; a value is `None` without a `=`.
pub(crate) fn split_query(query: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    query
        .split('&')
        .filter(|piece| !piece.is_empty())
        .map(|piece| match piece.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (piece, None),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorting_is_stable_inline_and_spilled() {
        for count in [0, 1, 2, 15, 16, 17, 40] {
            let mut list = List::new();
            for i in 0..count {
                list.push(((i * 7) % 5, i));
            }
            list.sort_by(|a, b| a.0.cmp(&b.0));
            assert_eq!(list.as_slice().len(), count);
            assert!(list.as_slice().is_sorted(), "{count}");
        }
    }

    #[test]
    fn queries_split() {
        let split: Vec<_> = split_query("acl&a=&b=c=d&&=e").collect();
        assert_eq!(
            split,
            [
                ("acl", None),
                ("a", Some("")),
                ("b", Some("c=d")),
                ("", Some("e"))
            ]
        );
        assert_eq!(split_query("").count(), 0);
    }
}
