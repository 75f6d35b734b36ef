//! After a failure, leaves a dependency alone for a while, then lets one caller try.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const PAUSE: Duration = Duration::from_secs(1);

/// Closed (everybody may call) until a failure; then one call per pause, until one succeeds.
pub(super) struct Breaker {
    started: Instant,
    /// Milliseconds after `started`; 0 = closed.
    retry_at_ms: AtomicU64,
}

impl Breaker {
    pub(super) fn new() -> Self {
        Self { started: Instant::now(), retry_at_ms: AtomicU64::new(0) }
    }

    /// Whether this caller may call.
    pub(super) fn allows(&self) -> bool {
        let retry_at = self.retry_at_ms.load(Ordering::Relaxed);
        if retry_at == 0 {
            return true;
        }
        let now = self.now_ms();
        let next = now + PAUSE.as_millis() as u64;
        now >= retry_at
            && self.retry_at_ms.compare_exchange(retry_at, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// Says how the call went.
    pub(super) fn record(&self, succeeded: bool) {
        let retry_at = if succeeded { 0 } else { self.now_ms() + PAUSE.as_millis() as u64 };
        self.retry_at_ms.store(retry_at, Ordering::Relaxed);
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_failure_one_caller_tries_per_pause() {
        let breaker = Breaker::new();
        assert!(breaker.allows() && breaker.allows());
        breaker.record(false);
        assert!(!breaker.allows());
        std::thread::sleep(PAUSE + Duration::from_millis(20));
        assert!(breaker.allows());
        assert!(!breaker.allows());
        breaker.record(true);
        assert!(breaker.allows() && breaker.allows());
    }
}
