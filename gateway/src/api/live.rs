//! `/v1/live`, `/admin/v1/live`: what happens just now, as server-sent events: first the last hour, then every second.

use actix_web::{HttpResponse, web::Data};
use bytes::Bytes;
use futures_util::{Stream, stream};
use serde::Serialize;
use tenora_adapter_store::KeyId;
use tokio::sync::watch;

use crate::{
    app::App,
    auth::{Caller, Viewer},
    error::{ApiError, ApiResult, ErrorEnvelope},
    live::Live,
    scope,
    wire::live::{History, Now},
};

/// What happens with the caller's own requests and adapters: an event `history` with the last hour, then an event `now`
/// every second.
#[utoipa::path(get, path = "/v1/live", tag = "live", security(("api_key" = [])),
    responses((status = 200, content((History = "text/event-stream"), (Now = "text/event-stream"))), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn own(caller: Caller<scope::UsageRead>, app: Data<App>, live: Data<Live>) -> ApiResult {
    let (tenant, key) = (caller.tenant().slug.to_string(), caller.identity().key_id());
    Ok(events(app, live, Some(Watcher { tenant, key })))
}

/// What happens on this server: an event `history` with the last hour, then an event `now` every second.
#[utoipa::path(get, path = "/admin/v1/live", tag = "admin", security(("admin_key" = [])),
    responses((status = 200, content((History = "text/event-stream"), (Now = "text/event-stream"))), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn all(_: Viewer, app: Data<App>, live: Data<Live>) -> ApiResult {
    Ok(events(app, live, None))
}

/// A tenant's credential that watches.
struct Watcher {
    tenant: String,
    key: Option<KeyId>,
}

impl Watcher {
    /// Whether the key has not been revoked meanwhile.
    async fn may_go_on(&self, app: &App) -> bool {
        match self.key {
            Some(key) => app.store.key_stands(key).await.is_ok_and(|stands| stands.is_some()),
            None => true,
        }
    }
}

/// Ends when the server stops, or the key does.
fn events(app: Data<App>, live: Data<Live>, watcher: Option<Watcher>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-cache"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(followed(app, live, watcher))
}

fn followed(
    app: Data<App>,
    live: Data<Live>,
    watcher: Option<Watcher>,
) -> impl Stream<Item = Result<Bytes, ApiError>> {
    let ticks: Option<watch::Receiver<u64>> = None;
    stream::unfold((app, live, watcher, ticks), |(app, live, watcher, ticks)| async move {
        let tenant = watcher.as_ref().map(|watcher| watcher.tenant.as_str());
        let Some(mut ticks) = ticks else {
            let (first, ticks) = (event("history", &live.history(tenant)), Some(live.ticks()));
            return Some((Ok(first), (app, live, watcher, ticks)));
        };
        ticks.changed().await.ok()?;
        let stands = match &watcher {
            Some(watcher) => watcher.may_go_on(&app).await,
            None => true,
        };
        if !stands || app.admission.is_draining() {
            return None;
        }
        let now = event("now", &live.now(&app, tenant).await);
        Some((Ok(now), (app, live, watcher, Some(ticks))))
    })
}

fn event(name: &str, value: &impl Serialize) -> Bytes {
    format!("event: {name}\ndata: {}\n\n", serde_json::to_string(value).unwrap_or_default()).into()
}
