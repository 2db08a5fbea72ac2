//! What the system tells of this process, and the limits set on it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

use crate::BoxError;

/// User and system time of this process so far, all threads together, exact to nanoseconds.
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Tells how much memory this process holds; opened before the file descriptors may run out.
#[derive(Debug)]
pub struct Memory(File);

impl Memory {
    /// Opens what the system tells of this process.
    ///
    /// # Errors
    /// When it tells nothing.
    pub fn open() -> Result<Self, BoxError> {
        Ok(Self(File::open("/proc/self/status")?))
    }

    /// The most memory this process ever held, in MiB (`VmHWM`).
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn peak_mib(&self) -> Result<f64, BoxError> {
        let mut text = [0; 8192];
        let n = self.0.read_at(&mut text, 0)?;
        let text = std::str::from_utf8(&text[..n])?;
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib = line
            .and_then(|line| line.trim().strip_suffix(" kB"))
            .ok_or("no VmHWM")?;
        Ok(kib.trim().parse::<f64>()? / 1024.0)
    }
}

/// Keeps this thread, and those it starts from now on, to these cores; none means all.
///
/// # Errors
/// When there is no such core.
pub fn pin(cores: &[usize]) -> Result<(), BoxError> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    for &core in cores {
        if core >= CpuSet::MAX_CPU {
            return Err(format!("no core {core}").into());
        }
        set.set(core);
    }
    Ok(sched_setaffinity(None, &set)?)
}

/// Limits the file descriptors of this process.
///
/// # Errors
/// When the hard limit is below.
pub fn limit_files(n: u64) -> Result<(), BoxError> {
    let now = getrlimit(Resource::Nofile);
    let limit = Rlimit {
        current: Some(n),
        maximum: now.maximum,
    };
    Ok(setrlimit(Resource::Nofile, limit)?)
}

/// The load average over the last minute.
///
/// # Errors
/// When the system does not tell.
pub fn load() -> Result<f64, BoxError> {
    let text = std::fs::read_to_string("/proc/loadavg")?;
    Ok(text.split(' ').next().ok_or("no load average")?.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_and_time_used_only_grow() {
        let memory = Memory::open().unwrap();
        let (before, time) = (memory.peak_mib().unwrap(), cpu_time());
        let used = vec![1_u8; 32 << 20];
        assert!(used.iter().all(|&b| b == 1));
        assert!(memory.peak_mib().unwrap() > before);
        assert!(cpu_time() > time);
    }
}
