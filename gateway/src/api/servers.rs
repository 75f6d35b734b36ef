//! `/admin/v1/servers`: the operator looks at the vLLM servers that answer, and takes one out before its maintenance.

use actix_web::{HttpResponse, web::Data};
use tenora_fleet::{ServerState, ServerStatus, ServerUrl};

use crate::{
    app::App,
    auth::{Admin, Viewer},
    body::Json,
    error::{ApiError, ApiResult, ErrorEnvelope},
    wire::{
        list::List,
        servers::{EngineServer, EngineServerState, EngineServerUpdate},
    },
};

/// The vLLM servers that this gateway asks; none when the engine is in this process.
#[utoipa::path(get, path = "/admin/v1/servers", tag = "admin", security(("admin_key" = [])),
    responses((status = 200, body = List<EngineServer>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(_: Viewer, app: Data<App>) -> ApiResult {
    let servers = app.fleet().map(|fleet| fleet.servers()).unwrap_or_default();
    Ok(HttpResponse::Ok().json(List::all(servers.into_iter().map(shape).collect())))
}

/// Gives a vLLM server no more requests of this gateway, or some again. What it answers goes on.
#[utoipa::path(patch, path = "/admin/v1/servers", tag = "admin", security(("admin_key" = [])), request_body = EngineServerUpdate,
    responses((status = 200, body = EngineServer), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn update(_: Admin, body: Json<EngineServerUpdate>, app: Data<App>) -> ApiResult {
    let EngineServerUpdate { url, draining } = body.0;
    let unknown = || {
        let message =
            format!("`{}` is none of the servers; `GET /admin/v1/servers` lists them.", ApiError::echo(&url));
        ApiError::invalid("url", message)
    };
    let address = ServerUrl::parse(&url).map_err(|_| unknown())?;
    let fleet = app.fleet().filter(|fleet| fleet.drain(&address, draining)).ok_or_else(unknown)?;
    tracing::info!(server = %address, draining, "A server is taken out, or in again");
    let server = fleet.servers().into_iter().find(|server| server.url == address).ok_or_else(unknown)?;
    Ok(HttpResponse::Ok().json(shape(server)))
}

fn shape(server: ServerStatus) -> EngineServer {
    EngineServer {
        object: "server",
        url: server.url.to_string(),
        state: match server.state {
            ServerState::Ok => EngineServerState::Ok,
            ServerState::Draining => EngineServerState::Draining,
            ServerState::Unreachable => EngineServerState::Unreachable,
            ServerState::Failing => EngineServerState::Failing,
            ServerState::OtherModel => EngineServerState::OtherModel,
        },
        in_flight: server.in_flight as u64,
        running: server.running as u64,
        waiting: server.waiting as u64,
        kv_used: server.kv_used,
        adapters: server.adapters as u64,
    }
}
