//! What the store is made of, as its layers share it, and what they all do after a change.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::api_key::Pepper;
use crate::blobs::{BlobKey, Blobs};
use crate::credentials::Credentials;
use crate::database::{Database, Whose};
use crate::error::StoreError;
use crate::ids::{Digest, TenantId};
use crate::local_cache::LocalCache;
use crate::resolve_cache::{Remembered, ResolveCache};
use crate::rows::versions;
use crate::scratch::ProcessDir;
use crate::turns::Turns;

/// The parts of an open store.
pub(crate) struct Parts {
    pub(crate) database: Database,
    pub(crate) blobs: Blobs,
    pub(crate) local: LocalCache,
    pub(crate) resolved: ResolveCache,
    pub(crate) remembered: Remembered,
    pub(crate) staging: Arc<ProcessDir>,
    pub(crate) max_adapter_bytes: u64,
    pub(crate) keys: Pepper,
    pub(crate) credentials: Credentials,
    pub(crate) turns: Turns,
}

impl Parts {
    /// Tells the caches, here and elsewhere, that something of the tenant changed. To be called after the commit.
    pub(crate) async fn announce(&self, tenant: TenantId) {
        self.remembered.forget(tenant);
        self.resolved.invalidate(tenant).await;
    }

    /// Takes away what deleted versions leave behind: cached answers, and bytes that no live version has.
    pub(crate) async fn purge(&self, tenant: TenantId, digests: BTreeSet<Digest>) {
        self.announce(tenant).await;
        for digest in digests {
            // The version is gone whatever happens here; bytes that stay are only waste.
            if let Err(error) = self.remove_unused_bytes(BlobKey { tenant, digest }).await {
                tracing::warn!(%digest, error = &error as &dyn std::error::Error, "bytes of a deleted version stay behind");
            }
        }
    }

    /// Removes the bytes unless a live version has them, with commits held off meanwhile.
    async fn remove_unused_bytes(&self, key: BlobKey) -> Result<(), StoreError> {
        let mut transaction = self.database.begin(Whose::Tenant(key.tenant)).await?;
        if versions::uses_digest(&mut transaction, key.tenant, key.digest).await? {
            return Ok(());
        }
        self.blobs.remove(&key).await?;
        self.local.forget(&key)
    }
}
