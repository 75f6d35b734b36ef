//! The limits of tenants and keys: requests and tokens by the minute, requests at the same time, tokens by the month.
//! Knows no HTTP and no rows.
//!
//! A request reserves its estimate at all of its subjects together, or at none, and settles with the truth when it
//! ends. With Redis one script decides, by Redis' own clock, so that any number of replicas enforces one limit.
//!
//! What is promised, with Redis answering and as without Redis in one process:
//!
//! - In any 60 seconds, the requests that were let through and the tokens they were charged stay within the limits; a
//!   charge counts for 60 to 61 seconds. Requests at the same time and a month's tokens stay within theirs.
//! - A request that used more than its estimate goes over by the difference, and by no more. It is zero when the
//!   engine holds the answer to the estimate's maximum.
//! - A request waits at most 250 ms for Redis, and at most a second, once per subject and month, for the usage rows that
//!   a month's counter starts from. While these do not answer, a subject with a monthly budget is refused.
//! - A settlement that cannot be written at once is written later, once. One that never is (a crash, 8192 waiting, or
//!   Redis away for ten minutes longer than the request might last) leaves its estimate charged, and its place taken
//!   until the deadline.
//!
//! What happens when Redis is away:
//!
//! - Each replica enforces its share of every limit: the limit divided by the replicas last seen alive, rounded down,
//!   but at least 1 of what is not 0. It begins with what it let through itself in the last 60 seconds and the requests
//!   it has running, so that one replica alone never goes over. Of `n` replicas that fall back at the same moment all
//!   together go over by at most one limit, in windows that reach back before it, and by at most `n` requests where the
//!   limit is smaller than `n`. A replica that falls back alone adds at most its share.
//! - Of a month, each replica gives away its share of what was left when it last knew; it asks the usage rows when it
//!   never knew. What others spent since it knew may be given away again, by each at most its share.
//! - When Redis is back, each replica tells it the last minute's charges in their slots and the month's tokens, once,
//!   before its own first exact decision. Replicas that notice later than others (within about a second) may meanwhile
//!   still give away their shares. Requests that began without Redis and still run are charged to their month when they
//!   end; Redis does not know of their places, so that these come on top until then.
//! - When Redis has lost its data, windows and places begin anew, and months with what the usage rows say; those
//!   requests that run then are charged when they end.
//!
//! Redis may be a single server or a replicated one, not a cluster: the keys of one decision lie on one node. Losing a
//! primary before its replica has the last writes loses their charges.

mod memory;
mod redis;
mod reservation;

mod book;

mod account;
mod clock;
mod month;
mod standing;
mod subject;
mod window;
mod wire;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod model;

use std::{sync::Arc, time::Duration};

use secrecy::SecretString;
use thiserror::Error;
use time::OffsetDateTime;
use uuid::Uuid;

use self::{
    clock::Clock,
    memory::Memory,
    month::Seeder,
    redis::{RESERVE_WAIT, SharedLimiter},
    reservation::Held,
    subject::Demand,
};
pub use self::{
    month::{Month, MonthlySpend, SpendError},
    reservation::Reservation,
    standing::{Bucket, Meter, Refusal, Standing},
    subject::{Limits, Subject, SubjectKind},
};

/// How long a client is told to wait while a monthly budget cannot be known.
const UNKNOWN_RETRY: Duration = Duration::from_secs(2);

/// The Redis URL cannot be used.
#[derive(Debug, Error)]
#[error("the Redis URL cannot be used: {0}")]
pub struct LimiterError(#[from] ::redis::RedisError);

/// How limits are enforced now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LimiterStatus {
    /// By this process alone, as configured.
    Memory,
    /// By all replicas together, in Redis.
    Exact {
        /// Replicas that were last seen alive.
        replicas: u64,
    },
    /// Redis is away: by this replica, its share.
    Fallback {
        /// Since when.
        since: OffsetDateTime,
        /// Every limit is divided by this.
        replicas: u64,
    },
}

/// Counters since the process began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LimiterStats {
    /// Times that Redis went away.
    pub fallbacks: u64,
    /// Requests that were let through without it.
    pub fallback_admissions: u64,
    /// Settlements that were given up: what was reserved stays charged.
    pub unsettled: u64,
}

/// Decides who may run. Cheap to clone; all clones count together.
#[derive(Clone)]
pub struct Limiter {
    backend: Backend,
}

#[derive(Clone)]
enum Backend {
    Memory(Arc<Memory>),
    Redis(Arc<SharedLimiter>),
}

impl Limiter {
    /// For one process.
    pub fn in_memory(spend: Arc<dyn MonthlySpend>) -> Self {
        Self { backend: Backend::Memory(Memory::open(Seeder::new(spend), Clock::system())) }
    }

    /// For all processes with this Redis and this prefix of its keys. Connects when first used, so that a server starts
    /// without Redis. Must be called within a tokio runtime, which is to outlive it.
    pub fn redis(
        url: &SecretString,
        prefix: &str,
        spend: Arc<dyn MonthlySpend>,
    ) -> Result<Self, LimiterError> {
        let shared = SharedLimiter::open(url, prefix, Seeder::new(spend), Clock::system(), RESERVE_WAIT)?;
        Ok(Self { backend: Backend::Redis(shared) })
    }

    /// A place for one request at all of the subjects, or at none. `tokens` is the estimate of prompt and answer;
    /// `longest` is how long the request may run: its place counts as free after that, should this process crash.
    /// Asks nobody when nothing limits the request.
    pub async fn reserve(
        &self,
        subjects: &[Subject],
        tokens: u64,
        longest: Duration,
    ) -> Result<Reservation, Refusal> {
        let longest_ms = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        let Some(demand) = Demand::new(subjects, tokens, longest_ms) else { return Ok(Reservation::free()) };
        match &self.backend {
            Backend::Memory(memory) => {
                let (charge, standing) = memory.reserve(&demand).await?;
                Ok(Reservation::new(Held::Memory(Arc::clone(memory), charge), standing))
            }
            Backend::Redis(shared) => {
                let (hold, standing) = shared.reserve(demand).await?;
                Ok(Reservation::new(Held::Redis(hold), standing))
            }
        }
    }

    /// What the subject has left now. Limits that are not known now are left out.
    pub async fn standing(&self, subject: &Subject) -> Standing {
        let standing = match &self.backend {
            Backend::Memory(memory) => memory.standing(subject).await,
            Backend::Redis(shared) => shared.standing(subject).await,
        };
        standing.unwrap_or_default()
    }

    /// Forgets what was counted of the subject's month: it is taken from the usage rows again. To be called when a
    /// monthly budget is set or changed, since without one nothing was counted. Says whether Redis was told.
    pub async fn recount(&self, id: Uuid) -> bool {
        match &self.backend {
            Backend::Memory(memory) => {
                memory.recount(id);
                true
            }
            Backend::Redis(shared) => shared.recount(id).await,
        }
    }

    /// How limits are enforced now, for health and metrics.
    pub fn status(&self) -> LimiterStatus {
        match &self.backend {
            Backend::Memory(_) => LimiterStatus::Memory,
            Backend::Redis(shared) => shared.status(),
        }
    }

    /// Counters, for metrics.
    pub fn stats(&self) -> LimiterStats {
        match &self.backend {
            Backend::Memory(_) => LimiterStats::default(),
            Backend::Redis(shared) => shared.stats(),
        }
    }

    /// Waits until all settlements are written: for a process that stops. While Redis is away this is not soon.
    pub async fn flush(&self) {
        if let Backend::Redis(shared) = &self.backend {
            shared.flush().await;
        }
    }
}

/// Closed when in doubt: a budget is money.
fn unknown_budget(subject: &Subject) -> Refusal {
    Refusal {
        bucket: Bucket::MonthlyTokens,
        kind: subject.kind,
        limit: subject.limits.monthly_tokens.unwrap_or(0),
        retry_after: Some(UNKNOWN_RETRY),
        standing: Box::default(),
    }
}
