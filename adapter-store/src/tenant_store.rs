//! One tenant's adapters. An upload reads: *stage → (check) → bytes → row → announce*; a request: *resolve → local files*.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use crate::adapter::{Adapter, Checked, Version};
use crate::blobs::BlobKey;
use crate::database::Whose;
use crate::error::StoreError;
use crate::ids::{AdapterName, Digest, ModelRef, Selector, TenantId};
use crate::key_store::KeyStore;
use crate::limits::{Cap, LimitOverrides};
use crate::local_cache::LocalAdapter;
use crate::parts::Parts;
use crate::resolve_cache::Lookup;
use crate::rows::adapters::{self, NewVersion};
use crate::rows::audit::{self, Entry};
use crate::rows::{now, tenants, usage_sums};
use crate::staging::{Staged, Staging};
use crate::sweep::remove_unused;
use crate::tenant::{Actor, Page, Paging};
use crate::usage_query::{UsagePage, UsageQuery};

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

    /// Makes checked files the adapter's next version, routable when this returns.
    ///
    /// The same content, checked against the same base, is the version that it already is.
    pub async fn commit(
        &self,
        name: &AdapterName,
        staged: Staged,
        checked: Checked,
        actor: &Actor,
    ) -> Result<Version, StoreError> {
        let key = self.blob_key(staged.digest());
        let config = Bytes::copy_from_slice(staged.canonical_config());
        for _ in 0..COMMIT_ATTEMPTS {
            // Bytes before row: a crash leaves at worst bytes without a row.
            self.parts.blobs.put(&key, config.clone(), staged.weights_path()).await?;
            let new = NewVersion {
                adapter: name.clone(),
                digest: staged.digest(),
                bytes: staged.bytes(),
                base_fingerprint: checked.base_fingerprint.clone(),
                report: checked.report.clone(),
                created_at: now(),
            };
            if let Some(version) = self.insert_version(new, checked.limits, actor).await? {
                self.announce().await;
                return Ok(version);
            }
        }
        Err(StoreError::unavailable("the blob store", "the bytes were deleted as often as they were stored"))
    }

    /// The row, its number and its audit row, in one transaction; `None` when the bytes are gone by now.
    async fn insert_version(
        &self,
        new: NewVersion,
        limits: LimitOverrides,
        actor: &Actor,
    ) -> Result<Option<Version>, StoreError> {
        let mut transaction = self.parts.database.begin(Whose::Tenant(self.tenant)).await?;
        tenants::lock(&mut transaction, self.tenant).await?;
        // Under the lock no deletion runs: what is there now stays there.
        if !self.parts.blobs.holds(&self.blob_key(new.digest)).await? {
            return Ok(None);
        }
        if let Some(existing) = adapters::same_content(&mut transaction, self.tenant, &new).await? {
            return Ok(Some(existing));
        }
        let held = adapters::held(&mut transaction, self.tenant, &new.adapter).await?;
        within(limits.adapters, held.other_adapters + 1, "adapters")?;
        within(limits.adapter_bytes, held.bytes + new.bytes, "bytes of adapters")?;
        let version = adapters::insert(&mut transaction, self.tenant, new).await?;
        let subject = format!("{}@{}", version.adapter, version.number);
        let detail = json!({ "digest": version.digest, "bytes": version.bytes });
        let entry = Entry { action: "adapter_version.create", subject, detail };
        audit::record(&mut transaction, self.tenant, actor, entry).await?;
        transaction.commit().await?;
        Ok(Some(version))
    }

    /// Live adapters in the order of their names.
    pub async fn list_adapters(&self, paging: &Paging<AdapterName>) -> Result<Page<Adapter>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        adapters::list(&mut transaction, self.tenant, paging).await
    }

    /// One live adapter with its versions, or [`StoreError::AdapterNotFound`].
    pub async fn adapter(&self, name: &AdapterName) -> Result<Adapter, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        adapters::show(&mut transaction, self.tenant, name).await?.ok_or(StoreError::AdapterNotFound)
    }

    /// Deletes the adapter and all its versions. Their numbers stay taken if the name comes back.
    pub async fn delete_adapter(&self, name: &AdapterName, actor: &Actor) -> Result<(), StoreError> {
        let mut transaction = self.parts.database.begin(Whose::Tenant(self.tenant)).await?;
        tenants::lock(&mut transaction, self.tenant).await?;
        let deleted = adapters::delete(&mut transaction, self.tenant, name, now()).await?;
        let digests = deleted.ok_or(StoreError::AdapterNotFound)?;
        let detail = json!({ "digests": digests });
        let entry = Entry { action: "adapter.delete", subject: name.to_string(), detail };
        audit::record(&mut transaction, self.tenant, actor, entry).await?;
        transaction.commit().await?;

        self.purge(digests).await;
        Ok(())
    }

    /// Takes away what deleted versions leave behind: cached answers, and bytes that no live version has.
    pub(crate) async fn purge(&self, digests: BTreeSet<Digest>) {
        self.announce().await;
        for digest in digests {
            // The adapter is gone whatever happens here; bytes that stay are only waste.
            if let Err(error) = self.remove_unused_bytes(digest).await {
                tracing::warn!(%digest, error = &error as &dyn std::error::Error, "bytes of a deleted adapter stay behind");
            }
        }
    }

    /// Tells the caches, here and elsewhere, that something changed.
    async fn announce(&self) {
        self.parts.remembered.forget(self.tenant);
        self.parts.resolved.invalidate(self.tenant).await;
    }

    /// Removes the bytes, here and in the blob store, unless a live version has them.
    async fn remove_unused_bytes(&self, digest: Digest) -> Result<(), StoreError> {
        let key = self.blob_key(digest);
        match remove_unused(&self.parts.database, &self.parts.blobs, &key).await? {
            true => self.parts.local.forget(&key),
            false => Ok(()),
        }
    }

    /// The version that a reference means. Unknown, deleted or another tenant's: [`StoreError::AdapterNotFound`].
    pub async fn resolve(&self, model: &ModelRef) -> Result<Version, StoreError> {
        let ticket = match self.parts.resolved.lookup(self.tenant, model).await {
            Lookup::Hit(version) => return Ok(version),
            Lookup::Miss(ticket) => Some(ticket),
            Lookup::Unusable => None,
        };
        let version = match self.find(model).await {
            Err(away @ StoreError::Unavailable { .. }) => {
                return self.parts.remembered.recall(self.tenant, model).ok_or(away);
            }
            found => found?.ok_or(StoreError::AdapterNotFound)?,
        };
        self.parts.remembered.keep(self.tenant, model, &version);
        if let Some(ticket) = ticket {
            self.parts.resolved.fill(ticket, self.tenant, model, &version).await;
        }
        Ok(version)
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
            Some(live) => Err(StoreError::Corrupt { digest: live.digest }),
            None => Err(StoreError::AdapterNotFound),
        }
    }

    /// What the tenant used, in buckets of time.
    pub async fn usage(&self, query: &UsageQuery) -> Result<UsagePage, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        usage_sums::of_tenant(&mut transaction, self.tenant, query).await
    }

    /// The tenant's keys, in the name of one actor.
    pub fn keys(&self, actor: Actor) -> KeyStore {
        KeyStore::new(Arc::clone(&self.parts), self.tenant, actor)
    }

    async fn find(&self, model: &ModelRef) -> Result<Option<Version>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        adapters::find(&mut transaction, self.tenant, model).await
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
