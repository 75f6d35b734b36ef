//! What only whoever runs the server may do: tenants, their keys, the audit log. Every change and its audit row are one
//! transaction.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::audit::{AuditQuery, AuditRecord};
use crate::database::Whose;
use crate::error::StoreError;
use crate::ids::{DisplayName, TenantId, TenantSlug};
use crate::key_store::KeyStore;
use crate::limits::LimitOverrides;
use crate::parts::Parts;
use crate::rows::audit::{self, Entry};
use crate::rows::{adapters, aliases, epoch, keys, now, tenants, usage_sums, versions};
use crate::sweep::purge;
use crate::tenant::{Actor, Page, Paging, Tenant, TenantChange, TenantStatus, Wanted};
use crate::usage_query::{UsagePage, UsageQuery};

/// All tenants, in the name of one actor.
#[derive(Clone)]
pub struct OperatorStore {
    parts: Arc<Parts>,
    actor: Actor,
}

impl OperatorStore {
    pub(crate) fn new(parts: Arc<Parts>, actor: Actor) -> Self {
        Self { parts, actor }
    }

    /// Makes a tenant; [`StoreError::SlugTaken`] when another has, or had, the slug.
    pub async fn create_tenant(&self, slug: &TenantSlug, name: &DisplayName) -> Result<Tenant, StoreError> {
        let tenant = Tenant {
            id: TenantId::generate(),
            slug: slug.clone(),
            name: name.clone(),
            status: TenantStatus::Active,
            limits: LimitOverrides::default(),
            created_at: now(),
        };
        let mut transaction = self.parts.database.begin(Whose::Operator).await?;
        if !tenants::insert(&mut transaction, &tenant).await? {
            return Err(StoreError::SlugTaken(tenant.slug));
        }
        let detail = json!({ "after": shape(&tenant) });
        let entry = Entry { action: "tenant.create", subject: tenant.slug.to_string(), detail };
        audit::record(&mut transaction, tenant.id, &self.actor, entry).await?;
        transaction.commit().await?;
        Ok(tenant)
    }

    /// Tenants, in the wanted order.
    pub async fn list_tenants(
        &self,
        wanted: &Wanted,
        paging: &Paging<TenantSlug>,
    ) -> Result<Page<Tenant>, StoreError> {
        tenants::list(&mut self.parts.database.read(Whose::Operator).await?, wanted, paging).await
    }

    /// One tenant, or [`StoreError::TenantNotFound`].
    pub async fn tenant_by_slug(&self, slug: &TenantSlug) -> Result<Tenant, StoreError> {
        let found = tenants::by_slug(&mut self.parts.database.read(Whose::Operator).await?, slug).await?;
        found.filter(|tenant| tenant.status != TenantStatus::Deleted).ok_or(StoreError::TenantNotFound)
    }

    /// Changes a tenant; every server knows within a second.
    pub async fn update_tenant(&self, slug: &TenantSlug, change: TenantChange) -> Result<Tenant, StoreError> {
        let mut transaction = self.parts.database.begin(Whose::Operator).await?;
        let before = tenants::by_slug(&mut transaction, slug).await?.ok_or(StoreError::TenantNotFound)?;
        tenants::lock(&mut transaction, before.id).await?;
        let status = match change.suspended {
            Some(true) => TenantStatus::Suspended,
            Some(false) => TenantStatus::Active,
            None => before.status,
        };
        let after = Tenant {
            name: change.name.unwrap_or_else(|| before.name.clone()),
            limits: change.limits.unwrap_or(before.limits),
            status,
            ..before.clone()
        };
        if after == before {
            return Ok(after);
        }
        tenants::update(&mut transaction, &after).await?;
        epoch::raise(&mut transaction).await?;
        let detail = json!({ "before": shape(&before), "after": shape(&after) });
        let entry = Entry { action: "tenant.update", subject: slug.to_string(), detail };
        audit::record(&mut transaction, after.id, &self.actor, entry).await?;
        transaction.commit().await?;
        self.parts.credentials.forget();
        Ok(after)
    }

    /// Ends a tenant: its keys at once, then its adapters and their bytes. Its slug, its usage and its audit rows stay.
    pub async fn delete_tenant(&self, slug: &TenantSlug) -> Result<(), StoreError> {
        let mut transaction = self.parts.database.begin(Whose::Operator).await?;
        let before = tenants::by_slug(&mut transaction, slug).await?.ok_or(StoreError::TenantNotFound)?;
        tenants::lock(&mut transaction, before.id).await?;
        let at = now();
        keys::revoke_all(&mut transaction, before.id, at).await?;
        adapters::delete(&mut transaction, before.id, None, at).await?;
        aliases::end(&mut transaction, before.id, (None, None), at).await?;
        let digests = versions::delete_all(&mut transaction, before.id, None, at).await?;
        tenants::update(&mut transaction, &Tenant { status: TenantStatus::Deleted, ..before.clone() })
            .await?;
        epoch::raise(&mut transaction).await?;
        let detail = json!({ "before": shape(&before), "digests": digests });
        let entry = Entry { action: "tenant.delete", subject: slug.to_string(), detail };
        audit::record(&mut transaction, before.id, &self.actor, entry).await?;
        transaction.commit().await?;
        self.parts.credentials.forget();
        purge(&self.parts, before.id, digests).await;
        Ok(())
    }

    /// A tenant's keys, or [`StoreError::TenantNotFound`].
    pub async fn keys(&self, slug: &TenantSlug) -> Result<KeyStore, StoreError> {
        let tenant = self.tenant_by_slug(slug).await?;
        Ok(KeyStore::new(Arc::clone(&self.parts), tenant.id, self.actor.clone()))
    }

    /// What all tenants used, or those with these slugs, in buckets of time.
    pub async fn usage(&self, slugs: &[TenantSlug], query: &UsageQuery) -> Result<UsagePage, StoreError> {
        usage_sums::of_tenants(&mut self.parts.database.read(Whose::Operator).await?, slugs, query).await
    }

    /// The audit log of one tenant, or of all; newest first.
    pub async fn audit(
        &self,
        tenant: Option<&TenantSlug>,
        query: &AuditQuery,
    ) -> Result<Page<AuditRecord>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Operator).await?;
        let tenant = match tenant {
            // A deleted tenant's log is still there.
            Some(slug) => {
                let found = tenants::by_slug(&mut transaction, slug).await?;
                Some(found.ok_or(StoreError::TenantNotFound)?.id)
            }
            None => None,
        };
        audit::list(&mut transaction, tenant, query).await
    }
}

/// A tenant in the audit log.
fn shape(tenant: &Tenant) -> Value {
    json!({ "name": tenant.name, "status": tenant.status.as_str(), "limits": tenant.limits })
}
