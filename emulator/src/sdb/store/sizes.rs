//! How large a domain is.

use super::Item;

/// The sizes of a domain; an attribute name counts once, however many items have it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) items: usize,
    pub(crate) item_bytes: usize,
    pub(crate) names: usize,
    pub(crate) name_bytes: usize,
    pub(crate) values: usize,
    pub(crate) value_bytes: usize,
}

impl Sizes {
    /// What counts against the size of a domain.
    pub(super) fn bytes(&self) -> u64 {
        (self.item_bytes + self.name_bytes + self.value_bytes) as u64
    }

    pub(super) fn add(&mut self, name: &str, item: &Item) {
        self.items += 1;
        self.item_bytes += name.len();
        for values in item.values() {
            self.values += values.len();
            self.value_bytes += values.iter().map(|value| value.len()).sum::<usize>();
        }
    }

    pub(super) fn remove(&mut self, name: &str, item: &Item) {
        self.items -= 1;
        self.item_bytes -= name.len();
        for values in item.values() {
            self.values -= values.len();
            self.value_bytes -= values.iter().map(|value| value.len()).sum::<usize>();
        }
    }
}
