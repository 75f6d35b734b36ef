//! `GET /v1/models`: the base model and the caller's own adapters.

use actix_web::{
    HttpResponse,
    web::{Data, Path},
};
use tenora_adapter_store::{Adapter, Paging, Wanted};

use crate::{
    app::App,
    auth::Caller,
    error::{ApiResult, ErrorEnvelope},
    scope,
    wire::{list::List, models::Model},
};

/// What the caller can send as `model`.
#[utoipa::path(get, path = "/v1/models", tag = "models", security(("api_key" = [])),
    responses((status = 200, body = List<Model>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(caller: Caller<scope::ModelsRead>, app: Data<App>) -> ApiResult {
    let tenant = app.store.tenant(caller.tenant().id);
    let mut models = vec![base(&app)];
    let mut paging = Paging::first();
    loop {
        let page = tenant.list_adapters(&Wanted::default(), &paging).await?;
        paging.after = page.items.last().map(|adapter| adapter.name.clone());
        let visible = page.items.iter().filter(|adapter| caller.identity().may_use(&adapter.name));
        models.extend(visible.map(|adapter| adapter_model(&app, &caller, adapter)));
        if !page.has_more {
            return Ok(HttpResponse::Ok().json(List::all(models)));
        }
    }
}

/// One model: the base, an adapter, or one version of it.
#[utoipa::path(get, path = "/v1/models/{model}", tag = "models", security(("api_key" = [])),
    params(("model" = String, Path, description = "The base model's id, `name`, `name@7` or `name@prod`.")),
    responses((status = 200, body = Model), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(caller: Caller<scope::ModelsRead>, model: Path<String>, app: Data<App>) -> ApiResult {
    if *model == app.base().id {
        return Ok(HttpResponse::Ok().json(base(&app)));
    }
    let version = app.resolve_version(&caller, &model, None).await?;
    let id = model.into_inner();
    let created = version.created_at.unix_timestamp();
    Ok(HttpResponse::Ok().json(on_base(&app, &caller, id, created)))
}

fn base(app: &App) -> Model {
    Model {
        id: app.base().id.clone(),
        object: "model",
        created: app.started_at,
        owned_by: "tenora".into(),
        parent: None,
        max_model_len: app.base().context_length,
    }
}

fn adapter_model<S>(app: &App, caller: &Caller<S>, adapter: &Adapter) -> Model {
    on_base(app, caller, adapter.name.to_string(), adapter.created_at.unix_timestamp())
}

fn on_base<S>(app: &App, caller: &Caller<S>, id: String, created: i64) -> Model {
    Model {
        id,
        object: "model",
        created,
        owned_by: caller.tenant().slug.to_string(),
        parent: Some(app.base().id.clone()),
        max_model_len: app.base().context_length,
    }
}
