//! Every route on one screen, each with who may use it. What is not here does not exist.

use actix_web::{
    HttpRequest, Route as Service,
    http::Method,
    web::{self, ServiceConfig},
};

use crate::{
    api::{
        adapters, aliases, audit, chat, completions, dashboard, docs, health, keys, limits, live, me, models,
        pushes, servers, session, tenants, uploads, usage, versions,
    },
    body, cors,
    error::{ApiError, ApiResult},
    guard::{Access, Anyone, GuardedBy, Operator, OperatorRead, Permission, guarded},
    openapi,
    scope::{AdaptersRead, AdaptersWrite, Chat, KeysWrite, Member, ModelsRead, UsageRead},
};

/// One route: how it is asked, who may ask, what answers.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, with its parameters in braces.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
    service: Service,
}

/// The table: both what is mounted and what tests walk over.
pub fn routes() -> Vec<Route> {
    vec![
        post("/v1/chat/completions", Chat, chat::create),
        post("/v1/completions", Chat, completions::create),
        get("/v1/models", ModelsRead, models::list),
        get("/v1/models/{model}", ModelsRead, models::show),
        post("/v1/adapters", AdaptersWrite, adapters::create),
        get("/v1/adapters", AdaptersRead, adapters::list),
        get("/v1/adapters/{name}", AdaptersRead, adapters::show),
        delete("/v1/adapters/{name}", AdaptersWrite, adapters::delete),
        get("/v1/adapters/{name}/versions", AdaptersRead, versions::list),
        get("/v1/adapters/{name}/versions/{version}", AdaptersRead, versions::show),
        patch("/v1/adapters/{name}/versions/{version}", AdaptersWrite, versions::update),
        delete("/v1/adapters/{name}/versions/{version}", AdaptersWrite, versions::delete),
        get("/v1/adapters/{name}/aliases", AdaptersRead, aliases::list),
        get("/v1/adapters/{name}/aliases/{alias}", AdaptersRead, aliases::show),
        put("/v1/adapters/{name}/aliases/{alias}", AdaptersWrite, aliases::put),
        delete("/v1/adapters/{name}/aliases/{alias}", AdaptersWrite, aliases::delete),
        post("/v1/adapters/{name}/aliases/{alias}/rollback", AdaptersWrite, aliases::roll_back),
        get("/v1/pushes", AdaptersRead, pushes::list),
        get("/v1/pushes/{id}", AdaptersRead, pushes::show),
        get("/v1/pushes/{id}/events", AdaptersRead, pushes::events),
        post("/v1/uploads", AdaptersWrite, uploads::create),
        get("/v1/uploads", AdaptersRead, uploads::list),
        get("/v1/uploads/{id}", AdaptersRead, uploads::show),
        post("/v1/uploads/{id}/parts", AdaptersWrite, uploads::add_part),
        get("/v1/uploads/{id}/parts", AdaptersRead, uploads::list_parts),
        post("/v1/uploads/{id}/complete", AdaptersWrite, uploads::complete),
        post("/v1/uploads/{id}/cancel", AdaptersWrite, uploads::cancel),
        get("/v1/me", Member, me::show),
        get("/v1/limits", Member, limits::show),
        get("/v1/keys", KeysWrite, keys::list),
        post("/v1/keys", KeysWrite, keys::create),
        delete("/v1/keys/{id}", KeysWrite, keys::revoke),
        post("/v1/keys/{id}/rotate", KeysWrite, keys::rotate),
        post("/admin/v1/tenants", Operator, tenants::create),
        get("/admin/v1/tenants", OperatorRead, tenants::list),
        get("/admin/v1/tenants/{slug}", OperatorRead, tenants::show),
        patch("/admin/v1/tenants/{slug}", Operator, tenants::update),
        delete("/admin/v1/tenants/{slug}", Operator, tenants::delete),
        post("/admin/v1/tenants/{slug}/keys", Operator, keys::create_for),
        get("/admin/v1/tenants/{slug}/keys", OperatorRead, keys::list_of),
        delete("/admin/v1/tenants/{slug}/keys/{id}", Operator, keys::revoke_of),
        post("/admin/v1/tenants/{slug}/keys/{id}/rotate", Operator, keys::rotate_of),
        get("/admin/v1/limits", OperatorRead, limits::defaults),
        get("/admin/v1/servers", OperatorRead, servers::list),
        patch("/admin/v1/servers", Operator, servers::update),
        get("/admin/v1/audit", OperatorRead, audit::list),
        get("/v1/usage", UsageRead, usage::own),
        get("/admin/v1/usage", OperatorRead, usage::all),
        post("/session", Anyone, session::create),
        get("/session", Anyone, session::show),
        delete("/session", Anyone, session::delete),
        get("/v1/live", UsageRead, live::own),
        get("/admin/v1/live", OperatorRead, live::all),
        get("/admin/v1/tenants/{slug}/adapters", OperatorRead, adapters::list_of),
        get("/admin/v1/tenants/{slug}/adapters/{name}/versions", OperatorRead, versions::list_of),
        get("/admin/v1/tenants/{slug}/adapters/{name}/aliases", OperatorRead, aliases::list_of),
        get("/dashboard", Anyone, dashboard::page),
        get("/dashboard/{path:.*}", Anyone, dashboard::file),
        get("/", Anyone, health::about),
        get("/healthz", Anyone, health::alive),
        get("/readyz", Anyone, health::ready),
        get("/openapi.json", Anyone, openapi::document),
        get("/docs", Anyone, docs::page),
        get("/docs/style.css", Anyone, docs::style),
        get("/docs/script.js", Anyone, docs::script),
    ]
}

/// Mounts the table; another method is answered 405, unless a browser asks what a page may do; another path 404.
pub fn mount(config: &mut ServiceConfig) {
    let mut routes = routes();
    while let Some(path) = routes.first().map(|route| route.path) {
        let here = routes.extract_if(.., |route| route.path == path).collect::<Vec<_>>();
        let allow = here.iter().map(|route| route.method.as_str()).collect::<Vec<_>>().join(", ");
        let resource =
            here.into_iter().fold(web::resource(path), |resource, route| resource.route(route.service));
        config
            .service(resource.default_service(web::to(move |request| other_method(request, allow.clone()))));
    }
    config.app_data(body::query_config()).app_data(body::path_config());
    config.default_service(web::to(not_found));
}

fn get<P: Permission, H, Args>(path: &'static str, permission: P, handler: H) -> Route
where
    H: actix_web::Handler<Args, Output: actix_web::Responder + 'static>,
    Args: GuardedBy<P> + 'static,
{
    route(Method::GET, path, permission, handler)
}

fn post<P: Permission, H, Args>(path: &'static str, permission: P, handler: H) -> Route
where
    H: actix_web::Handler<Args, Output: actix_web::Responder + 'static>,
    Args: GuardedBy<P> + 'static,
{
    route(Method::POST, path, permission, handler)
}

fn put<P: Permission, H, Args>(path: &'static str, permission: P, handler: H) -> Route
where
    H: actix_web::Handler<Args, Output: actix_web::Responder + 'static>,
    Args: GuardedBy<P> + 'static,
{
    route(Method::PUT, path, permission, handler)
}

fn patch<P: Permission, H, Args>(path: &'static str, permission: P, handler: H) -> Route
where
    H: actix_web::Handler<Args, Output: actix_web::Responder + 'static>,
    Args: GuardedBy<P> + 'static,
{
    route(Method::PATCH, path, permission, handler)
}

fn delete<P: Permission, H, Args>(path: &'static str, permission: P, handler: H) -> Route
where
    H: actix_web::Handler<Args, Output: actix_web::Responder + 'static>,
    Args: GuardedBy<P> + 'static,
{
    route(Method::DELETE, path, permission, handler)
}

fn route<P: Permission, H, Args>(method: Method, path: &'static str, _permission: P, handler: H) -> Route
where
    H: actix_web::Handler<Args, Output: actix_web::Responder + 'static>,
    Args: GuardedBy<P> + 'static,
{
    let service = guarded::<P, H, Args>(handler).method(method.clone());
    Route { method, path, access: P::access(), service }
}

async fn other_method(request: HttpRequest, allow: String) -> ApiResult {
    if let Some(answer) = cors::preflight(&request, &allow) {
        return Ok(answer);
    }
    let (path, method) = (ApiError::echo(request.path()), ApiError::echo(request.method().as_str()));
    Err(ApiError::MethodNotAllowed { path, method, allow })
}

async fn not_found(request: HttpRequest) -> ApiResult {
    Err(ApiError::RouteNotFound { path: ApiError::echo(request.path()) })
}
