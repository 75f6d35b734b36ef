//! `GET /v1/limits`, `GET /admin/v1/limits`.

use actix_web::{HttpResponse, web::Data};

use crate::{
    app::App,
    auth::{Caller, Viewer},
    error::{ApiResult, ErrorEnvelope},
    limits::{Meter, Standing, SubjectKind},
    scope,
    wire::limits::{DefaultLimits, Left, Limits, LimitsOfCaller, Remaining},
};

/// What the tenant, and the presented key, may use at most, and what is left of it now.
#[utoipa::path(get, path = "/v1/limits", tag = "keys", security(("api_key" = [])),
    responses((status = 200, body = LimitsOfCaller), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(caller: Caller<scope::Member>, app: Data<App>) -> ApiResult {
    let identity = caller.identity();
    let (mut tenant_left, mut key_left) = (None, None);
    for (kind, standing) in app.admission.standing(identity).await {
        match kind {
            SubjectKind::Tenant => tenant_left = Some(left(&standing)),
            SubjectKind::Key => key_left = Some(left(&standing)),
        }
    }
    Ok(HttpResponse::Ok().json(LimitsOfCaller {
        object: "limits",
        tenant: Limits::from(app.admission.limits_of(identity.tenant())),
        tenant_left: tenant_left.unwrap_or_default(),
        key: identity.key_id().map(|_| Limits::from(identity.limits())),
        key_left,
    }))
}

/// The server's defaults: what a tenant may use at most that has no limits of its own.
#[utoipa::path(get, path = "/admin/v1/limits", tag = "admin", security(("admin_key" = [])),
    responses((status = 200, body = DefaultLimits), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn defaults(_: Viewer, app: Data<App>) -> ApiResult {
    let limits = Limits::from(app.admission.default_limits());
    Ok(HttpResponse::Ok().json(DefaultLimits { object: "limits", limits }))
}

fn left(standing: &Standing) -> Remaining {
    let left = |meter: Option<Meter>| {
        meter.map(|meter| Left { remaining: meter.remaining, reset_s: meter.reset.as_secs_f64() })
    };
    Remaining {
        requests_per_minute: left(standing.requests),
        tokens_per_minute: left(standing.tokens),
        concurrent_requests: left(standing.concurrent_requests),
        monthly_tokens: left(standing.monthly_tokens),
    }
}
