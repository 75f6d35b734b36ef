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
    let (code, readiness) = readiness(&app).await;
    Ok(HttpResponse::build(code).json(readiness))
}

/// Whether the process can serve, as a status and in words.
pub async fn readiness(app: &App) -> (StatusCode, Readiness) {
    let health = app.store.health().await;
    let (limits, metering) = app.admission.status();
    let checks = Checks {
        model: if app.admission.is_draining() { State::Stopping } else { State::Ok },
        database: state(health.database),
        blobs: state(health.blobs),
        redis: health.redis.map_or(State::Unused, state),
        limits: if matches!(limits, LimiterStatus::Fallback { .. }) { State::Degraded } else { State::Ok },
        metering: match (metering.accepting, metering.healthy) {
            (false, _) => State::Unreachable,
            (true, false) => State::Degraded,
            (true, true) => State::Ok,
        },
        telemetry: match app.delivers_telemetry() {
            None => State::Unused,
            Some(false) => State::Degraded,
            Some(true) => State::Ok,
        },
    };
    let needed = [checks.database, checks.metering];
    if checks.model == State::Stopping {
        (StatusCode::SERVICE_UNAVAILABLE, Readiness { status: State::Stopping, checks })
    } else if needed.contains(&State::Unreachable) {
        (StatusCode::SERVICE_UNAVAILABLE, Readiness { status: State::Unreachable, checks })
    } else if checks.all().iter().any(|state| matches!(state, State::Unreachable | State::Degraded)) {
        (StatusCode::OK, Readiness { status: State::Degraded, checks })
    } else {
        (StatusCode::OK, Readiness { status: State::Ok, checks })
    }
}

fn state(reachable: bool) -> State {
    if reachable { State::Ok } else { State::Unreachable }
}
