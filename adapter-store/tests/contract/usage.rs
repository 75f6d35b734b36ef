//! Usage: each event counts once, sums are the sums of events, and a tenant sees its own.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tenora_adapter_store::*;
use time::{Month, OffsetDateTime};
use uuid::Uuid;

use crate::world::{World, name, slug_of};

on_both_databases!(
    an_event_counts_once_however_often_it_is_recorded,
    sums_equal_the_events_under_any_batches,
    a_tenant_sees_its_own_usage_alone,
    the_operator_tells_tenants_apart,
    buckets_are_cut_at_their_edges,
    sums_are_grouped_and_filtered_as_asked,
    the_groups_beyond_the_top_are_one_sum,
    failures_are_counted_by_how_requests_ended,
    a_month_is_summed_by_tenant_and_by_key,
    events_of_a_tenant_that_is_gone_hold_nobody_up,
    batches_recorded_at_once_all_count,
    a_batch_is_recorded_whole_or_not_at_all,
);

/// 2026-03-01, 00:00 UTC.
const DAY: i64 = 1_772_323_200;
const HOUR: i64 = 3_600;

fn at(second: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(second).unwrap()
}

fn key(number: u8) -> KeyId {
    KeyId::parse(&format!("{number:032x}")).unwrap()
}

fn version(text: &str) -> Option<(AdapterName, VersionNumber)> {
    let (adapter, number) = text.split_once('@').unwrap();
    Some((name(adapter), VersionNumber::parse(number).unwrap()))
}

fn event(tenant: &Tenant, started: i64) -> UsageEvent {
    UsageEvent {
        id: Uuid::now_v7(),
        tenant: tenant.id,
        credential: Credential::Key(key(1)),
        adapter: version("triage@1"),
        outcome: Outcome::Finished,
        started_at: at(started),
        input_tokens: 10,
        cached_tokens: 4,
        output_tokens: 3,
        ttft_ms: Some(5),
        duration_ms: 50,
    }
}

fn all(width: BucketWidth, start: i64, end: i64) -> UsageQuery {
    let (group_by, keys, models) = (Vec::new(), Vec::new(), Vec::new());
    UsageQuery { start, end, width, group_by, keys, models, top: None, limit: u32::MAX }
}

/// Requests, input, cached and output tokens of each sum, with its bucket.
fn told(page: &UsagePage) -> Vec<(i64, [u64; 4])> {
    let sums = page.buckets.iter().flat_map(|bucket| bucket.sums.iter().map(|sum| (bucket.start, sum)));
    sums.map(|(start, sum)| (start, [sum.requests, sum.input_tokens, sum.cached_tokens, sum.output_tokens]))
        .collect()
}

async fn an_event_counts_once_however_often_it_is_recorded(world: &World) {
    let acme = world.tenant("acme").await;
    let (one, two) = (event(&acme, DAY + 1), event(&acme, DAY + 2));
    world.store.record_usage(&[]).await.unwrap();
    world.store.record_usage(std::slice::from_ref(&one)).await.unwrap();
    for _ in 0..3 {
        world.store.record_usage(&[one.clone(), two.clone(), one.clone()]).await.unwrap();
    }
    // Another request's tokens under a known id change nothing.
    world.store.record_usage(&[UsageEvent { input_tokens: 99, ..two }]).await.unwrap();
    for width in [BucketWidth::Minute, BucketWidth::Hour, BucketWidth::Day] {
        let page = world.store.tenant(acme.id).usage(&all(width, DAY, DAY + 60)).await.unwrap();
        assert_eq!(told(&page), [(DAY, [2, 20, 8, 6])], "{width:?}");
    }
    assert_eq!(world.sql("SELECT outcome FROM usage_events").await, ["finished", "finished"]);
}

fn any_event(tenants: [TenantId; 2]) -> impl Strategy<Value = UsageEvent> {
    let credential = prop_oneof![
        (0..3u8).prop_map(|number| Credential::Key(key(number + 1))),
        "\\PC{0,20}".prop_map(|subject| Credential::Subject(Subject::of(&subject))),
    ];
    let adapter = prop_oneof![
        Just(None),
        Just(version("a@1")),
        Just(version("a@2")),
        Just(version("a-b.c_d@4294967295"))
    ];
    let outcome =
        prop::sample::select(vec![Outcome::Finished, Outcome::Failed, Outcome::Cancelled, Outcome::CutOff]);
    let tokens = prop_oneof![any::<[u32; 3]>(), Just([0; 3])];
    let tenant = prop::sample::select(tenants.to_vec());
    let started = (0..3 * 86_400i64, 0..1_000_000_000u32);
    (tenant, credential, adapter, outcome, started, tokens, any::<[u8; 16]>()).prop_map(
        |(tenant, credential, adapter, outcome, (second, nanosecond), tokens, id)| UsageEvent {
            id: Uuid::from_bytes(id),
            tenant,
            credential,
            adapter,
            outcome,
            started_at: at(DAY + second).replace_nanosecond(nanosecond).unwrap(),
            input_tokens: tokens[0],
            cached_tokens: tokens[1],
            output_tokens: tokens[2],
            ttft_ms: (tokens[2] > 0).then_some(tokens[0]),
            duration_ms: u32::MAX,
        },
    )
}

async fn sums_equal_the_events_under_any_batches(world: &World) {
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let mut runner = TestRunner::deterministic();
    let mut expected = BTreeMap::new();
    let mut earlier: Vec<UsageEvent> = Vec::new();
    for _ in 0..12 {
        let batch = prop::collection::vec(any_event([acme.id, globex.id]), 1..80);
        let mut batch = batch.new_tree(&mut runner).unwrap().current();
        let again = prop::sample::subsequence(earlier.clone(), 0..=earlier.len().min(20));
        batch.extend(again.new_tree(&mut runner).unwrap().current());
        batch.push(batch[0].clone());
        world.store.record_usage(&batch).await.unwrap();
        for event in batch {
            expected.entry(event.id).or_insert_with(|| event.clone());
            earlier.push(event);
        }
    }
    for width in [BucketWidth::Hour, BucketWidth::Day] {
        for tenant in [&acme, &globex] {
            let mut query = all(width, DAY, DAY + 3 * 86_400);
            query.group_by = vec![GroupBy::Key, GroupBy::Model];
            let page = world.store.tenant(tenant.id).usage(&query).await.unwrap();
            assert_eq!(page.next, None);
            assert_eq!(by_group(&page), sums_of(expected.values(), tenant.id, width), "{width:?}");
        }
    }
}

type Group = (i64, Option<KeyId>, String);

fn by_group(page: &UsagePage) -> BTreeMap<Group, [u64; 5]> {
    let mut sums = BTreeMap::new();
    for bucket in &page.buckets {
        for sum in &bucket.sums {
            let model = match sum.model.as_ref().unwrap() {
                UsedModel::Base => String::new(),
                UsedModel::Version(name, number) => format!("{name}@{number}"),
            };
            let used = [sum.requests, sum.failed, sum.input_tokens, sum.cached_tokens, sum.output_tokens];
            assert!(!sum.others);
            assert!(sums.insert((bucket.start, sum.key, model), used).is_none());
        }
    }
    sums
}

fn sums_of<'a>(
    events: impl Iterator<Item = &'a UsageEvent>,
    tenant: TenantId,
    width: BucketWidth,
) -> BTreeMap<Group, [u64; 5]> {
    let mut sums: BTreeMap<Group, [u64; 5]> = BTreeMap::new();
    for event in events.filter(|event| event.tenant == tenant) {
        let key = match event.credential {
            Credential::Key(key) => Some(key),
            Credential::Subject(_) => None,
        };
        let model = event.adapter.as_ref().map(|(name, number)| format!("{name}@{number}"));
        let start = width.floor(event.started_at.unix_timestamp());
        let sum = sums.entry((start, key, model.unwrap_or_default())).or_default();
        let failed = u32::from(matches!(event.outcome, Outcome::Failed | Outcome::CutOff));
        let used = [1, failed, event.input_tokens, event.cached_tokens, event.output_tokens];
        sum.iter_mut().zip(used).for_each(|(sum, used)| *sum += u64::from(used));
    }
    sums
}

async fn a_tenant_sees_its_own_usage_alone(world: &World) {
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    world.store.record_usage(&[event(&acme, DAY), event(&globex, DAY), event(&globex, DAY)]).await.unwrap();
    let nobody = world.tenant("nobody").await;
    for width in [BucketWidth::Minute, BucketWidth::Hour, BucketWidth::Day] {
        for (tenant, requests) in [(&acme, 1), (&globex, 2), (&nobody, 0)] {
            let mut query = all(width, DAY, DAY + 60);
            let seen = |page: &UsagePage| told(page).iter().map(|(_, used)| used[0]).sum::<u64>();
            let store = world.store.tenant(tenant.id);
            assert_eq!(seen(&store.usage(&query).await.unwrap()), requests);
            // Not by any filter or group either.
            query.group_by = vec![GroupBy::Tenant, GroupBy::Key, GroupBy::Model];
            query.keys = vec![key(1)];
            query.models = vec![ModelFilter::Adapter(name("triage"))];
            let page = store.usage(&query).await.unwrap();
            assert_eq!(seen(&page), requests);
            let slugs = page.buckets.iter().flat_map(|bucket| &bucket.sums).map(|sum| sum.tenant.as_ref());
            assert!(slugs.into_iter().all(|slug| slug == Some(&tenant.slug)));
        }
    }
}

async fn the_operator_tells_tenants_apart(world: &World) {
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    world.store.record_usage(&[event(&acme, DAY), event(&globex, DAY), event(&globex, DAY)]).await.unwrap();
    for width in [BucketWidth::Minute, BucketWidth::Hour, BucketWidth::Day] {
        let mut query = all(width, DAY, DAY + 60);
        let sum = |page: UsagePage| told(&page);
        assert_eq!(sum(world.operator().usage(&[], &query).await.unwrap()), [(DAY, [3, 30, 12, 9])]);
        let globex = [slug_of("globex"), slug_of("unknown")];
        assert_eq!(sum(world.operator().usage(&globex, &query).await.unwrap()), [(DAY, [2, 20, 8, 6])]);
        query.group_by = vec![GroupBy::Tenant];
        let page = world.operator().usage(&[], &query).await.unwrap();
        let sums = page.buckets[0].sums.iter();
        let slugs: Vec<_> = sums.map(|sum| (sum.tenant.as_ref().unwrap().as_str(), sum.requests)).collect();
        assert_eq!(slugs, [("acme", 1), ("globex", 2)]);
    }
}

async fn buckets_are_cut_at_their_edges(world: &World) {
    let acme = world.tenant("acme").await;
    let mut events: Vec<_> =
        [DAY - 1, DAY, DAY + 59, DAY + 60, DAY + HOUR - 1, DAY + HOUR, DAY + 24 * HOUR - 1, DAY + 24 * HOUR]
            .map(|second| event(&acme, second))
            .into();
    // The last moment of a day, told in another time zone.
    events[0].started_at = at(DAY - 1).replace_nanosecond(999_999_999).unwrap();
    events[0].started_at = events[0].started_at.to_offset(time::macros::offset!(+5:30));
    world.store.record_usage(&events).await.unwrap();
    let store = world.store.tenant(acme.id);
    let requests = async |width, start, end| -> Vec<(i64, u64)> {
        let page = store.usage(&all(width, start, end)).await.unwrap();
        assert!(page.buckets.iter().all(|bucket| bucket.end - bucket.start == width.seconds()));
        assert!(page.buckets.windows(2).all(|pair| pair[0].end == pair[1].start));
        told(&page).into_iter().map(|(start, used)| (start - DAY, used[0])).collect()
    };
    let (minute, hour, day) = (BucketWidth::Minute, BucketWidth::Hour, BucketWidth::Day);
    assert_eq!(requests(minute, DAY, DAY + 120).await, [(0, 2), (60, 1)]);
    assert_eq!(requests(minute, DAY - 60, DAY).await, [(-60, 1)]);
    assert_eq!(requests(hour, DAY, DAY + 2 * HOUR).await, [(0, 4), (HOUR, 1)]);
    assert_eq!(requests(day, DAY - 1, DAY + 24 * HOUR).await, [(-24 * HOUR, 1), (0, 6)]);
    assert_eq!(requests(day, DAY + 5, DAY + 24 * HOUR + 1).await, [(0, 6), (24 * HOUR, 1)]);

    let mut query = all(hour, DAY, DAY + 25 * HOUR);
    query.limit = 10;
    let (mut seen, mut pages) = (Vec::new(), 0);
    loop {
        let page = store.usage(&query).await.unwrap();
        assert!(page.buckets.len() <= 10 && page.buckets[0].start == query.start);
        seen.extend(told(&page));
        pages += 1;
        let Some(next) = page.next else { break };
        query.start = next;
    }
    assert_eq!(pages, 3);
    let seen: Vec<_> = seen.into_iter().map(|(start, used)| ((start - DAY) / HOUR, used[0])).collect();
    assert_eq!(seen, [(0, 4), (1, 1), (23, 1), (24, 1)]);
}

async fn sums_are_grouped_and_filtered_as_asked(world: &World) {
    let acme = world.tenant("acme").await;
    let token = Credential::Subject(Subject::of("alice@example.com"));
    let used = [
        (Credential::Key(key(1)), version("triage@1")),
        (Credential::Key(key(1)), version("triage@2")),
        (Credential::Key(key(2)), version("triage@2")),
        (Credential::Key(key(2)), None),
        (token, None),
    ];
    let events = used.map(|(credential, adapter)| UsageEvent { credential, adapter, ..event(&acme, DAY) });
    world.store.record_usage(&events).await.unwrap();
    let store = world.store.tenant(acme.id);
    let two = VersionNumber::parse("2").unwrap();
    for width in [BucketWidth::Minute, BucketWidth::Hour, BucketWidth::Day] {
        let ask = async |group_by: &[GroupBy], keys: &[KeyId], models: &[ModelFilter]| {
            let query = UsageQuery {
                group_by: group_by.to_vec(),
                keys: keys.to_vec(),
                models: models.to_vec(),
                ..all(width, DAY, DAY + 60)
            };
            store.usage(&query).await.unwrap().buckets.remove(0).sums
        };
        let by_key = ask(&[GroupBy::Key], &[], &[]).await;
        let mut keys: Vec<_> = by_key.iter().map(|sum| (sum.key, sum.requests)).collect();
        keys.sort();
        assert_eq!(keys, [(None, 1), (Some(key(1)), 2), (Some(key(2)), 2)], "{width:?}");
        assert!(by_key.iter().all(|sum| sum.model.is_none() && sum.tenant.is_none()));

        let by_model = ask(&[GroupBy::Model], &[], &[]).await;
        let models: Vec<_> = by_model.into_iter().map(|sum| (sum.model.unwrap(), sum.requests)).collect();
        let pinned = |text| {
            let (name, number) = version(text).unwrap();
            UsedModel::Version(name, number)
        };
        assert_eq!(models, [(UsedModel::Base, 2), (pinned("triage@1"), 1), (pinned("triage@2"), 2)]);

        let requests = async |keys: &[KeyId], models: &[ModelFilter]| -> u64 {
            ask(&[], keys, models).await.iter().map(|sum| sum.requests).sum()
        };
        let triage = name("triage");
        assert_eq!(requests(&[key(1)], &[]).await, 2);
        assert_eq!(requests(&[key(1), key(2), key(9)], &[]).await, 4);
        assert_eq!(requests(&[key(9)], &[]).await, 0);
        assert_eq!(requests(&[], &[ModelFilter::Base]).await, 2);
        assert_eq!(requests(&[], &[ModelFilter::Adapter(triage.clone())]).await, 3);
        let second = ModelFilter::Version(triage, two);
        assert_eq!(requests(&[], std::slice::from_ref(&second)).await, 2);
        assert_eq!(requests(&[key(2)], &[second, ModelFilter::Base]).await, 2);
        assert_eq!(requests(&[], &[ModelFilter::Adapter(name("tri"))]).await, 0);
    }
}

async fn the_groups_beyond_the_top_are_one_sum(world: &World) {
    let mut events = Vec::new();
    // On the first day `d` has most, over both days `b`: what counts is the page.
    for (slug, tokens) in [("a", [1, 1]), ("b", [50, 50]), ("c", [20, 20]), ("d", [60, 0]), ("e", [2, 0])] {
        let tenant = world.tenant(slug).await;
        for (day, output_tokens) in tokens.into_iter().enumerate().filter(|(_, tokens)| *tokens > 0) {
            let one = event(&tenant, DAY + day as i64 * 24 * HOUR);
            events.push(UsageEvent { input_tokens: 0, cached_tokens: 0, output_tokens, ..one });
        }
    }
    world.store.record_usage(&events).await.unwrap();
    let ask = async |top| {
        let query = UsageQuery {
            group_by: vec![GroupBy::Tenant],
            top,
            ..all(BucketWidth::Day, DAY, DAY + 48 * HOUR)
        };
        let page = world.operator().usage(&[], &query).await.unwrap();
        let told = |sum: &UsageSum| {
            let tenant = sum.tenant.as_ref().map(ToString::to_string);
            assert_eq!(sum.others, tenant.is_none());
            (tenant.unwrap_or_default(), sum.requests, sum.output_tokens)
        };
        page.buckets.iter().map(|bucket| bucket.sums.iter().map(told).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let sum = |tenant: &str, requests, tokens| (tenant.to_owned(), requests, tokens);
    assert_eq!(
        ask(Some(2)).await,
        [vec![sum("b", 1, 50), sum("d", 1, 60), sum("", 3, 23)], vec![sum("b", 1, 50), sum("", 2, 21)],]
    );
    assert_eq!(ask(Some(5)).await, ask(None).await);
    assert_eq!(ask(None).await[0].len(), 5);
}

async fn failures_are_counted_by_how_requests_ended(world: &World) {
    let acme = world.tenant("acme").await;
    let outcomes = [Outcome::Finished, Outcome::Failed, Outcome::Cancelled, Outcome::CutOff, Outcome::CutOff];
    let events = outcomes.map(|outcome| UsageEvent { outcome, ..event(&acme, DAY) });
    world.store.record_usage(&events).await.unwrap();
    for width in [BucketWidth::Minute, BucketWidth::Hour, BucketWidth::Day] {
        let page = world.store.tenant(acme.id).usage(&all(width, DAY, DAY + 60)).await.unwrap();
        let sum = &page.buckets[0].sums[0];
        assert_eq!((sum.requests, sum.failed, sum.others), (5, 3, false), "{width:?}");
    }
}

async fn a_month_is_summed_by_tenant_and_by_key(world: &World) {
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    let other = UsageEvent { credential: Credential::Key(key(2)), ..event(&acme, DAY) };
    let events = [
        // The last second of February, the first and the last of March.
        event(&acme, DAY - 1),
        event(&acme, DAY),
        event(&acme, DAY + 31 * 86_400 - 1),
        event(&acme, DAY + 31 * 86_400),
        other,
        event(&globex, DAY),
    ];
    world.store.record_usage(&events).await.unwrap();
    let tokens = async |spender, year, month| world.store.month_tokens(spender, year, month).await.unwrap();
    let (whole, one) = (Spender::Tenant(acme.id), Spender::Key(acme.id, key(1)));
    assert_eq!(tokens(whole, 2026, Month::February).await, 13);
    assert_eq!(tokens(whole, 2026, Month::March).await, 39);
    assert_eq!(tokens(one, 2026, Month::March).await, 26);
    assert_eq!(tokens(whole, 2026, Month::December).await, 0);
    assert_eq!(tokens(Spender::Key(globex.id, key(2)), 2026, Month::March).await, 0, "another tenant's key");
    assert!(world.store.month_tokens(whole, 99_999, Month::May).await.is_err());
}

async fn events_of_a_tenant_that_is_gone_hold_nobody_up(world: &World) {
    let acme = world.tenant("acme").await;
    let gone = TenantId::parse("01890000-0000-7000-8000-000000000001").unwrap();
    let events = [UsageEvent { tenant: gone, ..event(&acme, DAY) }, event(&acme, DAY)];
    world.store.record_usage(&events).await.unwrap();
    let page = world.operator().usage(&[], &all(BucketWidth::Day, DAY, DAY + 1)).await.unwrap();
    assert_eq!(told(&page), [(DAY, [1, 10, 4, 3])]);
}

async fn batches_recorded_at_once_all_count(world: &World) {
    let acme = world.tenant("acme").await;
    let batch = |order: usize| {
        let mut events: Vec<_> = (0..40)
            .map(|n| UsageEvent {
                adapter: version(&format!("a-{}@1", n % 7)),
                ..event(&acme, DAY + i64::from(n % 3) * HOUR)
            })
            .collect();
        events.rotate_left(order * 5);
        events
    };
    let batches: Vec<_> = (0..8).map(batch).collect();
    let recorded = batches.iter().chain(&batches).map(|batch| world.store.record_usage(batch));
    for recorded in futures_util::future::join_all(recorded).await {
        recorded.unwrap();
    }
    let page = world.store.tenant(acme.id).usage(&all(BucketWidth::Day, DAY, DAY + 1)).await.unwrap();
    assert_eq!(told(&page), [(DAY, [320, 3_200, 1_280, 960])]);
}

async fn a_batch_is_recorded_whole_or_not_at_all(world: &World) {
    let acme = world.tenant("acme").await;
    let batch = [event(&acme, DAY), event(&acme, DAY)];
    world.sql("ALTER TABLE usage_hourly RENAME TO usage_hourly_away").await;
    assert!(world.store.record_usage(&batch).await.is_err());
    world.sql("ALTER TABLE usage_hourly_away RENAME TO usage_hourly").await;
    assert!(world.sql("SELECT outcome FROM usage_events").await.is_empty());
    world.store.record_usage(&batch).await.unwrap();
    let page = world.store.tenant(acme.id).usage(&all(BucketWidth::Hour, DAY, DAY + 1)).await.unwrap();
    assert_eq!(told(&page), [(DAY, [2, 20, 8, 6])]);
}
