//! Postgres going away: `Unavailable` in bounded time, never "unknown", and all is well when it is back.

use std::time::{Duration, Instant};

use secrecy::ExposeSecret;
use tenora_adapter_store::{AdapterStore, DatabaseUrl, NewKey, Scope, StoreError};

use crate::proxy::{Proxy, Wire};
use crate::world::{ADMIN, Schema, checked, config, display, model, name, push, slug_of, stage};

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
    let new = NewKey { name: display("ci"), scopes: Scope::DEFAULT, expires_at: None };
    let key = operator.create_key(&slug_of("acme"), new).await.unwrap();
    let tenant = store.tenant(acme.id);
    push(&tenant, "triage", "one").await;

    for outage in [Wire::Cut, Wire::Stalled] {
        proxy.set(outage);
        let started = Instant::now();
        let known = store.authenticate(key.key.expose_secret()).await;
        assert!(matches!(known, Err(StoreError::Unavailable { .. })), "{outage:?}: {known:?}");
        assert!(started.elapsed() < BOUND, "{outage:?} took {:?}", started.elapsed());

        let staged = stage(&tenant, "two").await;
        let pushed = tenant.commit(&name("triage"), staged, checked("base-1"), &ADMIN).await;
        assert!(matches!(pushed, Err(StoreError::Unavailable { .. })), "{outage:?}: {pushed:?}");
        let unknown = tenant.resolve(&model("nothing")).await;
        assert!(matches!(unknown, Err(StoreError::Unavailable { .. })), "{outage:?}: {unknown:?}");
        assert!(!store.health().await.database);
        // What is no key needs no database to say so.
        assert_eq!(store.authenticate("tk_nonsense").await.unwrap(), None);

        proxy.set(Wire::Open);
        let started = Instant::now();
        while store.authenticate(key.key.expose_secret()).await.is_err() {
            assert!(started.elapsed() < BOUND, "not back {:?} after {outage:?}", started.elapsed());
        }
        assert_eq!(tenant.resolve(&model("triage")).await.unwrap().number.get(), 1);
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
