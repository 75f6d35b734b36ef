//! One tenant's adapters. An upload reads: *stage → (check) → bytes → row → announce*; a request: *resolve → local files*.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::adapter::{Adapter, Checked, Version, VersionRecord};
use crate::alias::Targets;
use crate::alias_store::AliasStore;
use crate::blobs::BlobKey;
use crate::database::{Transaction, Whose};
use crate::error::StoreError;
use crate::fault;
use crate::ids::{AdapterName, AliasName, Digest, ModelRef, Selector, TenantId, UploadId};
use crate::key_store::KeyStore;
use crate::limits::Cap;
use crate::local_cache::LocalAdapter;
use crate::parts::Parts;
use crate::push_store::PushStore;
use crate::resolve_cache::Lookup;
use crate::route::{Route, point};
use crate::rows::audit::{self, Entry};
use crate::rows::versions::NewVersion;
use crate::rows::{adapters, aliases, now, pushes, tenants, usage_sums, versions};
use crate::staging::{Staged, Staging};
use crate::sweep::purge;
use crate::tenant::{Actor, Page, Paging, Wanted};
use crate::upload_store::UploadStore;
use crate::usage_query::{UsagePage, UsageQuery};
use crate::version_store::VersionStore;

/// How often a commit starts over when a deletion took the bytes away under it.
const COMMIT_ATTEMPTS: usize = 3;

/// One tenant's adapters. What belongs to another tenant does not exist here.
#[derive(Clone)]
pub struct TenantStore {
    parts: Arc<Parts>,
    tenant: TenantId,
}

impl TenantStore {
    pub(crate) fn new(parts: Arc<Parts>, tenant: TenantId) -> Self {
        Self { parts, tenant }
    }

    /// Begins an upload.
    pub async fn stage(&self) -> Result<Staging, StoreError> {
        Staging::begin(self.parts.staging.clone(), self.parts.max_adapter_bytes)
    }

    /// Stages a config with the weights of a completed resumable upload, which stays as it is.
    pub async fn stage_upload(&self, id: UploadId, config: Bytes) -> Result<Staged, StoreError> {
        let mut staging = self.stage().await?;
        // The config first: then the weights are hashed as they come.
        staging.write_config(config).await?;
        self.uploads(Actor::SYSTEM).copy_into(id, &mut staging).await?;
        staging.finish().await
    }

    /// Makes checked files the adapter's next version, routable when this returns.
    ///
    /// The same content, checked against the same base, is the version that it already is.
    pub async fn commit(
        &self,
        name: &AdapterName,
        staged: &Staged,
        checked: Checked,
        actor: &Actor,
    ) -> Result<VersionRecord, StoreError> {
        let key = self.blob_key(staged.digest());
        let config = Bytes::copy_from_slice(staged.canonical_config());
        for _ in 0..COMMIT_ATTEMPTS {
            fault::point("push.checked");
            // Bytes before row: a crash leaves at worst bytes without a row.
            self.parts.blobs.put(&key, config.clone(), staged.weights_path()).await?;
            fault::point("push.bytes");
            let new = NewVersion {
                adapter: name.clone(),
                digest: staged.digest(),
                bytes: staged.bytes(),
                base_fingerprint: checked.base_fingerprint.clone(),
                report: checked.report.clone(),
                created_at: now(),
            };
            if let Some(record) = self.insert_version(new, &checked, actor).await? {
                fault::point("push.committed");
                self.parts.announce(self.tenant).await;
                return Ok(record);
            }
        }
        Err(StoreError::unavailable("the blob store", "the bytes were deleted as often as they were stored"))
    }

    /// The row with its number, what the aliases mean from now on, the push's end and the audit rows, in one transaction;
    /// `None` when the bytes are gone by now.
    async fn insert_version(
        &self,
        new: NewVersion,
        checked: &Checked,
        actor: &Actor,
    ) -> Result<Option<VersionRecord>, StoreError> {
        let mut transaction = self.parts.database.begin(Whose::Tenant(self.tenant)).await?;
        tenants::lock(&mut transaction, self.tenant).await?;
        // Under the lock no deletion runs: what is there now stays there.
        if !self.parts.blobs.holds(&self.blob_key(new.digest)).await? {
            return Ok(None);
        }
        let record = match versions::same_content(&mut transaction, self.tenant, &new).await? {
            Some(existing) => existing,
            None => self.insert_new(&mut transaction, new, checked, actor).await?,
        };
        self.move_latest(&mut transaction, &record.version, checked.moves_latest, actor).await?;
        if let Some(push) = checked.push {
            let became = (record.version.number, &checked.report);
            pushes::became(&mut transaction, self.tenant, push, became).await?;
        }
        fault::point("push.row");
        transaction.commit().await?;
        Ok(Some(record))
    }

    async fn insert_new(
        &self,
        transaction: &mut Transaction,
        new: NewVersion,
        checked: &Checked,
        actor: &Actor,
    ) -> Result<VersionRecord, StoreError> {
        let others = adapters::others(transaction, self.tenant, &new.adapter).await?;
        let bytes = versions::bytes(transaction, self.tenant).await?;
        within(checked.limits.adapters, others + 1, "adapters")?;
        within(checked.limits.adapter_bytes, bytes + new.bytes, "bytes of adapters")?;
        let record = versions::insert(transaction, self.tenant, new).await?;
        let subject = format!("{}@{}", record.version.adapter, record.version.number);
        let detail = json!({ "digest": record.version.digest, "bytes": record.version.bytes });
        let entry = Entry { action: "adapter_version.create", subject, detail };
        audit::record(transaction, self.tenant, actor, entry).await?;
        Ok(record)
    }

    /// An adapter always has the alias `latest`, which a push moves unless it was told not to.
    async fn move_latest(
        &self,
        transaction: &mut Transaction,
        version: &Version,
        wanted: bool,
        actor: &Actor,
    ) -> Result<(), StoreError> {
        let (adapter, latest) = (&version.adapter, AliasName::latest());
        let before = aliases::find(transaction, self.tenant, adapter, &latest).await?;
        let targets = Targets::only(version.number);
        if before.as_ref().is_some_and(|before| !wanted || before.targets == targets) {
            return Ok(());
        }
        let after = aliases::put(transaction, self.tenant, (adapter, &latest), (targets, now())).await?;
        let entry = AliasStore::entry("adapter_alias.move", before.as_ref(), Some(&after));
        audit::record(transaction, self.tenant, actor, entry).await
    }

    /// Live adapters, in the wanted order.
    pub async fn list_adapters(
        &self,
        wanted: &Wanted,
        paging: &Paging<AdapterName>,
    ) -> Result<Page<Adapter>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        adapters::list(&mut transaction, self.tenant, wanted, paging).await
    }

    /// One live adapter with its versions, or [`StoreError::AdapterNotFound`].
    pub async fn adapter(&self, name: &AdapterName) -> Result<Adapter, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        adapters::show(&mut transaction, self.tenant, name).await?.ok_or(StoreError::AdapterNotFound)
    }

    /// Deletes the adapter with all its versions and aliases. Their numbers stay taken if the name comes back.
    pub async fn delete_adapter(&self, name: &AdapterName, actor: &Actor) -> Result<(), StoreError> {
        let (mut transaction, at) = (self.parts.database.begin(Whose::Tenant(self.tenant)).await?, now());
        tenants::lock(&mut transaction, self.tenant).await?;
        if adapters::delete(&mut transaction, self.tenant, Some(name), at).await? == 0 {
            return Err(StoreError::AdapterNotFound);
        }
        aliases::end(&mut transaction, self.tenant, (Some(name), None), at).await?;
        let digests = versions::delete_all(&mut transaction, self.tenant, Some(name), at).await?;
        let detail = json!({ "digests": digests });
        let entry = Entry { action: "adapter.delete", subject: name.to_string(), detail };
        audit::record(&mut transaction, self.tenant, actor, entry).await?;
        transaction.commit().await?;
        purge(&self.parts, self.tenant, digests).await;
        Ok(())
    }

    /// The version that answers a request for a reference. Where versions share an alias, requests with one key get one of
    /// them as long as it keeps its share, and requests without a key any. Unknown, deleted or another tenant's:
    /// [`StoreError::AdapterNotFound`].
    pub async fn resolve(&self, model: &ModelRef, key: Option<&str>) -> Result<Version, StoreError> {
        let route = self.route(model).await?;
        route.pick(point(self.tenant, model, key)).ok_or(StoreError::AdapterNotFound)
    }

    /// What a reference means now: from the cache, from the database, or, while that is away, from memory.
    async fn route(&self, model: &ModelRef) -> Result<Route, StoreError> {
        let ticket = match self.parts.resolved.lookup(self.tenant, model).await {
            Lookup::Hit(route) => return Ok(route),
            Lookup::Miss(ticket) => Some(ticket),
            Lookup::Unusable => None,
        };
        let route = match self.find(model).await {
            Err(away @ StoreError::Unavailable { .. }) => {
                return self.parts.remembered.recall(self.tenant, model).ok_or(away);
            }
            found => found?.ok_or(StoreError::AdapterNotFound)?,
        };
        self.parts.remembered.keep(self.tenant, model, &route);
        if let Some(ticket) = ticket {
            self.parts.resolved.fill(ticket, self.tenant, model, &route).await;
        }
        Ok(route)
    }

    /// The version's files on local disk, re-hashed when they were fetched, and kept while the answer lives.
    pub async fn local_files(&self, version: &Version) -> Result<LocalAdapter, StoreError> {
        let key = self.blob_key(version.digest);
        if let Some(local) = self.parts.local.get(&self.parts.blobs, key, version.bytes).await? {
            return Ok(local);
        }
        // No bytes: deleted since it was resolved, or lost.
        let exact = ModelRef::new(version.adapter.clone(), Selector::Version(version.number));
        match self.find(&exact).await? {
            Some(_) => Err(StoreError::Corrupt { digest: version.digest }),
            None => Err(StoreError::AdapterNotFound),
        }
    }

    /// What the tenant used, in buckets of time.
    pub async fn usage(&self, query: &UsageQuery) -> Result<UsagePage, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        usage_sums::of_tenant(&mut transaction, self.tenant, query).await
    }

    /// The aliases of the tenant's adapters, in the name of one actor.
    pub fn aliases(&self, actor: Actor) -> AliasStore {
        AliasStore::new(Arc::clone(&self.parts), self.tenant, actor)
    }

    /// The versions of the tenant's adapters, one by one, in the name of one actor.
    pub fn versions(&self, actor: Actor) -> VersionStore {
        VersionStore::new(Arc::clone(&self.parts), self.tenant, actor)
    }

    /// The tenant's pushes.
    pub fn pushes(&self) -> PushStore {
        PushStore::new(Arc::clone(&self.parts), self.tenant)
    }

    /// The tenant's keys, in the name of one actor.
    pub fn keys(&self, actor: Actor) -> KeyStore {
        KeyStore::new(Arc::clone(&self.parts), self.tenant, actor)
    }

    /// The tenant's resumable uploads, in the name of one actor.
    pub fn uploads(&self, actor: Actor) -> UploadStore {
        UploadStore::new(Arc::clone(&self.parts), self.tenant, actor)
    }

    async fn find(&self, model: &ModelRef) -> Result<Option<Route>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        let alias = match model.selector() {
            Selector::Version(number) => {
                let version = versions::find(&mut transaction, self.tenant, model.name(), *number).await?;
                return Ok(version.map(Route::only));
            }
            Selector::Alias(alias) => alias,
        };
        let alias = aliases::find(&mut transaction, self.tenant, model.name(), alias).await?;
        let mut shared = Vec::new();
        for share in alias.iter().flat_map(|alias| alias.targets.shares()) {
            let version = versions::find(&mut transaction, self.tenant, model.name(), share.version).await?;
            shared.extend(version.map(|version| (version, share.weight)));
        }
        Ok(Route::shared(shared))
    }

    fn blob_key(&self, digest: Digest) -> BlobKey {
        BlobKey { tenant: self.tenant, digest }
    }
}

/// Whether there would be no more of something than the tenant may have.
fn within(cap: Option<Cap>, would_be: u64, what: &'static str) -> Result<(), StoreError> {
    match cap.and_then(Cap::most) {
        Some(limit) if would_be > limit => Err(StoreError::OverQuota { what, limit }),
        _ => Ok(()),
    }
}
