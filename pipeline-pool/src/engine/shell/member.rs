//! An endpoint among those that share a cap.

use super::driver::now;
use super::endpoint::Endpoint;
use super::permits::Member;
use super::runtimes::here;
use crate::engine::core::permits::Holdings;
use crate::protocol::Protocol;

impl<P: Protocol> Member for Endpoint<P> {
    fn holdings(&self) -> Holdings {
        self.lock().holdings()
    }

    fn close_one(&self) {
        self.lock().handle_eviction();
    }

    fn permit_freed(&self) {
        let now = now();
        let mut scheduler = self.lock();
        scheduler.handle_permit_freed();
        if !scheduler.poll_opening(now) {
            return self.decline();
        }
        if here().is_some() {
            return self.open_wanted(scheduler, now);
        }
        // Called while a runtime goes down: those who wait go on from their own.
        self.decline();
        drop(scheduler);
        self.bounce_all(None);
    }
}
