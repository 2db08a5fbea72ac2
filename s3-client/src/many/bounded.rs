//! Runs many requests, a bounded number at once.

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::runtime::Handle;
use tokio::task::JoinSet;

pub(crate) type Job<T> = Pin<Box<dyn Future<Output = T> + Send>>;
pub(crate) type BoxStream<T> = Pin<Box<dyn Stream<Item = T> + Send>>;
pub(crate) type Jobs<T> = BoxStream<Job<T>>;

/// The results of many requests in the order in which they are done, as a [`Stream`].
///
/// Requests run as tasks of the runtime while the stream is held, also between two looks at it; no further one
/// begins while as many as may run at once are running or have results that were not read. Dropping it ends those
/// that run: whether they came to pass is not known.
#[must_use = "nothing is sent before the stream is read"]
pub struct Results<T>(Bounded<T>);

impl<T: Send + 'static> Results<T> {
    pub(crate) fn new(jobs: Jobs<T>, limit: usize) -> Self {
        Self(Bounded::new(jobs, limit))
    }

    /// The next result, or nothing after the last.
    pub async fn next(&mut self) -> Option<T> {
        poll_fn(|cx| self.0.poll(cx)).await
    }
}

impl<T: Send + 'static> Stream for Results<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll(cx)
    }
}

impl<T> fmt::Debug for Results<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Runs jobs as they come, a bounded number at once.
pub(crate) struct Bounded<T> {
    jobs: Option<Jobs<T>>,
    running: JoinSet<T>,
    /// A job that found no runtime: it is polled in place, and tells that by its result.
    without_runtime: Option<Job<T>>,
    limit: usize,
}

impl<T> Unpin for Bounded<T> {}

impl<T: Send + 'static> Bounded<T> {
    pub(crate) fn new(jobs: Jobs<T>, limit: usize) -> Self {
        Self {
            jobs: Some(jobs),
            running: JoinSet::new(),
            without_runtime: None,
            limit: limit.max(1),
        }
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        loop {
            if let Some(job) = &mut self.without_runtime {
                let result = std::task::ready!(job.as_mut().poll(cx));
                self.without_runtime = None;
                return Poll::Ready(Some(result));
            }
            self.start(cx);
            return match self.running.poll_join_next(cx) {
                Poll::Ready(Some(Ok(result))) => Poll::Ready(Some(result)),
                Poll::Ready(Some(Err(failed))) => match failed.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // Its runtime is shutting down.
                    Err(_) => continue,
                },
                Poll::Ready(None) if self.without_runtime.is_some() => continue,
                Poll::Ready(None) if self.jobs.is_none() => Poll::Ready(None),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            };
        }
    }

    fn start(&mut self, cx: &mut Context<'_>) {
        while self.running.len() < self.limit && self.without_runtime.is_none() {
            let Some(jobs) = &mut self.jobs else { return };
            match jobs.as_mut().poll_next(cx) {
                Poll::Ready(Some(job)) => match Handle::try_current() {
                    Ok(runtime) => {
                        self.running.spawn_on(job, &runtime);
                    }
                    Err(_) => self.without_runtime = Some(job),
                },
                Poll::Ready(None) => self.jobs = None,
                Poll::Pending => return,
            }
        }
    }
}

impl<T> fmt::Debug for Bounded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results")
            .field("running", &self.running.len())
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

/// An iterator as a stream.
pub(crate) fn of_iter<T: 'static>(
    iter: impl IntoIterator<Item = T, IntoIter: Send + 'static>,
) -> BoxStream<T> {
    struct Iter<I>(I);

    impl<I> Unpin for Iter<I> {}

    impl<I: Iterator> Stream for Iter<I> {
        type Item = I::Item;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
            Poll::Ready(self.0.next())
        }
    }

    Box::pin(Iter(iter.into_iter()))
}

/// A stream with each of its items made another, or left out.
pub(crate) fn boxed<T: 'static, U: 'static>(
    stream: impl Stream<Item = T> + Send + 'static,
    make: impl FnMut(T) -> Option<U> + Send + 'static,
) -> BoxStream<U> {
    struct Made<T, F>(BoxStream<T>, F);

    impl<T, F> Unpin for Made<T, F> {}

    impl<T, U, F: FnMut(T) -> Option<U>> Stream for Made<T, F> {
        type Item = U;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<U>> {
            let Self(stream, make) = &mut *self;
            loop {
                match std::task::ready!(stream.as_mut().poll_next(cx)) {
                    Some(item) => {
                        if let Some(made) = make(item) {
                            return Poll::Ready(Some(made));
                        }
                    }
                    None => return Poll::Ready(None),
                }
            }
        }
    }

    Box::pin(Made(Box::pin(stream), make))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use tokio::sync::Semaphore;

    fn job<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> Job<T> {
        Box::pin(future)
    }

    #[tokio::test]
    async fn results_come_as_they_are_done() {
        let gates: Vec<_> = (0..3).map(|_| Arc::new(Semaphore::new(0))).collect();
        let held = gates.clone();
        let jobs = boxed(of_iter(0..3usize), move |i| {
            let gate = held[i].clone();
            Some(job(async move {
                let _open = gate.acquire().await;
                i
            }))
        });
        let mut results = Results::new(jobs, 3);
        for i in [2, 0, 1] {
            gates[i].add_permits(1);
            assert_eq!(results.next().await, Some(i));
        }
        assert_eq!(results.next().await, None);
        assert_eq!(results.next().await, None);
    }

    #[tokio::test]
    async fn an_endless_source_is_asked_only_for_what_may_run() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = asked.clone();
        let jobs = boxed(of_iter(std::iter::repeat(())), move |()| {
            let i = count.fetch_add(1, Ordering::Relaxed);
            Some(job(async move { i }))
        });
        let mut results = Results::new(jobs, 5);
        for read in 1..=1000 {
            assert!(results.next().await.is_some());
            let asked = asked.load(Ordering::Relaxed);
            assert!(
                (read..=read + 5).contains(&asked),
                "{asked} asked, {read} read"
            );
        }
    }

    #[test]
    fn without_a_runtime_jobs_tell_it_themselves() {
        let jobs = boxed(of_iter(0..3), |i| Some(job(async move { i })));
        let mut results = Results::new(jobs, 2);
        let waker = std::task::Waker::noop();
        let mut cx = Context::from_waker(waker);
        for i in 0..3 {
            assert_eq!(results.0.poll(&mut cx), Poll::Ready(Some(i)));
        }
        assert_eq!(results.0.poll(&mut cx), Poll::Ready(None));
    }

    #[tokio::test]
    #[should_panic(expected = "of the job")]
    async fn a_panic_is_passed_on() {
        let jobs = boxed(of_iter([()]), |()| {
            Some(job(async { panic!("of the job") }))
        });
        let mut results: Results<()> = Results::new(jobs, 2);
        results.next().await;
    }
}
