//! How long single events are kept: older ones are deleted in small batches, off every request's way, while the sums of
//! their hours stay for ever.
//!
//! The database takes each event once because it has its id. When that is deleted, the event would count a second time if
//! it were replayed: so nothing is replayed that is older than [`REPLAYED`], which is a day less than the shortest time
//! for which events may be kept. However servers are configured, and whenever that changes, no event is both deleted
//! somewhere and replayed elsewhere, as long as their clocks differ by less than that day. The price: rows that wait for
//! the database longer than [`REPLAYED`] are not counted any more; they are told in the log, and their file is kept.
//!
//! Several servers may delete at once: each takes what the others do not.

use std::time::Duration;

use tenora_adapter_store::{AdapterStore, StoreError, UsageEvent};
use time::OffsetDateTime;
use tokio::time::sleep;

use crate::config::MIN_USAGE_EVENTS_DAYS;

/// Events that began longer ago are not replayed.
pub const REPLAYED: Duration = Duration::from_secs((MIN_USAGE_EVENTS_DAYS - 1) * 24 * 60 * 60);
/// Events that one transaction deletes at most: it takes some hundredths of a second.
const BATCH: u32 = 1_000;
/// The pause between two batches: what is recorded meanwhile does not wait.
const PAUSE: Duration = Duration::from_millis(100);
/// How often old events are looked for.
const EVERY: Duration = Duration::from_secs(60 * 60);

/// Deletes events that are older than `kept`, for as long as the server runs.
pub async fn delete_old_events(store: AdapterStore, kept: Duration) {
    loop {
        match delete_all(&store, OffsetDateTime::now_utc() - kept).await {
            Ok(0) => {}
            Ok(events) => {
                tracing::info!(events, "Old usage events are deleted; the sums of their hours stay")
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(error, "Old usage events cannot be deleted now");
            }
        }
        sleep(EVERY).await;
    }
}

async fn delete_all(store: &AdapterStore, before: OffsetDateTime) -> Result<u64, StoreError> {
    let mut all = 0;
    loop {
        let deleted = store.delete_usage_events(before, BATCH).await?;
        all += deleted;
        if deleted < u64::from(BATCH) {
            return Ok(all);
        }
        sleep(PAUSE).await;
    }
}

/// Takes out what must not be replayed; says how many.
pub(super) fn take_out_old(events: &mut Vec<UsageEvent>) -> usize {
    let oldest = OffsetDateTime::now_utc() - REPLAYED;
    let before = events.len();
    events.retain(|event| event.started_at >= oldest);
    before - events.len()
}
