//! What happens just now, counted so that the last seconds can be told from the last minute: counters that only grow, and
//! times in buckets that grow by a quarter. Whoever reads takes differences.

use std::{
    sync::atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// The first bucket's end, and how much wider each next one is.
const FIRST_MS: f64 = 0.5;
const GROWTH: f64 = 1.25;
/// The last one ends at some five minutes.
const BUCKETS: usize = 60;

/// Of one tenant, or of all.
#[derive(Debug)]
pub(crate) struct Pulse {
    requests: AtomicU64,
    errors: AtomicU64,
    input: AtomicU64,
    output: AtomicU64,
    waiting: AtomicI64,
    running: AtomicI64,
    ttft: [AtomicU64; BUCKETS],
    gaps: [AtomicU64; BUCKETS],
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            requests: AtomicU64::new(0),
            errors: AtomicU64::new(0),
            input: AtomicU64::new(0),
            output: AtomicU64::new(0),
            waiting: AtomicI64::new(0),
            running: AtomicI64::new(0),
            ttft: [const { AtomicU64::new(0) }; BUCKETS],
            gaps: [const { AtomicU64::new(0) }; BUCKETS],
        }
    }
}

/// What a pulse had counted at a moment.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) ttft: Times,
    pub(crate) gaps: Times,
}

/// Times by bucket.
#[derive(Debug, Clone)]
pub(crate) struct Times(Box<[u64; BUCKETS]>);

impl Pulse {
    pub(super) fn began(&self) {
        self.waiting.fetch_add(1, Relaxed);
    }

    pub(super) fn first_token(&self, ttft: Duration) {
        self.waiting.fetch_sub(1, Relaxed);
        self.running.fetch_add(1, Relaxed);
        self.ttft[bucket(ttft)].fetch_add(1, Relaxed);
    }

    pub(super) fn next_token(&self, gap: Duration) {
        self.gaps[bucket(gap)].fetch_add(1, Relaxed);
    }

    pub(super) fn tokens(&self, input: u64, output: u64) {
        self.input.fetch_add(input, Relaxed);
        self.output.fetch_add(output, Relaxed);
    }

    pub(super) fn ended(&self, had_begun: bool, failed: bool) {
        let part = if had_begun { &self.running } else { &self.waiting };
        part.fetch_sub(1, Relaxed);
        self.requests.fetch_add(1, Relaxed);
        self.errors.fetch_add(u64::from(failed), Relaxed);
    }

    /// Generations that have had a token, and those that have not.
    pub(crate) fn in_flight(&self) -> (u64, u64) {
        let count = |part: &AtomicI64| u64::try_from(part.load(Relaxed)).unwrap_or(0);
        (count(&self.running), count(&self.waiting))
    }

    pub(crate) fn read(&self) -> Reading {
        let times = |times: &[AtomicU64; BUCKETS]| {
            Times(Box::new(std::array::from_fn(|bucket| times[bucket].load(Relaxed))))
        };
        Reading {
            requests: self.requests.load(Relaxed),
            errors: self.errors.load(Relaxed),
            input: self.input.load(Relaxed),
            output: self.output.load(Relaxed),
            ttft: times(&self.ttft),
            gaps: times(&self.gaps),
        }
    }
}

impl Times {
    /// The quantile of what came since an earlier reading, in milliseconds: the middle of its bucket. `None` = nothing came.
    pub(crate) fn quantile_since(&self, before: &Self, share: f64) -> Option<f64> {
        let new = |bucket: usize| self.0[bucket].saturating_sub(before.0[bucket]);
        let all: u64 = (0..BUCKETS).map(new).sum();
        let wanted = ((all as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        let found = (0..BUCKETS).find(|&bucket| {
            seen += new(bucket);
            seen >= wanted
        })?;
        Some(FIRST_MS * GROWTH.powf(found as f64 - 0.5))
    }
}

fn bucket(time: Duration) -> usize {
    let ms = time.as_secs_f64() * 1e3;
    let bucket = (ms / FIRST_MS).log(GROWTH).ceil();
    // Not a number, or less than nothing, is the first one.
    (bucket.max(0.0) as usize).min(BUCKETS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_a_bucket_and_forget_what_was_before() {
        let pulse = Pulse::default();
        for ms in 1..=1000 {
            pulse.began();
            pulse.first_token(Duration::from_millis(ms));
        }
        let before = pulse.read();
        for _ in 0..100 {
            pulse.next_token(Duration::from_millis(20));
        }
        let after = pulse.read();
        for (share, expected) in [(0.5, 500.0), (0.99, 990.0)] {
            let found = before.ttft.quantile_since(&Pulse::default().read().ttft, share).expect("there are");
            assert!((found / expected - 1.0).abs() < GROWTH - 1.0, "{found} is not {expected}");
        }
        assert_eq!(after.ttft.quantile_since(&before.ttft, 0.5), None);
        let gap = after.gaps.quantile_since(&before.gaps, 0.99).expect("there are");
        assert!((gap / 20.0 - 1.0).abs() < GROWTH - 1.0, "{gap}");
    }

    #[test]
    fn every_time_has_a_bucket() {
        for time in [Duration::ZERO, Duration::from_nanos(1), Duration::from_secs(3600), Duration::MAX] {
            assert!(bucket(time) < BUCKETS);
        }
    }

    #[test]
    fn what_has_ended_is_in_flight_no_more() {
        let pulse = Pulse::default();
        pulse.began();
        pulse.began();
        pulse.first_token(Duration::ZERO);
        assert_eq!(pulse.in_flight(), (1, 1));
        pulse.ended(true, false);
        pulse.ended(false, true);
        assert_eq!(pulse.in_flight(), (0, 0));
        assert_eq!((pulse.read().requests, pulse.read().errors), (2, 1));
    }
}
