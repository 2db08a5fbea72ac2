//! Groups of names that are doubted as a whole, since something was changed in them that nobody can name.

use std::collections::HashMap;

use bytes::Bytes;

/// How many groups are remembered one by one. When there are more, all groups are doubted.
const MAX_GROUPS: usize = 10_000;

/// The groups that are doubted, and until when each of them is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DoubtedGroups<T> {
    pub(super) groups: HashMap<Bytes, T>,
    pub(super) all: Option<T>,
}

impl<T> Default for DoubtedGroups<T> {
    fn default() -> Self {
        Self {
            groups: HashMap::new(),
            all: None,
        }
    }
}

impl<T: Ord + Copy> DoubtedGroups<T> {
    pub(crate) fn is_empty(&self) -> bool {
        self.groups.is_empty() && self.all.is_none()
    }

    pub(crate) fn doubt(&mut self, group: &[u8], until: T, now: T) {
        self.settle(now);
        if let Some(known) = self.groups.get_mut(group) {
            *known = until.max(*known);
        } else if self.groups.len() < MAX_GROUPS {
            self.groups.insert(Bytes::copy_from_slice(group), until);
        } else {
            self.all = self.all.max(Some(until));
        }
    }

    pub(crate) fn is_doubted(&mut self, group: &[u8], now: T) -> bool {
        self.all = self.all.filter(|until| now < *until);
        match self.groups.get(group) {
            Some(until) if now < *until => return true,
            Some(_) => drop(self.groups.remove(group)),
            None => {}
        }
        self.all.is_some()
    }

    fn settle(&mut self, now: T) {
        self.groups.retain(|_, until| now < *until);
        self.all = self.all.filter(|until| now < *until);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_bound_all_groups_are_doubted() {
        let mut groups = DoubtedGroups::default();
        for i in 0..MAX_GROUPS {
            groups.doubt(format!("{i}").as_bytes(), 10, 0);
        }
        assert!(groups.is_doubted(b"0", 1) && !groups.is_doubted(b"other", 1));
        groups.doubt(b"one more", 10, 1);
        assert!(groups.is_doubted(b"one more", 2) && groups.is_doubted(b"other", 2));
        assert!(!groups.is_doubted(b"other", 10));
        groups.doubt(b"g", 20, 10);
        assert!(groups.is_doubted(b"g", 10) && !groups.is_doubted(b"0", 10));
        assert!(!groups.is_doubted(b"g", 20) && groups.is_empty());
    }
}
