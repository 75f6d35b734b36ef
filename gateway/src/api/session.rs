//! `/session`: a browser signs in with a key, asks who it is, and signs out. The key goes into a cookie that pages cannot
//! read; what it may do is asked anew with each request.

use actix_web::{HttpRequest, HttpResponse, web::Data};
use tenora_adapter_store::{Actor, KeyId, TenantId, TenantStatus};

use crate::{
    app::App,
    auth::{Authenticator, Identity, Signed, session},
    body::Json,
    error::{ApiError, ApiResult, ErrorEnvelope},
    guard::Unproven,
    wire::session::{NewSession, Session, SessionKey, SessionTenant},
};

/// Signs in. Requests with the cookie that is set are those of the key; those that may change something also need the
/// session's `csrf` in `x-csrf-token`.
#[utoipa::path(post, path = "/session", tag = "session", request_body = NewSession,
    responses((status = 200, body = Session), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create(
    _: Unproven,
    body: Json<NewSession>,
    request: HttpRequest,
    authenticator: Data<Authenticator>,
    app: Data<App>,
) -> ApiResult {
    let key = body.0.key.trim();
    if !session::is_sealable(key) {
        return Err(ApiError::WrongKey);
    }
    let signed = authenticator.whoever(key).await?;
    let (session, cookie) = authenticator.sessions().begin(key.into(), &request)?;
    Ok(HttpResponse::Ok().cookie(cookie).json(shape(&app, &session, &signed).await))
}

/// Who is signed in.
#[utoipa::path(get, path = "/session", tag = "session",
    responses((status = 200, body = Session), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(
    _: Unproven,
    request: HttpRequest,
    authenticator: Data<Authenticator>,
    app: Data<App>,
) -> ApiResult {
    let session = authenticator.sessions().of(&request)?.ok_or(ApiError::SessionEnded)?;
    let signed = authenticator.whoever(secrecy::ExposeSecret::expose_secret(&session.credential)).await?;
    Ok(HttpResponse::Ok().json(shape(&app, &session, &signed).await))
}

/// Signs out.
#[utoipa::path(delete, path = "/session", tag = "session", responses((status = 204, description = "The cookie is taken away.")))]
pub async fn delete(_: Unproven, request: HttpRequest) -> ApiResult {
    Ok(HttpResponse::NoContent().cookie(session::Sessions::end(&request)).finish())
}

async fn shape(app: &App, session: &session::Session, signed: &Signed) -> Session {
    let identity = match signed {
        Signed::Tenant(identity) => Some(identity),
        Signed::Admin | Signed::Viewer => None,
    };
    let key = match identity.and_then(|identity| Some((identity, identity.key_id()?))) {
        Some((identity, id)) => Some(SessionKey {
            id: id.to_string(),
            name: key_name(app, identity.tenant().id, id).await,
            adapters: identity.adapters().map(|names| names.iter().map(ToString::to_string).collect()),
        }),
        None => None,
    };
    Session {
        object: "session",
        role: match signed {
            Signed::Admin => "admin",
            Signed::Viewer => "viewer",
            Signed::Tenant(_) => "tenant",
        },
        csrf: session.csrf.clone(),
        expires_at: session.expires_at.unix_timestamp(),
        tenant: identity
            .map(Identity::tenant)
            .map(|tenant| SessionTenant { slug: tenant.slug.to_string(), name: tenant.name.to_string() }),
        scopes: identity
            .filter(|identity| identity.tenant().status == TenantStatus::Active)
            .map(|identity| identity.scopes().iter().map(|scope| scope.as_str().to_owned()).collect())
            .unwrap_or_default(),
        key,
        base_model: app.base().id.clone(),
    }
}

/// What the key is for; a session goes on without it while the database is away.
async fn key_name(app: &App, tenant: TenantId, id: KeyId) -> Option<String> {
    let key = app.store.tenant(tenant).keys(Actor::SYSTEM).show(id).await.ok()?;
    Some(key.name.to_string())
}
