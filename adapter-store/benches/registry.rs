//! How long the registry takes with 100,000 adapters of 10,000 tenants: resolving from the caches and from Postgres, and
//! pages of lists. `make bench-registry`; needs the Postgres and Redis of the tests.

use std::error::Error;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use tenora_adapter_store::{
    Actor, AdapterName, AdapterStore, BlobsSettings, BlobsUrl, DatabaseUrl, ModelRef, Paging, S3Access,
    StoreConfig, TenantId, TenantSlug, Wanted,
};

const TENANTS: u32 = 10_000;
const ADAPTERS_PER_TENANT: u32 = 10;
const ASKED: u32 = 5_000;

#[path = "../tests/contract/services.rs"]
mod services;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

fn main() -> Outcome {
    // Built, and run with `--test`, by commands that only want to know that it builds.
    if !std::env::args().any(|argument| argument == "--bench") {
        return Ok(());
    }
    let (Some(postgres), Some(redis)) =
        (services::url("TENORA_TEST_POSTGRES_URL"), services::url(services::REDIS))
    else {
        return Ok(());
    };
    tokio::runtime::Runtime::new()?.block_on(measure(&postgres, &redis))
}

async fn measure(postgres: &str, redis: &str) -> Outcome {
    let schema = "tenora_bench_registry";
    let mut connection = PgConnection::connect(postgres).await?;
    let again = format!("DROP SCHEMA IF EXISTS {schema} CASCADE; CREATE SCHEMA {schema}");
    connection.execute(AssertSqlSafe(again)).await?;
    let mark = if postgres.contains('?') { '&' } else { '?' };
    let url = SecretString::from(format!("{postgres}{mark}options=-c%20search_path%3D{schema}"));
    let database = DatabaseUrl::Postgres(url.clone());
    AdapterStore::migrate(&database).await?;
    let began = Instant::now();
    fill(url.expose_secret()).await?;
    let filled = began.elapsed();
    let dir = tempfile::tempdir()?;
    let config = |redis_url: Option<&str>, cache: &str| config(dir.path(), &database, redis_url, cache);
    let memory = AdapterStore::open(config(None, "memory")).await?;
    let shared = AdapterStore::open(config(Some(redis), "shared")).await?;
    let mut out = std::io::stdout();
    let rows = TENANTS * ADAPTERS_PER_TENANT;
    writeln!(out, "{rows} adapters of {TENANTS} tenants, filled in {:.1} s\n", filled.as_secs_f64())?;
    writeln!(out, "| what | p50 ms | p99 ms |\n|---|--:|--:|")?;
    let tenants = tenants(&memory).await?;
    for (what, times) in [
        ("resolve, Postgres", resolves(&memory, &tenants, Reference::Fresh).await?),
        ("resolve, process's cache", resolves(&memory, &tenants, Reference::Known).await?),
        ("resolve an alias of two versions, Postgres", resolves(&memory, &tenants, Reference::Split).await?),
        ("resolve, Redis", twice(&shared, &tenants).await?),
        ("list 10 adapters of a tenant", lists(&memory, &tenants).await?),
        ("list 100 tenants", tenant_pages(&memory).await?),
    ] {
        let [p50, p99] = [0.5, 0.99].map(|share| at(&times, share));
        writeln!(out, "| {what} | {p50:.3} | {p99:.3} |")?;
    }
    drop((memory, shared));
    connection.execute(AssertSqlSafe(format!("DROP SCHEMA {schema} CASCADE"))).await?;
    Ok(())
}

/// Fills the tables with statements of the database's own: what is measured is not the filling.
async fn fill(url: &str) -> Outcome {
    let mut connection = PgConnection::connect(url).await?;
    let tenants = format!(
        "INSERT INTO tenants (id, slug, name, created_at) \
         SELECT gen_random_uuid(), 't-' || lpad(n::text, 6, '0'), 'Tenant ' || n, now() FROM generate_series(1, {TENANTS}) n"
    );
    let adapters = format!(
        "INSERT INTO adapters (tenant_id, name, last_number, created_at) \
         SELECT id, 'adapter-' || n, 2, now() FROM tenants, generate_series(1, {ADAPTERS_PER_TENANT}) n"
    );
    let report = r#"{"rank": 16, "modules": ["q_proj", "v_proj"], "checks": ["header", "fit", "finite"]}"#;
    let versions = format!(
        "INSERT INTO adapter_versions (tenant_id, adapter, number, digest, bytes, base_fingerprint, report, created_at) \
         SELECT tenant_id, name, n, sha256(convert_to(tenant_id::text || name || n, 'UTF8')), 1000000, 'base', \
         '{report}', now() FROM adapters, generate_series(1, 2) n"
    );
    let latest = "INSERT INTO adapter_aliases (tenant_id, adapter, alias, revision, targets, moved_at) \
         SELECT tenant_id, name, 'latest', 1, '[{\"version\": 2, \"weight\": 1}]', now() FROM adapters";
    let prod = "INSERT INTO adapter_aliases (tenant_id, adapter, alias, revision, targets, moved_at) \
         SELECT tenant_id, name, 'prod', 1, '[{\"version\": 1, \"weight\": 90}, {\"version\": 2, \"weight\": 10}]', now() FROM adapters";
    let operator = "SET tenora.operator = 'on'".to_owned();
    let analyze = "ANALYZE".to_owned();
    for statement in [operator, tenants, adapters, versions, latest.to_owned(), prod.to_owned(), analyze] {
        connection.execute(AssertSqlSafe(statement)).await?;
    }
    Ok(())
}

fn config(dir: &Path, database: &DatabaseUrl, redis_url: Option<&str>, cache: &str) -> StoreConfig {
    StoreConfig {
        database: database.clone(),
        blobs: BlobsSettings {
            url: BlobsUrl::Local(dir.join("blobs")),
            s3: S3Access::default(),
            sweep_grace: Duration::from_secs(3_600),
        },
        cache_dir: dir.join(cache),
        cache_bytes: 1 << 30,
        staging_dir: dir.join("staging"),
        max_adapter_bytes: 16 << 20,
        redis_url: redis_url.map(SecretString::from),
        redis_prefix: format!("tenora-bench-{}:", std::process::id()),
        pepper: SecretString::from("a pepper for benchmarks"),
        grace: Duration::from_secs(60),
    }
}

/// Tenants spread over all of them.
async fn tenants(store: &AdapterStore) -> Outcome<Vec<TenantId>> {
    let operator = store.operator(Actor::SYSTEM);
    let mut found = Vec::new();
    for at in (1..=TENANTS).step_by((TENANTS / 500) as usize) {
        found.push(operator.tenant_by_slug(&TenantSlug::parse(&format!("t-{at:06}"))?).await?.id);
    }
    Ok(found)
}

#[derive(Clone, Copy)]
enum Reference {
    /// Not asked for before.
    Fresh,
    /// Asked for just now.
    Known,
    /// Of two versions, not asked for before.
    Split,
}

async fn resolves(store: &AdapterStore, tenants: &[TenantId], which: Reference) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    for at in 0..ASKED {
        let tenant = store.tenant(tenants[at as usize % tenants.len()]);
        let adapter = 1 + (at / tenants.len() as u32) % ADAPTERS_PER_TENANT;
        let text = match which {
            Reference::Fresh => format!("adapter-{adapter}"),
            Reference::Known => format!("adapter-{adapter}@2"),
            Reference::Split => format!("adapter-{adapter}@prod"),
        };
        let model = ModelRef::parse(&text)?;
        if matches!(which, Reference::Known) {
            tenant.resolve(&model, None).await?;
        }
        let began = Instant::now();
        tenant.resolve(&model, Some("user")).await?;
        times.push(began.elapsed());
    }
    Ok(times)
}

/// The second of two resolutions: Redis answers it.
async fn twice(store: &AdapterStore, tenants: &[TenantId]) -> Outcome<Vec<Duration>> {
    let times = resolves(store, tenants, Reference::Known).await?;
    let stats = store.cache_stats();
    if stats.hits < u64::from(ASKED) || stats.errors > 0 {
        return Err(format!("Redis did not answer all: {stats:?}").into());
    }
    Ok(times)
}

async fn lists(store: &AdapterStore, tenants: &[TenantId]) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    for tenant in tenants {
        let began = Instant::now();
        let page =
            store.tenant(*tenant).list_adapters(&Wanted::default(), &Paging::<AdapterName>::first()).await?;
        times.push(began.elapsed());
        if page.items.len() != ADAPTERS_PER_TENANT as usize {
            return Err("a page is not whole".into());
        }
    }
    Ok(times)
}

async fn tenant_pages(store: &AdapterStore) -> Outcome<Vec<Duration>> {
    let (operator, mut paging, mut times) = (store.operator(Actor::SYSTEM), Paging::first(), Vec::new());
    loop {
        let began = Instant::now();
        let page = operator.list_tenants(&Wanted::default(), &paging).await?;
        times.push(began.elapsed());
        paging.after = page.items.last().map(|tenant| tenant.slug.clone());
        if !page.has_more {
            return Ok(times);
        }
    }
}

/// Milliseconds.
fn at(times: &[Duration], share: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    let place = ((share * sorted.len() as f64) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(place).map_or(0.0, |time| time.as_secs_f64() * 1e3)
}
