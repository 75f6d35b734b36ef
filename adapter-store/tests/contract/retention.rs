//! Usage events end with their age, in batches, whoever deletes them; the sums of hours stay.

use futures_util::future::join_all;
use tenora_adapter_store::*;
use time::{Month, OffsetDateTime};
use uuid::Uuid;

use crate::world::World;

on_both_databases!(old_events_go_in_batches_and_their_sums_stay, servers_that_delete_at_once_share_the_work,);

/// 2026-03-01, 00:00 UTC.
const DAY: i64 = 1_772_323_200;
const HOUR: i64 = 3_600;

fn at(second: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(second).unwrap()
}

fn event(tenant: &Tenant, started: i64) -> UsageEvent {
    UsageEvent {
        id: Uuid::now_v7(),
        tenant: tenant.id,
        credential: Credential::Key(KeyId::parse(&"1".repeat(32)).unwrap()),
        adapter: None,
        outcome: Outcome::Finished,
        started_at: at(started),
        input_tokens: 10,
        cached_tokens: 0,
        output_tokens: 3,
        ttft_ms: None,
        duration_ms: 1,
    }
}

/// Requests of the day's first hours, by bucket.
async fn requests(world: &World, width: BucketWidth) -> Vec<(i64, u64)> {
    let query = UsageQuery {
        start: DAY,
        end: DAY + 3 * HOUR,
        width,
        group_by: Vec::new(),
        keys: Vec::new(),
        models: Vec::new(),
        top: None,
        limit: u32::MAX,
    };
    let page = world.operator().usage(&[], &query).await.unwrap();
    let sums = page.buckets.iter().flat_map(|bucket| bucket.sums.iter().map(|sum| (bucket.start, sum)));
    sums.map(|(start, sum)| (start - DAY, sum.requests)).collect()
}

async fn old_events_go_in_batches_and_their_sums_stay(world: &World) {
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let began = [0, 59, 60, HOUR - 1, HOUR, HOUR + 59, HOUR + 60];
    let events: Vec<_> =
        began.iter().flat_map(|second| [event(&acme, DAY + second), event(&globex, DAY + second)]).collect();
    world.store.record_usage(&events).await.unwrap();
    let sums = requests(world, BucketWidth::Hour).await;
    assert_eq!(sums, [(0, 8), (HOUR, 6)]);

    let delete = async |before, most| world.store.delete_usage_events(at(before), most).await.unwrap();
    assert_eq!(delete(DAY, 100).await, 0, "nothing is that old");
    // A minute goes when all of it is old.
    let before = DAY + HOUR + 59;
    assert_eq!([delete(before, 5).await, delete(before, 5).await, delete(before, 5).await], [5, 3, 0]);
    assert_eq!(requests(world, BucketWidth::Minute).await, [(HOUR, 4), (HOUR + 60, 2)]);
    assert_eq!(delete(before + 1, 100).await, 4);
    assert_eq!(requests(world, BucketWidth::Minute).await, [(HOUR + 60, 2)]);
    assert_eq!(requests(world, BucketWidth::Hour).await, sums, "sums are kept");
    let month = world.store.month_tokens(Spender::Tenant(acme.id), 2026, Month::March).await;
    assert_eq!(month.unwrap(), 7 * 13, "and a month's budget with them");
}

async fn servers_that_delete_at_once_share_the_work(world: &World) {
    let acme = world.tenant("acme").await;
    let events: Vec<_> = (0..300).map(|n| event(&acme, DAY + n)).collect();
    world.store.record_usage(&events).await.unwrap();
    let other = world.replica("other").await;
    let mut deleted = 0;
    loop {
        let turns = (0..8).map(|n| [&world.store, &other][n % 2].delete_usage_events(at(DAY + HOUR), 20));
        // What is meanwhile recorded goes on.
        let meanwhile = [event(&acme, DAY + 2 * HOUR)];
        let recorded = world.store.record_usage(&meanwhile);
        let (turns, recorded) = tokio::join!(join_all(turns), recorded);
        recorded.unwrap();
        let turn: u64 = turns.into_iter().map(Result::unwrap).sum();
        deleted += turn;
        if turn == 0 {
            break;
        }
    }
    assert_eq!(deleted, 300, "each once");
    let left = world.store.delete_usage_events(at(DAY + 3 * HOUR), 100).await.unwrap();
    assert!((3..20).contains(&left), "{left} of those that came meanwhile");
}
