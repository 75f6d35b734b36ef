//! Events end with their age, and none that was deleted counts again.

use tenora_adapter_store::{AdapterStore, BucketWidth, UsageQuery};

use super::{
    damage::{left_behind, lines},
    store::{acme, store},
    *,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

fn aged(age: Duration, output_tokens: u32) -> UsageEvent {
    UsageEvent { started_at: OffsetDateTime::now_utc() - age, ..event(output_tokens) }
}

/// Requests of the last days, summed from hours or from single events.
async fn requests(store: &AdapterStore, width: BucketWidth) -> u64 {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let (group_by, keys, models) = (Vec::new(), Vec::new(), Vec::new());
    let mut query = UsageQuery {
        start: now - 42 * 86_400,
        end: now,
        width,
        group_by,
        keys,
        models,
        top: None,
        limit: width.max_buckets(),
    };
    let mut sum = 0;
    loop {
        let page = store.tenant(tenant_of(store).await).usage(&query).await.expect("read");
        sum += page.buckets.iter().flat_map(|bucket| &bucket.sums).map(|sum| sum.requests).sum::<u64>();
        let Some(next) = page.next else { return sum };
        query.start = next;
    }
}

async fn tenant_of(store: &AdapterStore) -> TenantId {
    let slug = tenora_adapter_store::TenantSlug::parse("acme").expect("a slug");
    store.tenant_by_slug(&slug).await.expect("read").expect("made").id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_old_is_not_replayed_and_its_file_is_kept() {
    let world = World::new();
    let bytes = lines(&[aged(REPLAYED + MINUTE, 1), aged(REPLAYED - MINUTE, 2), event(3)]);
    let path = left_behind(world.dir.path(), &bytes);
    let meter = world.meter().await;
    until("the replay", || world.ledger.output_tokens() == [2, 3]).await;
    until("the end of the file", || !path.exists()).await;
    assert_eq!((meter.status().unreadable_lines, meter.status().pending_rows), (0, 0));
    let kept = world.dir.path().join("dead-0000000000000001.wal.old");
    assert_eq!(std::fs::read(kept).expect("kept"), bytes);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_was_deleted_does_not_count_again() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path()).await;
    let tenant = acme(&store).await.id;
    let events = [36, 35, 34, 33].map(|days| UsageEvent { tenant, ..aged(days * DAY, 5) });
    store.record_usage(&events).await.expect("recorded");
    // The shortest time for which events may be kept.
    let deleted = store.delete_usage_events(OffsetDateTime::now_utc() - 35 * DAY + MINUTE, 100).await;
    assert_eq!(deleted.expect("deleted"), 2);

    // Their server was killed before it could remove their file, and comes back now.
    let path = left_behind(&dir.path().join("usage"), &lines(&events));
    let meter =
        Meter::start(store.clone(), MeterSettings::within(dir.path().join("usage"))).await.expect("started");
    until("the end of the file", || !path.exists()).await;
    assert_eq!(meter.flush(LONG).await, 0);
    assert_eq!(requests(&store, BucketWidth::Hour).await, 4, "each once");
    assert_eq!(requests(&store, BucketWidth::Minute).await, 2, "and what was deleted stays deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_deletes_what_is_old_however_much_it_is() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path()).await;
    let tenant = acme(&store).await.id;
    let aged = |days, count: u32| -> Vec<_> {
        (0..count).map(|n| UsageEvent { tenant, ..aged(days * DAY, n) }).collect()
    };
    for batch in aged(40, 2_300).chunks(500).chain([&aged(30, 7)[..]]) {
        store.record_usage(batch).await.expect("recorded");
    }
    let retention = tokio::spawn(delete_old_events(store.clone(), 35 * DAY));
    let end = Instant::now() + LONG;
    while requests(&store, BucketWidth::Minute).await > 7 {
        assert!(Instant::now() < end, "not all of it is deleted");
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(requests(&store, BucketWidth::Minute).await, 7);
    assert_eq!(requests(&store, BucketWidth::Hour).await, 2_307);
    retention.abort();
}
