//! The tables `usage_events` and `usage_hourly`, as they are written: events once, and their sums by what was new. Events
//! end with their age, sums do not.
//! A batch is one parameter, a JSON list, so that no statement depends on its length.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use sqlx::types::Json;
use time::UtcOffset;
use time::format_description::well_known::Rfc3339;
use uuid::Uuid;

use super::usage_sums::NO_KEY;
use crate::database::{Either, Transaction, execute, on};
use crate::error::StoreError;
use crate::usage::{Credential, Outcome, UsageEvent};
use crate::usage_query::BucketWidth;

/// An event as the statements read it; ids are hex digits.
#[derive(Serialize)]
struct EventRow<'a> {
    id: String,
    tenant_id: String,
    key_id: Option<String>,
    subject: Option<&'a str>,
    adapter: Option<&'a str>,
    version: Option<u32>,
    outcome: Outcome,
    started_at: String,
    minute: i64,
    input_tokens: u32,
    cached_tokens: u32,
    output_tokens: u32,
    duration_ms: u32,
    ttft_ms: Option<u32>,
}

/// What a row of `usage_hourly` is found by. Rows are changed in this order everywhere, so that no two batches deadlock.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct HourKey<'a> {
    tenant_id: String,
    hour: i64,
    key_id: String,
    adapter: &'a str,
    version: u32,
}

/// What is added to a row of `usage_hourly`.
#[derive(Serialize)]
struct HourRow<'a> {
    tenant_id: String,
    hour: i64,
    key_id: String,
    adapter: &'a str,
    version: u32,
    requests: u64,
    failed: u64,
    input_tokens: u64,
    cached_tokens: u64,
    output_tokens: u64,
}

/// Adds the events that are not there yet and returns their ids. Events of tenants that are gone are left out.
pub(crate) async fn insert(
    transaction: &mut Transaction,
    events: &[UsageEvent],
) -> Result<Vec<Uuid>, StoreError> {
    const SQLITE: &str = "INSERT INTO usage_events (id, tenant_id, key_id, subject, adapter, version, outcome, started_at, minute, \
         input_tokens, cached_tokens, output_tokens, duration_ms, ttft_ms) \
         SELECT unhex(e.value ->> 'id'), unhex(e.value ->> 'tenant_id'), unhex(e.value ->> 'key_id'), e.value ->> 'subject', \
         e.value ->> 'adapter', e.value ->> 'version', e.value ->> 'outcome', e.value ->> 'started_at', e.value ->> 'minute', \
         e.value ->> 'input_tokens', e.value ->> 'cached_tokens', e.value ->> 'output_tokens', e.value ->> 'duration_ms', \
         e.value ->> 'ttft_ms' FROM json_each($1) e \
         WHERE EXISTS (SELECT 1 FROM tenants t WHERE t.id = unhex(e.value ->> 'tenant_id')) \
         ON CONFLICT (id) DO NOTHING RETURNING id";
    const POSTGRES: &str = "INSERT INTO usage_events (id, tenant_id, key_id, subject, adapter, version, outcome, started_at, minute, \
         input_tokens, cached_tokens, output_tokens, duration_ms, ttft_ms) \
         SELECT e.id, e.tenant_id, e.key_id, e.subject, e.adapter, e.version, e.outcome, e.started_at, e.minute, \
         e.input_tokens, e.cached_tokens, e.output_tokens, e.duration_ms, e.ttft_ms FROM jsonb_to_recordset($1) AS e \
         (id uuid, tenant_id uuid, key_id uuid, subject text, adapter text, version bigint, outcome text, \
         started_at timestamptz, minute bigint, input_tokens bigint, cached_tokens bigint, output_tokens bigint, \
         duration_ms bigint, ttft_ms bigint) \
         WHERE EXISTS (SELECT 1 FROM tenants t WHERE t.id = e.tenant_id) \
         ON CONFLICT (id) DO NOTHING RETURNING id";
    let statement = match transaction {
        Either::Sqlite(_) => SQLITE,
        Either::Postgres(_) => POSTGRES,
    };
    let rows = events.iter().map(event_row).collect::<Result<Vec<_>, _>>()?;
    let new: Vec<(Uuid,)> =
        on!(transaction, t => sqlx::query_as(statement).bind(Json(&rows)).fetch_all(&mut **t))?;
    Ok(new.into_iter().map(|row| row.0).collect())
}

/// Adds the events with these ids to the sums of their hours.
pub(crate) async fn add_to_hours(
    transaction: &mut Transaction,
    events: &[UsageEvent],
    new: &[Uuid],
) -> Result<(), StoreError> {
    const SQLITE: &str = "INSERT INTO usage_hourly (tenant_id, hour, key_id, adapter, version, requests, failed, input_tokens, \
         cached_tokens, output_tokens) \
         SELECT unhex(s.value ->> 'tenant_id'), s.value ->> 'hour', unhex(s.value ->> 'key_id'), s.value ->> 'adapter', \
         s.value ->> 'version', s.value ->> 'requests', s.value ->> 'failed', s.value ->> 'input_tokens', \
         s.value ->> 'cached_tokens', s.value ->> 'output_tokens' FROM json_each($1) s WHERE true \
         ON CONFLICT (tenant_id, hour, key_id, adapter, version) DO UPDATE SET \
         requests = usage_hourly.requests + excluded.requests, \
         failed = usage_hourly.failed + excluded.failed, \
         input_tokens = usage_hourly.input_tokens + excluded.input_tokens, \
         cached_tokens = usage_hourly.cached_tokens + excluded.cached_tokens, \
         output_tokens = usage_hourly.output_tokens + excluded.output_tokens";
    const POSTGRES: &str = "INSERT INTO usage_hourly (tenant_id, hour, key_id, adapter, version, requests, failed, input_tokens, \
         cached_tokens, output_tokens) \
         SELECT s.tenant_id, s.hour, s.key_id, s.adapter, s.version, s.requests, s.failed, s.input_tokens, \
         s.cached_tokens, s.output_tokens FROM jsonb_to_recordset($1) AS s (tenant_id uuid, hour bigint, key_id uuid, adapter text, \
         version bigint, requests bigint, failed bigint, input_tokens bigint, cached_tokens bigint, output_tokens bigint) \
         ORDER BY s.tenant_id, s.hour, s.key_id, s.adapter COLLATE \"C\", s.version \
         ON CONFLICT (tenant_id, hour, key_id, adapter, version) DO UPDATE SET \
         requests = usage_hourly.requests + excluded.requests, \
         failed = usage_hourly.failed + excluded.failed, \
         input_tokens = usage_hourly.input_tokens + excluded.input_tokens, \
         cached_tokens = usage_hourly.cached_tokens + excluded.cached_tokens, \
         output_tokens = usage_hourly.output_tokens + excluded.output_tokens";
    let statement = match transaction {
        Either::Sqlite(_) => SQLITE,
        Either::Postgres(_) => POSTGRES,
    };
    execute!(transaction, sqlx::query(statement).bind(Json(hours(events, new)))).map(drop)
}

/// Deletes some events of minutes that were over before this second, and says how many. Those that another server is
/// deleting are left to it.
pub(crate) async fn delete_events(
    transaction: &mut Transaction,
    before: i64,
    most: u32,
) -> Result<u64, StoreError> {
    const SQLITE: &str = "DELETE FROM usage_events WHERE tenant_id IS NOT NULL AND id IN \
                          (SELECT id FROM usage_events WHERE minute < $1 ORDER BY minute LIMIT $2)";
    // An array is made once, whatever the plan: the list of an IN may be made again, and pass over what it locked before.
    const POSTGRES: &str = "DELETE FROM usage_events WHERE tenant_id IS NOT NULL AND id = ANY (ARRAY \
                            (SELECT id FROM usage_events WHERE minute < $1 ORDER BY minute LIMIT $2 FOR UPDATE SKIP LOCKED))";
    let statement = match transaction {
        Either::Sqlite(_) => SQLITE,
        Either::Postgres(_) => POSTGRES,
    };
    let before = BucketWidth::Minute.floor(before);
    execute!(transaction, sqlx::query(statement).bind(before).bind(i64::from(most)))
}

fn event_row(event: &UsageEvent) -> Result<EventRow<'_>, StoreError> {
    let (key_id, subject) = match &event.credential {
        Credential::Key(id) => (Some(id.to_string()), None),
        Credential::Subject(subject) => (None, Some(subject.as_str())),
    };
    let started_at = event.started_at.to_offset(UtcOffset::UTC);
    Ok(EventRow {
        id: event.id.simple().to_string(),
        tenant_id: event.tenant.as_uuid().simple().to_string(),
        key_id,
        subject,
        adapter: event.adapter.as_ref().map(|(name, _)| name.as_str()),
        version: event.adapter.as_ref().map(|(_, number)| number.get()),
        outcome: event.outcome,
        started_at: started_at.format(&Rfc3339).map_err(StoreError::internal)?,
        minute: BucketWidth::Minute.floor(started_at.unix_timestamp()),
        input_tokens: event.input_tokens,
        cached_tokens: event.cached_tokens,
        output_tokens: event.output_tokens,
        duration_ms: event.duration_ms,
        ttft_ms: event.ttft_ms,
    })
}

/// The sums of the events with these ids, each id once.
fn hours<'a>(events: &'a [UsageEvent], new: &[Uuid]) -> Vec<HourRow<'a>> {
    // The first of several with one id is the one that was added.
    let mut by_id = HashMap::with_capacity(events.len());
    for event in events {
        by_id.entry(event.id).or_insert(event);
    }
    let mut sums: BTreeMap<HourKey<'_>, [u64; 5]> = BTreeMap::new();
    for event in new.iter().filter_map(|id| by_id.get(id)) {
        let sum = sums.entry(hour_key(event)).or_default();
        let failed = u32::from(event.outcome.is_failure());
        let used = [1, failed, event.input_tokens, event.cached_tokens, event.output_tokens];
        sum.iter_mut().zip(used).for_each(|(sum, used)| *sum += u64::from(used));
    }
    let row =
        |(key, [requests, failed, input_tokens, cached_tokens, output_tokens]): (HourKey<'a>, [u64; 5])| {
            let HourKey { tenant_id, hour, key_id, adapter, version } = key;
            HourRow {
                tenant_id,
                hour,
                key_id,
                adapter,
                version,
                requests,
                failed,
                input_tokens,
                cached_tokens,
                output_tokens,
            }
        };
    sums.into_iter().map(row).collect()
}

fn hour_key(event: &UsageEvent) -> HourKey<'_> {
    let key_id = match event.credential {
        Credential::Key(id) => id.to_string(),
        Credential::Subject(_) => NO_KEY.simple().to_string(),
    };
    HourKey {
        tenant_id: event.tenant.as_uuid().simple().to_string(),
        hour: BucketWidth::Hour.floor(event.started_at.unix_timestamp()),
        key_id,
        adapter: event.adapter.as_ref().map_or("", |(name, _)| name.as_str()),
        version: event.adapter.as_ref().map_or(0, |(_, number)| number.get()),
    }
}
