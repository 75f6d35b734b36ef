//! What only whoever runs the server may do: tenants and their keys. Every change and its audit row are one transaction.

use std::sync::Arc;

use serde_json::json;

use crate::api_key::{CreatedKey, KeyInfo, NewKey, PlainKey};
use crate::error::StoreError;
use crate::ids::{DisplayName, KeyId, TenantId, TenantSlug};
use crate::parts::Parts;
use crate::rows::audit::{self, Entry};
use crate::rows::{keys, now, tenants, usage_sums};
use crate::tenant::{Actor, Page, Paging, Tenant};
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

    /// Makes a tenant; [`StoreError::SlugTaken`] when another has the slug.
    pub async fn create_tenant(&self, slug: &TenantSlug, name: &DisplayName) -> Result<Tenant, StoreError> {
        let tenant =
            Tenant { id: TenantId::generate(), slug: slug.clone(), name: name.clone(), created_at: now() };
        let mut transaction = self.parts.database.begin().await?;
        if !tenants::insert(&mut transaction, &tenant).await? {
            return Err(StoreError::SlugTaken(tenant.slug));
        }
        let subject = tenant.slug.to_string();
        let entry = Entry { action: "tenant.create", subject, detail: json!({ "name": tenant.name }) };
        audit::record(&mut transaction, tenant.id, &self.actor, entry).await?;
        transaction.commit().await?;
        Ok(tenant)
    }

    /// Tenants in the order of their slugs.
    pub async fn list_tenants(&self, paging: &Paging<TenantSlug>) -> Result<Page<Tenant>, StoreError> {
        tenants::list(&self.parts.database, paging).await
    }

    /// One tenant, or [`StoreError::TenantNotFound`].
    pub async fn tenant_by_slug(&self, slug: &TenantSlug) -> Result<Tenant, StoreError> {
        tenants::by_slug(&self.parts.database, slug).await?.ok_or(StoreError::TenantNotFound)
    }

    /// Makes a key for a tenant. Its text is in the answer and nowhere else.
    pub async fn create_key(&self, slug: &TenantSlug, new: NewKey) -> Result<CreatedKey, StoreError> {
        let tenant = self.tenant_by_slug(slug).await?;
        let plain = PlainKey::generate();
        let created = CreatedKey {
            id: plain.id,
            key: plain.to_text(),
            name: new.name,
            scopes: new.scopes,
            expires_at: new.expires_at,
            created_at: now(),
        };
        let mut transaction = self.parts.database.begin().await?;
        keys::insert(&mut transaction, tenant.id, &created, self.parts.keys.sign_key(&plain)).await?;
        let detail = json!({ "name": created.name, "scopes": created.scopes });
        let entry = Entry { action: "key.create", subject: created.id.to_string(), detail };
        audit::record(&mut transaction, tenant.id, &self.actor, entry).await?;
        transaction.commit().await?;
        Ok(created)
    }

    /// A tenant's keys, newest first, revoked ones too; at most [`crate::SHOWN_KEYS`].
    pub async fn list_keys(&self, slug: &TenantSlug) -> Result<Vec<KeyInfo>, StoreError> {
        let tenant = self.tenant_by_slug(slug).await?;
        keys::list(&self.parts.database, tenant.id).await
    }

    /// What all tenants used, or those with these slugs, in buckets of time.
    pub async fn usage(&self, slugs: &[TenantSlug], query: &UsageQuery) -> Result<UsagePage, StoreError> {
        usage_sums::of_tenants(&self.parts.database, slugs, query).await
    }

    /// Ends a key at once and for ever. Revoking it again changes nothing.
    pub async fn revoke_key(&self, slug: &TenantSlug, id: KeyId) -> Result<(), StoreError> {
        let tenant = self.tenant_by_slug(slug).await?;
        let mut transaction = self.parts.database.begin().await?;
        if keys::revoke(&mut transaction, tenant.id, id, now()).await? {
            let entry = Entry { action: "key.revoke", subject: id.to_string(), detail: json!({}) };
            audit::record(&mut transaction, tenant.id, &self.actor, entry).await?;
        }
        transaction.commit().await
    }
}
