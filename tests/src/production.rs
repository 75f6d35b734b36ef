//! What replicas share: a Postgres schema and keys in Redis of a test's own, through wires that can be cut.

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::{
    proxy::{Proxy, Wire},
    server::{Server, Settings},
    services,
};

/// The operator's key of every server of a [`Production`].
pub const ADMIN_KEY: &str = "the-operators-key-of-tests-0123456789abcdef";

/// A Postgres schema, dropped with the value, and a prefix in Redis.
pub struct Production {
    server: String,
    schema: String,
    prefix: String,
    postgres: Proxy,
    redis: Proxy,
    redis_url: String,
}

impl Production {
    /// A migrated schema; `None` after saying that the test is skipped.
    pub async fn make() -> Option<Self> {
        let (server, redis) = (services::url("TENORA_TEST_POSTGRES_URL")?, services::url(services::REDIS)?);
        let unique = Uuid::now_v7().simple().to_string();
        let (schema, prefix) = (format!("tenora_test_{unique}"), format!("tenora-test-{unique}:"));
        run(&server, &format!("CREATE SCHEMA {schema}")).await;
        let wires = (Proxy::to(authority(&server)).await, Proxy::to(authority(&redis)).await);
        let redis_url = redis.replacen(authority(&redis), &wires.1.address, 1);
        let production = Self { server, schema, prefix, postgres: wires.0, redis: wires.1, redis_url };
        let (status, told) = production.settings(&["migrate"]).fail();
        assert!(status.success(), "{told}");
        Some(production)
    }

    /// Changes the wire to Postgres, for every replica.
    pub fn postgres(&self, outage: Outage) {
        self.postgres.set(outage.wire());
    }

    /// Changes the wire to Redis, for every replica.
    pub fn redis(&self, outage: Outage) {
        self.redis.set(outage.wire());
    }

    /// A replica on the demo's base model.
    pub fn replica(&self) -> (Settings, Server) {
        let settings = self.settings(&["serve"]);
        let server = settings.start();
        (settings, server)
    }

    /// The schema's URL, through the wire that can be cut.
    pub fn database(&self) -> String {
        let through = self.server.replacen(authority(&self.server), &self.postgres.address, 1);
        let mark = if through.contains('?') { '&' } else { '?' };
        format!("{through}{mark}options=-c%20search_path%3D{}", self.schema)
    }

    /// Whether the server speaks TLS.
    pub async fn has_tls(&self) -> bool {
        let mut connection = PgConnection::connect(&self.server).await.expect("the server answers");
        let ssl = sqlx::query_scalar::<_, String>("SHOW ssl").fetch_one(&mut connection).await;
        ssl.expect("it says so") == "on"
    }

    /// A replica's settings.
    pub fn settings(&self, arguments: &[&str]) -> Settings {
        Settings::on_base(arguments)
            .with("TENORA_DATABASE_URL", &self.database())
            .with("TENORA_REDIS_URL", &self.redis_url)
            .with("TENORA_REDIS_PREFIX", &self.prefix)
            .with("TENORA_ADMIN_KEY", ADMIN_KEY)
            .with("TENORA_PEPPER", "a-pepper-of-tests-0123456789abcdef0123456789")
    }
}

/// How a server is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// It is there.
    Over,
    /// Its connections are closed, and so is every new one.
    Cut,
    /// Its connections stay, and nothing passes.
    Stalled,
}

impl Outage {
    fn wire(self) -> Wire {
        match self {
            Self::Over => Wire::Open,
            Self::Cut => Wire::Cut,
            Self::Stalled => Wire::Stalled,
        }
    }
}

/// The `host:port` of a URL.
fn authority(url: &str) -> &str {
    let rest = url.split_once("://").expect("a URL").1;
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    authority.rsplit('@').next().unwrap_or(authority)
}

async fn run(server: &str, statement: &str) {
    let mut connection = PgConnection::connect(server).await.expect("Postgres answers");
    let statement = AssertSqlSafe(statement.to_owned());
    sqlx::raw_sql(statement).execute(&mut connection).await.expect("a statement");
}

impl Drop for Production {
    fn drop(&mut self) {
        let statement = format!("SET client_min_messages = warning; DROP SCHEMA {} CASCADE", self.schema);
        let end = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(run(&self.server, &statement));
        };
        _ = std::thread::scope(|scope| scope.spawn(end).join());
    }
}
