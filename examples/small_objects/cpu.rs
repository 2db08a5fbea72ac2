//! CPU time, of this process and of one thread.

use std::time::Duration;

/// What this process has used so far, all threads together, in user and kernel mode.
pub(crate) fn of_process() -> Duration {
    clock::process()
}

/// Does some work that does not await, and tells the CPU time that it took.
pub(crate) fn of_thread<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let before = clock::thread();
    let result = work();
    (result, clock::thread().saturating_sub(before))
}

#[cfg(unix)]
mod clock {
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    pub(super) fn process() -> Duration {
        read(ClockId::ProcessCPUTime)
    }

    pub(super) fn thread() -> Duration {
        read(ClockId::ThreadCPUTime)
    }

    fn read(clock: ClockId) -> Duration {
        clock_gettime(clock).try_into().unwrap_or_default()
    }
}

/// Elsewhere it is not measured, and shows as nothing.
#[cfg(not(unix))]
mod clock {
    use std::time::Duration;

    pub(super) fn process() -> Duration {
        Duration::ZERO
    }

    pub(super) fn thread() -> Duration {
        Duration::ZERO
    }
}
