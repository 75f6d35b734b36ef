//! The database, the process or the disk goes away, and comes back.

use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_wait_for_a_database_that_is_away() {
    let world = World::new();
    world.away(true);
    let meter = world.meter().await;
    for n in 0..700 {
        meter.record(event(n)).expect("room");
    }
    until("an attempt", || world.ledger.calls.load(Relaxed) > 0 && !meter.status().healthy).await;
    assert_eq!(meter.flush(Duration::from_millis(300)).await, 700);
    let status = meter.status();
    assert!(status.accepting && !status.healthy && status.pending_bytes > 0, "{status:?}");
    assert!(status.oldest_age > Duration::from_millis(200), "{status:?}");
    assert!(world.ledger.rows().is_empty());

    world.away(false);
    assert_eq!(meter.flush(LONG).await, 0);
    assert!(meter.status().healthy);
    assert_eq!(world.ledger.output_tokens(), (0..700).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_left_is_replayed_by_the_next() {
    let world = World::new();
    world.away(true);
    for life in 0..3 {
        let meter = world.meter().await;
        (0..100).for_each(|n| meter.record(event(life * 100 + n)).expect("room"));
        // Its own rows and those that it took over.
        until("the writing", || meter.status().pending_rows == u64::from(life + 1) * 100).await;
        drop(meter);
        world.dead(life as usize + 1).await;
    }
    world.away(false);
    let meter = world.meter().await;
    until("the replay", || world.ledger.rows().len() == 300).await;
    assert_eq!(world.ledger.output_tokens(), (0..300).collect::<Vec<_>>());
    assert_eq!(meter.flush(LONG).await, 0);
    drop(meter);
    until("the end of all folders", || world.entries().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_arrived_before_the_crash_count_once() {
    let world = World::new();
    let meter = world.meter().await;
    (0..100).for_each(|n| meter.record(event(n)).expect("room"));
    until("the shipping", || world.ledger.rows().len() == 100).await;
    // The file is still there: it is removed when it is full or the meter is flushed.
    drop(meter);
    world.dead(1).await;
    let meter = world.meter().await;
    meter.record(event(100)).expect("room");
    assert_eq!(meter.flush(LONG).await, 0);
    assert_eq!(world.ledger.output_tokens(), (0..=100).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rows_of_the_living_are_left_to_them() {
    let world = World::new();
    world.away(true);
    let (one, other) = (world.meter().await, world.meter().await);
    one.record(event(1)).expect("room");
    other.record(event(2)).expect("room");
    until("the writing", || one.status().pending_rows + other.status().pending_rows == 2).await;
    world.away(false);
    assert_eq!((one.flush(LONG).await, other.flush(LONG).await), (0, 0));
    assert_eq!(world.ledger.output_tokens(), [1, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beyond_the_bound_requests_are_refused_and_those_inside_still_count() {
    let world = World::new();
    world.away(true);
    let meter = world.meter_with(10_000).await;
    let mut inside = meter.open_tab(tenant(), key()).expect("room");
    let mut recorded = 0;
    let end = Instant::now() + LONG;
    while meter.record(event(1)).is_ok() {
        assert!(Instant::now() < end, "there is no bound");
        recorded += 1;
        sleep(Duration::from_millis(1)).await;
    }
    assert!(matches!(meter.open_tab(tenant(), key()), Err(ApiError::MeteringUnavailable)));
    let status = meter.status();
    assert!(!status.accepting && !status.healthy && status.pending_bytes < 20_000, "{status:?}");
    inside.close(Outcome::Finished);

    world.away(false);
    assert_eq!(meter.flush(LONG).await, 0);
    assert!(meter.status().accepting && meter.open_tab(tenant(), key()).is_ok());
    assert!(world.ledger.rows().len() > recorded);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_takes_nothing_closes_the_gate_until_it_does() {
    let world = World::new();
    let meter = world.meter().await;
    let folder = world.dir.path().join(&world.entries()[0]);
    std::fs::remove_dir_all(&folder).expect("removed");
    meter.record(event(1)).expect("room");
    until("the refusal", || !meter.status().accepting).await;
    assert!(matches!(meter.open_tab(tenant(), key()), Err(ApiError::MeteringUnavailable)));

    std::fs::create_dir(&folder).expect("made");
    until("the recovery", || meter.status().accepting).await;
    assert_eq!(meter.flush(LONG).await, 0);
    assert_eq!(world.ledger.output_tokens(), [1]);
}
