//! A store of its own for each test, on either database, and short words for what the tests do with it.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use secrecy::SecretString;
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use tenora_adapter_store::*;
use uuid::Uuid;

use crate::moto::{BUCKET, Moto};
use crate::services;

/// A database and folders of its own. Whatever it made is gone when it is dropped.
pub(crate) struct World {
    pub(crate) config: StoreConfig,
    pub(crate) store: AdapterStore,
    pub(crate) dir: TempDir,
    _schema: Option<Schema>,
}

impl World {
    pub(crate) async fn sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), DatabaseUrl::Sqlite(dir.path().join("rows/tenora.db")));
        Self::open(dir, config, None).await
    }

    /// The blobs in this bucket.
    pub(crate) async fn on_s3(moto: &Moto) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let local = config(dir.path(), DatabaseUrl::Sqlite(dir.path().join("rows/tenora.db")));
        let url = BlobsUrl::parse(&format!("s3://{BUCKET}/prod")).unwrap();
        let credentials =
            S3Credentials::Key { id: "test".to_owned(), secret: "test".into(), session_token: None };
        let s3 = S3Access { endpoint: Some(moto.endpoint.clone()), credentials, ..S3Access::default() };
        let blobs = BlobsSettings { url, s3, ..local.blobs };
        Self::open(dir, StoreConfig { blobs, ..local }, None).await
    }

    pub(crate) async fn postgres() -> Option<Self> {
        let schema = Schema::create().await?;
        let dir = tempfile::tempdir().unwrap();
        let config = config(dir.path(), schema.database());
        AdapterStore::migrate(&config.database).await.unwrap();
        Some(Self::open(dir, config, Some(schema)).await)
    }

    async fn open(dir: TempDir, config: StoreConfig, schema: Option<Schema>) -> Self {
        let store = AdapterStore::open(config.clone()).await.unwrap();
        Self { config, store, dir, _schema: schema }
    }

    /// Another process's store: the same rows and blobs, a cache of its own.
    pub(crate) async fn replica(&self, cache: &str) -> AdapterStore {
        let config = StoreConfig { cache_dir: self.dir.path().join(cache), ..self.config.clone() };
        AdapterStore::open(config).await.unwrap()
    }

    /// Where the blobs are.
    pub(crate) fn blobs_dir(&self) -> PathBuf {
        self.dir.path().join("blobs")
    }

    /// What an operator opens beside the running store.
    pub(crate) async fn maintenance(&self) -> Maintenance {
        self.maintenance_after(self.config.blobs.sweep_grace).await
    }

    /// The same with another grace.
    pub(crate) async fn maintenance_after(&self, sweep_grace: Duration) -> Maintenance {
        let blobs = BlobsSettings { sweep_grace, ..self.config.blobs.clone() };
        Maintenance::open(&self.config.database, blobs).await.unwrap()
    }

    /// Makes all that lies in the blobs' folder look this old.
    pub(crate) fn age_blobs(&self, age: Duration) {
        for file in files(&self.blobs_dir()) {
            let file = std::fs::File::options().write(true).open(self.blobs_dir().join(file)).unwrap();
            file.set_modified(SystemTime::now() - age).unwrap();
        }
    }

    pub(crate) fn operator(&self) -> OperatorStore {
        self.store.operator(ADMIN)
    }

    pub(crate) async fn tenant(&self, slug: &str) -> Tenant {
        self.operator().create_tenant(&slug_of(slug), &display(slug)).await.unwrap()
    }

    pub(crate) async fn keys(&self, slug: &str) -> KeyStore {
        self.operator().keys(&slug_of(slug)).await.unwrap()
    }

    /// Runs a statement behind the store's back.
    pub(crate) async fn sql(&self, statement: &str) -> Vec<String> {
        raw_sql(&self.config.database, statement).await
    }
}

/// Runs a statement; the first column of its rows, as text.
async fn raw_sql(database: &DatabaseUrl, statement: &str) -> Vec<String> {
    use secrecy::ExposeSecret;
    let statement = AssertSqlSafe(statement.to_owned());
    match database {
        DatabaseUrl::Sqlite(path) => {
            let url = format!("sqlite://{}", path.display());
            let mut connection = SqliteConnection::connect(&url).await.unwrap();
            sqlx::query_scalar(statement).fetch_all(&mut connection).await.unwrap()
        }
        DatabaseUrl::Postgres(url) => {
            let mut connection = PgConnection::connect(url.expose_secret()).await.unwrap();
            sqlx::query_scalar(statement).fetch_all(&mut connection).await.unwrap()
        }
    }
}

pub(crate) const ADMIN: Actor = Actor { kind: ActorKind::Admin, ip: None };

pub(crate) fn config(dir: &Path, database: DatabaseUrl) -> StoreConfig {
    StoreConfig {
        database,
        blobs: BlobsSettings {
            url: BlobsUrl::Local(dir.join("blobs")),
            s3: S3Access::default(),
            sweep_grace: Duration::from_secs(60),
        },
        cache_dir: dir.join("cache"),
        cache_bytes: 1 << 30,
        staging_dir: dir.join("staging"),
        max_adapter_bytes: 16 << 20,
        redis_url: None,
        redis_prefix: format!("tenora-test-{}:", Uuid::now_v7().simple()),
        pepper: SecretString::from("a pepper for tests"),
        grace: Duration::from_secs(60),
    }
}

/// A Postgres schema of its own, dropped with the value.
pub(crate) struct Schema {
    server: String,
    name: String,
}

impl Schema {
    pub(crate) async fn create() -> Option<Self> {
        let server = services::url("TENORA_TEST_POSTGRES_URL")?;
        let name = format!("store_test_{}", Uuid::now_v7().simple());
        let schema = Self { server, name };
        schema.run("CREATE SCHEMA").await;
        Some(schema)
    }

    pub(crate) fn database(&self) -> DatabaseUrl {
        DatabaseUrl::Postgres(self.url(&self.server).into())
    }

    /// The schema on the server at this address (a proxy's, perhaps).
    pub(crate) fn url(&self, server: &str) -> String {
        let mark = if server.contains('?') { '&' } else { '?' };
        format!("{server}{mark}options=-c%20search_path%3D{}", self.name)
    }

    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    async fn run(&self, verb: &str) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        let statement = AssertSqlSafe(format!("{verb} {}", self.name));
        sqlx::raw_sql(statement).execute(&mut connection).await.unwrap();
    }
}

impl Drop for Schema {
    fn drop(&mut self) {
        let drop_schema = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let statement = format!("SET client_min_messages = warning; DROP SCHEMA {} CASCADE", self.name);
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&self.server).await.unwrap();
                sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
            });
        };
        std::thread::scope(|scope| scope.spawn(drop_schema).join()).unwrap();
    }
}

pub(crate) fn slug_of(text: &str) -> TenantSlug {
    TenantSlug::parse(text).unwrap()
}

pub(crate) fn display(text: &str) -> DisplayName {
    DisplayName::parse(text).unwrap()
}

/// A key to be made, with these scopes.
pub(crate) fn new_key(scopes: ScopeSet) -> NewKey {
    NewKey::new(display("ci"), scopes)
}

pub(crate) fn name(text: &str) -> AdapterName {
    AdapterName::parse(text).unwrap()
}

pub(crate) fn model(text: &str) -> ModelRef {
    ModelRef::parse(text).unwrap()
}

pub(crate) fn checked(base: &str) -> Checked {
    let report = json!({ "rank": 8, "modules": ["q_proj"] });
    let limits = LimitOverrides::default();
    Checked { report, base_fingerprint: base.to_owned(), limits, moves_latest: true, push: None }
}

/// Stages an adapter whose content is told apart by `content`.
pub(crate) async fn stage(tenant: &TenantStore, content: &str) -> Staged {
    let mut staging = tenant.stage().await.unwrap();
    staging.write_config(Bytes::from_static(br#"{"r": 8, "peft_type": "LORA"}"#)).await.unwrap();
    staging.write_weights(Bytes::from(content.to_owned())).await.unwrap();
    staging.finish().await.unwrap()
}

pub(crate) async fn push(tenant: &TenantStore, adapter: &str, content: &str) -> Version {
    let staged = stage(tenant, content).await;
    tenant.commit(&name(adapter), &staged, checked("base-1"), &ADMIN).await.unwrap().version
}

/// Every file below a folder, as sorted paths relative to it.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, root: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, root, found);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    walk(dir, dir, &mut found);
    found.sort();
    found
}
