//! How far a request has come: written by the engine's thread, read by whoever holds its stream, also when that is gone.

use std::{
    sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant},
};

use super::Timing;

/// What a request cost so far, in tokens and time, as its reader may ask at any time. The prompt counts from its first
/// row on.
#[derive(Debug)]
pub struct Progress {
    submitted: Instant,
    adapter_ready: Mark,
    first_row: Mark,
    first_token: Mark,
    last_token: Mark,
    was_resident: AtomicBool,
    prompt_tokens: AtomicU32,
    cached_tokens: AtomicU32,
    completion_tokens: AtomicU32,
    adapter_bytes: AtomicUsize,
}

/// When something happened: microseconds after the submission, and one; 0 = not yet.
#[derive(Debug, Default)]
struct Mark(AtomicU64);

impl Mark {
    fn get(&self) -> Option<Duration> {
        self.0.load(Relaxed).checked_sub(1).map(Duration::from_micros)
    }

    fn set(&self, after: Duration) {
        self.0.store(u64::try_from(after.as_micros()).unwrap_or(u64::MAX - 1) + 1, Relaxed);
    }

    fn set_once(&self, after: Duration) {
        if self.get().is_none() {
            self.set(after);
        }
    }
}

impl Progress {
    /// A request that is submitted now.
    pub fn submitted_now() -> Self {
        Self {
            submitted: Instant::now(),
            adapter_ready: Mark::default(),
            first_row: Mark::default(),
            first_token: Mark::default(),
            last_token: Mark::default(),
            was_resident: AtomicBool::new(false),
            prompt_tokens: AtomicU32::new(0),
            cached_tokens: AtomicU32::new(0),
            completion_tokens: AtomicU32::new(0),
            adapter_bytes: AtomicUsize::new(0),
        }
    }

    /// When the request was submitted.
    pub fn submitted(&self) -> Instant {
        self.submitted
    }

    /// Where the time went so far; what has not happened yet is zero.
    pub fn timing(&self) -> Timing {
        let between = |from: Option<Duration>, to: Option<Duration>| match (from, to) {
            (Some(from), Some(to)) => to.saturating_sub(from),
            _ => Duration::ZERO,
        };
        let submitted = Some(Duration::ZERO);
        let first_row = self.first_row.get();
        let load = match self.was_resident() {
            true => Duration::ZERO,
            false => between(submitted, self.adapter_ready.get()),
        };
        Timing {
            queue: between(submitted, first_row).saturating_sub(load),
            load,
            prefill: between(first_row, self.first_token.get()),
            decode: between(self.first_token.get(), self.last_token.get()),
        }
    }

    /// Whether the adapter, if there is one, was in memory when the request came.
    pub fn was_resident(&self) -> bool {
        self.was_resident.load(Relaxed)
    }

    /// Whether the adapter, if there is one, is in memory when the request comes.
    pub fn arrived(&self, was_resident: bool) {
        self.was_resident.store(was_resident, Relaxed);
    }

    /// The adapter is in memory.
    pub fn adapter_is_ready(&self) {
        self.adapter_ready.set_once(self.submitted.elapsed());
    }

    /// Tokens of the prompt, those of them that were reused, and tokens generated over all choices.
    pub fn tokens(&self) -> [u32; 3] {
        [&self.prompt_tokens, &self.cached_tokens, &self.completion_tokens].map(|count| count.load(Relaxed))
    }

    /// Bytes that the adapter takes in memory; 0 until the first row, and without an adapter.
    pub(crate) fn adapter_bytes(&self) -> usize {
        self.adapter_bytes.load(Relaxed)
    }

    pub(crate) fn answered_by(&self, adapter_bytes: usize) {
        self.adapter_bytes.store(adapter_bytes, Relaxed);
    }

    /// Whether the request's first row had been scheduled before.
    pub(crate) fn has_begun(&self) -> bool {
        self.first_row.get().is_some()
    }

    /// The first row of a prompt is scheduled, so many tokens of which were reused; may be told again when more is known.
    pub fn begun(&self, prompt: usize, cached: usize) {
        self.first_row.set_once(self.submitted.elapsed());
        self.prompt_tokens.store(prompt as u32, Relaxed);
        self.cached_tokens.store(cached as u32, Relaxed);
    }

    pub(crate) fn generated(&self) {
        self.generated_in_all(self.completion_tokens.load(Relaxed) + 1);
    }

    /// So many tokens are generated over all choices; fewer than before count as so many.
    pub fn generated_in_all(&self, tokens: u32) {
        let after = self.submitted.elapsed();
        self.first_token.set_once(after);
        self.last_token.set(after);
        self.completion_tokens.fetch_max(tokens, Relaxed);
    }
}
