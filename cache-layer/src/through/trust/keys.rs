//! One key of this process: the writes of it that are under way, whether it is doubted, and the read that others meet.

/// What this process knows of one key.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct KeyGate<T, F> {
    /// Writes of the key that are under way in this process.
    writes: u32,
    /// Until then the cache may have what a write has made old, since a deletion was not acknowledged, or the write
    /// may still happen.
    doubted_until: Option<T>,
    /// The read that leads: its number, and what the reads that meet it wait for. Only this read may fill.
    flight: Option<(u64, F)>,
}

impl<T, F> Default for KeyGate<T, F> {
    fn default() -> Self {
        Self {
            writes: 0,
            doubted_until: None,
            flight: None,
        }
    }
}

impl<T: Ord + Copy, F> KeyGate<T, F> {
    /// Whether a read that begins now may believe what the cache has.
    pub(crate) fn is_open(&self, now: T) -> bool {
        self.writes == 0 && !self.is_doubted(now)
    }

    /// The number of the read that leads, and what others wait for.
    pub(crate) fn flight(&self) -> Option<&(u64, F)> {
        self.flight.as_ref()
    }

    /// This read leads from now on, in place of any other.
    pub(crate) fn lead(&mut self, number: u64, flight: F) {
        self.flight = Some((number, flight));
    }

    /// Whether this read still leads. It does not when this process has written the key since, or another read has
    /// taken over.
    pub(crate) fn is_current(&self, number: u64) -> bool {
        self.flight.as_ref().is_some_and(|(n, _)| *n == number)
    }

    /// Nobody meets the read that leads from now on, and it fills nothing.
    pub(crate) fn cut_off(&mut self) {
        self.flight = None;
    }

    /// A write begins. No read from now on shares what an earlier read has fetched.
    pub(crate) fn begin_write(&mut self) {
        self.writes += 1;
        self.cut_off();
    }

    /// A write has ended. What the cache has is doubted until that instant, if there is one.
    pub(crate) fn end_write(&mut self, doubted_until: Option<T>) {
        self.writes = self.writes.saturating_sub(1);
        self.cut_off();
        // A write that is certain says nothing of another write that may still happen.
        self.doubted_until = self.doubted_until.max(doubted_until);
    }

    pub(crate) fn is_doubted(&self, now: T) -> bool {
        self.doubted_until.is_some_and(|until| now < until)
    }

    /// When the doubt that is noted ends.
    pub(crate) fn doubted_until(&self) -> Option<T> {
        self.doubted_until
    }

    /// Whether a doubt is noted, even if it has ended.
    pub(crate) fn has_doubt(&self) -> bool {
        self.doubted_until.is_some()
    }

    /// Forgets a doubt that has ended.
    pub(crate) fn settle(&mut self, now: T) {
        if !self.is_doubted(now) {
            self.doubted_until = None;
        }
    }

    /// Whether nothing is lost when this gate is forgotten.
    pub(crate) fn is_idle(&self, now: T) -> bool {
        self.flight.is_none() && self.is_open(now)
    }

    /// Whether a read has to ask this gate before it believes the cache.
    pub(crate) fn is_suspect(&self) -> bool {
        self.writes > 0 || self.doubted_until.is_some()
    }
}
