//! One tenant's keys, in the name of one actor. Every change and its audit row are one transaction, and what takes powers
//! away begins a new epoch.

use std::sync::Arc;

use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::api_key::{CreatedKey, KeyInfo, NewKey, PlainKey};
use crate::database::{Transaction, Whose};
use crate::error::StoreError;
use crate::ids::{KeyId, TenantId};
use crate::parts::Parts;
use crate::rows::audit::{self, Entry};
use crate::rows::{epoch, exact, keys, now, tenants};
use crate::tenant::Actor;

/// One tenant's keys.
pub struct KeyStore {
    parts: Arc<Parts>,
    tenant: TenantId,
    actor: Actor,
}

impl KeyStore {
    pub(crate) fn new(parts: Arc<Parts>, tenant: TenantId, actor: Actor) -> Self {
        Self { parts, tenant, actor }
    }

    /// Makes a key. Its text is in the answer and nowhere else.
    pub async fn create(&self, new: NewKey) -> Result<CreatedKey, StoreError> {
        let mut transaction = self.begin().await?;
        tenants::lock(&mut transaction, self.tenant).await?;
        let created = self.insert(&mut transaction, new).await?;
        self.record(
            &mut transaction,
            "key.create",
            created.info.id,
            json!({ "after": shape(&created.info) }),
        )
        .await?;
        transaction.commit().await?;
        Ok(created)
    }

    /// The keys, newest first, revoked ones too; at most [`crate::SHOWN_KEYS`].
    pub async fn list(&self) -> Result<Vec<KeyInfo>, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        keys::list(&mut transaction, self.tenant).await
    }

    /// One key, or [`StoreError::KeyNotFound`].
    pub async fn show(&self, id: KeyId) -> Result<KeyInfo, StoreError> {
        let mut transaction = self.parts.database.read(Whose::Tenant(self.tenant)).await?;
        keys::find(&mut transaction, self.tenant, id).await?.ok_or(StoreError::KeyNotFound)
    }

    /// Ends a key at once and for ever. Revoking it again changes nothing.
    pub async fn revoke(&self, id: KeyId) -> Result<(), StoreError> {
        let mut transaction = self.begin().await?;
        let before = keys::find(&mut transaction, self.tenant, id).await?.ok_or(StoreError::KeyNotFound)?;
        if !keys::revoke(&mut transaction, self.tenant, id, now()).await? {
            return Ok(());
        }
        epoch::raise(&mut transaction).await?;
        self.record(&mut transaction, "key.revoke", id, json!({ "before": shape(&before) })).await?;
        transaction.commit().await?;
        self.parts.credentials.forget();
        Ok(())
    }

    /// Makes a new key with what this one may do; this one goes on working until `until`, and no longer than before.
    /// A key that no longer works is [`StoreError::KeyNotFound`].
    pub async fn rotate(&self, id: KeyId, until: OffsetDateTime) -> Result<CreatedKey, StoreError> {
        let mut transaction = self.begin().await?;
        tenants::lock(&mut transaction, self.tenant).await?;
        let old = keys::find(&mut transaction, self.tenant, id).await?;
        let alive = |old: &KeyInfo| old.revoked_at.is_none() && old.expires_at.is_none_or(|end| now() < end);
        let old = old.filter(alive).ok_or(StoreError::KeyNotFound)?;
        let KeyInfo { name, scopes, limits, adapters, expires_at, .. } = old.clone();
        let created =
            self.insert(&mut transaction, NewKey { name, scopes, limits, adapters, expires_at }).await?;
        let end = exact(old.expires_at.map_or(until, |end| end.min(until)));
        keys::expire(&mut transaction, self.tenant, id, end).await?;
        epoch::raise(&mut transaction).await?;
        let detail = json!({ "after": shape(&created.info), "old_ends_at": end.unix_timestamp() });
        self.record(&mut transaction, "key.rotate", id, detail).await?;
        transaction.commit().await?;
        self.parts.credentials.forget();
        Ok(created)
    }

    async fn begin(&self) -> Result<Transaction, StoreError> {
        self.parts.database.begin(Whose::Tenant(self.tenant)).await
    }

    async fn insert(&self, transaction: &mut Transaction, new: NewKey) -> Result<CreatedKey, StoreError> {
        let plain = PlainKey::generate();
        let NewKey { name, scopes, limits, adapters, expires_at } = new;
        let (created_at, revoked_at, last_used_at) = (now(), None, None);
        let expires_at = expires_at.map(exact);
        let info = KeyInfo {
            id: plain.id,
            name,
            scopes,
            limits,
            adapters,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
        };
        keys::insert(transaction, self.tenant, &info, self.parts.keys.sign_key(&plain)).await?;
        Ok(CreatedKey { key: plain.to_text(), info })
    }

    async fn record(
        &self,
        transaction: &mut Transaction,
        action: &'static str,
        key: KeyId,
        detail: Value,
    ) -> Result<(), StoreError> {
        let entry = Entry { action, subject: key.to_string(), detail };
        audit::record(transaction, self.tenant, &self.actor, entry).await
    }
}

/// A key in the audit log.
fn shape(key: &KeyInfo) -> Value {
    json!({
        "id": key.id,
        "name": key.name,
        "scopes": key.scopes,
        "limits": key.limits,
        "adapters": key.adapters,
        "expires_at": key.expires_at.map(OffsetDateTime::unix_timestamp),
    })
}
