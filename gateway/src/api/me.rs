//! `GET /v1/me`.

use actix_web::{HttpResponse, web::Data};
use tenora_adapter_store::Credential;

use crate::{
    app::App,
    auth::Caller,
    error::{ApiResult, ErrorEnvelope},
    scope,
    wire::me::Me,
};

/// Whom the presented credential speaks for, and what it may do.
#[utoipa::path(get, path = "/v1/me", tag = "keys", security(("api_key" = [])),
    responses((status = 200, body = Me), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(caller: Caller<scope::Member>, app: Data<App>) -> ApiResult {
    let identity = caller.identity();
    let (credential, key_id, subject) = match identity.credential() {
        Credential::Key(id) => ("api_key", Some(id.to_string()), None),
        Credential::Subject(subject) => ("token", None, Some(subject.to_string())),
    };
    Ok(HttpResponse::Ok().json(Me {
        object: "me",
        tenant: caller.tenant().slug.to_string(),
        tenant_name: caller.tenant().name.to_string(),
        credential,
        key_id,
        subject,
        scopes: identity.scopes().iter().map(|scope| scope.as_str().to_owned()).collect(),
        adapters: identity.adapters().map(|names| names.iter().map(ToString::to_string).collect()),
        base_model: app.base().id.clone(),
    }))
}
