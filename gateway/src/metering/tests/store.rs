//! The meter with a real store behind it.

use std::path::Path;

use secrecy::SecretString;
use tenora_adapter_store::{
    Actor, AdapterStore, BlobsSettings, BlobsUrl, BucketWidth, DatabaseUrl, DisplayName, S3Access, Spender,
    StoreConfig, Tenant, TenantSlug, UsageQuery,
};

use super::*;

pub(super) async fn store(dir: &Path) -> AdapterStore {
    let config = StoreConfig {
        database: DatabaseUrl::Sqlite(dir.join("tenora.db")),
        blobs: BlobsSettings {
            url: BlobsUrl::Local(dir.join("blobs")),
            s3: S3Access::default(),
            sweep_grace: Duration::from_secs(3600),
        },
        cache_dir: dir.join("cache"),
        cache_bytes: 1 << 20,
        staging_dir: dir.join("staging"),
        max_adapter_bytes: 1 << 20,
        redis_url: None,
        redis_prefix: "test:".to_owned(),
        pepper: SecretString::from("a pepper for tests"),
        grace: Duration::from_secs(60),
    };
    AdapterStore::open(config).await.expect("opened")
}

pub(super) async fn acme(store: &AdapterStore) -> Tenant {
    let (slug, name) =
        (TenantSlug::parse("acme").expect("a slug"), DisplayName::parse("Acme").expect("a name"));
    store.operator(Actor::SYSTEM).create_tenant(&slug, &name).await.expect("made")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_tabs_tell_is_what_the_store_sums() {
    let dir = tempfile::tempdir().expect("a folder");
    let store = store(dir.path()).await;
    let acme = acme(&store).await;
    let settings = MeterSettings::within(dir.path().join("usage"));
    let meter = Meter::start(store.clone(), settings).await.expect("started");
    let before = OffsetDateTime::now_utc();
    for output in 1..=600 {
        let mut tab = meter.open_tab(acme.id, key()).expect("room");
        tab.tokens(10, 4, output);
        tab.close(Outcome::Finished);
    }
    assert_eq!(meter.flush(LONG).await, 0);
    let after = OffsetDateTime::now_utc();

    let query = UsageQuery {
        start: before.unix_timestamp(),
        end: after.unix_timestamp() + 1,
        width: BucketWidth::Day,
        group_by: Vec::new(),
        keys: Vec::new(),
        models: Vec::new(),
        top: None,
        limit: 2,
    };
    let page = store.tenant(acme.id).usage(&query).await.expect("read");
    let sums = page.buckets.iter().flat_map(|bucket| &bucket.sums);
    let [requests, input, cached, output] = sums.fold([0; 4], |[requests, input, cached, output], sum| {
        [
            requests + sum.requests,
            input + sum.input_tokens,
            cached + sum.cached_tokens,
            output + sum.output_tokens,
        ]
    });
    assert_eq!((requests, input, cached, output), (600, 6_000, 2_400, 600 * 601 / 2));
    if before.month() == after.month() {
        let month = store.month_tokens(Spender::Tenant(acme.id), before.year(), before.month()).await;
        assert_eq!(month.expect("read"), input + output);
    }
}
