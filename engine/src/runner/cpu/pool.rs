//! A pool of threads for regions of a few microseconds: tasks are claimed from one counter, whoever finds none left goes on,
//! and the region ends when the last task does. Workers look for the next region for a short while, then sleep.

use std::{
    cell::UnsafeCell,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle, Thread},
};

/// Looks for work before a worker sleeps: about 50 microseconds, longer than the gaps within a step.
const LOOKS: u32 = 4_000;
/// Looks for the end of a region before the engine's thread lets others run.
const PATIENCE: u32 = 20_000;

/// Bits of a [`Ticket`] for the next task and for the number of tasks; what is left counts regions.
const COUNT_BITS: u32 = 20;
const COUNT_MASK: u64 = (1 << COUNT_BITS) - 1;

/// What is claimed in one atomic step: which region it is, how many tasks it has, and which is next.
#[derive(Clone, Copy)]
struct Ticket(u64);

impl Ticket {
    fn first_of(tasks: usize, before: Self) -> Self {
        let region = (before.0 >> (2 * COUNT_BITS)).wrapping_add(1);
        Self(region << (2 * COUNT_BITS) | (tasks as u64) << COUNT_BITS)
    }

    fn task(self) -> Option<usize> {
        let (task, tasks) = (self.0 & COUNT_MASK, self.0 >> COUNT_BITS & COUNT_MASK);
        (task < tasks).then_some(task as usize)
    }
}

/// A region's work: `(task, thread)`.
type Work<'a> = dyn Fn(usize, usize) + Sync + 'a;

struct Shared {
    ticket: AtomicU64,
    done: AtomicUsize,
    work: UnsafeCell<*const Work<'static>>,
    panicked: AtomicBool,
    stop: AtomicBool,
}

// SAFETY: `work` is written only between regions and read only by who holds an unfinished task of the region.
unsafe impl Sync for Shared {}
// SAFETY: as above.
unsafe impl Send for Shared {}

struct Worker {
    thread: Thread,
    asleep: Arc<AtomicBool>,
    handle: Option<JoinHandle<()>>,
}

/// The threads that compute: the caller's own, and workers.
pub(super) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<Worker>,
}

impl Pool {
    /// A pool of this many threads, the caller's included.
    pub(super) fn new(threads: usize) -> std::io::Result<Self> {
        let nothing: &Work<'static> = &|_, _| ();
        let shared = Arc::new(Shared {
            ticket: AtomicU64::new(0),
            done: AtomicUsize::new(0),
            work: UnsafeCell::new(nothing),
            panicked: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let spawn = |number: usize| {
            let (shared, asleep) = (Arc::clone(&shared), Arc::new(AtomicBool::new(false)));
            let mine = Arc::clone(&asleep);
            let handle = thread::Builder::new()
                .name(format!("tenora-cpu-{number}"))
                .spawn(move || serve(&shared, number, &mine))?;
            Ok(Worker { thread: handle.thread().clone(), asleep, handle: Some(handle) })
        };
        let workers = (1..threads).map(spawn).collect::<std::io::Result<_>>()?;
        Ok(Self { shared, workers })
    }

    /// Threads, the caller's included.
    pub(super) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Runs `work(task, thread)` for every task, on all threads; returns when all are done. Everything that one region
    /// wrote is seen by the next.
    ///
    /// # Panics
    /// Passes on a panic of a task, when all threads have left the region.
    pub(super) fn run(&mut self, tasks: usize, work: &Work<'_>) {
        if tasks <= 1 || self.workers.is_empty() {
            (0..tasks).for_each(|task| work(task, 0));
            return;
        }
        assert!(tasks as u64 <= COUNT_MASK, "too many tasks for one region");
        // SAFETY: workers call it only for tasks of this region, and `self.finish` below waits for all of them.
        let work: &Work<'static> = unsafe { std::mem::transmute(work) };
        // SAFETY: no task is unfinished, so nobody reads it.
        unsafe { *self.shared.work.get() = work };
        self.shared.done.store(0, Ordering::Relaxed);
        let before = Ticket(self.shared.ticket.load(Ordering::Relaxed));
        // SeqCst with the same in `serve`: either the worker sees the ticket, or we see that it sleeps.
        self.shared.ticket.store(Ticket::first_of(tasks, before).0, Ordering::SeqCst);
        for worker in self.workers.iter().filter(|worker| worker.asleep.swap(false, Ordering::SeqCst)) {
            worker.thread.unpark();
        }
        let own = catch_unwind(AssertUnwindSafe(|| self.shared.claim(0)));
        if own.is_err() {
            // The task that panicked counts as done; the others are still to be waited for.
            self.shared.done.fetch_add(1, Ordering::Release);
            while self.shared.next().is_some() {
                self.shared.done.fetch_add(1, Ordering::Release);
            }
        }
        self.finish(tasks);
        if let Err(panic) = own {
            resume_unwind(panic);
        }
        assert!(!self.shared.panicked.swap(false, Ordering::Relaxed), "a worker of the pool panicked");
    }

    fn finish(&self, tasks: usize) {
        let mut looks = 0;
        while self.shared.done.load(Ordering::Acquire) < tasks {
            looks += 1;
            if looks % PATIENCE == 0 {
                thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }
}

impl Shared {
    fn next(&self) -> Option<usize> {
        Ticket(self.ticket.load(Ordering::Acquire)).task()?;
        Ticket(self.ticket.fetch_add(1, Ordering::AcqRel)).task()
    }

    /// Does tasks until none is left.
    fn claim(&self, thread: usize) {
        while let Some(task) = self.next() {
            // SAFETY: this task is unfinished, so the region's caller keeps the closure alive and in its place.
            let work = unsafe { &**self.work.get() };
            work(task, thread);
            self.done.fetch_add(1, Ordering::Release);
        }
    }
}

/// A worker's life.
fn serve(shared: &Shared, number: usize, asleep: &AtomicBool) {
    let mut looks = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        if Ticket(shared.ticket.load(Ordering::Relaxed)).task().is_some() {
            looks = 0;
            if catch_unwind(AssertUnwindSafe(|| shared.claim(number))).is_err() {
                shared.panicked.store(true, Ordering::Relaxed);
                shared.done.fetch_add(1, Ordering::Release);
            }
            continue;
        }
        looks += 1;
        if looks < LOOKS {
            std::hint::spin_loop();
            continue;
        }
        looks = 0;
        asleep.store(true, Ordering::SeqCst);
        let nothing = Ticket(shared.ticket.load(Ordering::SeqCst)).task().is_none();
        if nothing && !shared.stop.load(Ordering::SeqCst) {
            thread::park();
        }
        asleep.store(false, Ordering::SeqCst);
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for worker in &mut self.workers {
            worker.thread.unpark();
            if let Some(handle) = worker.handle.take() {
                // A worker's panic was passed on when it happened.
                _ = handle.join();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use super::*;

    #[test]
    fn every_task_is_done_once_and_regions_follow_each_other() {
        for threads in [1, 2, 5] {
            let mut pool = Pool::new(threads).unwrap();
            for round in 0..2000 {
                let tasks = round % 37;
                let done: Vec<AtomicU32> = (0..tasks).map(|_| AtomicU32::new(0)).collect();
                pool.run(tasks, &|task, thread| {
                    assert!(thread < threads);
                    done[task].fetch_add(1, Ordering::Relaxed);
                });
                assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
                if round % 500 == 0 {
                    // Long enough for the workers to fall asleep.
                    thread::sleep(std::time::Duration::from_millis(5));
                }
            }
        }
    }

    #[test]
    fn a_panic_is_passed_on_and_the_pool_goes_on() {
        let mut pool = Pool::new(3).unwrap();
        for bad in [0, 40, 99] {
            let run = catch_unwind(AssertUnwindSafe(|| {
                pool.run(100, &|task, _| assert_ne!(task, bad, "a panic on purpose"));
            }));
            assert!(run.is_err());
            let sum = AtomicUsize::new(0);
            pool.run(100, &|task, _| _ = sum.fetch_add(task, Ordering::Relaxed));
            assert_eq!(sum.into_inner(), 4950);
        }
    }
}
