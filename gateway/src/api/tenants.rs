//! `/admin/v1/tenants`: the operator makes and lists tenants.

use actix_web::{
    HttpResponse,
    web::{Data, Query},
};
use tenora_adapter_store::{DisplayName, StoreError, TenantSlug};

use super::paging::paging;
use crate::{
    app::App,
    auth::Admin,
    body::Json,
    error::{ApiError, ApiResult, ErrorEnvelope},
    wire::{
        list::{List, PageQuery},
        tenants::{NewTenant, Tenant},
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

/// The tenants, by slug.
#[utoipa::path(get, path = "/admin/v1/tenants", tag = "admin", security(("admin_key" = [])), params(PageQuery),
    responses((status = 200, body = List<Tenant>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(admin: Admin, page: Query<PageQuery>, app: Data<App>) -> ApiResult {
    let paging = paging(page.into_inner())?;
    let tenants = app.store.operator(admin.actor()).list_tenants(&paging).await?;
    let data = tenants.items.iter().map(shape).collect();
    Ok(HttpResponse::Ok().json(List::page(data, tenants.has_more)))
}

/// A name for people.
pub(super) fn checked_name(name: &str) -> Result<DisplayName, ApiError> {
    DisplayName::parse(name).map_err(|error| ApiError::unparsable("name", &error))
}

fn shape(tenant: &tenora_adapter_store::Tenant) -> Tenant {
    Tenant {
        id: tenant.id.to_string(),
        object: "tenant",
        slug: tenant.slug.to_string(),
        name: tenant.name.to_string(),
        created_at: tenant.created_at.unix_timestamp(),
    }
}
