//! A limiter with a clock that stands still, usage rows that can fail, and keys of its own in Redis.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use futures_util::{FutureExt, future::BoxFuture};
use time::{OffsetDateTime, macros::datetime};
use uuid::Uuid;

use super::services;
use crate::limits::{
    Backend, Limiter, Limits, Month, MonthlySpend, Refusal, Reservation, SpendError, Subject, SubjectKind,
    clock::Clock, memory::Memory, month::Seeder, redis::SharedLimiter,
};

/// When the tests' clocks begin.
pub(in crate::limits) const MONDAY: OffsetDateTime = datetime!(2026-11-16 12:00 UTC);
/// How long the tests' requests may run.
pub(in crate::limits) const LONGEST: Duration = Duration::from_secs(600);
/// A busy machine is no outage.
pub(in crate::limits) const PATIENT: Duration = Duration::from_secs(20);

pub(in crate::limits) fn tenant(limits: Limits) -> Subject {
    Subject { id: Uuid::new_v4(), kind: SubjectKind::Tenant, limits }
}

pub(in crate::limits) fn key(limits: Limits) -> Subject {
    Subject { id: Uuid::new_v4(), kind: SubjectKind::Key, limits }
}

/// Usage rows.
#[derive(Default)]
pub(in crate::limits) struct Rows {
    spent: Mutex<HashMap<(Uuid, Month), u64>>,
    asked: Mutex<Vec<Month>>,
    failing: AtomicBool,
}

impl Rows {
    pub(in crate::limits) fn set(&self, subject: &Subject, at: OffsetDateTime, tokens: u64) {
        self.spent.lock().unwrap().insert((subject.id, Month::of(at)), tokens);
    }

    pub(in crate::limits) fn fail(&self, failing: bool) {
        self.failing.store(failing, SeqCst);
    }

    pub(in crate::limits) fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    pub(in crate::limits) fn last_month(&self) -> Option<Month> {
        self.asked.lock().unwrap().last().copied()
    }
}

impl MonthlySpend for Rows {
    fn spent(&self, _: SubjectKind, id: Uuid, month: Month) -> BoxFuture<'_, Result<u64, SpendError>> {
        async move {
            if self.failing.load(SeqCst) {
                return Err("the rows are away".into());
            }
            self.asked.lock().unwrap().push(month);
            Ok(self.spent.lock().unwrap().get(&(id, month)).copied().unwrap_or(0))
        }
        .boxed()
    }
}

pub(in crate::limits) struct Rig {
    pub(in crate::limits) limiter: Limiter,
    pub(in crate::limits) rows: Arc<Rows>,
    clock: Arc<AtomicU64>,
    /// The server's URL, and what all of the test's keys begin with.
    redis: Option<(String, String)>,
}

impl Rig {
    pub(in crate::limits) fn memory() -> Self {
        let (rows, clock) = parts();
        let memory = Memory::open(Seeder::new(rows.clone()), Clock::Manual(clock.clone()));
        Self { limiter: Limiter { backend: Backend::Memory(memory) }, rows, clock, redis: None }
    }

    pub(in crate::limits) async fn redis() -> Option<Self> {
        let url = services::url(services::REDIS)?;
        let prefix = prefix();
        let (rows, clock) = parts();
        let seeder = Seeder::new(rows.clone());
        let shared =
            SharedLimiter::open(&url.clone().into(), &prefix, seeder, Clock::Manual(clock.clone()), PATIENT)
                .unwrap();
        let limiter = Limiter { backend: Backend::Redis(shared) };
        Some(Self { limiter, rows, clock, redis: Some((url, prefix)) })
    }

    pub(in crate::limits) fn advance(&self, ms: u64) {
        self.clock.fetch_add(ms, SeqCst);
    }

    pub(in crate::limits) fn set(&self, at: OffsetDateTime) {
        self.clock.store((at.unix_timestamp_nanos() / 1_000_000) as u64, SeqCst);
    }

    pub(in crate::limits) fn now_ms(&self) -> u64 {
        self.clock.load(SeqCst)
    }

    pub(in crate::limits) async fn reserve(
        &self,
        subjects: &[Subject],
        tokens: u64,
    ) -> Result<Reservation, Refusal> {
        self.limiter.reserve(subjects, tokens, LONGEST).await
    }

    pub(in crate::limits) async fn refused(&self, subjects: &[Subject], tokens: u64) -> Refusal {
        self.reserve(subjects, tokens).await.err().expect("over a limit")
    }

    pub(in crate::limits) async fn settle(&self, reservation: Reservation, tokens: u64) {
        reservation.settle(tokens);
        self.limiter.flush().await;
    }

    pub(in crate::limits) async fn drop(&self, reservation: Reservation) {
        drop(reservation);
        self.limiter.flush().await;
    }

    pub(in crate::limits) async fn tokens_left(&self, subject: &Subject) -> u64 {
        self.limiter.standing(subject).await.tokens.expect("limited").remaining
    }

    pub(in crate::limits) async fn month_left(&self, subject: &Subject) -> u64 {
        self.limiter.standing(subject).await.monthly_tokens.expect("limited").remaining
    }

    /// The test's keys in Redis.
    pub(in crate::limits) async fn keys(&self, pattern: &str) -> Vec<String> {
        let Some((url, prefix)) = &self.redis else { return Vec::new() };
        keys(url, &format!("{prefix}{pattern}")).await
    }

    /// Removes what the test left in Redis.
    pub(in crate::limits) async fn close(self) {
        let Self { limiter, redis, .. } = self;
        limiter.flush().await;
        drop(limiter);
        if let Some((url, prefix)) = redis {
            remove(&url, &prefix).await;
        }
    }
}

fn parts() -> (Arc<Rows>, Arc<AtomicU64>) {
    let ms = (MONDAY.unix_timestamp_nanos() / 1_000_000) as u64;
    (Arc::default(), Arc::new(AtomicU64::new(ms)))
}

/// No other test's.
pub(in crate::limits) fn prefix() -> String {
    format!("tenora-test-{}:", Uuid::new_v4().simple())
}

pub(in crate::limits) async fn connection(url: &str) -> redis::aio::MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

pub(in crate::limits) async fn keys(url: &str, pattern: &str) -> Vec<String> {
    redis::cmd("KEYS").arg(pattern).query_async(&mut connection(url).await).await.unwrap()
}

pub(in crate::limits) async fn remove(url: &str, prefix: &str) {
    let mut connection = connection(url).await;
    for key in keys(url, &format!("{prefix}*")).await {
        redis::Cmd::del(key).exec_async(&mut connection).await.unwrap();
    }
}
