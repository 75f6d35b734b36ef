//! Who is calling: a bearer credential becomes a [`Caller`] with a proven scope, or an [`Admin`] or a [`Viewer`].
//! Classes of credentials that never stand in for each other. Knows no route.

mod bearer;
mod identity;

pub mod jwt;
pub mod session;

use std::{marker::PhantomData, net::IpAddr, sync::Arc, time::Instant};

use actix_web::{FromRequest, HttpRequest, dev::Payload, web::Data};
use futures_util::future::LocalBoxFuture;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tenora_adapter_store::{Actor, ActorKind, AdapterStore, Credential, Subject, Tenant, TenantStatus};
use tenora_engine::CacheDomain;
use tracing::{Instrument, Span, info_span};

pub use self::identity::{Identity, TokenIdentity};
use self::{
    jwt::{Issuers, TokenError, looks_like_jwt},
    session::Sessions,
};
use crate::{client_address::TrustedProxies, error::ApiError, scope::Scope, telemetry};

/// Checks credentials: tenants' keys against the store, the operator's against the configured ones.
pub struct Authenticator {
    store: AdapterStore,
    admin_key: SecretString,
    viewer_key: Option<SecretString>,
    issuers: Issuers,
    sessions: Sessions,
    proxies: TrustedProxies,
}

/// Whoever has signed in.
pub enum Signed {
    /// The operator.
    Admin,
    /// One who may only look.
    Viewer,
    /// A tenant.
    Tenant(Identity),
}

/// The operator's own keys.
pub struct OperatorKeys {
    /// Opens everything of the operator's.
    pub admin: SecretString,
    /// Opens what changes nothing; `None` = there is none.
    pub viewer: Option<SecretString>,
}

/// What an operator's credential may do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rank {
    Viewer,
    Admin,
}

impl Authenticator {
    /// An authenticator for the store's keys, these of the operator, and tokens of these issuers.
    pub fn new(
        store: AdapterStore,
        keys: OperatorKeys,
        issuers: Issuers,
        sessions: Sessions,
        proxies: TrustedProxies,
    ) -> Self {
        let OperatorKeys { admin: admin_key, viewer: viewer_key } = keys;
        Self { store, admin_key, viewer_key, issuers, sessions, proxies }
    }

    /// Sessions of browsers.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// Whose key this is, of whichever class.
    pub async fn whoever(&self, presented: &str) -> Result<Signed, ApiError> {
        match self.rank(presented.as_bytes()) {
            Some(Rank::Admin) => Ok(Signed::Admin),
            Some(Rank::Viewer) => Ok(Signed::Viewer),
            None => self.identity(presented).await.map(Signed::Tenant),
        }
    }

    /// The credential of a request: its Authorization header, else the session in its cookie.
    fn presented(&self, request: &HttpRequest) -> Result<SecretString, ApiError> {
        match bearer::token(request.headers()) {
            Err(ApiError::MissingKey) => self
                .sessions
                .authorised(request)?
                .map(|session| session.credential)
                .ok_or(ApiError::MissingKey),
            token => token.map(SecretString::from),
        }
    }

    async fn tenant(&self, request: &HttpRequest) -> Result<Identity, ApiError> {
        self.identity(self.presented(request)?.expose_secret()).await
    }

    async fn identity(&self, presented: &str) -> Result<Identity, ApiError> {
        if looks_like_jwt(presented) {
            return self.token(presented).await;
        }
        let key = self.store.authenticate(presented).await?.ok_or(ApiError::WrongKey)?;
        Ok(Identity::Key(key))
    }

    /// A token speaks for a tenant that exists here and that its issuer may speak for.
    async fn token(&self, presented: &str) -> Result<Identity, ApiError> {
        let verified = self.issuers.verify(presented).await.map_err(|error| match error {
            TokenError::Invalid(reason) => {
                tracing::info!(reason, "A token is refused");
                ApiError::WrongKey
            }
            away @ TokenError::Unavailable { .. } => ApiError::IssuerUnavailable(Box::new(away)),
        })?;
        let tenant = self.store.tenant_by_slug(&verified.tenant).await?.ok_or(ApiError::WrongKey)?;
        let subject = Subject::of(&format!("{} {}", verified.issuer, verified.subject));
        Ok(Identity::Token(Arc::new(TokenIdentity { tenant, subject, scopes: verified.scopes })))
    }

    fn operator(&self, request: &HttpRequest) -> Result<Rank, ApiError> {
        self.rank(self.presented(request)?.expose_secret().as_bytes()).ok_or(ApiError::WrongKey)
    }

    /// Compares with both keys, whichever is right.
    fn rank(&self, presented: &[u8]) -> Option<Rank> {
        let is = |key: &SecretString| bool::from(presented.ct_eq(key.expose_secret().as_bytes()));
        let (admin, viewer) = (is(&self.admin_key), self.viewer_key.as_ref().is_some_and(is));
        match (admin, viewer) {
            (true, _) => Some(Rank::Admin),
            (_, true) => Some(Rank::Viewer),
            _ => None,
        }
    }
}

/// A tenant's credential that holds the scope `S`: proof by construction.
pub struct Caller<S> {
    identity: Identity,
    ip: Option<IpAddr>,
    arrived: Instant,
    scope: PhantomData<S>,
}

impl<S> Caller<S> {
    /// Whose request this is.
    pub fn tenant(&self) -> &Tenant {
        self.identity.tenant()
    }

    /// Everything that the credential says.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// When the head of its request was read.
    pub fn arrived(&self) -> Instant {
        self.arrived
    }

    /// For the audit rows.
    pub fn actor(&self) -> Actor {
        let kind = match self.identity.credential() {
            Credential::Key(id) => ActorKind::Key(id),
            Credential::Subject(subject) => ActorKind::Token(subject.as_str().into()),
        };
        Actor { kind, ip: self.ip }
    }

    /// KV blocks are shared within a tenant only.
    pub fn cache_domain(&self) -> CacheDomain {
        cache_domain(self.tenant())
    }
}

/// A tenant as the engine knows it.
pub(crate) fn cache_domain(tenant: &Tenant) -> CacheDomain {
    CacheDomain(tenant.id.as_uuid().as_u128())
}

impl<S: Scope> FromRequest for Caller<S> {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        let (outer, arrived) = (Span::current(), Instant::now());
        let span = info_span!("authenticate");
        Box::pin(
            async move {
                let authenticator = authenticator(&request)?;
                let identity = authenticator.tenant(&request).await?;
                telemetry::of_tenant(&outer, identity.tenant().slug.as_str());
                if identity.tenant().status == TenantStatus::Suspended {
                    return Err(ApiError::TenantSuspended);
                }
                match S::GRANT {
                    Some(grant) if !identity.scopes().contains(grant) => {
                        Err(ApiError::InsufficientScope { scope: grant.as_str() })
                    }
                    _ => {
                        let ip = authenticator.proxies.client(&request);
                        Ok(Self { identity, ip, arrived, scope: PhantomData })
                    }
                }
            }
            .instrument(span),
        )
    }
}

/// The operator: everything but inference.
pub struct Admin {
    ip: Option<IpAddr>,
}

impl Admin {
    /// For the audit rows.
    pub fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Admin, ip: self.ip }
    }
}

/// The operator, or one who may only look.
pub struct Viewer(());

impl FromRequest for Admin {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(authenticator(request).and_then(|authenticator| {
            match authenticator.operator(request)? {
                Rank::Admin => Ok(Self { ip: authenticator.proxies.client(request) }),
                Rank::Viewer => Err(ApiError::InsufficientScope { scope: "platform-admin" }),
            }
        }))
    }
}

impl FromRequest for Viewer {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let proven = authenticator(request).and_then(|authenticator| authenticator.operator(request));
        std::future::ready(proven.map(|_| Self(())))
    }
}

impl Viewer {
    /// Looking changes nothing, so no audit row will bear this name.
    pub fn actor(&self) -> Actor {
        Actor { kind: ActorKind::Admin, ip: None }
    }
}

fn authenticator(request: &HttpRequest) -> Result<Data<Authenticator>, ApiError> {
    request
        .app_data::<Data<Authenticator>>()
        .cloned()
        .ok_or_else(|| ApiError::internal("no authenticator is mounted"))
}
