//! Whether Redis is away, since when, and what this replica let through meanwhile.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicI64, AtomicU64, Ordering::Relaxed},
    },
};

use time::OffsetDateTime;
use tokio::sync::Notify;
use uuid::Uuid;

use super::script::Deposit;
use crate::limits::{
    LimiterStats, LimiterStatus, account::Share, month::Month, subject::Demand, window::Window,
};

/// Replicas beyond which nobody counts: shares would be nothing.
const MAX_REPLICAS: u64 = 10_000;

/// Shared by the requests, which find out that Redis is away, and the keeper, which finds out that it is back.
#[derive(Default)]
pub(super) struct Outage {
    /// Unix milliseconds; 0 = Redis answers.
    since_ms: AtomicI64,
    /// As last counted; 0 = never.
    replicas: AtomicU64,
    began: AtomicU64,
    admitted: AtomicU64,
    unsettled: AtomicU64,
    /// What Redis has not been told, by subject: bounded by the subjects that have limits.
    debts: Mutex<HashMap<Uuid, Debt>>,
    /// Wakes the keeper.
    pub(super) noticed: Notify,
}

#[derive(Default)]
struct Debt {
    requests: Window,
    tokens: Window,
    months: Vec<(Month, u64)>,
}

impl Outage {
    pub(super) fn is_over(&self) -> bool {
        self.since_ms.load(Relaxed) == 0
    }

    pub(super) fn begin(&self) {
        let now = (OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000) as i64;
        if self.since_ms.compare_exchange(0, now, Relaxed, Relaxed).is_ok() {
            self.began.fetch_add(1, Relaxed);
            tracing::warn!(
                replicas = self.share().0,
                "Redis is away: this replica enforces its share of every limit"
            );
            self.noticed.notify_one();
        }
    }

    pub(super) fn end(&self) {
        if self.since_ms.swap(0, Relaxed) != 0 {
            tracing::info!("Redis is back: limits are exact again");
        }
    }

    pub(super) fn count_replicas(&self, alive: u64) {
        self.replicas.store(alive.clamp(1, MAX_REPLICAS), Relaxed);
    }

    /// One of as many as were last seen alive.
    pub(super) fn share(&self) -> Share {
        Share(self.replicas.load(Relaxed).max(1))
    }

    pub(super) fn status(&self) -> LimiterStatus {
        let replicas = self.share().0;
        let since_ms = self.since_ms.load(Relaxed);
        if since_ms == 0 {
            return LimiterStatus::Exact { replicas };
        }
        let since =
            OffsetDateTime::from_unix_timestamp(since_ms / 1000).unwrap_or(OffsetDateTime::UNIX_EPOCH);
        LimiterStatus::Fallback { since, replicas }
    }

    pub(super) fn stats(&self) -> LimiterStats {
        LimiterStats {
            fallbacks: self.began.load(Relaxed),
            fallback_admissions: self.admitted.load(Relaxed),
            unsettled: self.unsettled.load(Relaxed),
        }
    }

    /// A settlement was given up: what was reserved stays charged.
    pub(super) fn count_unsettled(&self) {
        self.unsettled.fetch_add(1, Relaxed);
    }

    /// A request was let through without Redis: its windows are to be told as they were charged.
    pub(super) fn admit(&self, demand: &Demand, now_ms: u64) {
        self.admitted.fetch_add(1, Relaxed);
        let mut debts = self.lock();
        for subject in demand.subjects.iter().filter(|subject| subject.limits.by_minute()) {
            let debt = debts.entry(subject.id).or_default();
            debt.requests.add(now_ms, 1);
            debt.tokens.add(now_ms, demand.tokens);
        }
    }

    /// It has ended: its months are to be told the truth.
    pub(super) fn spend(&self, demand: &Demand, month: Month, tokens: u64) {
        if tokens == 0 {
            return;
        }
        let mut debts = self.lock();
        for subject in demand.subjects.iter().filter(|subject| subject.limits.monthly_tokens.is_some()) {
            let months = &mut debts.entry(subject.id).or_default().months;
            match months.iter_mut().find(|(other, _)| *other == month) {
                Some((_, spent)) => *spent = spent.saturating_add(tokens),
                None => months.push((month, tokens)),
            }
        }
    }

    /// What Redis is to be told. Whoever takes it keeps it until Redis has it.
    pub(super) fn take_debts(&self, now_ms: u64) -> Vec<Deposit> {
        let debts = std::mem::take(&mut *self.lock());
        let deposit = |(subject, mut debt): (Uuid, Debt)| {
            let requests: Vec<_> = debt.requests.by_age(now_ms).collect();
            let tokens = debt.tokens.by_age(now_ms);
            let slots: Vec<_> =
                requests.into_iter().zip(tokens).map(|((age, r), (_, t))| (age, r, t)).collect();
            let owed = !slots.is_empty() || !debt.months.is_empty();
            owed.then(|| Deposit { id: Uuid::new_v4(), subject, months: debt.months, slots })
        };
        debts.into_iter().filter_map(deposit).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Uuid, Debt>> {
        self.debts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
