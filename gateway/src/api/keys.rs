//! `/admin/v1/tenants/{slug}/keys`: the operator makes, lists and revokes tenants' keys.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use secrecy::ExposeSecret;
use tenora_adapter_store::{KeyId, KeyInfo, Scope, ScopeSet, StoreError, TenantSlug};
use time::OffsetDateTime;

use super::tenants::checked_name;
use crate::{
    app::App,
    auth::Admin,
    body::Json,
    error::{ApiError, ApiResult, ErrorEnvelope},
    wire::{
        list::List,
        tenants::{CreatedKey, DeletedKey, Key, NewKey},
    },
};

/// Makes a key; the answer is the only place where its secret is shown.
#[utoipa::path(post, path = "/admin/v1/tenants/{slug}/keys", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant.")), request_body = NewKey,
    responses((status = 201, body = CreatedKey), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create(admin: Admin, path: Path<String>, body: Json<NewKey>, app: Data<App>) -> ApiResult {
    let slug = slug(&path)?;
    let new = checked(body.0)?;
    let created = app.store.operator(admin.actor()).create_key(&slug, new).await;
    let created = created.map_err(|error| not_found(&slug, error))?;
    let key = created.key.expose_secret().to_owned();
    Ok(HttpResponse::Created().json(CreatedKey { record: created_shape(&created), key }))
}

/// A tenant's keys, without their secrets.
#[utoipa::path(get, path = "/admin/v1/tenants/{slug}/keys", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant.")),
    responses((status = 200, body = List<Key>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(admin: Admin, path: Path<String>, app: Data<App>) -> ApiResult {
    let slug = slug(&path)?;
    let keys = app.store.operator(admin.actor()).list_keys(&slug).await;
    let keys = keys.map_err(|error| not_found(&slug, error))?;
    Ok(HttpResponse::Ok().json(List::all(keys.iter().map(shape).collect())))
}

/// Revokes a key.
#[utoipa::path(delete, path = "/admin/v1/tenants/{slug}/keys/{id}", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant."), ("id" = String, Path, description = "The key's id.")),
    responses((status = 200, body = DeletedKey), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn revoke(admin: Admin, path: Path<(String, String)>, app: Data<App>) -> ApiResult {
    let (slug_text, id) = path.into_inner();
    let slug = slug(&slug_text)?;
    let key = KeyId::parse(&id).map_err(|_| ApiError::KeyNotFound)?;
    let revoked = app.store.operator(admin.actor()).revoke_key(&slug, key).await;
    revoked.map_err(|error| not_found(&slug, error))?;
    Ok(HttpResponse::Ok().json(DeletedKey { id, object: "api_key", deleted: true }))
}

/// A slug that cannot exist is answered like one that does not.
fn slug(text: &str) -> Result<TenantSlug, ApiError> {
    TenantSlug::parse(text).map_err(|_| ApiError::TenantNotFound { slug: ApiError::echo(text) })
}

fn not_found(slug: &TenantSlug, error: StoreError) -> ApiError {
    match error {
        StoreError::TenantNotFound => ApiError::TenantNotFound { slug: slug.to_string() },
        other => other.into(),
    }
}

fn checked(new: NewKey) -> Result<tenora_adapter_store::NewKey, ApiError> {
    let name = checked_name(&new.name)?;
    let scopes = new.scopes.map_or(Ok(Scope::DEFAULT), |scopes| parse_scopes(&scopes))?;
    let expires_at = new.expires_at.map(future).transpose()?;
    Ok(tenora_adapter_store::NewKey { name, scopes, expires_at })
}

fn parse_scopes(scopes: &[String]) -> Result<ScopeSet, ApiError> {
    if scopes.is_empty() {
        return Err(ApiError::invalid("scopes", "`scopes` is empty; leave it out for the usual ones."));
    }
    let parse = |(index, text): (usize, &String)| {
        text.parse::<Scope>().map_err(|error| {
            ApiError::invalid(format!("scopes[{index}]"), format!("{}.", ApiError::echo(&error.to_string())))
        })
    };
    scopes.iter().enumerate().map(parse).collect()
}

fn future(unix_s: i64) -> Result<OffsetDateTime, ApiError> {
    OffsetDateTime::from_unix_timestamp(unix_s).ok().filter(|at| *at > OffsetDateTime::now_utc()).ok_or_else(
        || ApiError::invalid("expires_at", "`expires_at` must be a time to come, in Unix seconds."),
    )
}

fn shape(key: &KeyInfo) -> Key {
    Key {
        id: key.id.to_string(),
        object: "api_key",
        name: key.name.to_string(),
        scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        created_at: key.created_at.unix_timestamp(),
        expires_at: key.expires_at.map(OffsetDateTime::unix_timestamp),
        revoked_at: key.revoked_at.map(OffsetDateTime::unix_timestamp),
    }
}

fn created_shape(key: &tenora_adapter_store::CreatedKey) -> Key {
    shape(&KeyInfo {
        id: key.id,
        name: key.name.clone(),
        scopes: key.scopes,
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: None,
    })
}
