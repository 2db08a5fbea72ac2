//! What a call costs: BoxUsage, in machine hours.
//!
//! Amazon never published how it comes about. For calls on domains, puts, gets and deletes these
//! are the constants and curves that Colin Percival found it to follow, to the last digit
//! ([Dissecting SimpleDB BoxUsage](https://www.daemonology.net/blog/2008-06-25-dissecting-simpledb-boxusage.html));
//! a select's price is in the order of what was seen. None depends on time, so that sums can be
//! compared.
//!
//! *Problem:* Time varies, so that sums of BoxUsage could not be compared. *Decision:* BoxUsage follows the figures
//! that were published for each operation, and never time. *Cost:* It says nothing about the load of a machine.

pub(super) const DOMAIN: f64 = 0.005_559_027_8;
pub(super) const LIST: f64 = 0.000_007_175_9;
pub(super) const ERROR: f64 = 0.000_021_990_7;

/// A put or a delete of so many pairs of one item; those of a batch add up.
pub(super) fn write(pairs: usize) -> f64 {
    0.000_021_990_7 + 0.000_000_000_2 * (pairs as f64).powi(3)
}

/// A get that brought so many pairs.
pub(super) fn read(pairs: usize) -> f64 {
    0.000_009_320_2 + 0.000_000_002 * (pairs as f64).powi(2)
}

/// A select that found so many items.
pub(super) fn select(items: usize) -> f64 {
    0.000_014_000_0 + 0.000_000_08 * items as f64
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_put_costs_what_was_seen_to_be_charged() {
        let text = |price: f64| format!("{price:.10}");
        assert_eq!(text(super::write(1)), "0.0000219909");
        assert_eq!(text(super::write(2)), "0.0000219923");
    }
}
