//! Postgres going away: `Unavailable` in bounded time, never "unknown", and all is well when it is back.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tenora_adapter_store::{AdapterStore, DatabaseUrl, Scope, StoreError};

use crate::proxy::{Proxy, Wire};
use crate::world::{ADMIN, Schema, checked, config, display, model, name, new_key, push, slug_of, stage};

const BOUND: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_away_is_never_an_unknown_key() {
    let Some(schema) = Schema::create().await else { return };
    let url = url_parts(schema.server());
    let proxy = Proxy::to(&url.address).await;
    let dir = tempfile::tempdir().unwrap();
    let through_proxy = schema.url(&schema.server().replacen(&url.address, &proxy.address, 1));
    let config = config(dir.path(), DatabaseUrl::Postgres(through_proxy.into()));
    AdapterStore::migrate(&config.database).await.unwrap();
    let store = AdapterStore::open(config).await.unwrap();
    let operator = store.operator(ADMIN);
    let acme = operator.create_tenant(&slug_of("acme"), &display("Acme")).await.unwrap();
    let keys = operator.keys(&slug_of("acme")).await.unwrap();
    let key = keys.create(new_key(Scope::DEFAULT)).await.unwrap();
    let unseen = keys.create(new_key(Scope::DEFAULT)).await.unwrap();
    let tenant = store.tenant(acme.id);
    push(&tenant, "triage", "one").await;
    // What is known goes on working: the epoch was read, the key and the name were asked for.
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(store.authenticate(key.key.expose_secret()).await.unwrap().is_some());
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap().number.get(), 1);

    for outage in [Wire::Cut, Wire::Stalled] {
        proxy.set(outage);
        let started = Instant::now();
        let unknown = store.authenticate(unseen.key.expose_secret()).await;
        assert!(matches!(unknown, Err(StoreError::Unavailable { .. })), "{outage:?}: {unknown:?}");
        let known = store.authenticate(key.key.expose_secret()).await.unwrap();
        assert!(known.is_some(), "{outage:?}: a known key");
        assert!(started.elapsed() < BOUND, "{outage:?} took {:?}", started.elapsed());

        let staged = stage(&tenant, "two").await;
        let pushed = tenant.commit(&name("triage"), &staged, checked("base-1"), &ADMIN).await;
        assert!(matches!(pushed, Err(StoreError::Unavailable { .. })), "{outage:?}: {pushed:?}");
        let unknown = tenant.resolve(&model("nothing"), None).await;
        assert!(matches!(unknown, Err(StoreError::Unavailable { .. })), "{outage:?}: {unknown:?}");
        // Past the resolve cache's own time.
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap().number.get(), 1, "{outage:?}");
        assert!(!store.health().await.database);
        // What is no key needs no database to say so.
        assert_eq!(store.authenticate("tk_nonsense").await.unwrap(), None);

        proxy.set(Wire::Open);
        let started = Instant::now();
        while store.operator(ADMIN).tenant_by_slug(&slug_of("acme")).await.is_err() {
            assert!(started.elapsed() < BOUND, "not back {:?} after {outage:?}", started.elapsed());
        }
        assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap().number.get(), 1);
    }
    assert_eq!(push(&tenant, "triage", "two").await.number.get(), 2);
}

struct UrlParts {
    address: String,
}

/// The `host:port` of a URL.
fn url_parts(url: &str) -> UrlParts {
    let rest = url.split_once("://").unwrap().1;
    let authority = rest.split(['/', '?']).next().unwrap();
    UrlParts { address: authority.rsplit('@').next().unwrap().to_owned() }
}
