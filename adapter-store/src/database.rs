//! The pool: SQLite or Postgres behind one pair of types, every wait bounded. Knows no table.

use std::future::Future;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::ExposeSecret;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};
use sqlx::{PgPool, Postgres, Sqlite, SqlitePool};

use crate::config::DatabaseUrl;
use crate::error::StoreError;
use crate::ids::{RoleName, TenantId};

static SQLITE: Migrator = sqlx::migrate!("../migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("../migrations/postgres");

const MAX_CONNECTIONS: u32 = 16;
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// Longer than SQLite's wait for another writer, so that the wait ends with SQLite's own error.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(6);
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// One thing in SQLite's form or in Postgres's.
#[derive(Clone)]
pub(crate) enum Either<S, P> {
    Sqlite(S),
    Postgres(P),
}

/// The open pool.
pub(crate) type Database = Either<SqlitePool, PgPool>;

/// An open transaction; dropping it rolls back.
pub(crate) type Transaction =
    Either<sqlx::Transaction<'static, Sqlite>, sqlx::Transaction<'static, Postgres>>;

/// For whom a transaction works. Postgres shows it no other rows (`migrations/postgres/0002_tenancy.sql`); statements name
/// their tenant all the same.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Whose {
    Tenant(TenantId),
    Operator,
}

/// Runs one statement, written once, in either form and in bounded time.
macro_rules! on {
    ($either:expr, $executor:ident => $statement:expr) => {
        match $either {
            $crate::database::Either::Sqlite($executor) => $crate::database::bounded($statement).await,
            $crate::database::Either::Postgres($executor) => $crate::database::bounded($statement).await,
        }
    };
}
pub(crate) use on;

/// Runs one query that changes rows, and counts them.
macro_rules! execute {
    ($transaction:expr, $query:expr) => {
        $crate::database::on!($transaction, transaction => async {
            $query.execute(&mut **transaction).await.map(|done| done.rows_affected())
        })
    };
}
pub(crate) use execute;

/// Waits for a statement, but not for ever: a database that hangs is one that is gone. Boxed, because a driver's future has
/// 15 kB, which else would be part of, and moved with, every future around it, also where no statement is run.
pub(crate) fn bounded<'a, T: 'a>(
    statement: impl Future<Output = Result<T, sqlx::Error>> + Send + 'a,
) -> BoxFuture<'a, Result<T, StoreError>> {
    Box::pin(async move {
        match tokio::time::timeout(STATEMENT_TIMEOUT, statement).await {
            Ok(result) => result.map_err(meaning),
            Err(elapsed) => Err(StoreError::unavailable("the database", elapsed)),
        }
    })
}

impl Database {
    /// Opens the pool. SQLite is brought up to date; Postgres must be already.
    pub(crate) async fn open(url: &DatabaseUrl) -> Result<Self, StoreError> {
        match url {
            DatabaseUrl::Sqlite(path) => {
                let pool = sqlite_pool(path).await?;
                forward(&SQLITE).run(&pool).await.map_err(migration_meaning)?;
                Ok(Self::Sqlite(pool))
            }
            DatabaseUrl::Postgres(url) => {
                let pool = postgres_pool(url.expose_secret()).await?;
                expect_migrated(&pool).await?;
                warn_of_a_mighty_role(&pool).await;
                Ok(Self::Postgres(pool))
            }
        }
    }

    /// Brings the schema up to date; safe when several processes do so at once.
    pub(crate) async fn migrate(url: &DatabaseUrl) -> Result<(), StoreError> {
        match url {
            DatabaseUrl::Sqlite(_) => Self::open(url).await.map(drop),
            DatabaseUrl::Postgres(url) => {
                let pool = postgres_pool(url.expose_secret()).await?;
                let migrated = forward(&POSTGRES).run(&pool).await.map_err(migration_meaning);
                pool.close().await;
                migrated
            }
        }
    }

    /// A transaction that changes rows.
    pub(crate) async fn begin(&self, whose: Whose) -> Result<Transaction, StoreError> {
        match self {
            // Taking the write lock at the start means never having to give up half-way because another writer was faster.
            Self::Sqlite(pool) => Ok(Either::Sqlite(bounded(pool.begin_with("BEGIN IMMEDIATE")).await?)),
            Self::Postgres(pool) => begin_for(pool, whose).await.map(Either::Postgres),
        }
    }

    /// A transaction that only reads.
    pub(crate) async fn read(&self, whose: Whose) -> Result<Transaction, StoreError> {
        match self {
            Self::Sqlite(pool) => Ok(Either::Sqlite(bounded(pool.begin()).await?)),
            Self::Postgres(pool) => begin_for(pool, whose).await.map(Either::Postgres),
        }
    }

    /// Lets a Postgres role, neither owner nor superuser, do what a server does with the rows, and nothing else.
    pub(crate) async fn grant(url: &DatabaseUrl, role: &RoleName) -> Result<(), StoreError> {
        let DatabaseUrl::Postgres(url) = url else {
            return Err(StoreError::Setup("SQLite has no roles; --app-role is for Postgres".to_owned()));
        };
        let role = role.as_str();
        let grant = |what: &str| format!("EXECUTE format('{what}', current_schema(), '{role}'); ");
        let grants = [
            "GRANT USAGE ON SCHEMA %I TO %I",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA %1$I TO %2$I",
            "REVOKE INSERT, UPDATE, DELETE ON %1$I._sqlx_migrations FROM %2$I",
            // What happened is not rewritten.
            "REVOKE UPDATE, DELETE ON %1$I.audit_log FROM %2$I",
        ];
        let statements = format!("DO $$ BEGIN {} END $$", grants.map(grant).concat());
        let pool = postgres_pool(url.expose_secret()).await?;
        // The name's grammar has no quotes.
        let granted = bounded(sqlx::raw_sql(sqlx::AssertSqlSafe(statements)).execute(&pool)).await;
        pool.close().await;
        granted.map(drop).map_err(|error| {
            StoreError::Setup(format!("the role {role} cannot be given its rights: {}", cause(&error)))
        })
    }

    pub(crate) async fn is_above_row_security(&self) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(_) => Ok(false),
            Self::Postgres(pool) => is_mighty(pool).await,
        }
    }

    pub(crate) async fn ping(&self) -> Result<(), StoreError> {
        on!(self, pool => async { sqlx::query("SELECT 1").execute(pool).await.map(drop) })
    }
}

impl Transaction {
    pub(crate) async fn commit(self) -> Result<(), StoreError> {
        on!(self, transaction => transaction.commit())
    }
}

async fn begin_for(pool: &PgPool, whose: Whose) -> Result<sqlx::Transaction<'static, Postgres>, StoreError> {
    const SCOPE: &str =
        "SELECT set_config('tenora.tenant', $1, true), set_config('tenora.operator', $2, true)";
    let (tenant, operator) = match whose {
        Whose::Tenant(tenant) => (tenant.to_string(), "off"),
        Whose::Operator => (String::new(), "on"),
    };
    bounded(async {
        let mut transaction = pool.begin().await?;
        sqlx::query(SCOPE).bind(tenant).bind(operator).execute(&mut *transaction).await?;
        Ok(transaction)
    })
    .await
}

async fn sqlite_pool(path: &Path) -> Result<SqlitePool, StoreError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(BUSY_TIMEOUT);
    let pool = SqlitePoolOptions::new().max_connections(MAX_CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT);
    Box::pin(pool.connect_with(options)).await.map_err(meaning)
}

async fn postgres_pool(url: &str) -> Result<PgPool, StoreError> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|error| StoreError::Setup(format!("the Postgres URL cannot be read: {error}")))?
        .application_name("tenora");
    let pool = PgPoolOptions::new().max_connections(MAX_CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT);
    Box::pin(pool.connect_with(options)).await.map_err(meaning)
}

/// Applies what is missing and leaves alone what a newer program has applied.
fn forward(embedded: &Migrator) -> Migrator {
    let mut migrator = Migrator::with_migrations(embedded.iter().cloned().collect());
    migrator.set_ignore_missing(true);
    migrator
}

/// A schema newer than this program is fine (migrations only add, see `migrations/README.md`); an older one is not.
async fn expect_migrated(pool: &PgPool) -> Result<(), StoreError> {
    let rows =
        sqlx::query_as::<_, (i64, Vec<u8>)>("SELECT version, checksum FROM _sqlx_migrations WHERE success");
    let applied = match tokio::time::timeout(STATEMENT_TIMEOUT, rows.fetch_all(pool)).await {
        Ok(Err(sqlx::Error::Database(error))) if error.code().as_deref() == Some("42P01") => Vec::new(),
        Ok(result) => result.map_err(meaning)?,
        Err(elapsed) => return Err(StoreError::unavailable("the database", elapsed)),
    };
    let is_applied =
        |version: i64, checksum: &[u8]| applied.iter().any(|row| row.0 == version && row.1 == checksum);
    let complete = POSTGRES.iter().all(|migration| is_applied(migration.version, &migration.checksum));
    if complete { Ok(()) } else { Err(StoreError::NotMigrated) }
}

async fn warn_of_a_mighty_role(pool: &PgPool) {
    if is_mighty(pool).await.unwrap_or(false) {
        tracing::warn!(
            "The database role is a superuser, whom row-level security does not bind; use one of `tenora migrate --app-role`"
        );
    }
}

/// Row-level security says nothing to a superuser.
async fn is_mighty(pool: &PgPool) -> Result<bool, StoreError> {
    const MIGHTY: &str = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user";
    bounded(sqlx::query_scalar(MIGHTY).fetch_one(pool)).await
}

fn cause(error: &StoreError) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Tells a database that cannot answer now from one that answers that we are wrong.
fn meaning(error: sqlx::Error) -> StoreError {
    use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    let unavailable = match &error {
        // A connection that breaks while it is being made is half an answer to the driver.
        Io(_) | Tls(_) | Protocol(_) | PoolTimedOut | PoolClosed | WorkerCrashed => true,
        Database(database) => database.code().is_some_and(|code| is_passing(&code)),
        _ => false,
    };
    if unavailable { StoreError::unavailable("the database", error) } else { StoreError::internal(error) }
}

fn is_passing(code: &str) -> bool {
    // Postgres SQLSTATE classes: 08 connection, 53 resources, 57P server shutting down or starting, 40 and 55P03 lost a lock.
    let postgres = code.len() == 5
        && (["08", "40", "53", "57P"].iter().any(|class| code.starts_with(class)) || code == "55P03");
    // SQLite primary result codes (the low byte): BUSY, LOCKED, IOERR, FULL, CANTOPEN.
    let sqlite = code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 10 | 13 | 14));
    postgres || (code.len() < 5 && sqlite)
}

fn migration_meaning(error: MigrateError) -> StoreError {
    match error {
        MigrateError::Execute(error) => meaning(error),
        error => StoreError::Setup(format!("the database cannot be migrated: {error}")),
    }
}
