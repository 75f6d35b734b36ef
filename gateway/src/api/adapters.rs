//! `/v1/adapters`: push, list, show, delete.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::LOCATION,
    web::{Data, Path, Payload, Query},
};
use tenora_adapter_store::{AdapterName, Paging, VersionRecord, Wanted};
use tracing::{Instrument, info_span};

use super::{
    aliases,
    named::{name, not_found, tenant_of},
    paging::paging,
    pushes, upload,
};
use crate::{
    app::{App, pinned},
    auth::{Caller, Viewer},
    body,
    error::{ApiError, ApiResult, ErrorEnvelope},
    push::{Candidate, Pushing},
    scope,
    wire::{
        adapters::{
            Adapter, AdapterFromUpload, AdapterUpload, AdapterVersion, AdaptersQuery, DeletedAdapter,
            PushQuery,
        },
        list::{List, PageQuery},
        pushes::Push,
    },
};

/// Uploads an adapter: a new name begins at version 1, a known one gets its next. Answers when it is routable, or with
/// `wait=false` as soon as its bytes are here.
#[utoipa::path(post, path = "/v1/adapters", tag = "adapters", security(("api_key" = [])), params(PushQuery),
    request_body(content((AdapterUpload = "multipart/form-data"), (AdapterFromUpload = "application/json"))),
    responses((status = 201, body = AdapterVersion), (status = 202, body = Push), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create(
    caller: Caller<scope::AdaptersWrite>,
    request: HttpRequest,
    payload: Payload,
    app: Data<App>,
) -> ApiResult {
    let how = Query::<PushQuery>::from_query(request.query_string());
    let how = how.map_err(|error| body::invalid("query", &error))?.into_inner();
    let place = app.place_for_push()?;
    let tenant = app.store.tenant(caller.tenant().id);
    let form = upload::receive(&request, payload, &tenant).instrument(info_span!("receive")).await?;
    if !caller.identity().may_use(&form.name) {
        return Err(ApiError::model_not_found(form.name.as_str()));
    }
    let candidate = Candidate {
        owner: caller.tenant().clone(),
        actor: caller.actor(),
        name: form.name,
        staged: Arc::new(form.staged),
        upload: form.upload,
        moves_latest: how.latest.unwrap_or(true),
    };
    let pushing = Pushing::begin(app.clone().into_inner(), candidate, place).await?;
    if !how.wait.unwrap_or(true) {
        let push = pushes::shape(&pushing.push);
        let location = format!("/v1/pushes/{}", push.id);
        return Ok(HttpResponse::Accepted().insert_header((LOCATION, location)).json(push));
    }
    Ok(HttpResponse::Created().json(version_shape(&app, &pushing.end().await?)))
}

/// The caller's adapters, by name unless another order is asked for.
#[utoipa::path(get, path = "/v1/adapters", tag = "adapters", security(("api_key" = [])), params(AdaptersQuery),
    responses((status = 200, body = List<Adapter>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(
    caller: Caller<scope::AdaptersRead>,
    query: Query<AdaptersQuery>,
    app: Data<App>,
) -> ApiResult {
    let (wanted, paging) = wanted(query.into_inner())?;
    let page = app.store.tenant(caller.tenant().id).list_adapters(&wanted, &paging).await?;
    let visible = page.items.iter().filter(|adapter| caller.identity().may_use(&adapter.name));
    let data = visible.map(|adapter| adapter_shape(&app, adapter)).collect();
    Ok(HttpResponse::Ok().json(List::page(data, page.has_more)))
}

/// A tenant's adapters, for the operator.
#[utoipa::path(get, path = "/admin/v1/tenants/{slug}/adapters", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant."), AdaptersQuery),
    responses((status = 200, body = List<Adapter>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list_of(
    viewer: Viewer,
    path: Path<String>,
    query: Query<AdaptersQuery>,
    app: Data<App>,
) -> ApiResult {
    let (wanted, paging) = wanted(query.into_inner())?;
    let page = tenant_of(&app, &viewer, &path).await?.list_adapters(&wanted, &paging).await?;
    let data = page.items.iter().map(|adapter| adapter_shape(&app, adapter)).collect();
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

fn wanted(query: AdaptersQuery) -> Result<(Wanted, Paging<AdapterName>), ApiError> {
    let AdaptersQuery { after, limit, q, order } = query;
    let wanted = Wanted { contains: q.unwrap_or_default(), order: order.map(Into::into).unwrap_or_default() };
    Ok((wanted, paging(PageQuery { after, limit })?))
}

fn adapter_shape(app: &App, adapter: &tenora_adapter_store::Adapter) -> Adapter {
    let latest = adapter.aliases.iter().find(|alias| alias.name.is_latest());
    let latest = latest.and_then(|alias| alias.targets.shares().first());
    Adapter {
        id: adapter.name.to_string(),
        object: "adapter",
        name: adapter.name.to_string(),
        created_at: adapter.created_at.unix_timestamp(),
        latest: latest.map_or(0, |share| share.version.get()),
        aliases: adapter.aliases.iter().map(aliases::shape).collect(),
        versions: adapter.versions.iter().map(|record| version_shape(app, record)).collect(),
    }
}

/// The version in words for its owner.
pub(super) fn version_shape(app: &App, record: &VersionRecord) -> AdapterVersion {
    let VersionRecord { version, report } = record;
    AdapterVersion {
        object: "adapter.version",
        name: version.adapter.to_string(),
        version: version.number.get(),
        model: pinned(version),
        digest: version.digest.to_string(),
        bytes: version.bytes,
        created_at: version.created_at.unix_timestamp(),
        status: if version.disabled.is_none() { "ready" } else { "disabled" },
        disabled_reason: version.disabled.as_ref().map(ToString::to_string),
        routable: version.disabled.is_none() && app.fits_base(version),
        report: report.clone(),
    }
}
