//! `/v1/keys` and `/admin/v1/tenants/{slug}/keys`: a tenant makes, lists, rotates and revokes its keys, or the operator does.

mod checked;

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use secrecy::ExposeSecret;
use tenora_adapter_store::{KeyId, KeyInfo, KeyStore, TenantSlug};
use time::OffsetDateTime;

use self::checked::{Giver, end_of_grace, new_key};
use super::tenants::{not_found, slug};
use crate::{
    app::App,
    auth::{Admin, Caller, Viewer},
    body::Json,
    error::{ApiError, ApiResult, ErrorEnvelope},
    scope,
    wire::{
        list::List,
        tenants::{CreatedKey, DeletedKey, Key, NewKey, Rotation},
    },
};

/// Makes a key that may do no more than the one that asks; the answer is the only place where its secret is shown.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", security(("api_key" = [])), request_body = NewKey,
    responses((status = 201, body = CreatedKey), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create(caller: Caller<scope::KeysWrite>, body: Json<NewKey>, app: Data<App>) -> ApiResult {
    let new = new_key(body.0, &Giver::Tenant(caller.identity()))?;
    created(own(&caller, &app).create(new).await?)
}

/// The tenant's keys, without their secrets.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", security(("api_key" = [])),
    responses((status = 200, body = List<Key>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(caller: Caller<scope::KeysWrite>, app: Data<App>) -> ApiResult {
    listed(&own(&caller, &app)).await
}

/// Revokes a key of the tenant, everywhere within a second; answers that are being generated for it end too.
#[utoipa::path(delete, path = "/v1/keys/{id}", tag = "keys", security(("api_key" = [])),
    params(("id" = String, Path, description = "The key's id.")),
    responses((status = 200, body = DeletedKey), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn revoke(caller: Caller<scope::KeysWrite>, path: Path<String>, app: Data<App>) -> ApiResult {
    revoked(&own(&caller, &app), &path).await
}

/// Replaces a key by a new one that may do the same; the old one may go on working for a while.
#[utoipa::path(post, path = "/v1/keys/{id}/rotate", tag = "keys", security(("api_key" = [])),
    params(("id" = String, Path, description = "The key's id.")), request_body = Rotation,
    responses((status = 201, body = CreatedKey), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn rotate(
    caller: Caller<scope::KeysWrite>,
    path: Path<String>,
    body: Json<Rotation>,
    app: Data<App>,
) -> ApiResult {
    let (keys, id) = (own(&caller, &app), id(&path)?);
    Giver::Tenant(caller.identity()).may_give(&keys.show(id).await?)?;
    created(keys.rotate(id, end_of_grace(&body.0)?).await?)
}

/// Makes a key; the answer is the only place where its secret is shown.
#[utoipa::path(post, path = "/admin/v1/tenants/{slug}/keys", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant.")), request_body = NewKey,
    responses((status = 201, body = CreatedKey), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create_for(admin: Admin, path: Path<String>, body: Json<NewKey>, app: Data<App>) -> ApiResult {
    let new = new_key(body.0, &Giver::Operator)?;
    let slug = slug(&path)?;
    let made = keys_of(&app, admin.actor(), &slug).await?.create(new).await;
    created(made.map_err(|error| not_found(&slug, error))?)
}

/// A tenant's keys, without their secrets.
#[utoipa::path(get, path = "/admin/v1/tenants/{slug}/keys", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant.")),
    responses((status = 200, body = List<Key>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list_of(viewer: Viewer, path: Path<String>, app: Data<App>) -> ApiResult {
    listed(&keys_of(&app, viewer.actor(), &slug(&path)?).await?).await
}

/// Revokes a key, everywhere within a second; answers that are being generated for it end too.
#[utoipa::path(delete, path = "/admin/v1/tenants/{slug}/keys/{id}", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant."), ("id" = String, Path, description = "The key's id.")),
    responses((status = 200, body = DeletedKey), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn revoke_of(admin: Admin, path: Path<(String, String)>, app: Data<App>) -> ApiResult {
    let (tenant, id) = path.into_inner();
    revoked(&keys_of(&app, admin.actor(), &slug(&tenant)?).await?, &id).await
}

/// Replaces a key by a new one that may do the same; the old one may go on working for a while.
#[utoipa::path(post, path = "/admin/v1/tenants/{slug}/keys/{id}/rotate", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant."), ("id" = String, Path, description = "The key's id.")),
    request_body = Rotation,
    responses((status = 201, body = CreatedKey), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn rotate_of(
    admin: Admin,
    path: Path<(String, String)>,
    body: Json<Rotation>,
    app: Data<App>,
) -> ApiResult {
    let (tenant, key) = path.into_inner();
    let keys = keys_of(&app, admin.actor(), &slug(&tenant)?).await?;
    created(keys.rotate(id(&key)?, end_of_grace(&body.0)?).await?)
}

fn own(caller: &Caller<scope::KeysWrite>, app: &App) -> KeyStore {
    app.store.tenant(caller.tenant().id).keys(caller.actor())
}

async fn keys_of(
    app: &App,
    actor: tenora_adapter_store::Actor,
    slug: &TenantSlug,
) -> Result<KeyStore, ApiError> {
    app.store.operator(actor).keys(slug).await.map_err(|error| not_found(slug, error))
}

fn created(created: tenora_adapter_store::CreatedKey) -> ApiResult {
    let key = created.key.expose_secret().to_owned();
    Ok(HttpResponse::Created().json(CreatedKey { record: shape(&created.info), key }))
}

async fn listed(keys: &KeyStore) -> ApiResult {
    Ok(HttpResponse::Ok().json(List::all(keys.list().await?.iter().map(shape).collect())))
}

async fn revoked(keys: &KeyStore, key: &str) -> ApiResult {
    keys.revoke(id(key)?).await?;
    Ok(HttpResponse::Ok().json(DeletedKey { id: key.to_owned(), object: "api_key", deleted: true }))
}

/// An id that cannot exist is answered like one that does not.
fn id(text: &str) -> Result<KeyId, ApiError> {
    KeyId::parse(text).map_err(|_| ApiError::KeyNotFound)
}

fn shape(key: &KeyInfo) -> Key {
    Key {
        id: key.id.to_string(),
        object: "api_key",
        name: key.name.to_string(),
        scopes: key.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        adapters: key.adapters.as_ref().map(|names| names.iter().map(ToString::to_string).collect()),
        limits: key.limits,
        created_at: key.created_at.unix_timestamp(),
        last_used_at: key.last_used_at.map(OffsetDateTime::unix_timestamp),
        expires_at: key.expires_at.map(OffsetDateTime::unix_timestamp),
        revoked_at: key.revoked_at.map(OffsetDateTime::unix_timestamp),
    }
}
