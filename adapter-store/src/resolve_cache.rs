//! Remembers, for a few seconds, which version a reference means. Only answers are kept, never their absence, so a new adapter is seen at once.

mod breaker;
mod memory;
mod redis;
mod remembered;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub(crate) use self::memory::MemoryCache;
pub(crate) use self::redis::RedisCache;
pub(crate) use self::remembered::Remembered;
use crate::error::StoreError;
use crate::ids::{ModelRef, TenantId};
use crate::route::Route;

/// How old an answer may be when the news of a change did not arrive (another process without Redis, or Redis lost).
pub(crate) const TTL: Duration = Duration::from_secs(5);

/// How the resolve cache did since the store was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CacheStats {
    /// Answered from the cache.
    pub hits: u64,
    /// Not in the cache; answered by the database.
    pub misses: u64,
    /// The cache could not be asked or told, or held something forged; answered by the database.
    pub errors: u64,
}

/// What a look-up found.
#[derive(Debug)]
pub(crate) enum Lookup {
    Hit(Route),
    /// Ask the database, then say what it answered under this ticket.
    Miss(Ticket),
    /// Ask the database and keep the answer to yourself.
    Unusable,
}

/// The tenant's epoch, read before the database is: what is stored under an old epoch is never found again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// The cache of this process, or the one that replicas share.
pub(crate) enum Backend {
    Memory(MemoryCache),
    Redis(Box<RedisCache>),
}

/// A backend with its counters.
pub(crate) struct ResolveCache {
    backend: Backend,
    hits: AtomicU64,
    misses: AtomicU64,
    errors: AtomicU64,
}

impl ResolveCache {
    pub(crate) fn new(backend: Backend) -> Self {
        Self { backend, hits: AtomicU64::new(0), misses: AtomicU64::new(0), errors: AtomicU64::new(0) }
    }

    pub(crate) async fn lookup(&self, tenant: TenantId, model: &ModelRef) -> Lookup {
        let found = match &self.backend {
            Backend::Memory(cache) => cache.lookup(tenant, model),
            Backend::Redis(cache) => cache.lookup(tenant, model).await,
        };
        let counter = match &found {
            Lookup::Hit(_) => &self.hits,
            Lookup::Miss(_) => &self.misses,
            Lookup::Unusable => &self.errors,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        found
    }

    pub(crate) async fn fill(&self, ticket: Ticket, tenant: TenantId, model: &ModelRef, route: &Route) {
        let filled = match &self.backend {
            Backend::Memory(cache) => {
                cache.fill(ticket, tenant, model, route);
                true
            }
            Backend::Redis(cache) => cache.fill(ticket, tenant, model, route).await,
        };
        self.count_failure(filled);
    }

    /// Forgets everything about the tenant, here and (through Redis) everywhere. To be called after the change is committed.
    pub(crate) async fn invalidate(&self, tenant: TenantId) {
        let told = match &self.backend {
            Backend::Memory(cache) => {
                cache.invalidate(tenant);
                true
            }
            Backend::Redis(cache) => cache.invalidate(tenant).await,
        };
        self.count_failure(told);
    }

    pub(crate) fn stats(&self) -> CacheStats {
        CacheStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            errors: self.errors.load(Ordering::Relaxed),
        }
    }

    /// Whether Redis answers; `None` when there is none.
    pub(crate) async fn ping(&self) -> Option<Result<(), StoreError>> {
        match &self.backend {
            Backend::Memory(_) => None,
            Backend::Redis(cache) => Some(cache.ping().await),
        }
    }

    fn count_failure(&self, succeeded: bool) {
        if !succeeded {
            self.errors.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod contract;
