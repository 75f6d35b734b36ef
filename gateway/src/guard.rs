//! Default deny: a handler is mounted through a permission, and its first argument must be that permission's proof.
//! The proof is made before anything else of the request is read.

use std::panic::AssertUnwindSafe;

use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Responder, Route,
    dev::Payload,
    web::{self, Data},
};
use futures_util::FutureExt;

use crate::{
    admission::InFlight,
    app::App,
    auth::{Admin, Caller, Viewer},
    error::ApiError,
    scope::{self, Scope},
};

/// What a route asks of its caller, as tests and the API document see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing.
    Anyone,
    /// A tenant's credential with this scope; `None` = any.
    Tenant(Option<&'static str>),
    /// The operator's key.
    Admin,
    /// The operator's key, or that of who may only look.
    AdminRead,
}

/// A permission as a value of the route table; its type says what proves it.
pub trait Permission: 'static {
    /// The handler's first argument.
    type Proof: FromRequest<Error: Into<actix_web::Error>>;
    /// The same, for tests and the API document.
    fn access() -> Access;
}

/// Open to everybody, said out loud.
#[derive(Debug, Clone, Copy)]
pub struct Anyone;

/// The operator only.
#[derive(Debug, Clone, Copy)]
pub struct Operator;

/// The operator, and who may only look.
#[derive(Debug, Clone, Copy)]
pub struct OperatorRead;

/// The proof that nothing had to be proven.
pub struct Unproven;

impl FromRequest for Unproven {
    type Error = ApiError;
    type Future = std::future::Ready<Result<Self, ApiError>>;

    fn from_request(_: &HttpRequest, _: &mut Payload) -> Self::Future {
        std::future::ready(Ok(Self))
    }
}

impl Permission for Anyone {
    type Proof = Unproven;
    fn access() -> Access {
        Access::Anyone
    }
}

impl Permission for Operator {
    type Proof = Admin;
    fn access() -> Access {
        Access::Admin
    }
}

impl Permission for OperatorRead {
    type Proof = Viewer;
    fn access() -> Access {
        Access::AdminRead
    }
}

macro_rules! tenant_permissions {
    ($($scope:ident),+) => {$(
        impl Permission for scope::$scope {
            type Proof = Caller<Self>;
            fn access() -> Access {
                Access::Tenant(<Self as Scope>::GRANT.map(|grant| grant.as_str()))
            }
        }
    )+};
}

tenant_permissions!(Member, Chat, ModelsRead, AdaptersRead, AdaptersWrite, UsageRead, KeysWrite);

/// A handler's arguments that begin with the proof of `P`.
pub trait GuardedBy<P: Permission> {
    /// The other arguments.
    type Rest: FromRequest + 'static;
    /// All arguments, in order.
    fn join(proof: P::Proof, rest: Self::Rest) -> Self;
}

macro_rules! proof_then {
    ($($type:ident $value:ident),*) => {
        impl<P: Permission, $($type: FromRequest + 'static),*> GuardedBy<P> for (P::Proof, $($type,)*) {
            type Rest = ($($type,)*);
            fn join(proof: P::Proof, ($($value,)*): Self::Rest) -> Self {
                (proof, $($value,)*)
            }
        }
    };
}

proof_then!();
proof_then!(A a);
proof_then!(A a, B b);
proof_then!(A a, B b, C c);
proof_then!(A a, B b, C c, D d);

/// A handler behind its permission: prove → enter → read the arguments → handle. A panic becomes an internal error.
pub fn guarded<P, H, Args>(handler: H) -> Route
where
    P: Permission,
    H: Handler<Args, Output: Responder + 'static>,
    Args: GuardedBy<P> + 'static,
{
    web::route().to(move |request: HttpRequest, payload: web::Payload| {
        let handler = handler.clone();
        async move {
            let answer = AssertUnwindSafe(handle::<P, H, Args>(handler, request, payload.into_inner()));
            answer
                .catch_unwind()
                .await
                .unwrap_or_else(|_| Err(ApiError::internal("a handler panicked").into()))
        }
    })
}

async fn handle<P, H, Args>(
    handler: H,
    request: HttpRequest,
    mut payload: Payload,
) -> Result<HttpResponse, actix_web::Error>
where
    P: Permission,
    H: Handler<Args, Output: Responder + 'static>,
    Args: GuardedBy<P> + 'static,
{
    let proof = P::Proof::from_request(&request, &mut Payload::None).await.map_err(Into::into)?;
    let _in_flight = enter(&request, P::access())?;
    let rest = Args::Rest::from_request(&request, &mut payload).await.map_err(Into::into)?;
    let arguments = Args::join(proof, rest);
    Ok(handler.call(arguments).await.respond_to(&request).map_into_boxed_body())
}

/// What is open to everybody (health, the document) is answered while the server stops, too.
fn enter(request: &HttpRequest, access: Access) -> Result<Option<InFlight>, ApiError> {
    if access == Access::Anyone {
        return Ok(None);
    }
    let app = request.app_data::<Data<App>>().ok_or_else(|| ApiError::internal("no app is mounted"))?;
    app.admission.enter().map(Some)
}
