//! The aliases of one tenant's adapters, in the name of one actor. Every move and its audit row are one transaction.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::alias::{Alias, Targets};
use crate::database::{Transaction, Whose};
use crate::error::StoreError;
use crate::fault;
use crate::ids::{AdapterName, AliasName, TenantId};
use crate::parts::Parts;
use crate::rows::audit::{self, Entry};
use crate::rows::{aliases, now, tenants, versions};
use crate::tenant::Actor;

/// The most aliases that an adapter has.
const MAX_ALIASES: u64 = 32;
/// The longest history that is shown; older revisions can still be rolled back to.
const SHOWN_MOVES: u32 = 100;

/// The aliases of one tenant's adapters.
pub struct AliasStore {
    parts: Arc<Parts>,
    tenant: TenantId,
    actor: Actor,
}

/// Where an alias goes back to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Rollback {
    /// What it meant at this revision; `None` = before its last move.
    pub to_revision: Option<u64>,
    /// The revision that it must be at.
    pub expected: Option<u64>,
}

impl AliasStore {
    pub(crate) fn new(parts: Arc<Parts>, tenant: TenantId, actor: Actor) -> Self {
        Self { parts, tenant, actor }
    }

    /// What the adapter's aliases mean now, by their names.
    pub async fn list(&self, adapter: &AdapterName) -> Result<Vec<Alias>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        let all = aliases::of(&mut transaction, self.tenant, &[adapter]).await?;
        // An adapter always has `latest`.
        if all.is_empty() { Err(StoreError::AdapterNotFound) } else { Ok(all) }
    }

    /// What one alias means and meant, newest first.
    pub async fn history(&self, adapter: &AdapterName, alias: &AliasName) -> Result<Vec<Alias>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        self.must_be_live(&mut transaction, adapter).await?;
        let moves = aliases::history(&mut transaction, self.tenant, (adapter, alias), SHOWN_MOVES).await?;
        match moves.first() {
            Some(now) if now.ended_at.is_none() => Ok(moves),
            _ => Err(StoreError::AliasNotFound(alias.clone())),
        }
    }

    /// Makes an alias, or moves it. `expected` is the revision that it must be at (0 = it must not exist); without it the
    /// last one to move it wins.
    pub async fn put(
        &self,
        adapter: &AdapterName,
        alias: &AliasName,
        targets: Targets,
        expected: Option<u64>,
    ) -> Result<Alias, StoreError> {
        let mut transaction = self.begin().await?;
        let all = aliases::of(&mut transaction, self.tenant, &[adapter]).await?;
        if all.is_empty() {
            return Err(StoreError::AdapterNotFound);
        }
        let before = all.iter().find(|other| other.name == *alias);
        compare(before, expected)?;
        if before.is_none() && all.len() as u64 >= MAX_ALIASES {
            return Err(StoreError::OverQuota { what: "aliases of one adapter", limit: MAX_ALIASES });
        }
        let after = self.move_to(&mut transaction, (adapter, alias), targets).await?;
        self.finish(transaction, Self::entry("adapter_alias.move", before, Some(&after))).await?;
        Ok(after)
    }

    /// Moves an alias back. Rolling back twice is where it was at first.
    pub async fn roll_back(
        &self,
        adapter: &AdapterName,
        alias: &AliasName,
        rollback: Rollback,
    ) -> Result<Alias, StoreError> {
        let mut transaction = self.begin().await?;
        self.must_be_live(&mut transaction, adapter).await?;
        let before = aliases::find(&mut transaction, self.tenant, adapter, alias).await?;
        let before = before.ok_or_else(|| StoreError::AliasNotFound(alias.clone()))?;
        compare(Some(&before), rollback.expected)?;
        let revision = rollback.to_revision.unwrap_or(before.revision - 1);
        let then = aliases::at_revision(&mut transaction, self.tenant, (adapter, alias), revision).await?;
        let then = then.ok_or(StoreError::InvalidTargets("the alias has no such revision to go back to"))?;
        let after = self.move_to(&mut transaction, (adapter, alias), then.targets).await?;
        self.finish(transaction, Self::entry("adapter_alias.rollback", Some(&before), Some(&after))).await?;
        Ok(after)
    }

    /// Removes an alias; `latest` stays.
    pub async fn remove(
        &self,
        adapter: &AdapterName,
        alias: &AliasName,
        expected: Option<u64>,
    ) -> Result<(), StoreError> {
        if alias.is_latest() {
            return Err(StoreError::InvalidTargets(
                "every adapter has the alias \"latest\"; move it instead",
            ));
        }
        let mut transaction = self.begin().await?;
        self.must_be_live(&mut transaction, adapter).await?;
        let before = aliases::find(&mut transaction, self.tenant, adapter, alias).await?;
        let before = before.ok_or_else(|| StoreError::AliasNotFound(alias.clone()))?;
        compare(Some(&before), expected)?;
        aliases::end(&mut transaction, self.tenant, (Some(adapter), Some(alias)), now()).await?;
        self.finish(transaction, Self::entry("adapter_alias.delete", Some(&before), None)).await
    }

    /// A move in the audit log.
    pub(crate) fn entry(action: &'static str, before: Option<&Alias>, after: Option<&Alias>) -> Entry {
        let shape = |alias: Option<&Alias>| match alias {
            Some(alias) => json!({ "revision": alias.revision, "targets": alias.targets }),
            None => Value::Null,
        };
        let subject = before.or(after).map(|alias| format!("{}@{}", alias.adapter, alias.name));
        let detail = json!({ "before": shape(before), "after": shape(after) });
        Entry { action, subject: subject.unwrap_or_default(), detail }
    }

    /// Begins a change: nobody else changes anything of the tenant meanwhile.
    async fn begin(&self) -> Result<Transaction, StoreError> {
        let mut transaction = self.parts.database.begin(Whose::Tenant(self.tenant)).await?;
        tenants::lock(&mut transaction, self.tenant).await?;
        Ok(transaction)
    }

    async fn finish(&self, mut transaction: Transaction, entry: Entry) -> Result<(), StoreError> {
        audit::record(&mut transaction, self.tenant, &self.actor, entry).await?;
        fault::point("alias.row");
        transaction.commit().await?;
        fault::point("alias.committed");
        self.parts.announce(self.tenant).await;
        Ok(())
    }

    async fn must_be_live(
        &self,
        transaction: &mut Transaction,
        adapter: &AdapterName,
    ) -> Result<(), StoreError> {
        let latest = aliases::find(transaction, self.tenant, adapter, &AliasName::latest()).await?;
        latest.map(drop).ok_or(StoreError::AdapterNotFound)
    }

    /// Moves an alias to versions that are there and in service.
    async fn move_to(
        &self,
        transaction: &mut Transaction,
        (adapter, alias): (&AdapterName, &AliasName),
        targets: Targets,
    ) -> Result<Alias, StoreError> {
        if alias.is_latest() && targets.shares().len() > 1 {
            return Err(StoreError::InvalidTargets(
                "\"latest\" names one version; make another alias to share",
            ));
        }
        for share in targets.shares() {
            let version = versions::find(transaction, self.tenant, adapter, share.version).await?;
            let version = version.ok_or(StoreError::NoSuchVersion(share.version))?;
            if version.disabled.is_some() {
                return Err(StoreError::VersionDisabled(share.version));
            }
        }
        aliases::put(transaction, self.tenant, (adapter, alias), (targets, now())).await
    }
}

/// Compare-and-set: whoever looked at an older state has to look again.
fn compare(now: Option<&Alias>, expected: Option<u64>) -> Result<(), StoreError> {
    let revision = now.map_or(0, |alias| alias.revision);
    match expected {
        Some(expected) if expected != revision => Err(StoreError::AliasMoved { revision }),
        _ => Ok(()),
    }
}
