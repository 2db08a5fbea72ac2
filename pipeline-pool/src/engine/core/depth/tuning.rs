//! The values that the control of the depth goes by.

use std::ops::Range;
use std::time::Duration;

/// What is enough, what is clear, and how long things take.
#[derive(Debug)]
pub(crate) struct Tuning {
    /// How many times as deep, or as packed, a trial goes.
    pub(super) steps_up: usize,
    /// The mean response time must become so many times shorter for a deeper or more packed setting,
    /// and the rate so many times as high for a narrow one.
    pub(super) min_gain: f64,
    /// The same where a deeper setting makes more callers slow.
    pub(super) min_gain_for_tail: f64,
    /// A shallower or less packed setting wins if the mean response time before, divided by its own, is at
    /// least this; the usual width wins if its rate, divided by that of the narrow one, is.
    pub(super) max_loss: f64,
    /// The same where the deeper setting makes more callers slow.
    pub(super) max_loss_for_tail: f64,
    /// A trial is won at once if its gain is above the one that is needed times this,
    pub(super) clear_gain: f64,
    /// and lost at once if it is below that times this.
    pub(super) clear_miss: f64,
    /// How often the two settings take turns at most; those of another width take one each.
    pub(super) most_turns: u32,
    /// A caller is slow that waits for so many times the mean.
    pub(super) slow_factor: u32,
    /// and at least so long.
    pub(super) slow_min: Duration,
    /// A tail is longer when more than the first share of callers are slow, and less than the second
    /// one were, and so many times fewer,
    pub(super) tail_shares: Range<f64>,
    /// See [`tail_shares`](Self::tail_shares).
    pub(super) tail_tolerance: f64,
    /// and at least so many are.
    pub(super) tail_slow: u64,
    /// A turn is measured for so many mean response times, and so many of the longest latencies,
    pub(super) turn_times: f64,
    /// after it was left alone for so many,
    pub(super) settling_times: f64,
    /// and for so long at least,
    pub(super) shortest_turn: Duration,
    /// and at most.
    pub(super) longest_turn: Duration,
    /// A turn in which replies per second are compared takes so long at least: a runtime takes some ms
    /// to go round all callers and connections, and replies come in a part of that.
    pub(super) rate_turn: Duration,
    /// All callers have paused if no request was under way for this long. A shorter gap is the time that they
    /// need to send their next requests.
    pub(super) pause: Duration,
    /// Replies after which the mean of their times means something.
    pub(super) known_replies: u64,
    /// Replies that a turn needs.
    pub(super) turn_replies: u64,
    /// Replies of each connection before anything is tried: in a burst that is over before that, a
    /// request behind another one would only be the last to be answered.
    pub(super) settled_replies: u64,
    /// How long replies are seen before anything is measured, as a late one is not seen before it comes,
    /// and how long they are measured before anything is tried.
    pub(super) known_after: Duration,
    /// A deeper setting is tried while so large a share of what connections may have waits for them.
    pub(super) min_waiting: f64,
    /// More connections than are usual are tried while so large a share of them waits for late replies,
    pub(super) many_stuck: f64,
    /// and are given up when so small a share does.
    pub(super) few_stuck: f64,
    /// Requests are packed at so many replies per second: what packing saves are some microseconds
    /// of each request, which nobody feels at fewer.
    pub(super) min_packed_rate: f64,
    /// A narrow setting is tried only if its connections could hold this many requests: with fewer, the usual
    /// number of connections needs little memory as well,
    pub(super) min_narrow: f64,
    /// and if this many times as many requests are under way as it could hold,
    pub(super) narrow_load: f64,
    /// and if it could serve this share of the present rate when each reply took as long as the quickest:
    /// the rest of the rate is what a trial may cost.
    pub(super) narrow_rate: f64,
    /// It is not tried for this long after its rate was lower than the usual one by more than
    /// [`changed`](Self::changed), or after it has brought no reply for a second; otherwise for
    /// [`longest_rest`](Self::longest_rest).
    pub(super) narrow_rest: Duration,
    /// It is given up after this many turns in a row without need of it: one may be mostly a pause of all callers.
    pub(super) narrow_unneeded_turns: u32,
    /// The shortest rest between two rounds of trials. It doubles with each round that changed
    /// nothing.
    pub(super) shortest_rest: Duration,
    /// The longest rest between two rounds of trials.
    pub(super) longest_rest: Duration,
    /// A rest is so many times as long as the turns of a trial that was wrong.
    pub(super) rest_factor: u32,
    /// A setting that has shown that it pays is left alone for so many turns,
    pub(super) proven_factor: u32,
    /// and for so long.
    pub(super) proven_for: Duration,
    /// A rest ends early when the mean response time has changed by so many times.
    pub(super) changed: f64,
    /// How long a server that misbehaves under pipelining is spared it.
    pub(super) forbidden_for: Duration,
    /// A reply is late when it takes so many times the third quartile,
    pub(super) late_factor: u32,
    /// and at least so long.
    pub(super) late_min: Duration,
    /// How much one reply moves the quartile.
    pub(super) quartile_step: f64,
    /// The replies of one report that move it at most.
    pub(super) quartile_replies: f64,
    /// The longest time of a reply is known for so long at least.
    pub(super) longest_kept: Duration,
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
        steps_up: 4,
        min_gain: 1.1,
        min_gain_for_tail: 1.3,
        max_loss: 0.97,
        max_loss_for_tail: 0.83,
        clear_gain: 1.15,
        clear_miss: 0.97,
        most_turns: 2,
        slow_factor: 4,
        slow_min: Duration::from_millis(5),
        tail_shares: 0.009..0.02,
        tail_tolerance: 1.4,
        tail_slow: 5,
        turn_times: 3.0,
        settling_times: 1.5,
        shortest_turn: Duration::from_millis(20),
        longest_turn: Duration::from_secs(1),
        rate_turn: Duration::from_millis(300),
        pause: Duration::from_millis(50),
        known_replies: 32,
        turn_replies: 128,
        settled_replies: 4,
        known_after: Duration::from_millis(150),
        min_waiting: 0.1,
        // With twice the connections half as many requests stand behind each late reply. Where a
        // tenth of the connections wait for one, that is about a tenth of what callers wait for.
        many_stuck: 0.1,
        few_stuck: 0.02,
        min_packed_rate: 20_000.0,
        min_narrow: 256.0,
        narrow_load: 2.0,
        narrow_rate: 0.5,
        narrow_rest: Duration::from_secs(300),
        narrow_unneeded_turns: 2,
        shortest_rest: Duration::from_secs(1),
        longest_rest: Duration::from_secs(60),
        rest_factor: 50,
        proven_factor: 200,
        proven_for: Duration::from_secs(10),
        changed: 1.5,
        forbidden_for: Duration::from_secs(60),
        late_factor: 2,
        late_min: Duration::from_millis(5),
        quartile_step: 0.02,
        quartile_replies: 8.0,
        longest_kept: Duration::from_secs(1),
        usual_cap: 4.0,
        usual_replies: 64.0,
        usual_weight: 0.5,
        min_rtt: Duration::from_millis(5),
    };
}
