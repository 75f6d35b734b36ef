//! `/v1/adapters/{name}/aliases`: names that move between an adapter's versions.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use tenora_adapter_store::{AdapterName, AliasName, AliasStore, Rollback, Targets, VersionNumber};

use super::named::{any_name, name, not_found, tenant_of};
use crate::{
    app::App,
    auth::{Caller, Viewer},
    body::Json,
    error::{ApiError, ApiResult, ErrorEnvelope},
    scope,
    wire::{
        adapters::{Alias, AliasDetail, AliasMove, AliasRollback, AliasUpdate, DeletedAlias, Share},
        list::List,
    },
};

/// What the adapter's aliases name now.
#[utoipa::path(get, path = "/v1/adapters/{name}/aliases", tag = "adapters", security(("api_key" = [])),
    params(("name" = String, Path, description = "The adapter's name.")),
    responses((status = 200, body = List<Alias>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(caller: Caller<scope::AdaptersRead>, path: Path<String>, app: Data<App>) -> ApiResult {
    let name = name(&caller, &path)?;
    let aliases = store(&caller, &app).list(&name).await.map_err(|error| not_found(&name, error))?;
    Ok(HttpResponse::Ok().json(List::all(aliases.iter().map(shape).collect())))
}

/// What the aliases of a tenant's adapter name now, for the operator.
#[utoipa::path(get, path = "/admin/v1/tenants/{slug}/adapters/{name}/aliases", tag = "admin", security(("admin_key" = [])),
    params(("slug" = String, Path, description = "The tenant."), ("name" = String, Path, description = "The adapter's name.")),
    responses((status = 200, body = List<Alias>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list_of(viewer: Viewer, path: Path<(String, String)>, app: Data<App>) -> ApiResult {
    let (tenant, name) = (tenant_of(&app, &viewer, &path.0).await?, any_name(&path.1)?);
    let aliases = tenant.aliases(viewer.actor()).list(&name).await;
    let aliases = aliases.map_err(|error| not_found(&name, error))?;
    Ok(HttpResponse::Ok().json(List::all(aliases.iter().map(shape).collect())))
}

/// One alias with its history.
#[utoipa::path(get, path = "/v1/adapters/{name}/aliases/{alias}", tag = "adapters", security(("api_key" = [])),
    params(("name" = String, Path, description = "The adapter's name."), ("alias" = String, Path, description = "The alias.")),
    responses((status = 200, body = AliasDetail), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(
    caller: Caller<scope::AdaptersRead>,
    path: Path<(String, String)>,
    app: Data<App>,
) -> ApiResult {
    let (name, alias) = names(&caller, &path)?;
    let history = store(&caller, &app).history(&name, &alias).await;
    let history = history.map_err(|error| not_found(&name, error))?;
    let Some(now) = history.first() else { return Err(unknown(alias.as_str())) };
    let moves = history.iter().map(|was| AliasMove {
        revision: was.revision,
        targets: shares(was),
        moved_at: was.moved_at.unix_timestamp(),
        ended_at: was.ended_at.map(time::OffsetDateTime::unix_timestamp),
    });
    Ok(HttpResponse::Ok().json(AliasDetail { now: shape(now), history: moves.collect() }))
}

/// Makes an alias or moves it: to one version, or shared by several. Running answers keep the version that they began with.
#[utoipa::path(put, path = "/v1/adapters/{name}/aliases/{alias}", tag = "adapters", security(("api_key" = [])), request_body = AliasUpdate,
    params(("name" = String, Path, description = "The adapter's name."),
        ("alias" = String, Path, description = "The alias: `^[a-z][a-z0-9._-]{0,31}$`.")),
    responses((status = 200, body = Alias), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn put(
    caller: Caller<scope::AdaptersWrite>,
    path: Path<(String, String)>,
    body: Json<AliasUpdate>,
    app: Data<App>,
) -> ApiResult {
    let name = name(&caller, &path.0)?;
    let alias = AliasName::parse(&path.1).map_err(|error| ApiError::unparsable("alias", &error))?;
    let moved = store(&caller, &app).put(&name, &alias, targets(&body.0)?, body.0.expected_revision).await;
    Ok(HttpResponse::Ok().json(shape(&moved.map_err(|error| not_found(&name, error))?)))
}

/// Moves an alias back: to what it named before its last move, or at a revision of its history.
#[utoipa::path(post, path = "/v1/adapters/{name}/aliases/{alias}/rollback", tag = "adapters", security(("api_key" = [])), request_body = AliasRollback,
    params(("name" = String, Path, description = "The adapter's name."), ("alias" = String, Path, description = "The alias.")),
    responses((status = 200, body = Alias), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn roll_back(
    caller: Caller<scope::AdaptersWrite>,
    path: Path<(String, String)>,
    body: Json<AliasRollback>,
    app: Data<App>,
) -> ApiResult {
    let (name, alias) = names(&caller, &path)?;
    let rollback = Rollback { to_revision: body.0.to_revision, expected: body.0.expected_revision };
    let moved = store(&caller, &app).roll_back(&name, &alias, rollback).await;
    Ok(HttpResponse::Ok().json(shape(&moved.map_err(|error| not_found(&name, error))?)))
}

/// Removes an alias; `latest` stays.
#[utoipa::path(delete, path = "/v1/adapters/{name}/aliases/{alias}", tag = "adapters", security(("api_key" = [])),
    params(("name" = String, Path, description = "The adapter's name."), ("alias" = String, Path, description = "The alias.")),
    responses((status = 200, body = DeletedAlias), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn delete(
    caller: Caller<scope::AdaptersWrite>,
    path: Path<(String, String)>,
    app: Data<App>,
) -> ApiResult {
    let (name, alias) = names(&caller, &path)?;
    let removed = store(&caller, &app).remove(&name, &alias, None).await;
    removed.map_err(|error| not_found(&name, error))?;
    let id = format!("{name}@{alias}");
    Ok(HttpResponse::Ok().json(DeletedAlias { id, object: "adapter.alias", deleted: true }))
}

/// The alias in words for its owner.
pub(super) fn shape(alias: &tenora_adapter_store::Alias) -> Alias {
    Alias {
        object: "adapter.alias",
        name: alias.adapter.to_string(),
        alias: alias.name.to_string(),
        model: format!("{}@{}", alias.adapter, alias.name),
        revision: alias.revision,
        targets: shares(alias),
        moved_at: alias.moved_at.unix_timestamp(),
    }
}

fn shares(alias: &tenora_adapter_store::Alias) -> Vec<Share> {
    let share =
        |share: &tenora_adapter_store::Share| Share { version: share.version.get(), weight: share.weight };
    alias.targets.shares().iter().map(share).collect()
}

fn targets(update: &AliasUpdate) -> Result<Targets, ApiError> {
    let shares = match (update.version, &update.targets) {
        (Some(version), None) => vec![Share { version, weight: 1 }],
        (None, Some(shares)) => shares.clone(),
        _ => return Err(ApiError::invalid("targets", "Say either `version` or `targets`.")),
    };
    let share = |share: &Share| {
        let version = VersionNumber::try_from(i64::from(share.version))?;
        Ok(tenora_adapter_store::Share { version, weight: share.weight })
    };
    let shares: Result<Vec<_>, _> = shares.iter().map(share).collect();
    shares.and_then(Targets::try_from).map_err(|error| ApiError::unparsable("targets", &error))
}

fn store<S>(caller: &Caller<S>, app: &App) -> AliasStore {
    app.store.tenant(caller.tenant().id).aliases(caller.actor())
}

/// An alias that cannot exist is answered like one that does not.
fn names<S>(caller: &Caller<S>, path: &(String, String)) -> Result<(AdapterName, AliasName), ApiError> {
    let name = name(caller, &path.0)?;
    Ok((name, AliasName::parse(&path.1).map_err(|_| unknown(&path.1))?))
}

fn unknown(alias: &str) -> ApiError {
    ApiError::AliasNotFound { alias: ApiError::echo(alias) }
}
