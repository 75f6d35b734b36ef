//! `/v1/adapters`: upload, list, show, delete.

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload, Query},
};
use tenora_adapter_store::{AdapterName, StoreError, Version};

use super::{paging::paging, upload};
use crate::{
    app::{App, pinned},
    auth::Caller,
    error::{ApiError, ApiResult, ErrorEnvelope},
    scope,
    wire::{
        adapters::{Adapter, AdapterFromUpload, AdapterUpload, AdapterVersion, DeletedAdapter},
        list::{List, PageQuery},
    },
};

/// Uploads an adapter: a new name begins at version 1, a known one gets its next. Answers when it is routable.
#[utoipa::path(post, path = "/v1/adapters", tag = "adapters", security(("api_key" = [])),
    request_body(content((AdapterUpload = "multipart/form-data"), (AdapterFromUpload = "application/json"))),
    responses((status = 201, body = AdapterVersion), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create(
    caller: Caller<scope::AdaptersWrite>,
    request: HttpRequest,
    body: Payload,
    app: Data<App>,
) -> ApiResult {
    let tenant = app.store.tenant(caller.tenant().id);
    let form = upload::receive(&request, body, &tenant).await?;
    if !caller.identity().may_use(&form.name) {
        return Err(ApiError::model_not_found(form.name.as_str()));
    }
    let version = app.add_version(caller.tenant(), &form.name, form.staged, &caller.actor()).await?;
    if let Some(upload) = form.upload {
        tenant.uploads(caller.actor()).consume(upload).await;
    }
    tracing::info!(adapter = pinned(&version), digest = %version.digest, "Adapter version is routable");
    Ok(HttpResponse::Created().json(version_shape(&app, &version)))
}

/// The caller's adapters, by name.
#[utoipa::path(get, path = "/v1/adapters", tag = "adapters", security(("api_key" = [])), params(PageQuery),
    responses((status = 200, body = List<Adapter>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(caller: Caller<scope::AdaptersRead>, page: Query<PageQuery>, app: Data<App>) -> ApiResult {
    let paging = paging(page.into_inner())?;
    let page = app.store.tenant(caller.tenant().id).list_adapters(&paging).await?;
    let visible = page.items.iter().filter(|adapter| caller.identity().may_use(&adapter.name));
    let data = visible.map(|adapter| adapter_shape(&app, adapter)).collect();
    Ok(HttpResponse::Ok().json(List::page(data, page.has_more)))
}

/// One adapter with its versions.
#[utoipa::path(get, path = "/v1/adapters/{name}", tag = "adapters", security(("api_key" = [])),
    params(("name" = String, Path, description = "The adapter's name.")),
    responses((status = 200, body = Adapter), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(caller: Caller<scope::AdaptersRead>, path: Path<String>, app: Data<App>) -> ApiResult {
    let name = name(&caller, &path)?;
    let adapter = app.store.tenant(caller.tenant().id).adapter(&name).await;
    let adapter = adapter.map_err(|error| not_found(&name, error))?;
    Ok(HttpResponse::Ok().json(adapter_shape(&app, &adapter)))
}

/// Deletes an adapter with all its versions. A later upload under the same name goes on counting.
#[utoipa::path(delete, path = "/v1/adapters/{name}", tag = "adapters", security(("api_key" = [])),
    params(("name" = String, Path, description = "The adapter's name.")),
    responses((status = 200, body = DeletedAdapter), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn delete(caller: Caller<scope::AdaptersWrite>, path: Path<String>, app: Data<App>) -> ApiResult {
    let name = name(&caller, &path)?;
    let deleted = app.store.tenant(caller.tenant().id).delete_adapter(&name, &caller.actor()).await;
    deleted.map_err(|error| not_found(&name, error))?;
    Ok(HttpResponse::Ok().json(DeletedAdapter { id: name.to_string(), object: "adapter", deleted: true }))
}

/// A name that cannot exist, or that the credential may not use, is answered like one that does not exist.
fn name<S>(caller: &Caller<S>, text: &str) -> Result<AdapterName, ApiError> {
    let name = AdapterName::parse(text).ok().filter(|name| caller.identity().may_use(name));
    name.ok_or_else(|| ApiError::model_not_found(text))
}

fn not_found(name: &AdapterName, error: StoreError) -> ApiError {
    match error {
        StoreError::AdapterNotFound => ApiError::model_not_found(name.as_str()),
        other => other.into(),
    }
}

fn adapter_shape(app: &App, adapter: &tenora_adapter_store::Adapter) -> Adapter {
    Adapter {
        id: adapter.name.to_string(),
        object: "adapter",
        name: adapter.name.to_string(),
        created_at: adapter.created_at.unix_timestamp(),
        latest: adapter.versions.first().map_or(0, |version| version.number.get()),
        versions: adapter.versions.iter().map(|version| version_shape(app, version)).collect(),
    }
}

fn version_shape(app: &App, version: &Version) -> AdapterVersion {
    AdapterVersion {
        object: "adapter.version",
        name: version.adapter.to_string(),
        version: version.number.get(),
        model: pinned(version),
        digest: version.digest.to_string(),
        bytes: version.bytes,
        created_at: version.created_at.unix_timestamp(),
        routable: app.fits_base(version),
        report: version.report.clone(),
    }
}
