//! Who is calling: a bearer key becomes a [`Caller`] with a proven scope, or an [`Admin`].
//! Two classes of credentials that never stand in for each other. Knows no route.

mod bearer;

pub mod jwt;

use std::{marker::PhantomData, net::IpAddr, rc::Rc};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tenora_adapter_store::{Actor, ActorKind, AdapterStore, AuthenticatedKey, Tenant};
use tenora_engine::CacheDomain;
use tracing::{Instrument, info_span};

use crate::{error::ApiError, scope::Scope};

/// Checks credentials: tenants' keys against the store, the operator's against the configured one.
pub struct Authenticator {
    store: AdapterStore,
    admin_key: SecretString,
}

impl Authenticator {
    /// An authenticator for the store's keys and this admin key.
    pub fn new(store: AdapterStore, admin_key: SecretString) -> Self {
        Self { store, admin_key }
    }

    async fn tenant_key(&self, request: &HttpRequest) -> Result<AuthenticatedKey, ApiError> {
        let presented = bearer::token(request.headers())?;
        self.store.authenticate(presented).await?.ok_or(ApiError::WrongKey)
    }

    fn admin_key(&self, request: &HttpRequest) -> Result<(), ApiError> {
        let presented = bearer::token(request.headers())?;
        let right = presented.as_bytes().ct_eq(self.admin_key.expose_secret().as_bytes());
        if right.into() { Ok(()) } else { Err(ApiError::WrongKey) }
    }
}

/// A tenant whose key holds the scope `S`: proof by construction.
pub struct Caller<S> {
    key: Rc<AuthenticatedKey>,
    ip: Option<IpAddr>,
    scope: PhantomData<S>,
}

impl<S> Caller<S> {
    /// Whose request this is.
    pub fn tenant(&self) -> &Tenant {
        &self.key.tenant
    }

    /// For the audit rows.
    pub fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Key(self.key.key_id), ip: self.ip }
    }

    /// KV blocks are shared within a tenant only.
    pub fn cache_domain(&self) -> CacheDomain {
        CacheDomain(self.key.tenant.id.as_uuid().as_u128())
    }
}

impl<S: Scope> FromRequest for Caller<S> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        let span = info_span!("authenticate");
        Box::pin(
            async move {
                let key = authenticator(&request)?.tenant_key(&request).await?;
                tracing::Span::current().record("tenant", key.tenant.slug.as_str());
                if !key.scopes.contains(S::GRANT) {
                    return Err(ApiError::InsufficientScope { scope: S::GRANT.as_str() });
                }
                Ok(Self { key: Rc::new(key), ip: peer_ip(&request), scope: PhantomData })
            }
            .instrument(span),
        )
    }
}

/// The operator.
pub struct Admin {
    ip: Option<IpAddr>,
}

impl Admin {
    /// For the audit rows.
    pub fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Admin, ip: self.ip }
    }
}

impl FromRequest for Admin {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let proven = authenticator(request).and_then(|authenticator| authenticator.admin_key(request));
        std::future::ready(proven.map(|()| Self { ip: peer_ip(request) }))
    }
}

fn authenticator(request: &HttpRequest) -> Result<Data<Authenticator>, ApiError> {
    request
        .app_data::<Data<Authenticator>>()
        .cloned()
        .ok_or_else(|| ApiError::internal("no authenticator is mounted"))
}

/// The connection's own address: headers that claim another one are not believed.
fn peer_ip(request: &HttpRequest) -> Option<IpAddr> {
    request.peer_addr().map(|address| address.ip())
}
