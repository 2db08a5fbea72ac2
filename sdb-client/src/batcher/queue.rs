//! What waits, and what of it may go out together: without clock and without sending.

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::time::Duration;

use aws_core::Result;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::change::PutItem;
use crate::limits::MAX_BATCH_BYTES;
use crate::usage::Usage;

/// A put that waits.
pub(super) struct Entry {
    pub(super) item: PutItem,
    pub(super) reply: oneshot::Sender<Result<Usage>>,
    pub(super) at: Instant,
    /// Its place among all puts; given by the queue.
    pub(super) number: u64,
}

/// What can be done now.
pub(super) enum Take {
    /// These go out together.
    Batch(Vec<Entry>),
    /// Nothing before this time, unless there is more by then.
    Wait(Option<Instant>),
}

pub(super) struct Queue {
    waiting: VecDeque<Entry>,
    /// The items of requests under way.
    busy: HashSet<String>,
    /// The numbers of those that wait or are under way.
    open: BTreeSet<u64>,
    next: u64,
    /// Those before it wait for nothing.
    urgent: u64,
    max_items: usize,
    max_wait: Duration,
    max_waiting: usize,
}

impl Queue {
    pub(super) fn new(max_items: usize, max_wait: Duration, max_waiting: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            busy: HashSet::new(),
            open: BTreeSet::new(),
            next: 0,
            urgent: 0,
            max_items,
            max_wait,
            max_waiting,
        }
    }

    /// Whether as many wait as may: nothing is taken before there is room.
    pub(super) fn is_full(&self) -> bool {
        self.waiting.len() >= self.max_waiting
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn push(&mut self, mut entry: Entry) {
        entry.number = self.next;
        self.open.insert(self.next);
        self.next += 1;
        self.waiting.push_back(entry);
    }

    /// All that wait now are to go at once; gives what [`is_done`](Self::is_done) takes.
    pub(super) fn hurry(&mut self) -> u64 {
        self.urgent = self.next;
        self.next
    }

    /// Whether all puts before this place are done.
    pub(super) fn is_done(&self, place: u64) -> bool {
        self.open.first().is_none_or(|first| *first >= place)
    }

    /// The next batch, if it is time for one: items all different, none of which is under way, and none before an
    /// earlier put of the same item.
    pub(super) fn take(&mut self, now: Instant) -> Take {
        self.forget_cancelled();
        let mut taken: Vec<usize> = Vec::new();
        let mut seen: HashSet<&str> = HashSet::new();
        let mut bytes = 0;
        // Nothing that could be waited for gets into a full line, nor does a flush behind it.
        let mut full = self.is_full();
        for (place, entry) in self.waiting.iter().enumerate() {
            let name = entry.item.name();
            if !seen.insert(name) || self.busy.contains(name) {
                continue;
            }
            bytes += entry.item.encoded_len();
            if bytes > MAX_BATCH_BYTES && !taken.is_empty() {
                full = true;
                break;
            }
            taken.push(place);
            if taken.len() == self.max_items {
                full = true;
                break;
            }
        }
        let Some(oldest) = taken.first().map(|place| &self.waiting[*place]) else {
            return Take::Wait(None);
        };
        let due = oldest.at + self.max_wait;
        if !full && due > now && oldest.number >= self.urgent {
            return Take::Wait(Some(due));
        }
        // From behind, so that the places before stay right.
        let mut batch: Vec<Entry> = Vec::with_capacity(taken.len());
        for place in taken.into_iter().rev() {
            batch.extend(self.waiting.remove(place));
        }
        batch.reverse();
        self.busy
            .extend(batch.iter().map(|e| e.item.name().to_owned()));
        Take::Batch(batch)
    }

    /// A batch is done: its items, and their numbers.
    pub(super) fn done<'a>(&mut self, batch: impl IntoIterator<Item = (&'a str, u64)>) {
        for (name, number) in batch {
            self.busy.remove(name);
            self.open.remove(&number);
        }
    }

    fn forget_cancelled(&mut self) {
        let open = &mut self.open;
        self.waiting.retain(|entry| {
            let heard = !entry.reply.is_closed();
            if !heard {
                open.remove(&entry.number);
            }
            heard
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Heard = Vec<oneshot::Receiver<Result<Usage>>>;

    fn push(queue: &mut Queue, heard: &mut Heard, name: &str, at: Instant) {
        let (reply, receiver) = oneshot::channel();
        heard.push(receiver);
        let item = PutItem::new(name).add("a", "b");
        queue.push(Entry {
            item,
            reply,
            at,
            number: 0,
        });
    }

    fn names(take: &Take) -> Vec<&str> {
        match take {
            Take::Batch(batch) => batch.iter().map(|e| e.item.name()).collect(),
            Take::Wait(_) => Vec::new(),
        }
    }

    fn done(queue: &mut Queue, take: &Take) {
        if let Take::Batch(batch) = take {
            queue.done(batch.iter().map(|e| (e.item.name(), e.number)));
        }
    }

    #[test]
    fn a_batch_is_due_when_full_or_old() {
        let (now, wait) = (Instant::now(), Duration::from_millis(5));
        let (mut queue, mut heard) = (Queue::new(3, wait, 100), Heard::new());
        assert!(matches!(queue.take(now), Take::Wait(None)));
        push(&mut queue, &mut heard, "a", now);
        push(&mut queue, &mut heard, "b", now + wait / 2);
        assert!(matches!(queue.take(now + wait / 2), Take::Wait(Some(due)) if due == now + wait));
        assert_eq!(names(&queue.take(now + wait)), ["a", "b"]);
        for name in ["c", "d", "e", "f"] {
            push(&mut queue, &mut heard, name, now + wait);
        }
        assert_eq!(names(&queue.take(now + wait)), ["c", "d", "e"]);
        assert!(names(&queue.take(now + wait)).is_empty());
        let place = queue.hurry();
        push(&mut queue, &mut heard, "g", now + wait);
        assert_eq!(names(&queue.take(now + wait)), ["f", "g"]);
        assert!(!queue.is_done(place));
    }

    #[test]
    fn a_full_line_waits_for_nobody() {
        let now = Instant::now();
        let hour = Duration::from_secs(3600);
        let (mut queue, mut heard) = (Queue::new(25, hour, 3), Heard::new());
        push(&mut queue, &mut heard, "a", now);
        push(&mut queue, &mut heard, "a", now);
        assert!(matches!(queue.take(now), Take::Wait(Some(due)) if due == now + hour));
        push(&mut queue, &mut heard, "b", now);
        assert!(queue.is_full());
        assert_eq!(names(&queue.take(now)), ["a", "b"]);
        // What was dropped takes no room.
        push(&mut queue, &mut heard, "c", now);
        push(&mut queue, &mut heard, "d", now);
        heard.pop();
        assert!(queue.is_full());
        assert!(matches!(queue.take(now), Take::Wait(Some(due)) if due == now + hour));
    }

    #[test]
    fn puts_of_one_item_keep_their_order() {
        let now = Instant::now();
        let (mut queue, mut heard) = (Queue::new(25, Duration::ZERO, 100), Heard::new());
        for name in ["a", "b", "a", "c"] {
            push(&mut queue, &mut heard, name, now);
        }
        let place = queue.hurry();
        let first = queue.take(now);
        assert_eq!(names(&first), ["a", "b", "c"]);
        push(&mut queue, &mut heard, "b", now);
        push(&mut queue, &mut heard, "d", now);
        let second = queue.take(now);
        assert_eq!(names(&second), ["d"]);
        assert!(matches!(queue.take(now), Take::Wait(None)));
        done(&mut queue, &first);
        assert!(!queue.is_done(place));
        let third = queue.take(now);
        assert_eq!(names(&third), ["a", "b"]);
        done(&mut queue, &third);
        assert!(queue.is_done(place) && !queue.is_done(queue.next));
        done(&mut queue, &second);
        assert!(queue.is_done(queue.next));
    }

    #[test]
    fn what_nobody_waits_for_is_left_out() {
        let now = Instant::now();
        let (mut queue, mut heard) = (Queue::new(25, Duration::ZERO, 100), Heard::new());
        for name in ["a", "b", "c"] {
            push(&mut queue, &mut heard, name, now);
        }
        heard.remove(1);
        let batch = queue.take(now);
        assert_eq!(names(&batch), ["a", "c"]);
        done(&mut queue, &batch);
        assert!(queue.is_done(queue.next));
    }
}
