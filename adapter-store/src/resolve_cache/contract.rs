//! What both backends promise, run against each.

use std::time::Duration;

use time::OffsetDateTime;
use uuid::Uuid;

use super::*;
use crate::adapter::Version;
use crate::api_key::Pepper;
use crate::ids::{AdapterName, Digest};

#[path = "../../tests/contract/services.rs"]
mod services;

fn memory() -> Option<Backend> {
    Some(Backend::Memory(MemoryCache::default()))
}

fn redis() -> Option<Backend> {
    let url = services::url(services::REDIS)?;
    let prefix = format!("tenora-test-{}:", Uuid::now_v7().simple());
    let pepper = Pepper::derive(&"a pepper for tests".into(), "test").unwrap();
    Some(Backend::Redis(Box::new(RedisCache::open(&url.into(), &prefix, pepper).unwrap())))
}

/// Runs each test against each backend.
macro_rules! on_both_backends {
    ($($test:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test]
            async fn $test() {
                super::$test(&super::ResolveCache::new(super::memory().unwrap())).await;
            })+
        }
        mod in_redis {
            $(#[tokio::test]
            async fn $test() {
                if let Some(backend) = super::redis() {
                    super::$test(&super::ResolveCache::new(backend)).await;
                }
            })+
        }
    };
}

on_both_backends!(
    what_was_filled_in_is_found_by_its_owner_alone,
    a_change_forgets_one_tenant,
    an_answer_from_before_a_change_is_not_kept,
    an_answer_is_not_kept_for_long,
);

fn route(number: i64) -> Route {
    Route::only(Version {
        adapter: AdapterName::parse("triage").unwrap(),
        number: number.try_into().unwrap(),
        digest: Digest::from_bytes([number as u8; 32]),
        bytes: 1,
        base_fingerprint: "base".to_owned(),
        disabled: None,
        created_at: OffsetDateTime::UNIX_EPOCH,
    })
}

fn model(text: &str) -> ModelRef {
    ModelRef::parse(text).unwrap()
}

async fn missed(cache: &ResolveCache, tenant: TenantId, reference: &str) -> Ticket {
    match cache.lookup(tenant, &model(reference)).await {
        Lookup::Miss(ticket) => ticket,
        found => panic!("expected a miss, not {found:?}"),
    }
}

async fn hit(cache: &ResolveCache, tenant: TenantId, reference: &str) -> Route {
    match cache.lookup(tenant, &model(reference)).await {
        Lookup::Hit(route) => route,
        other => panic!("expected a hit, not {other:?}"),
    }
}

async fn what_was_filled_in_is_found_by_its_owner_alone(cache: &ResolveCache) {
    let (acme, globex) = (TenantId::generate(), TenantId::generate());
    let ticket = missed(cache, acme, "triage").await;
    cache.fill(ticket, acme, &model("triage"), &route(2)).await;
    assert_eq!(hit(cache, acme, "triage").await, route(2));
    missed(cache, acme, "triage@2").await;
    missed(cache, acme, "triag").await;
    missed(cache, globex, "triage").await;
    assert_eq!(cache.stats(), CacheStats { hits: 1, misses: 4, errors: 0 });
}

async fn a_change_forgets_one_tenant(cache: &ResolveCache) {
    let (acme, globex) = (TenantId::generate(), TenantId::generate());
    for tenant in [acme, globex] {
        for (reference, number) in [("triage", 2), ("triage@1", 1)] {
            let ticket = missed(cache, tenant, reference).await;
            cache.fill(ticket, tenant, &model(reference), &route(number)).await;
        }
    }
    cache.invalidate(acme).await;
    missed(cache, acme, "triage").await;
    let ticket = missed(cache, acme, "triage@1").await;
    assert_eq!(hit(cache, globex, "triage").await, route(2));
    cache.fill(ticket, acme, &model("triage@1"), &route(1)).await;
    assert_eq!(hit(cache, acme, "triage@1").await, route(1));
}

async fn an_answer_from_before_a_change_is_not_kept(cache: &ResolveCache) {
    let acme = TenantId::generate();
    let ticket = missed(cache, acme, "triage").await;
    cache.invalidate(acme).await;
    cache.fill(ticket, acme, &model("triage"), &route(1)).await;
    missed(cache, acme, "triage").await;
}

async fn an_answer_is_not_kept_for_long(cache: &ResolveCache) {
    let acme = TenantId::generate();
    let ticket = missed(cache, acme, "triage").await;
    cache.fill(ticket, acme, &model("triage"), &route(1)).await;
    hit(cache, acme, "triage").await;
    tokio::time::sleep(TTL + Duration::from_millis(100)).await;
    missed(cache, acme, "triage").await;
}
