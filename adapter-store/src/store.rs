//! The store as a whole: opening it, who a key speaks for, and the two ways in, `operator` and `tenant`.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use time::{Date, Month, OffsetDateTime};

use crate::api_key::{AuthenticatedKey, Pepper, PlainKey};
use crate::blobs::Blobs;
use crate::config::{DatabaseUrl, StoreConfig};
use crate::credentials::{Credentials, KnownKey};
use crate::database::{Database, Whose};
use crate::error::StoreError;
use crate::ids::{KeyId, RoleName, TenantId, TenantSlug};
use crate::local_cache::LocalCache;
use crate::operator::OperatorStore;
use crate::parts::Parts;
use crate::resolve_cache::{Backend, CacheStats, MemoryCache, RedisCache, Remembered, ResolveCache};
use crate::rows::{self, now};
use crate::scratch::ProcessDir;
use crate::sweep::{Sweeper, sweep_regularly};
use crate::tenant::{Actor, Tenant, TenantStatus};
use crate::tenant_store::TenantStore;
use crate::turns::Turns;
use crate::upload_expiry;
use crate::usage::{Spender, UsageEvent};

/// How often the epoch of credentials is read.
const POLL: Duration = Duration::from_millis(500);
/// How many polls pass between two notes of when keys were last used, and two looks for abandoned pushes.
const POLLS_PER_NOTE: u64 = 60;
/// A push that is being validated is touched more often than this, or its server has stopped.
const PUSH_SILENCE: Duration = Duration::from_secs(60);
/// How long pushes are kept after their end.
const PUSH_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// How often uploads whose time is over are looked for.
const UPLOADS_END: Duration = Duration::from_secs(300);

/// Every row and every blob. Cheap to clone.
#[derive(Clone)]
pub struct AdapterStore(Arc<Parts>);

/// Which of the store's dependencies answer in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Without it nothing can be changed, and only what is known can be resolved.
    pub database: bool,
    /// Whether what is known of keys and adapters is believed: as long as the database answers, and its grace longer.
    pub believed: bool,
    /// Without it the store works, but asks the database more; `None` = none is configured.
    pub redis: Option<bool>,
    /// Without it nothing new can be stored or fetched; what is on local disk is served.
    pub blobs: bool,
}

impl AdapterStore {
    /// Opens the store. SQLite migrates itself; Postgres must be migrated, or this is [`StoreError::NotMigrated`].
    /// Redis need not be there.
    pub async fn open(config: StoreConfig) -> Result<Self, StoreError> {
        let (local, staging) = open_folders(&config).await?;
        let blobs = Blobs::open(&config.blobs).await?;
        let keys = Pepper::derive(&config.pepper, "tenora api keys")?;
        let resolved = match &config.redis_url {
            None => Backend::Memory(MemoryCache::default()),
            Some(url) => {
                let pepper = Pepper::derive(&config.pepper, "tenora resolve cache")?;
                Backend::Redis(Box::new(RedisCache::open(url, &config.redis_prefix, pepper)?))
            }
        };
        let database = Database::open(&config.database).await?;
        let parts = Arc::new(Parts {
            database,
            blobs,
            local,
            resolved: ResolveCache::new(resolved),
            remembered: Remembered::new(config.grace),
            credentials: Credentials::new(config.grace),
            staging: Arc::new(staging),
            max_adapter_bytes: config.max_adapter_bytes,
            keys,
            turns: Turns::new(),
        });
        parts.credentials.refresh(&parts.database).await;
        tokio::spawn(keep_rows_true(Arc::downgrade(&parts)));
        tokio::spawn(end_uploads(Arc::downgrade(&parts)));
        let sweeper = Sweeper::new(&parts.database, &parts.blobs, &config.blobs, false);
        tokio::spawn(sweep_regularly(Arc::downgrade(&parts), sweeper));
        Ok(Self(parts))
    }

    /// Brings the database's schema up to date. Several processes may do so at once.
    pub async fn migrate(database: &DatabaseUrl) -> Result<(), StoreError> {
        if let DatabaseUrl::Sqlite(path) = database {
            make_parent(path)?;
        }
        Database::migrate(database).await
    }

    /// Lets a Postgres role, neither owner nor superuser, do what a server does; row-level security then holds it to it.
    pub async fn grant(database: &DatabaseUrl, role: &RoleName) -> Result<(), StoreError> {
        Database::grant(database, role).await
    }

    /// Whom the presented key speaks for. `None`: malformed, unknown, expired or revoked, without saying which.
    /// The tenant may be suspended: what that means is the caller's to say.
    /// A malformed key asks no database; a database that cannot answer is [`StoreError::Unavailable`], never `None`.
    pub async fn authenticate(&self, presented: &str) -> Result<Option<Arc<AuthenticatedKey>>, StoreError> {
        let Some(key) = PlainKey::parse(presented) else { return Ok(None) };
        let Some(known) = self.known_key(key.id).await? else { return Ok(None) };
        // The memory is asked by the key's public half, and the secret is compared each time.
        let genuine = self.0.keys.verify_key(&key, &known.mac);
        let alive = known.speaks_for.expires_at.is_none_or(|end| now() < end);
        if !(genuine && alive) {
            return Ok(None);
        }
        self.0.credentials.used(&known.speaks_for);
        Ok(Some(Arc::clone(&known.speaks_for)))
    }

    /// Whether a key that was right a while ago still is.
    pub async fn key_stands(&self, id: KeyId) -> Result<Option<Arc<AuthenticatedKey>>, StoreError> {
        let known = self.known_key(id).await?;
        let alive = |key: &AuthenticatedKey| key.expires_at.is_none_or(|end| now() < end);
        Ok(known.map(|known| Arc::clone(&known.speaks_for)).filter(|key| alive(key)))
    }

    /// A key that is not revoked, of a tenant that is not deleted.
    async fn known_key(&self, id: KeyId) -> Result<Option<Arc<KnownKey>>, StoreError> {
        let credentials = &self.0.credentials;
        let asked = match credentials.key(id) {
            Ok(known) => return Ok(Some(known)),
            Err(asked) => asked,
        };
        let mut transaction = self.0.database.read(Whose::Operator).await?;
        let stored = rows::keys::with_tenant(&mut transaction, id).await?.filter(|stored| {
            stored.revoked_at.is_none() && stored.speaks_for.tenant.status != TenantStatus::Deleted
        });
        Ok(stored.map(|stored| {
            let known = Arc::new(KnownKey { mac: stored.mac, speaks_for: Arc::new(stored.speaks_for) });
            credentials.keep_key(asked, id, &known);
            known
        }))
    }

    /// The tenant of this slug, unless it is deleted: whom a token speaks for.
    pub async fn tenant_by_slug(&self, slug: &TenantSlug) -> Result<Option<Arc<Tenant>>, StoreError> {
        let credentials = &self.0.credentials;
        let asked = match credentials.tenant(slug) {
            Ok(tenant) => return Ok(Some(tenant)),
            Err(asked) => asked,
        };
        let mut transaction = self.0.database.read(Whose::Operator).await?;
        let stored = rows::tenants::by_slug(&mut transaction, slug).await?;
        Ok(stored.filter(|tenant| tenant.status != TenantStatus::Deleted).map(|tenant| {
            let tenant = Arc::new(tenant);
            credentials.keep_tenant(asked, &tenant);
            tenant
        }))
    }

    /// Tells of each change that may have taken powers from a key or a tenant, within a second of it.
    pub fn credential_changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.credentials.changes()
    }

    /// Writes down what is kept in memory until now: when keys were last used.
    pub async fn flush(&self) {
        self.0.credentials.note_uses(&self.0.database).await;
    }

    /// Ends the pushes whose server has been silent for so long, and forgets those that ended a month ago. The store does
    /// so by itself, twice a minute.
    pub async fn end_abandoned_pushes(&self, silence: Duration) -> Result<(), StoreError> {
        let mut transaction = self.0.database.begin(Whose::Operator).await?;
        rows::upkeep::pushes(&mut transaction, silence, PUSH_KEPT).await?;
        transaction.commit().await
    }

    /// Ends resumable uploads whose time is over, and removes what ended ones left. The store does so by itself every few
    /// minutes.
    pub async fn expire_uploads(&self) -> Result<(), StoreError> {
        upload_expiry::expire_uploads(&self.0).await
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
        let mut transaction = self.0.database.begin(Whose::Operator).await?;
        let new = rows::usage::insert(&mut transaction, events).await?;
        rows::usage::add_to_hours(&mut transaction, events, &new).await?;
        transaction.commit().await
    }

    /// Deletes events of requests that began before this moment, at most so many, and says how many; the sums of their hours
    /// stay. Servers that do so at once share the work. An event that is recorded again afterwards counts again: whoever
    /// replays events must not offer ones this old.
    pub async fn delete_usage_events(&self, before: OffsetDateTime, most: u32) -> Result<u64, StoreError> {
        let mut transaction = self.0.database.begin(Whose::Operator).await?;
        let deleted = rows::usage::delete_events(&mut transaction, before.unix_timestamp(), most).await?;
        transaction.commit().await?;
        Ok(deleted)
    }

    /// Tokens of prompts and answers of the requests that began within a calendar month of UTC.
    pub async fn month_tokens(&self, spender: Spender, year: i32, month: Month) -> Result<u64, StoreError> {
        let first = |year, month| {
            let day = Date::from_calendar_date(year, month, 1).map_err(StoreError::internal)?;
            Ok::<_, StoreError>(day.midnight().assume_utc().unix_timestamp())
        };
        let next_year = if month == Month::December { year.saturating_add(1) } else { year };
        let (start, end) = (first(year, month)?, first(next_year, month.next())?);
        let tenant = match spender {
            Spender::Tenant(tenant) | Spender::Key(tenant, _) => tenant,
        };
        let mut transaction = self.0.database.read(Whose::Tenant(tenant)).await?;
        rows::usage_sums::tokens(&mut transaction, spender, start, end).await
    }

    /// Which dependencies answer now, in bounded time.
    pub async fn health(&self) -> Health {
        let (database, resolved, blobs) = (&self.0.database, &self.0.resolved, &self.0.blobs);
        let (database, redis, blobs) = tokio::join!(database.ping(), resolved.ping(), blobs.ping());
        Health {
            database: database.is_ok(),
            believed: self.0.credentials.are_believed(),
            redis: redis.map(|answer| answer.is_ok()),
            blobs: blobs.is_ok(),
        }
    }

    /// How the resolve cache did since the store was opened.
    pub fn cache_stats(&self) -> CacheStats {
        self.0.resolved.stats()
    }
}

/// Follows the epoch, notes when keys were used, and ends what dead servers left, until the store is dropped.
async fn keep_rows_true(store: Weak<Parts>) {
    for poll in 1u64.. {
        tokio::time::sleep(POLL).await;
        let Some(parts) = store.upgrade() else { return };
        tend(AdapterStore(parts), poll.is_multiple_of(POLLS_PER_NOTE)).await;
    }
}

async fn tend(store: AdapterStore, notes: bool) {
    store.0.credentials.refresh(&store.0.database).await;
    if notes {
        store.0.credentials.note_uses(&store.0.database).await;
        if let Err(error) = store.end_abandoned_pushes(PUSH_SILENCE).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "abandoned pushes were not looked for");
        }
    }
}

/// Ends uploads whose time is over until the store is dropped.
async fn end_uploads(parts: Weak<Parts>) {
    loop {
        tokio::time::sleep(UPLOADS_END).await;
        let Some(parts) = parts.upgrade() else { return };
        if let Err(error) = upload_expiry::expire_uploads(&parts).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "uploads whose time is over end later");
        }
    }
}

/// Makes the folders, takes what is this process's own, and removes what dead processes left.
async fn open_folders(config: &StoreConfig) -> Result<(LocalCache, ProcessDir), StoreError> {
    let config = config.clone();
    let open = move || {
        let setup = |dir: &Path, error| {
            StoreError::Setup(format!("the folder {} cannot be used: {error}", dir.display()))
        };
        if let DatabaseUrl::Sqlite(path) = &config.database {
            make_parent(path)?;
        }
        let local = LocalCache::open(&config.cache_dir, config.cache_bytes)?;
        let staging =
            ProcessDir::open(&config.staging_dir).map_err(|error| setup(&config.staging_dir, error))?;
        Ok((local, staging))
    };
    tokio::task::spawn_blocking(open).await.map_err(StoreError::internal)?
}

fn make_parent(path: &Path) -> Result<(), StoreError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    std::fs::create_dir_all(parent).map_err(|error| {
        StoreError::Setup(format!("the folder {} cannot be made: {error}", parent.display()))
    })
}
