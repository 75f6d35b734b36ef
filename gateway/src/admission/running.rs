//! Who has something running, so that a credential that is revoked ends its answers too.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tenora_adapter_store::{AdapterStore, Credential, TenantSlug, TenantStatus};
use tokio_util::sync::CancellationToken;

use crate::auth::Identity;

/// Credentials with something running.
#[derive(Clone, Default)]
pub(super) struct Running(Arc<Mutex<HashMap<Credential, Entry>>>);

struct Entry {
    tenant: TenantSlug,
    count: usize,
    revoked: CancellationToken,
}

/// One thing that runs.
pub(super) struct Run {
    running: Running,
    credential: Credential,
    revoked: CancellationToken,
}

impl Running {
    pub(super) fn enter(&self, identity: &Identity) -> Run {
        let credential = identity.credential();
        let mut entries = self.entries();
        let entry = entries.entry(credential.clone()).or_insert_with(|| Entry {
            tenant: identity.tenant().slug.clone(),
            count: 0,
            revoked: CancellationToken::new(),
        });
        entry.count += 1;
        let revoked = entry.revoked.clone();
        drop(entries);
        Run { running: self.clone(), credential, revoked }
    }

    /// Ends what runs for credentials that no longer stand. A store that cannot tell ends nothing.
    pub(super) async fn review(&self, store: &AdapterStore) {
        let of = |(credential, entry): (&Credential, &Entry)| (credential.clone(), entry.tenant.clone());
        let all: Vec<(Credential, TenantSlug)> = self.entries().iter().map(of).collect();
        for (credential, tenant) in all {
            if !matches!(stands(store, &credential, &tenant).await, Ok(false)) {
                continue;
            }
            if let Some(entry) = self.entries().get_mut(&credential) {
                // A fresh one for whoever comes when the credential is good again.
                std::mem::take(&mut entry.revoked).cancel();
            }
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Credential, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn stands(
    store: &AdapterStore,
    credential: &Credential,
    tenant: &TenantSlug,
) -> Result<bool, tenora_adapter_store::StoreError> {
    let status = match credential {
        Credential::Key(id) => store.key_stands(*id).await?.map(|key| key.tenant.status),
        Credential::Subject(_) => store.tenant_by_slug(tenant).await?.map(|tenant| tenant.status),
    };
    Ok(status == Some(TenantStatus::Active))
}

impl Run {
    /// Ends when the credential does.
    pub(super) fn revoked(&self) -> CancellationToken {
        self.revoked.clone()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let mut entries = self.running.entries();
        match entries.get_mut(&self.credential) {
            Some(entry) if entry.count > 1 => entry.count -= 1,
            _ => _ = entries.remove(&self.credential),
        }
    }
}
