//! How many requests may be sent a second time while their first reply is late.
//!
//! *Problem:* behind a late reply, requests wait that another connection would answer at once; but a
//! server that is slow because it is busy must not get every request twice. *Decision:* what was not
//! sent leaves a connection as soon as its first reply is late, which the
//! [spread](super::depth) of the times at that server tells. What was sent stays, and reads are sent a
//! second time, by choice, and within a budget; a copy that meets a late reply as well may be copied
//! once more. Where the budget is spent, the rest is looked at again some milliseconds later. *Cost:*
//! the share of requests that the pool was told.
//!
//! Each reply earns a share of a second copy. What is earned can be saved up, but only over
//! [`SAVED_REPLIES`]: after a long time without a late reply, a server that becomes slow must not
//! get twice the load at once.

/// The replies whose shares can be saved up.
const SAVED_REPLIES: f64 = 1000.0;

/// The second copies that may be sent now.
#[derive(Debug)]
pub(crate) struct HedgeBudget {
    /// What one reply earns, in copies; 0 turns hedging off.
    share: f64,
    /// What has been earned and not been spent, in copies.
    balance: f64,
}

impl HedgeBudget {
    /// A budget that so large a share of a copy is added to with each reply.
    pub(crate) fn new(share: f64) -> Self {
        Self {
            share,
            balance: 0.0,
        }
    }

    /// Whether requests are ever sent a second time.
    pub(crate) fn is_on(&self) -> bool {
        self.share > 0.0
    }

    /// So many replies have come.
    pub(crate) fn earn(&mut self, replies: u64) {
        // One whole copy can always be saved up, however small the share is.
        let most = (self.share * SAVED_REPLIES).max(1.0);
        self.balance = (self.balance + replies as f64 * self.share).min(most);
    }

    /// How many copies may be sent now.
    pub(crate) fn available(&self) -> usize {
        self.balance as usize
    }

    /// So many copies are sent, at most those that are [available](Self::available).
    pub(crate) fn spend(&mut self, copies: usize) {
        self.balance -= copies as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_earned_by_the_replies_of_its_share() {
        let mut budget = HedgeBudget::new(0.125);
        budget.earn(7);
        assert_eq!(budget.available(), 0);
        budget.earn(1);
        assert_eq!(budget.available(), 1);
        budget.spend(1);
        assert_eq!(budget.available(), 0);
        budget.earn(24);
        assert_eq!(budget.available(), 3);
    }

    #[test]
    fn only_the_shares_of_some_replies_are_saved_up() {
        for (share, most) in [(0.125, 125), (1.0, 1000), (1.0 / 65536.0, 1)] {
            let mut budget = HedgeBudget::new(share);
            budget.earn(10_000_000);
            assert_eq!(budget.available(), most);
        }
    }

    #[test]
    fn nothing_is_earned_where_hedging_is_off() {
        let mut budget = HedgeBudget::new(0.0);
        budget.earn(u64::MAX);
        assert!(!budget.is_on());
        assert_eq!(budget.available(), 0);
    }
}
