//! The values that the search for a depth goes by.

use std::ops::Range;
use std::time::Duration;

/// What is enough, what is clear, and how long things take.
#[derive(Debug)]
pub(crate) struct Tuning {
    /// Replies that a comparison needs on each side.
    pub(super) enough_replies: u64,
    /// Replies of each connection before one of them tries another depth: in a burst that is over
    /// before that, a request behind another one would only be the last to be answered.
    pub(super) settled_replies: u64,
    /// Replies on each side after which a clear difference decides at once.
    pub(super) clear_replies: u64,
    /// Rates of the depth tried, as shares of the usual rate, that are no clear difference.
    pub(super) unclear_ratios: Range<f64>,
    /// The rate of a doubled depth must be so many times the usual one.
    pub(super) min_gain: f64,
    /// The longest that a trial takes.
    pub(super) longest_trial: Duration,
    /// The shortest rest between two rounds of trials. It doubles with each round that changed
    /// nothing.
    pub(super) shortest_rest: Duration,
    /// The longest rest between two rounds of trials.
    pub(super) longest_rest: Duration,
    /// How long a server that misbehaves under pipelining is spared it.
    pub(super) forbidden_for: Duration,
    /// A reply is late when it takes so many times what is usual,
    pub(super) late_factor: u32,
    /// and at least so long.
    pub(super) late_min: Duration,
    /// Late replies from which on a server has a tail.
    pub(super) tail_late: u64,
    /// Late replies that are expected of a trial before its tail is judged,
    pub(super) tail_expected: f64,
    /// and the replies that it waits for at most.
    pub(super) tail_replies: u64,
    /// It shows whether a server has a tail after so many replies,
    pub(super) known_replies: u64,
    /// and so long, as a late reply is not seen before it comes;
    pub(super) known_soon: Duration,
    /// at the latest after this time.
    pub(super) known_late: Duration,
    /// Expected late replies after which no more than these decide at once for the depth tried.
    pub(super) same_tail_expected: f64,
    /// Late replies after which so many times the expected ones decide at once against it.
    pub(super) worse_tail_late: u64,
    /// See [`worse_tail_late`](Self::worse_tail_late).
    pub(super) worse_tail_factor: f64,
    /// So many times the expected late replies make a worse tail: between none more and twice as
    /// many.
    pub(super) tail_tolerance: f64,
    /// Replies after which those before them count half.
    pub(super) history_replies: u64,
    /// A reply counts for at most so many times what is usual in what is usual.
    pub(super) usual_cap: f64,
    /// Replies that would replace what is usual, if they counted in full.
    pub(super) usual_replies: f64,
    /// The share that one report has in what is usual at most.
    pub(super) usual_weight: f64,
    /// A round trip below this may be the noise of a busy machine, and the search is quick without
    /// a start.
    pub(super) min_rtt: Duration,
}

impl Tuning {
    /// The values in use.
    pub(crate) const DEFAULT: Self = Self {
        enough_replies: 128,
        settled_replies: 4,
        clear_replies: 32,
        unclear_ratios: 0.75..1.5,
        min_gain: 1.1,
        longest_trial: Duration::from_secs(10),
        shortest_rest: Duration::from_secs(1),
        longest_rest: Duration::from_secs(60),
        forbidden_for: Duration::from_secs(60),
        late_factor: 8,
        late_min: Duration::from_millis(5),
        tail_late: 5,
        tail_expected: 64.0,
        tail_replies: 20_000,
        known_replies: 2000,
        known_soon: Duration::from_millis(300),
        known_late: Duration::from_secs(1),
        same_tail_expected: 16.0,
        worse_tail_late: 24,
        worse_tail_factor: 2.0,
        tail_tolerance: 1.4,
        history_replies: 10_000,
        usual_cap: 4.0,
        usual_replies: 64.0,
        usual_weight: 0.5,
        min_rtt: Duration::from_millis(5),
    };
}
