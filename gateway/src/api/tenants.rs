//! `/admin/v1/tenants`: the operator makes, changes and ends tenants.

use actix_web::{
    HttpResponse,
    web::{Data, Path, Query},
};
use tenora_adapter_store::{DisplayName, StoreError, TenantChange, TenantSlug, Wanted};

use super::paging::paging;
use crate::{
    app::App,
    auth::{Admin, Viewer},
    body::Json,
    error::{ApiError, ApiResult, ErrorEnvelope},
    wire::{
        list::{List, PageQuery},
        tenants::{DeletedTenant, NewTenant, Tenant, TenantUpdate, TenantsQuery},
    },
};

/// Makes a tenant.
#[utoipa::path(post, path = "/admin/v1/tenants", tag = "admin", security(("admin_key" = [])), request_body = NewTenant,
    responses((status = 201, body = Tenant), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create(admin: Admin, body: Json<NewTenant>, app: Data<App>) -> ApiResult {
    let Json(new) = body;
    let slug = TenantSlug::parse(&new.slug).map_err(|error| ApiError::unparsable("slug", &error))?;
    let name = checked_name(new.name.as_deref().unwrap_or(slug.as_str()))?;
    let created = app.store.operator(admin.actor()).create_tenant(&slug, &name).await;
    match created {
        Err(StoreError::SlugTaken(_)) => Err(ApiError::TenantExists { slug: slug.to_string() }),
        other => Ok(HttpResponse::Created().json(shape(&other?))),
    }
}

/// The tenants, by slug unless another order is asked for.
#[utoipa::path(get, path = "/admin/v1/tenants", tag = "admin", security(("admin_key" = [])), params(TenantsQuery),
    responses((status = 200, body = List<Tenant>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(viewer: Viewer, query: Query<TenantsQuery>, app: Data<App>) -> ApiResult {
    let TenantsQuery { after, limit, q, order } = query.into_inner();
    let wanted = Wanted { contains: q.unwrap_or_default(), order: order.map(Into::into).unwrap_or_default() };
    let paging = paging(PageQuery { after, limit })?;
    let tenants = app.store.operator(viewer.actor()).list_tenants(&wanted, &paging).await?;
    let data = tenants.items.iter().map(shape).collect();
    Ok(HttpResponse::Ok().json(List::page(data, tenants.has_more)))
}

/// One tenant.
#[utoipa::path(get, path = "/admin/v1/tenants/{slug}", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant.")),
    responses((status = 200, body = Tenant), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(viewer: Viewer, path: Path<String>, app: Data<App>) -> ApiResult {
    let slug = slug(&path)?;
    let tenant = app.store.operator(viewer.actor()).tenant_by_slug(&slug).await;
    let tenant = tenant.map_err(|error| not_found(&slug, error))?;
    Ok(HttpResponse::Ok().json(shape(&tenant)))
}

/// Renames, suspends or limits a tenant. Every server knows within a second.
#[utoipa::path(patch, path = "/admin/v1/tenants/{slug}", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant.")), request_body = TenantUpdate,
    responses((status = 200, body = Tenant), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn update(admin: Admin, path: Path<String>, body: Json<TenantUpdate>, app: Data<App>) -> ApiResult {
    let slug = slug(&path)?;
    let TenantUpdate { name, status, limits } = body.0;
    let name = name.as_deref().map(checked_name).transpose()?;
    let suspended = status.as_deref().map(suspended).transpose()?;
    let change = TenantChange { name, suspended, limits };
    let tenant = app.store.operator(admin.actor()).update_tenant(&slug, change).await;
    let tenant = tenant.map_err(|error| not_found(&slug, error))?;
    if limits.is_some() {
        app.admission.recount(tenant.id.as_uuid()).await;
    }
    Ok(HttpResponse::Ok().json(shape(&tenant)))
}

/// Ends a tenant: its keys, its adapters and their bytes. Usage and audit rows stay, and nobody gets its slug again.
#[utoipa::path(delete, path = "/admin/v1/tenants/{slug}", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant.")),
    responses((status = 200, body = DeletedTenant), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn delete(admin: Admin, path: Path<String>, app: Data<App>) -> ApiResult {
    let slug = slug(&path)?;
    let deleted = app.store.operator(admin.actor()).delete_tenant(&slug).await;
    deleted.map_err(|error| not_found(&slug, error))?;
    app.metrics().forget_tenant(slug.as_str());
    Ok(HttpResponse::Ok().json(DeletedTenant { id: slug.to_string(), object: "tenant", deleted: true }))
}

/// A slug that cannot exist is answered like one that does not.
pub(super) fn slug(text: &str) -> Result<TenantSlug, ApiError> {
    TenantSlug::parse(text).map_err(|_| ApiError::TenantNotFound { slug: ApiError::echo(text) })
}

pub(super) fn not_found(slug: &TenantSlug, error: StoreError) -> ApiError {
    match error {
        StoreError::TenantNotFound => ApiError::TenantNotFound { slug: slug.to_string() },
        other => other.into(),
    }
}

/// A name for people.
pub(super) fn checked_name(name: &str) -> Result<DisplayName, ApiError> {
    DisplayName::parse(name).map_err(|error| ApiError::unparsable("name", &error))
}

fn suspended(status: &str) -> Result<bool, ApiError> {
    match status {
        "active" => Ok(false),
        "suspended" => Ok(true),
        _ => {
            Err(ApiError::invalid("status", "`status` must be `active` or `suspended`; deleting is DELETE."))
        }
    }
}

fn shape(tenant: &tenora_adapter_store::Tenant) -> Tenant {
    Tenant {
        id: tenant.id.to_string(),
        object: "tenant",
        slug: tenant.slug.to_string(),
        name: tenant.name.to_string(),
        status: tenant.status.as_str(),
        limits: tenant.limits,
        created_at: tenant.created_at.unix_timestamp(),
    }
}
