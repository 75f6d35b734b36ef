//! The second wall: a server's role, neither owner nor superuser, sees the rows of whom it works for, and no others,
//! whatever a statement asks for.

use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tenora_adapter_store::{
    AdapterStore, Credential, DatabaseUrl, KeyId, LimitOverrides, Maintenance, NewUpload, Outcome, RoleName,
    Scope, ShortText, StoreConfig, SweepReport, TenantId, TenantStore, UploadId, UsageEvent,
};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::world::{ADMIN, World, files, model, name, new_key, push};

/// A role of the server's, dropped with the value.
struct Role {
    name: RoleName,
    server: String,
}

impl Role {
    async fn create(world: &World) -> Self {
        let DatabaseUrl::Postgres(url) = &world.config.database else { panic!("only Postgres has roles") };
        let name = RoleName::parse(&format!("tenora_test_{}", Uuid::now_v7().simple())).unwrap();
        let role = Self { name, server: url.expose_secret().to_owned() };
        role.admin(&format!("CREATE ROLE {} LOGIN PASSWORD 'for tests'", role.name)).await;
        AdapterStore::grant(&world.config.database, &role.name).await.unwrap();
        role
    }

    /// The database as this role opens it.
    fn url(&self) -> String {
        let (scheme, rest) = self.server.split_once("://").unwrap();
        let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
        format!("{scheme}://{}:for%20tests@{host}", self.name)
    }

    async fn admin(&self, statement: &str) {
        let mut connection = PgConnection::connect(&self.server).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut connection).await.unwrap();
    }
}

impl Drop for Role {
    fn drop(&mut self) {
        let statement = format!("DROP OWNED BY {name}; DROP ROLE {name}", name = self.name);
        let end = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(self.admin(&statement));
        };
        std::thread::scope(|scope| scope.spawn(end).join()).unwrap();
    }
}

const TABLES: [&str; 6] =
    ["api_keys", "adapters", "adapter_versions", "audit_log", "uploads", "upload_parts"];
const USAGE: [&str; 2] = ["usage_events", "usage_hourly"];

fn event(tenant: TenantId, key: KeyId) -> UsageEvent {
    UsageEvent {
        id: Uuid::now_v7(),
        tenant,
        credential: Credential::Key(key),
        adapter: None,
        outcome: Outcome::Finished,
        started_at: OffsetDateTime::now_utc(),
        input_tokens: 1,
        cached_tokens: 0,
        output_tokens: 1,
        ttft_ms: None,
        duration_ms: 1,
    }
}

/// An upload with a part.
async fn begin_upload(tenant: &TenantStore) -> UploadId {
    let text = |text| ShortText::parse(text).unwrap();
    let new = NewUpload {
        filename: text("adapter_model.safetensors"),
        purpose: text("adapter"),
        mime_type: text("application/octet-stream"),
        bytes: 7,
        sha256: None,
        lifetime: None,
    };
    let uploads = tenant.uploads(ADMIN);
    let id = uploads.create(new, &LimitOverrides::default()).await.unwrap().id;
    let mut part = uploads.begin_part(id).await.unwrap();
    part.write(b"weights").await.unwrap();
    part.finish(None).await.unwrap();
    id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_servers_role_sees_the_rows_of_whom_it_works_for() {
    let Some(world) = World::postgres().await else { return };
    let role = Role::create(&world).await;
    let (acme, globex) = (world.tenant("acme").await, world.tenant("globex").await);
    for tenant in [&acme, &globex] {
        push(&world.store.tenant(tenant.id), "triage", tenant.slug.as_str()).await;
        begin_upload(&world.store.tenant(tenant.id)).await;
        let key = world.keys(tenant.slug.as_str()).await.create(new_key(Scope::DEFAULT)).await.unwrap();
        world.store.record_usage(&[event(tenant.id, key.info.id)]).await.unwrap();
    }
    let mut connection = PgConnection::connect(&role.url()).await.unwrap();
    let count = async |connection: &mut PgConnection, table: &str, setting: &str| {
        let mut transaction = connection.begin().await.unwrap();
        let set = format!("SELECT set_config('tenora.tenant', '{setting}', true)");
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *transaction).await.unwrap();
        let owner = if table == "tenants" { "id" } else { "tenant_id" };
        let select = format!("SELECT DISTINCT {owner} FROM {table}");
        sqlx::query_scalar::<_, Uuid>(AssertSqlSafe(select)).fetch_all(&mut *transaction).await.unwrap()
    };
    for table in ["tenants"].into_iter().chain(TABLES).chain(USAGE) {
        assert!(count(&mut connection, table, "").await.is_empty(), "{table}: nobody said whose");
        for tenant in [&acme, &globex] {
            let seen = count(&mut connection, table, &tenant.id.to_string()).await;
            assert_eq!(seen, [tenant.id.as_uuid()], "{table}");
        }
    }

    // Neither another tenant's rows nor its own into another's name.
    let scope = format!("SET LOCAL tenora.tenant = '{}'", acme.id);
    for (what, refused) in [
        (format!("UPDATE adapters SET tenant_id = '{}'", globex.id), true),
        ("DELETE FROM audit_log".to_owned(), true),
        ("UPDATE _sqlx_migrations SET success = false".to_owned(), true),
        ("DROP TABLE adapters".to_owned(), true),
        ("ALTER TABLE adapters DISABLE ROW LEVEL SECURITY".to_owned(), true),
        (format!("UPDATE adapters SET name = 'x' WHERE tenant_id = '{}'", globex.id), false),
    ] {
        let mut transaction = connection.begin().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(scope.clone())).execute(&mut *transaction).await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(what.clone())).execute(&mut *transaction).await;
        match done {
            Err(_) => assert!(refused, "{what}"),
            Ok(done) => assert!(!refused && done.rows_affected() == 0, "{what}"),
        }
    }
    drop(connection);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_works_as_a_role_that_owns_nothing() {
    let Some(world) = World::postgres().await else { return };
    let role = Role::create(&world).await;
    let config = StoreConfig {
        database: DatabaseUrl::Postgres(role.url().into()),
        cache_dir: world.dir.path().join("c2"),
        ..world.config.clone()
    };
    let store = AdapterStore::open(config.clone()).await.unwrap();
    let operator = store.operator(ADMIN);
    let acme =
        operator.create_tenant(&crate::world::slug_of("acme"), &crate::world::display("Acme")).await.unwrap();
    let created = operator.keys(&acme.slug).await.unwrap().create(new_key(Scope::DEFAULT)).await.unwrap();
    assert!(store.authenticate(created.key.expose_secret()).await.unwrap().is_some());
    let tenant = store.tenant(acme.id);
    push(&tenant, "triage", "one").await;
    assert_eq!(tenant.resolve(&model("triage"), None).await.unwrap().number.get(), 1);
    tenant.delete_adapter(&name("triage"), &ADMIN).await.unwrap();
    let uploads = tenant.uploads(ADMIN);
    uploads.cancel(begin_upload(&tenant).await).await.unwrap();
    begin_upload(&tenant).await;
    store.record_usage(&[event(acme.id, created.info.id)]).await.unwrap();
    let soon = OffsetDateTime::now_utc() + std::time::Duration::from_secs(120);
    assert_eq!(store.delete_usage_events(soon, 10).await.unwrap(), 1);
    store.flush().await;
    let swept = Maintenance::open(&config.database, config.blobs).await.unwrap().sweep(false).await;
    assert_eq!(swept.unwrap(), Some(SweepReport::default()), "it may take the lease");
    operator.delete_tenant(&acme.slug).await.unwrap();
    assert!(store.authenticate(created.key.expose_secret()).await.unwrap().is_none());
    store.expire_uploads().await.unwrap();
    assert_eq!(files(&world.blobs_dir()), Vec::<String>::new(), "a deleted tenant leaves no bytes");
    drop(store);
}
