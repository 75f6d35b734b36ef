//! The versions of one tenant's adapters, one by one, in the name of one actor. Every change and its audit row are one
//! transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::json;

use crate::adapter::VersionRecord;
use crate::database::{Transaction, Whose};
use crate::error::StoreError;
use crate::ids::{AdapterName, Reason, TenantId, VersionNumber};
use crate::parts::Parts;
use crate::rows::audit::{self, Entry};
use crate::rows::{aliases, now, tenants, versions};
use crate::sweep::purge;
use crate::tenant::{Actor, Page, Paging};

/// The versions of one tenant's adapters.
pub struct VersionStore {
    parts: Arc<Parts>,
    tenant: TenantId,
    actor: Actor,
}

impl VersionStore {
    pub(crate) fn new(parts: Arc<Parts>, tenant: TenantId, actor: Actor) -> Self {
        Self { parts, tenant, actor }
    }

    /// An adapter's versions, newest first.
    pub async fn list(
        &self,
        adapter: &AdapterName,
        paging: &Paging<VersionNumber>,
    ) -> Result<Page<VersionRecord>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        let page = versions::list(&mut transaction, self.tenant, adapter, paging).await?;
        // Only an adapter that does not exist has no versions at all.
        if page.items.is_empty() && paging.after.is_none() {
            return Err(StoreError::AdapterNotFound);
        }
        Ok(page)
    }

    /// One version.
    pub async fn show(
        &self,
        adapter: &AdapterName,
        number: VersionNumber,
    ) -> Result<VersionRecord, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        self.find(&mut transaction, adapter, number).await
    }

    /// Takes a version out of service for a reason, or (without one) puts it back. Requests that run go on.
    pub async fn disable(
        &self,
        adapter: &AdapterName,
        number: VersionNumber,
        reason: Option<Reason>,
    ) -> Result<VersionRecord, StoreError> {
        let mut transaction = self.begin().await?;
        let mut record = self.find(&mut transaction, adapter, number).await?;
        let before = std::mem::replace(&mut record.version.disabled, reason);
        let after = record.version.disabled.as_ref();
        versions::disable(&mut transaction, self.tenant, (adapter, number), after).await?;
        let action = if after.is_some() { "adapter_version.disable" } else { "adapter_version.enable" };
        let detail = json!({ "before": { "disabled": before }, "after": { "disabled": after } });
        self.record(&mut transaction, action, (adapter, number), detail).await?;
        transaction.commit().await?;
        self.parts.announce(self.tenant).await;
        Ok(record)
    }

    /// Deletes a version that no alias names. Its number stays taken.
    pub async fn delete(&self, adapter: &AdapterName, number: VersionNumber) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let digest = self.find(&mut transaction, adapter, number).await?.version.digest;
        let mut naming = aliases::of(&mut transaction, self.tenant, &[adapter]).await?;
        naming.retain(|alias| alias.targets.name(number));
        if !naming.is_empty() {
            return Err(StoreError::VersionInUse(naming.into_iter().map(|alias| alias.name).collect()));
        }
        versions::delete(&mut transaction, self.tenant, (adapter, number), now()).await?;
        let detail = json!({ "before": { "digest": digest } });
        self.record(&mut transaction, "adapter_version.delete", (adapter, number), detail).await?;
        transaction.commit().await?;
        purge(&self.parts, self.tenant, BTreeSet::from([digest])).await;
        Ok(())
    }

    async fn begin(&self) -> Result<Transaction, StoreError> {
        let mut transaction = self.parts.database.begin(Whose::Tenant(self.tenant)).await?;
        tenants::lock(&mut transaction, self.tenant).await?;
        Ok(transaction)
    }

    async fn find(
        &self,
        transaction: &mut Transaction,
        adapter: &AdapterName,
        number: VersionNumber,
    ) -> Result<VersionRecord, StoreError> {
        let found = versions::show(transaction, self.tenant, adapter, number).await?;
        found.ok_or(StoreError::AdapterNotFound)
    }

    async fn record(
        &self,
        transaction: &mut Transaction,
        action: &'static str,
        (adapter, number): (&AdapterName, VersionNumber),
        detail: serde_json::Value,
    ) -> Result<(), StoreError> {
        let entry = Entry { action, subject: format!("{adapter}@{number}"), detail };
        audit::record(transaction, self.tenant, &self.actor, entry).await
    }
}
