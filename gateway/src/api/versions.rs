//! `/v1/adapters/{name}/versions`: an adapter's immutable versions, one by one.

use actix_web::{
    HttpResponse,
    web::{Data, Path, Query},
};
use tenora_adapter_store::{AdapterName, Reason, StoreError, VersionNumber, VersionStore};

use super::{
    adapters::version_shape,
    named::{any_name, name, not_found, tenant_of},
    paging::paging,
};
use crate::{
    app::App,
    auth::{Caller, Viewer},
    body::Json,
    error::{ApiError, ApiResult, ErrorEnvelope},
    scope,
    wire::{
        adapters::{AdapterVersion, DeletedVersion, VersionUpdate},
        list::{List, PageQuery},
    },
};

/// The adapter's versions, newest first.
#[utoipa::path(get, path = "/v1/adapters/{name}/versions", tag = "adapters", security(("api_key" = [])),
    params(("name" = String, Path, description = "The adapter's name."), PageQuery),
    responses((status = 200, body = List<AdapterVersion>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(
    caller: Caller<scope::AdaptersRead>,
    path: Path<String>,
    page: Query<PageQuery>,
    app: Data<App>,
) -> ApiResult {
    let name = name(&caller, &path)?;
    let page = store(&caller, &app).list(&name, &paging(page.into_inner())?).await;
    let page = page.map_err(|error| not_found(&name, error))?;
    let data = page.items.iter().map(|record| version_shape(&app, record)).collect();
    Ok(HttpResponse::Ok().json(List::page(data, page.has_more)))
}

/// The versions of a tenant's adapter, newest first, for the operator.
#[utoipa::path(get, path = "/admin/v1/tenants/{slug}/adapters/{name}/versions", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant."), ("name" = String, Path, description = "The adapter's name."), PageQuery),
    responses((status = 200, body = List<AdapterVersion>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list_of(
    viewer: Viewer,
    path: Path<(String, String)>,
    page: Query<PageQuery>,
    app: Data<App>,
) -> ApiResult {
    let (tenant, name) = (tenant_of(&app, &viewer, &path.0).await?, any_name(&path.1)?);
    let page = tenant.versions(viewer.actor()).list(&name, &paging(page.into_inner())?).await;
    let page = page.map_err(|error| not_found(&name, error))?;
    let data = page.items.iter().map(|record| version_shape(&app, record)).collect();
    Ok(HttpResponse::Ok().json(List::page(data, page.has_more)))
}

/// One version with its report.
#[utoipa::path(get, path = "/v1/adapters/{name}/versions/{version}", tag = "adapters", security(("api_key" = [])),
    params(("name" = String, Path, description = "The adapter's name."), ("version" = String, Path, description = "The version's number.")),
    responses((status = 200, body = AdapterVersion), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(
    caller: Caller<scope::AdaptersRead>,
    path: Path<(String, String)>,
    app: Data<App>,
) -> ApiResult {
    let (name, number) = names(&caller, &path)?;
    let record = store(&caller, &app).show(&name, number).await;
    let record = record.map_err(|error| unknown(&name, number, error))?;
    Ok(HttpResponse::Ok().json(version_shape(&app, &record)))
}

/// Takes a version out of service, whatever names it, or puts it back. Answers that are being generated go on.
#[utoipa::path(patch, path = "/v1/adapters/{name}/versions/{version}", tag = "adapters", security(("api_key" = [])), request_body = VersionUpdate,
    params(("name" = String, Path, description = "The adapter's name."), ("version" = String, Path, description = "The version's number.")),
    responses((status = 200, body = AdapterVersion), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn update(
    caller: Caller<scope::AdaptersWrite>,
    path: Path<(String, String)>,
    body: Json<VersionUpdate>,
    app: Data<App>,
) -> ApiResult {
    let (name, number) = names(&caller, &path)?;
    let record = store(&caller, &app).disable(&name, number, reason(&body.0)?).await;
    let record = record.map_err(|error| unknown(&name, number, error))?;
    Ok(HttpResponse::Ok().json(version_shape(&app, &record)))
}

/// Deletes a version that no alias names. Its number is never given again.
#[utoipa::path(delete, path = "/v1/adapters/{name}/versions/{version}", tag = "adapters", security(("api_key" = [])),
    params(("name" = String, Path, description = "The adapter's name."), ("version" = String, Path, description = "The version's number.")),
    responses((status = 200, body = DeletedVersion), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn delete(
    caller: Caller<scope::AdaptersWrite>,
    path: Path<(String, String)>,
    app: Data<App>,
) -> ApiResult {
    let (name, number) = names(&caller, &path)?;
    let deleted = store(&caller, &app).delete(&name, number).await;
    deleted.map_err(|error| unknown(&name, number, error))?;
    let id = format!("{name}@{number}");
    Ok(HttpResponse::Ok().json(DeletedVersion { id, object: "adapter.version", deleted: true }))
}

fn reason(update: &VersionUpdate) -> Result<Option<Reason>, ApiError> {
    match (update.status.as_str(), &update.reason) {
        ("ready", None) => Ok(None),
        ("ready", Some(_)) => Err(ApiError::invalid("reason", "`reason` goes with the status `disabled`.")),
        ("disabled", reason) => {
            let reason = reason.as_deref().unwrap_or("by its owner");
            Reason::parse(reason).map(Some).map_err(|error| ApiError::unparsable("reason", &error))
        }
        _ => Err(ApiError::invalid("status", "`status` must be `ready` or `disabled`.")),
    }
}

fn store<S>(caller: &Caller<S>, app: &App) -> VersionStore {
    app.store.tenant(caller.tenant().id).versions(caller.actor())
}

/// A number that cannot exist is answered like one that does not.
fn names<S>(caller: &Caller<S>, path: &(String, String)) -> Result<(AdapterName, VersionNumber), ApiError> {
    let name = name(caller, &path.0)?;
    let number = VersionNumber::parse(&path.1);
    let number = number.map_err(|_| ApiError::model_not_found(&format!("{name}@{}", path.1)))?;
    Ok((name, number))
}

fn unknown(name: &AdapterName, number: VersionNumber, error: StoreError) -> ApiError {
    match error {
        StoreError::AdapterNotFound => ApiError::model_not_found(&format!("{name}@{number}")),
        other => other.into(),
    }
}
