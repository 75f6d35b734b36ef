//! What the store is made of, as its layers share it, and what they all say after a change.

use std::sync::Arc;

use crate::api_key::Pepper;
use crate::blobs::Blobs;
use crate::credentials::Credentials;
use crate::database::Database;
use crate::ids::TenantId;
use crate::local_cache::LocalCache;
use crate::resolve_cache::{Remembered, ResolveCache};
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
}
