//! The time by which this process counts: never backwards, and in the hands of a test where one wants it.

#[cfg(test)]
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use std::time::Instant;

use time::OffsetDateTime;

use super::month::Month;

/// Now, for windows and for months.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// Unix milliseconds.
    pub(super) ms: u64,
    pub(super) month: Month,
}

/// Where the time comes from.
#[derive(Debug, Clone)]
pub(super) enum Clock {
    /// Unix milliseconds when the process began to count, and the time since then.
    System { began_ms: u64, since: Instant },
    /// Unix milliseconds, set by a test.
    #[cfg(test)]
    Manual(Arc<AtomicU64>),
}

impl Clock {
    pub(super) fn system() -> Self {
        Self::System { began_ms: unix_ms(OffsetDateTime::now_utc()), since: Instant::now() }
    }

    pub(super) fn now(&self) -> Now {
        match self {
            Self::System { began_ms, since } => Now {
                ms: began_ms.saturating_add(u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)),
                month: Month::of(OffsetDateTime::now_utc()),
            },
            #[cfg(test)]
            Self::Manual(ms) => {
                let ms = ms.load(Ordering::SeqCst);
                Now { ms, month: Month::at_ms(ms) }
            }
        }
    }

    /// What Redis is to take for now; `None` = its own time.
    pub(super) fn dictated_ms(&self) -> Option<u64> {
        match self {
            Self::System { .. } => None,
            #[cfg(test)]
            Self::Manual(ms) => Some(ms.load(Ordering::SeqCst)),
        }
    }
}

fn unix_ms(at: OffsetDateTime) -> u64 {
    u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0)
}
