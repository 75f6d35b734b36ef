//! Promises of metering: counted once, through outages, crashes and damage, within bounds.

mod damage;
mod outage;
mod retention;
mod store;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use futures_util::future::BoxFuture;
use tempfile::TempDir;
use tenora_adapter_store::{
    AdapterName, Credential, KeyId, Outcome, StoreError, TenantId, UsageEvent, VersionNumber,
};
use time::OffsetDateTime;
use uuid::Uuid;

use super::*;

const LONG: Duration = Duration::from_secs(20);

pub(super) fn tenant() -> TenantId {
    TenantId::parse("01890000-0000-7000-8000-000000000001").expect("an id")
}

fn key() -> Credential {
    Credential::Key(KeyId::parse(&"0".repeat(32)).expect("an id"))
}

fn event(output_tokens: u32) -> UsageEvent {
    UsageEvent {
        id: Uuid::now_v7(),
        tenant: tenant(),
        credential: key(),
        adapter: None,
        outcome: Outcome::Finished,
        started_at: OffsetDateTime::now_utc(),
        input_tokens: 1,
        cached_tokens: 0,
        output_tokens,
        ttft_ms: Some(1),
        duration_ms: 2,
    }
}

/// A database that can be away.
#[derive(Default)]
struct Ledger {
    rows: Mutex<BTreeMap<Uuid, UsageEvent>>,
    away: AtomicBool,
    calls: AtomicUsize,
}

impl Sink for Arc<Ledger> {
    fn record<'a>(&'a self, events: &'a [UsageEvent]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Relaxed);
            if self.away.load(Relaxed) {
                return Err(StoreError::Unavailable { what: "the database", cause: "gone".into() });
            }
            let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
            for event in events {
                rows.entry(event.id).or_insert_with(|| event.clone());
            }
            Ok(())
        })
    }
}

impl Ledger {
    fn rows(&self) -> Vec<UsageEvent> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    fn output_tokens(&self) -> Vec<u32> {
        self.rows().iter().map(|row| row.output_tokens).collect()
    }
}

struct World {
    dir: TempDir,
    ledger: Arc<Ledger>,
}

impl World {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().expect("a folder"), ledger: Arc::default() }
    }

    async fn meter(&self) -> Meter {
        self.meter_with(DEFAULT_MAX_BYTES).await
    }

    async fn meter_with(&self, max_bytes: u64) -> Meter {
        let settings = MeterSettings { dir: self.dir.path().to_owned(), max_bytes };
        Meter::start(Arc::clone(&self.ledger), settings).await.expect("started")
    }

    fn away(&self, away: bool) {
        self.ledger.away.store(away, Relaxed);
    }

    /// Waits until so many processes have died and left rows.
    async fn dead(&self, processes: usize) {
        let dead = || Folder::take_over(self.dir.path()).is_ok_and(|dead| dead.len() == processes);
        until("the end of the process", dead).await;
    }

    /// What lies in the folder, besides its own lock.
    fn entries(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.dir.path()).expect("the folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned());
        names.filter(|name| name != "lock").collect()
    }
}

/// Waits for what others bring about.
async fn until(what: &str, mut done: impl FnMut() -> bool) {
    let end = Instant::now() + LONG;
    while !done() {
        assert!(Instant::now() < end, "{what} did not happen");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_event_reaches_the_database_once_and_leaves_no_file() {
    let world = World::new();
    let meter = world.meter().await;
    for n in 0..3_000 {
        meter.record(event(n)).expect("room");
    }
    assert_eq!(meter.flush(LONG).await, 0);
    assert_eq!(world.ledger.output_tokens(), (0..3_000).collect::<Vec<_>>());
    let status = meter.status();
    assert_eq!((status.pending_rows, status.pending_bytes, status.oldest_age), (0, 0, Duration::ZERO));
    assert!(status.healthy && world.ledger.calls.load(Relaxed) < 100);
    drop(meter);
    until("the folder's end", || world.entries().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_shipped_without_being_asked_for() {
    let world = World::new();
    let meter = world.meter().await;
    meter.record(event(7)).expect("room");
    until("the shipping", || world.ledger.output_tokens() == [7]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_is_recorded_exactly_once_however_it_ends() {
    let world = World::new();
    let meter = world.meter().await;
    let mut finished = meter.open_tab(tenant(), key()).expect("room");
    let name = AdapterName::parse("triage").expect("a name");
    finished.answered_by(name.clone(), VersionNumber::parse("3").expect("a number"));
    finished.tokens(20, 16, 0);
    finished.tokens(20, 16, 5);
    finished.close(Outcome::Finished);
    finished.close(Outcome::Failed);
    let finished_id = finished.id();
    drop(finished);
    let mut hung_up = meter.open_tab(tenant(), key()).expect("room");
    hung_up.tokens(9, 0, 0);
    drop(hung_up);

    assert_eq!(meter.flush(LONG).await, 0);
    let rows = world.ledger.rows();
    let told: Vec<_> = rows
        .iter()
        .map(|row| {
            (row.outcome, row.input_tokens, row.cached_tokens, row.output_tokens, row.ttft_ms.is_some())
        })
        .collect();
    assert_eq!(told, [(Outcome::Finished, 20, 16, 5, true), (Outcome::Cancelled, 9, 0, 0, false)]);
    assert_eq!(rows[0].id, finished_id);
    assert_eq!(rows[0].adapter.as_ref().map(|(name, number)| (name, number.get())), Some((&name, 3)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_tabs_are_bounded_and_each_finds_its_place() {
    let world = World::new();
    let meter = world.meter().await;
    let open: Vec<Tab> = (0..MAX_OPEN).map(|_| meter.open_tab(tenant(), key()).expect("room")).collect();
    assert!(matches!(meter.open_tab(tenant(), key()), Err(ApiError::MeteringUnavailable)));
    assert!(matches!(meter.record(event(1)), Err(ApiError::MeteringUnavailable)));
    drop(open);
    until("room", || meter.open_tab(tenant(), key()).is_ok()).await;
    assert_eq!(meter.flush(LONG).await, 0);
    assert!(world.ledger.rows().len() > MAX_OPEN);
}
