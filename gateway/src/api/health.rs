//! Whether the process lives, whether it can serve, and what this is.

use actix_web::{HttpResponse, web::Data};
use serde_json::json;

use crate::{
    app::App,
    error::ApiResult,
    guard::Unproven,
    readiness,
    wire::health::{Health, Readiness, State},
};

/// What this is and where to go.
#[utoipa::path(get, path = "/", tag = "server", responses((status = 200, description = "What this is and where to go.")))]
pub async fn about(_: Unproven) -> ApiResult {
    Ok(HttpResponse::Ok().json(json!({
        "name": "tenora",
        "version": env!("CARGO_PKG_VERSION"),
        "about": "Many tenants' LoRA adapters on one resident base model, behind the OpenAI API.",
        "api": "/v1",
        "openapi": "/openapi.json",
        "docs": "/docs",
        "ready": "/readyz",
    })))
}

/// The process lives.
#[utoipa::path(get, path = "/healthz", tag = "server", responses((status = 200, body = Health)))]
pub async fn alive(_: Unproven) -> ApiResult {
    Ok(HttpResponse::Ok().json(Health { status: State::Ok }))
}

/// The process can serve, and what is degraded: without its cache it serves, more slowly; without its database only what
/// it knows, for as long as `TENORA_OUTAGE_GRACE_S` says.
#[utoipa::path(get, path = "/readyz", tag = "server",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn ready(_: Unproven, app: Data<App>) -> ApiResult {
    let (code, readiness) = readiness::of(&app).await;
    Ok(HttpResponse::build(code).json(readiness))
}
