//! One tenant's pushes: begun when their bytes are here, ended by a version (in the transaction that makes it) or a reason.

use std::sync::Arc;

use crate::database::Whose;
use crate::error::StoreError;
use crate::fault;
use crate::ids::{AdapterName, PushId, TenantId};
use crate::parts::Parts;
use crate::push::{Ending, Push, PushState};
use crate::rows::{now, pushes};
use crate::staging::Staged;
use crate::tenant::{Page, Paging};

/// One tenant's pushes.
pub struct PushStore {
    parts: Arc<Parts>,
    tenant: TenantId,
}

impl PushStore {
    pub(crate) fn new(parts: Arc<Parts>, tenant: TenantId) -> Self {
        Self { parts, tenant }
    }

    /// Notes that staged files are being validated. Whoever does so says [`PushStore::touch`] now and then.
    pub async fn begin(&self, adapter: &AdapterName, staged: &Staged) -> Result<Push, StoreError> {
        let push = Push {
            id: PushId::generate(),
            adapter: adapter.clone(),
            state: PushState::Validating,
            digest: staged.digest(),
            bytes: staged.bytes(),
            version: None,
            report: None,
            refusal: None,
            created_at: now(),
            finished_at: None,
        };
        fault::point("push.staged");
        let mut transaction = self.parts.database.begin(Whose::Tenant(self.tenant)).await?;
        pushes::insert(&mut transaction, self.tenant, &push).await?;
        transaction.commit().await?;
        fault::point("push.begun");
        Ok(push)
    }

    /// Somebody is still at work on it.
    pub async fn touch(&self, id: PushId) -> Result<(), StoreError> {
        let mut transaction = self.parts.database.begin(Whose::Tenant(self.tenant)).await?;
        pushes::touch(&mut transaction, self.tenant, id, now()).await?;
        transaction.commit().await
    }

    /// It made no version.
    pub async fn end(&self, id: PushId, ending: &Ending) -> Result<(), StoreError> {
        let mut transaction = self.parts.database.begin(Whose::Tenant(self.tenant)).await?;
        pushes::end(&mut transaction, self.tenant, id, ending).await?;
        transaction.commit().await
    }

    /// One push, or [`StoreError::PushNotFound`]. They are forgotten a month after their end.
    pub async fn show(&self, id: PushId) -> Result<Push, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        pushes::find(&mut transaction, self.tenant, id).await?.ok_or(StoreError::PushNotFound)
    }

    /// Newest first.
    pub async fn list(&self, paging: &Paging<PushId>) -> Result<Page<Push>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        pushes::list(&mut transaction, self.tenant, paging).await
    }
}
