//! Two processes that share Redis: a hit, a change seen by the other, forgeries, and Redis going away.

use std::time::{Duration, Instant};

use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tenora_adapter_store::{AdapterStore, StoreConfig, StoreError, TenantStore};

use crate::proxy::{Proxy, Wire};
use crate::services;
use crate::world::{ADMIN, World, model, name, push};

/// Two processes on one SQLite file, sharing Redis through a wire that can be cut.
struct Shared {
    world: World,
    proxy: Proxy,
    redis: MultiplexedConnection,
    one: AdapterStore,
    two: AdapterStore,
}

impl Shared {
    async fn open() -> Option<Self> {
        let url = services::url(services::REDIS)?;
        let world = World::sqlite().await;
        let address = url.trim_start_matches("redis://").trim_end_matches('/').to_owned();
        let proxy = Proxy::to(&address).await;
        let redis = redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap();
        let open = async |cache: &str| {
            let config = StoreConfig {
                cache_dir: world.dir.path().join(cache),
                redis_url: Some(format!("redis://{}", proxy.address).into()),
                ..world.config.clone()
            };
            AdapterStore::open(config).await.unwrap()
        };
        let (one, two) = (open("cache-1").await, open("cache-2").await);
        Some(Self { world, proxy, redis, one, two })
    }

    async fn tenants(&self, slug: &str) -> (TenantStore, TenantStore) {
        let id = self.world.tenant(slug).await.id;
        (self.one.tenant(id), self.two.tenant(id))
    }

    async fn keys(&self, kind: &str) -> Vec<String> {
        let pattern = format!("{}{kind}:*", self.world.config.redis_prefix);
        let mut redis = self.redis.clone();
        let mut found: Vec<String> = Vec::new();
        let mut keys = redis.scan_match::<_, String>(pattern).await.unwrap();
        while let Some(key) = keys.next_item().await {
            found.push(key.unwrap());
        }
        found
    }

    /// Removes what the test left in Redis: its own prefix only.
    async fn close(mut self) {
        for kind in ["epoch", "resolve"] {
            for key in self.keys(kind).await {
                let _: () = self.redis.del(key).await.unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_other_process_hits_and_sees_every_change() {
    let Some(shared) = Shared::open().await else { return };
    let (one, two) = shared.tenants("acme").await;
    let first = push(&one, "triage", "one").await;
    assert_eq!(one.resolve(&model("triage"), None).await.unwrap(), first);
    assert_eq!(two.resolve(&model("triage"), None).await.unwrap(), first);
    assert_eq!(
        (shared.two.cache_stats().hits, shared.two.cache_stats().misses),
        (1, 0),
        "found what the other left"
    );

    let second = push(&one, "triage", "two").await;
    assert_eq!(two.resolve(&model("triage"), None).await.unwrap(), second);
    assert_eq!(two.resolve(&model("triage@1"), None).await.unwrap(), first);
    one.delete_adapter(&name("triage"), &ADMIN).await.unwrap();
    for gone in ["triage", "triage@1"] {
        assert!(matches!(two.resolve(&model(gone), None).await, Err(StoreError::AdapterNotFound)));
    }
    assert_eq!(shared.two.health().await.redis, Some(true));
    let keys = [shared.keys("epoch").await, shared.keys("resolve").await].concat();
    assert!(!keys.is_empty() && keys.iter().all(|key| !key.contains("triage")), "{keys:?}");
    shared.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_into_redis_is_ignored() {
    let Some(mut shared) = Shared::open().await else { return };
    let (acme, _) = shared.tenants("acme").await;
    push(&acme, "triage", "acme's").await;
    let acmes = acme.resolve(&model("triage"), None).await.unwrap();
    let acme_key = shared.keys("resolve").await.remove(0);
    let acme_entry: Vec<u8> = shared.redis.get(&acme_key).await.unwrap();

    let (globex, _) = shared.tenants("globex").await;
    let globexs = push(&globex, "triage", "globex's").await;
    globex.resolve(&model("triage"), None).await.unwrap();
    let globex_key = shared.keys("resolve").await.into_iter().find(|key| *key != acme_key).unwrap();
    let globex_entry: Vec<u8> = shared.redis.get(&globex_key).await.unwrap();
    // As a writer in Redis would: the epochs made equal, then entries of every wrong kind.
    let epochs = shared.keys("epoch").await;
    for epoch in &epochs {
        let _: () = shared.redis.set(epoch, 7).await.unwrap();
    }
    let acmes_digest = acmes.digest.to_string();
    let forged =
        String::from_utf8_lossy(&globex_entry[32..]).replace(&globexs.digest.to_string(), &acmes_digest);
    for entry in [
        acme_entry,
        [&globex_entry[..32], forged.as_bytes()].concat(),
        b"{}".to_vec(),
        Vec::new(),
        vec![0; 4096],
    ] {
        let _: () = shared.redis.set(&globex_key, entry).await.unwrap();
        assert_eq!(globex.resolve(&model("triage"), None).await.unwrap(), globexs);
    }
    assert!(shared.one.cache_stats().errors >= 5);
    // An epoch that is no number is no reason to fail either.
    for epoch in &epochs {
        let _: () = shared.redis.set(epoch, "nonsense").await.unwrap();
    }
    assert_eq!(globex.resolve(&model("triage"), None).await.unwrap(), globexs);
    shared.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_database_answers_in_time() {
    let Some(shared) = Shared::open().await else { return };
    let (one, _) = shared.tenants("acme").await;
    let first = push(&one, "triage", "one").await;
    one.resolve(&model("triage"), None).await.unwrap();

    for outage in [Wire::Cut, Wire::Stalled] {
        shared.proxy.set(outage);
        let started = Instant::now();
        for _ in 0..20 {
            assert_eq!(one.resolve(&model("triage"), None).await.unwrap(), first);
        }
        // Twenty waits of 50 ms would be a second: the breaker let only the first wait.
        assert!(started.elapsed() < Duration::from_millis(500), "{outage:?}: {:?}", started.elapsed());
        assert_eq!(shared.one.health().await.redis, Some(false), "{outage:?}");
        let started = Instant::now();
        push(&one, "other", &format!("{outage:?}")).await;
        assert!(started.elapsed() < Duration::from_secs(2), "{outage:?}: {:?}", started.elapsed());

        shared.proxy.set(Wire::Open);
        let (started, before) = (Instant::now(), shared.one.cache_stats().hits);
        while shared.one.cache_stats().hits == before {
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "no hit {:?} after {outage:?}",
                started.elapsed()
            );
            one.resolve(&model("triage"), None).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert!(shared.one.cache_stats().errors > 0);
    shared.close().await;
}

#[tokio::test]
async fn a_server_starts_without_redis() {
    let world = World::sqlite().await;
    let config = StoreConfig {
        cache_dir: world.dir.path().join("cache-1"),
        redis_url: Some("redis://127.0.0.1:1".into()),
        ..world.config.clone()
    };
    let store = AdapterStore::open(config).await.unwrap();
    let tenant = store.tenant(world.tenant("acme").await.id);
    let version = push(&tenant, "triage", "one").await;
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap(), version);
    let health = store.health().await;
    assert_eq!((health.database, health.redis), (true, Some(false)));
}
