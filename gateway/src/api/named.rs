//! Names of adapters in paths: one that cannot exist, or that the credential may not use, is answered like one that does not.

use tenora_adapter_store::{AdapterName, StoreError, TenantStore};

use super::tenants;
use crate::{
    app::App,
    auth::{Caller, Viewer},
    error::ApiError,
};

/// The adapter that a path names.
pub(super) fn name<S>(caller: &Caller<S>, text: &str) -> Result<AdapterName, ApiError> {
    let name = AdapterName::parse(text).ok().filter(|name| caller.identity().may_use(name));
    name.ok_or_else(|| ApiError::model_not_found(text))
}

/// A store's "no such adapter" with the name that was asked for.
pub(super) fn not_found(name: &AdapterName, error: StoreError) -> ApiError {
    match error {
        StoreError::AdapterNotFound => ApiError::model_not_found(name.as_str()),
        other => other.into(),
    }
}

/// The adapter that an operator's path names.
pub(super) fn any_name(text: &str) -> Result<AdapterName, ApiError> {
    AdapterName::parse(text).map_err(|_| ApiError::model_not_found(text))
}

/// The adapters of the tenant that an operator's path names.
pub(super) async fn tenant_of(app: &App, viewer: &Viewer, slug: &str) -> Result<TenantStore, ApiError> {
    let slug = tenants::slug(slug)?;
    let tenant = app.store.operator(viewer.actor()).tenant_by_slug(&slug).await;
    let tenant = tenant.map_err(|error| tenants::not_found(&slug, error))?;
    Ok(app.store.tenant(tenant.id))
}
