//! What a subject has left, and what a refusal says.

use std::time::Duration;

use super::subject::{Limits, SubjectKind};

/// One limit and what is left of it now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meter {
    /// The limit.
    pub limit: u64,
    /// What is left.
    pub remaining: u64,
    /// After this long all of it is left again, if nothing more is used. Zero for places: they are free when requests end.
    pub reset: Duration,
}

impl Meter {
    pub(super) fn new(limit: Option<u64>, used: u64, reset: Duration) -> Option<Self> {
        limit.map(|limit| Self { limit, remaining: limit.saturating_sub(used), reset })
    }

    /// No more is left than this.
    pub(super) fn at_most(self, remaining: u64) -> Self {
        Self { remaining: self.remaining.min(remaining), ..self }
    }
}

/// What is left now of each limit; `None` = unlimited, or not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// Of the requests by the minute.
    pub requests: Option<Meter>,
    /// Of the tokens by the minute.
    pub tokens: Option<Meter>,
    /// Of the requests at the same time.
    pub concurrent_requests: Option<Meter>,
    /// Of the month's tokens.
    pub monthly_tokens: Option<Meter>,
}

impl Standing {
    /// Of each limit the tighter of the two.
    pub(super) fn tightest(self, other: Self) -> Self {
        let tighter = |one: Option<Meter>, two: Option<Meter>| match (one, two) {
            (Some(one), Some(two)) if two.remaining < one.remaining => Some(two),
            (one, two) => one.or(two),
        };
        Self {
            requests: tighter(self.requests, other.requests),
            tokens: tighter(self.tokens, other.tokens),
            concurrent_requests: tighter(self.concurrent_requests, other.concurrent_requests),
            monthly_tokens: tighter(self.monthly_tokens, other.monthly_tokens),
        }
    }
}

/// What a subject has used, as it was counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Usage {
    pub(super) requests: u64,
    pub(super) tokens: u64,
    /// Until the last charge of the window has left it.
    pub(super) window_reset: Duration,
    pub(super) places: u64,
    /// This month, if it is counted.
    pub(super) spent: Option<u64>,
    pub(super) month_left: Duration,
}

impl Usage {
    pub(super) fn standing(&self, limits: &Limits) -> Standing {
        let reset = |used: u64| if used == 0 { Duration::ZERO } else { self.window_reset };
        Standing {
            requests: Meter::new(limits.requests_per_minute, self.requests, reset(self.requests)),
            tokens: Meter::new(limits.tokens_per_minute, self.tokens, reset(self.tokens)),
            concurrent_requests: Meter::new(limits.concurrent_requests, self.places, Duration::ZERO),
            monthly_tokens: self
                .spent
                .and_then(|spent| Meter::new(limits.monthly_tokens, spent, self.month_left)),
        }
    }
}

/// What there was too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bucket {
    /// Requests by the minute.
    Requests,
    /// Tokens by the minute.
    Tokens,
    /// Requests at the same time.
    Concurrency,
    /// The month's tokens.
    MonthlyTokens,
}

impl Bucket {
    /// The limit's name in a message or a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests_per_minute",
            Self::Tokens => "tokens_per_minute",
            Self::Concurrency => "concurrent_requests",
            Self::MonthlyTokens => "monthly_tokens",
        }
    }
}

/// Why a request may not begin now. Nothing was charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What there was too little of; of several, the one that takes longest to come back.
    pub bucket: Bucket,
    /// Whose it was.
    pub kind: SubjectKind,
    /// The limit as it is configured.
    pub limit: u64,
    /// When it is worth asking again. `None` = not before the month ends, or never, because the request alone is more
    /// than the limit.
    pub retry_after: Option<Duration>,
    /// What the tightest of the subjects have left.
    pub standing: Box<Standing>,
}

/// Whether the first wait is longer; `None` is for ever.
pub(super) fn is_longer(one: Option<Duration>, two: Option<Duration>) -> bool {
    match (one, two) {
        (Some(one), Some(two)) => one > two,
        (None, Some(_)) => true,
        (_, None) => false,
    }
}
