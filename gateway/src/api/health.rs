//! Whether the process lives, whether it can serve, and what this is.

use actix_web::{HttpResponse, http::StatusCode, web::Data};
use serde_json::json;

use crate::{
    app::App,
    error::ApiResult,
    guard::Unproven,
    limits::LimiterStatus,
    wire::health::{Checks, Health, Readiness, State},
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

/// The process can serve, and what is degraded: without its cache it serves, more slowly; without its database not.
#[utoipa::path(get, path = "/readyz", tag = "server",
    responses((status = 200, body = Readiness), (status = 503, body = Readiness)))]
pub async fn ready(_: Unproven, app: Data<App>) -> ApiResult {
    let health = app.store.health().await;
    let (limits, metering) = app.admission.status();
    let checks = Checks {
        model: if app.admission.is_draining() { State::Stopping } else { State::Ok },
        database: state(health.database),
        redis: health.redis.map_or(State::Unused, state),
        limits: if matches!(limits, LimiterStatus::Fallback { .. }) { State::Degraded } else { State::Ok },
        metering: match (metering.accepting, metering.healthy) {
            (false, _) => State::Unreachable,
            (true, false) => State::Degraded,
            (true, true) => State::Ok,
        },
    };
    let all = [checks.model, checks.database, checks.redis, checks.limits, checks.metering];
    let needed = [checks.database, checks.metering];
    let (status, code) = if checks.model == State::Stopping {
        (State::Stopping, StatusCode::SERVICE_UNAVAILABLE)
    } else if needed.contains(&State::Unreachable) {
        (State::Unreachable, StatusCode::SERVICE_UNAVAILABLE)
    } else if all.iter().any(|state| matches!(state, State::Unreachable | State::Degraded)) {
        (State::Degraded, StatusCode::OK)
    } else {
        (State::Ok, StatusCode::OK)
    };
    Ok(HttpResponse::build(code).json(Readiness { status, checks }))
}

fn state(reachable: bool) -> State {
    if reachable { State::Ok } else { State::Unreachable }
}
