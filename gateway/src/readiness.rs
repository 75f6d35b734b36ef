//! Whether this server should be sent requests, and what is degraded.

use actix_web::http::StatusCode;

use crate::{
    app::App,
    limits::LimiterStatus,
    wire::health::{Checks, Readiness, State},
};

/// Whether the process can serve, as a status and in words.
pub async fn of(app: &App) -> (StatusCode, Readiness) {
    let health = app.store.health().await;
    let (limits, metering) = app.admission.status();
    let checks = Checks {
        model: match app.admission.is_draining() {
            true => State::Stopping,
            false => state(app.engine_is_ready()),
        },
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
    let lost = checks.metering == State::Unreachable
        || checks.model == State::Unreachable
        || !(health.database || health.believed);
    if checks.model == State::Stopping {
        (StatusCode::SERVICE_UNAVAILABLE, Readiness { status: State::Stopping, checks })
    } else if lost {
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
