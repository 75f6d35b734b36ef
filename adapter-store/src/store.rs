//! The store as a whole: opening it, who a key speaks for, and the two ways in, `operator` and `tenant`.

use std::path::Path;
use std::sync::Arc;

use time::{Date, Month};

use crate::api_key::{AuthenticatedKey, Pepper, PlainKey};
use crate::blobs::Blobs;
use crate::config::{DatabaseUrl, StoreConfig};
use crate::database::Database;
use crate::error::StoreError;
use crate::ids::TenantId;
use crate::local_cache::LocalCache;
use crate::operator::OperatorStore;
use crate::parts::Parts;
use crate::resolve_cache::{Backend, CacheStats, MemoryCache, RedisCache, ResolveCache};
use crate::rows::{self, now};
use crate::scratch::ProcessDir;
use crate::tenant::Actor;
use crate::tenant_store::TenantStore;
use crate::usage::{Spender, UsageEvent};

/// Every row and every blob. Cheap to clone.
#[derive(Clone)]
pub struct AdapterStore(Arc<Parts>);

/// Which of the store's dependencies answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Without it nothing can be resolved or changed.
    pub database: bool,
    /// Without it the store works, but asks the database more; `None` = none is configured.
    pub redis: Option<bool>,
}

impl AdapterStore {
    /// Opens the store. SQLite migrates itself; Postgres must be migrated, or this is [`StoreError::NotMigrated`].
    /// Redis need not be there.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let (local, staging, blobs) = open_folders(&config).await?;
        let keys = Pepper::derive(&config.pepper, "tenora api keys")?;
        let resolved = match &config.redis_url {
            None => Backend::Memory(MemoryCache::default()),
            Some(url) => {
                let pepper = Pepper::derive(&config.pepper, "tenora resolve cache")?;
                Backend::Redis(RedisCache::open(url, &config.redis_prefix, pepper)?)
            }
        };
        let database = Database::open(&config.database).await?;
        Ok(Self(Arc::new(Parts {
            database,
            blobs,
            local,
            resolved: ResolveCache::new(resolved),
            staging: Arc::new(staging),
            max_adapter_bytes: config.max_adapter_bytes,
            keys,
        })))
    }

    /// Brings the database's schema up to date. Several processes may do so at once.
    pub async fn migrate(database: &DatabaseUrl) -> Result<(), StoreError> {
        if let DatabaseUrl::Sqlite(path) = database {
            make_parent(path)?;
        }
        Database::migrate(database).await
    }

    /// Whom the presented key speaks for. `None`: malformed, unknown, expired or revoked, without saying which.
    /// A malformed key asks no database; a database that cannot answer is [`StoreError::Unavailable`], never `None`.
    pub async fn authenticate(&self, presented: &str) -> Result<Option<AuthenticatedKey>, StoreError> {
        let Some(key) = PlainKey::parse(presented) else { return Ok(None) };
        let Some(stored) = rows::keys::with_tenant(&self.0.database, key.id).await? else { return Ok(None) };
        let genuine = self.0.keys.verify_key(&key, &stored.mac);
        let alive = stored.revoked_at.is_none() && stored.expires_at.is_none_or(|end| now() < end);
        Ok((genuine && alive).then_some(stored.speaks_for))
    }

    /// All tenants, for whoever runs the server; `actor` goes into the audit log.
    pub fn operator(&self, actor: Actor) -> OperatorStore {
        OperatorStore::new(self.0.clone(), actor)
    }

    /// One tenant's adapters, and nothing of any other tenant.
    pub fn tenant(&self, tenant: TenantId) -> TenantStore {
        TenantStore::new(self.0.clone(), tenant)
    }

    /// Records what requests used, each event once however often it is recorded; meant for batches of some hundreds.
    /// Events of a tenant that is gone are left out: nobody will ask.
    pub async fn record_usage(&self, events: &[UsageEvent]) -> Result<(), StoreError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut transaction = self.0.database.begin().await?;
        let new = rows::usage::insert(&mut transaction, events).await?;
        rows::usage::add_to_hours(&mut transaction, events, &new).await?;
        transaction.commit().await
    }

    /// Tokens of prompts and answers of the requests that began within a calendar month of UTC.
    pub async fn month_tokens(&self, spender: Spender, year: i32, month: Month) -> Result<u64, StoreError> {
        let first = |year, month| {
            let day = Date::from_calendar_date(year, month, 1).map_err(StoreError::internal)?;
            Ok::<_, StoreError>(day.midnight().assume_utc().unix_timestamp())
        };
        let next_year = if month == Month::December { year.saturating_add(1) } else { year };
        let (start, end) = (first(year, month)?, first(next_year, month.next())?);
        rows::usage_sums::tokens(&self.0.database, spender, start, end).await
    }

    /// Which dependencies answer now, in bounded time.
    pub async fn health(&self) -> Health {
        let (database, redis) = tokio::join!(self.0.database.ping(), self.0.resolved.ping());
        Health { database: database.is_ok(), redis: redis.map(|answer| answer.is_ok()) }
    }

    /// How the resolve cache did since the store was opened.
    pub fn cache_stats(&self) -> CacheStats {
        self.0.resolved.stats()
    }
}

/// Makes the folders, takes what is this process's own, and removes what dead processes left.
async fn open_folders(config: &StoreConfig) -> Result<(LocalCache, ProcessDir, Blobs), StoreError> {
    let config = config.clone();
    let open = move || {
        let setup = |dir: &Path, error| {
            StoreError::Setup(format!("the folder {} cannot be used: {error}", dir.display()))
        };
        if let DatabaseUrl::Sqlite(path) = &config.database {
            make_parent(path)?;
        }
        std::fs::create_dir_all(&config.blobs_dir).map_err(|error| setup(&config.blobs_dir, error))?;
        let local = LocalCache::open(&config.cache_dir, config.cache_bytes)?;
        let staging =
            ProcessDir::open(&config.staging_dir).map_err(|error| setup(&config.staging_dir, error))?;
        Ok((local, staging, Blobs::local(&config.blobs_dir)?))
    };
    tokio::task::spawn_blocking(open).await.map_err(StoreError::internal)?
}

fn make_parent(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|error| {
        StoreError::Setup(format!("the folder {} cannot be made: {error}", parent.display()))
    })
}
