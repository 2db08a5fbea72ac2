//! Members that want permits, on one thread and on several.

use super::*;

/// Wants some permits, and keeps what it gets.
struct Hungry {
    permits: Arc<SharedPermits>,
    id: MemberId,
    wants: Mutex<usize>,
    has: Mutex<Vec<Permit>>,
}

impl Hungry {
    fn new(permits: &Arc<SharedPermits>, wants: usize) -> Arc<Self> {
        let hungry = Arc::new(Self {
            permits: permits.clone(),
            id: permits.add_member(),
            wants: Mutex::new(wants),
            has: Mutex::default(),
        });
        let this: Weak<Self> = Arc::downgrade(&hungry);
        permits.join(hungry.id, this);
        hungry.ask();
        hungry
    }

    fn ask(&self) {
        let mut wants = self.wants.lock().unwrap();
        if *wants == 0 {
            self.permits.decline(self.id);
        }
        while *wants > 0 {
            let poor = self.has() == 0;
            let Ok(permit) = self.permits.acquire(self.id, poor) else {
                return;
            };
            *wants -= 1;
            self.has.lock().unwrap().push(permit);
        }
    }

    fn has(&self) -> usize {
        self.has.lock().unwrap().len()
    }

    fn give(&self) {
        let permit = self.has.lock().unwrap().pop();
        drop(permit);
    }
}

impl Member for Hungry {
    fn holdings(&self) -> Holdings {
        Holdings {
            live: self.has(),
            ..Holdings::default()
        }
    }

    fn close_one(&self) {}

    fn permit_freed(&self) {
        self.ask();
    }
}

#[test]
fn who_was_refused_is_served_in_order() {
    let permits = SharedPermits::new(2);
    let first = Hungry::new(&permits, 2);
    let second = Hungry::new(&permits, 2);
    let third = Hungry::new(&permits, 1);
    assert_eq!((first.has(), second.has(), third.has()), (2, 0, 0));
    first.give();
    // It wants more than it got, and goes to the end for that.
    assert_eq!((second.has(), third.has()), (1, 0));
    first.give();
    assert_eq!((second.has(), third.has()), (1, 1));
    third.give();
    assert_eq!(second.has(), 2);
    assert!(!permits.is_wanted());
}

#[test]
fn who_has_none_comes_before_who_has_some() {
    let permits = SharedPermits::new(2);
    let rich = Hungry::new(&permits, 4);
    let (one, two) = (Hungry::new(&permits, 1), Hungry::new(&permits, 1));
    assert_eq!((rich.has(), one.has(), two.has()), (2, 0, 0));
    rich.give();
    assert_eq!((rich.has(), one.has(), two.has()), (1, 1, 0));
    // It has none now, but that it asks anew with is what counts.
    rich.give();
    assert_eq!((rich.has(), one.has(), two.has()), (0, 1, 1));
    let late = Hungry::new(&permits, 1);
    rich.ask();
    two.give();
    one.give();
    assert_eq!((rich.has(), late.has()), (1, 1));
}

#[test]
fn who_needs_none_any_more_is_in_nobodys_way() {
    let permits = SharedPermits::new(1);
    let first = Hungry::new(&permits, 1);
    // More of them than there would be room for on the stack, one within another.
    let gone: Vec<_> = (0..3_000).map(|_| Hungry::new(&permits, 1)).collect();
    let last = Hungry::new(&permits, 1);
    gone.iter().for_each(|g| *g.wants.lock().unwrap() = 0);
    first.give();
    assert_eq!((last.has(), permits.is_wanted()), (1, false));
}

#[test]
fn permits_that_come_back_together_all_find_somebody() {
    for _ in 0..200 {
        let permits = SharedPermits::new(2);
        let first = Hungry::new(&permits, 2);
        let second = Hungry::new(&permits, 2);
        let third = Hungry::new(&permits, 2);
        std::thread::scope(|scope| {
            let giver = scope.spawn(|| first.give());
            first.give();
            giver.join().unwrap();
        });
        assert_eq!(second.has() + third.has(), 2);
    }
}

/// Tries to get a permit for a race before it takes the one that it waits for.
struct Racing {
    permits: Arc<SharedPermits>,
    id: MemberId,
    extra: Mutex<Option<bool>>,
    has: Mutex<Option<Permit>>,
}

impl Member for Racing {
    fn holdings(&self) -> Holdings {
        Holdings::default()
    }

    fn close_one(&self) {}

    fn permit_freed(&self) {
        let extra = self.permits.acquire_extra().is_some();
        *self.extra.lock().unwrap() = Some(extra);
        *self.has.lock().unwrap() = self.permits.acquire(self.id, true).ok();
    }
}

#[test]
fn a_race_gets_no_permit_before_those_who_wait() {
    let permits = SharedPermits::new(1);
    let first = Hungry::new(&permits, 1);
    let id = permits.add_member();
    let racing = Arc::new(Racing {
        permits: permits.clone(),
        id,
        extra: Mutex::default(),
        has: Mutex::default(),
    });
    let this: Weak<Racing> = Arc::downgrade(&racing);
    permits.join(id, this);
    assert_eq!(permits.acquire(id, true).err(), Some(Refused::Anew));
    assert_eq!(permits.acquire(id, true).err(), Some(Refused::Again));
    first.give();
    assert_eq!(*racing.extra.lock().unwrap(), Some(false));
    assert!(racing.has.lock().unwrap().is_some());
    // Nobody waits, and there is none.
    assert!(permits.acquire_extra().is_none());
    *racing.has.lock().unwrap() = None;
    assert!(permits.acquire_extra().is_some());
}

/// Panics when it is told.
struct Panicking;

impl Member for Panicking {
    fn holdings(&self) -> Holdings {
        Holdings::default()
    }

    fn close_one(&self) {}

    fn permit_freed(&self) {
        panic!("it was only a test");
    }
}

#[test]
fn a_member_that_panics_is_in_nobodys_way() {
    let permits = SharedPermits::new(1);
    let first = Hungry::new(&permits, 1);
    let panicking = Arc::new(Panicking);
    let this: Weak<Panicking> = Arc::downgrade(&panicking);
    let id = permits.add_member();
    permits.join(id, this);
    assert!(permits.acquire(id, true).is_err());
    let last = Hungry::new(&permits, 1);
    first.give();
    assert_eq!(last.has(), 1);
    last.give();
    let later = Hungry::new(&permits, 1);
    assert_eq!((later.has(), permits.is_wanted()), (1, false));
}
