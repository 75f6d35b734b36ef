//! The catalogue: every failure a client can meet, with its public words, status, stable code and retry advice.
//! What lies below knows meanings only; here is the one place where they become HTTP.

mod catalogue;
mod envelope;
mod sources;

use std::{borrow::Cow, error::Error as Cause};

use actix_web::{
    HttpResponse, ResponseError,
    http::{StatusCode, header},
};
use tenora_adapter_store::{ParseError, PushId, UploadError};
use tenora_engine::AdapterRejection;
use thiserror::Error;

use crate::limits::{Refusal, Standing};

pub use self::{
    catalogue::{Entry, Kind, Retry},
    envelope::{ErrorBody, ErrorEnvelope},
};

/// What a handler returns.
pub type ApiResult<T = HttpResponse> = Result<T, ApiError>;

/// Every way a request can fail. The `Display` text is what the client reads.
#[derive(Debug, Error)]
pub enum ApiError {
    /// No `Authorization` header.
    #[error("No API key was given. Send it as `Authorization: Bearer <key>`.")]
    MissingKey,
    /// An `Authorization` header that cannot hold a key of ours.
    #[error("The Authorization header is malformed: {0}. Send it once, as `Authorization: Bearer <key>`.")]
    MalformedKey(&'static str),
    /// Unknown, revoked, expired, or of the other class: deliberately one answer.
    #[error("The API key is not valid here. Check that it was copied whole and has not been revoked.")]
    WrongKey,
    /// A browser's session that is over, or of another server.
    #[error("The session is over. Sign in again.")]
    SessionEnded,
    /// A request of a session that may change something, and does not prove that it is of the dashboard's page.
    #[error("The header x-csrf-token is missing or not that of the session.")]
    CsrfTokenMissing,
    /// The key is right and may not do this.
    #[error("This API key lacks the scope `{scope}`. Use a key that has it, or ask for one.")]
    InsufficientScope {
        /// The scope that the route needs.
        scope: &'static str,
    },

    /// The tenant is suspended.
    #[error("This tenant is suspended. Its operator can make it active again.")]
    TenantSuspended,
    /// The credential was revoked, or its tenant suspended, while an answer was being generated.
    #[error("The answer was cut off: the credential that asked for it was revoked.")]
    CredentialRevoked,
    /// A key would be given more than its maker may do.
    #[error("A key cannot be given what its maker may not do: {what}.")]
    GrantExceeded {
        /// The scope or adapter beyond the maker's.
        what: String,
    },

    /// The body is not JSON.
    #[error("The request body is not valid JSON: {problem}.")]
    InvalidJson {
        /// What is wrong, with line and column.
        problem: String,
    },
    /// A field has the wrong type or value.
    #[error("{message}")]
    InvalidValue {
        /// The field, as a path such as `messages[0].content`.
        param: Cow<'static, str>,
        /// What was wrong and what is allowed.
        message: String,
    },
    /// The body's media type is not the route's.
    #[error("The request body must be `{expected}`; set the Content-Type header accordingly.")]
    UnsupportedMediaType {
        /// The media type that the route reads.
        expected: &'static str,
    },
    /// The multipart framing is broken, or the client hung up within it.
    #[error("The multipart body is broken: {problem}.")]
    InvalidMultipart {
        /// What is wrong with it.
        problem: String,
    },
    /// The body or one of its fields is longer than its limit.
    #[error("{what} is larger than the limit of {limit_bytes} bytes.")]
    TooLarge {
        /// What is too large, for people.
        what: &'static str,
        /// The field, when one is at fault.
        param: Option<&'static str>,
        /// The limit.
        limit_bytes: u64,
    },
    /// The headers are longer than the limit.
    #[error("The request headers are larger than the limit of {limit_bytes} bytes.")]
    HeadersTooLarge {
        /// The limit.
        limit_bytes: usize,
    },
    /// The body stopped arriving.
    #[error("The request body stopped arriving for {idle_s} seconds; nothing was stored. Send it again.")]
    BodyTimeout {
        /// How long the server waited.
        idle_s: u64,
    },
    /// No such path.
    #[error("There is nothing at `{path}`. The API is described at /openapi.json.")]
    RouteNotFound {
        /// What was asked for.
        path: String,
    },
    /// The path exists, the method does not.
    #[error("`{path}` does not answer {method}; it answers {allow}.")]
    MethodNotAllowed {
        /// What was asked for.
        path: String,
        /// How it was asked.
        method: String,
        /// The methods that exist.
        allow: String,
    },

    /// Unknown, deleted, or another tenant's: deliberately one answer.
    #[error("The model `{model}` does not exist or you do not have access to it.")]
    ModelNotFound {
        /// What the client wrote, shortened.
        model: String,
    },
    /// The adapter was made for another base model than the one that is resident.
    #[error(
        "The adapter `{model}` was checked against another base model than the one served here; upload one that was trained on `{base}`."
    )]
    BaseMismatch {
        /// The adapter version.
        model: String,
        /// The resident base model.
        base: String,
    },
    /// The adapter cannot be honoured.
    #[error("{0}")]
    AdapterRejected(AdapterRejection),
    /// A resumable upload does not go on.
    #[error("{0}")]
    Upload(UploadError),
    /// The prompt and its answer do not fit.
    #[error(
        "This model's context holds {context} tokens, and the prompt has {prompt}. Shorten the prompt or lower max_tokens."
    )]
    ContextLengthExceeded {
        /// Tokens of the prompt.
        prompt: usize,
        /// Tokens that fit.
        context: usize,
    },
    /// Chat with a base model that has no template.
    #[error("The base model has no chat template. Use /v1/completions.")]
    NoChatTemplate,
    /// The template refused the conversation.
    #[error("The model's chat template does not accept these messages: {0}.")]
    ChatTemplate(String),

    /// A limit by the minute, or of requests at the same time, is reached.
    #[error("{}", .0.words())]
    RateLimited(Refusal),
    /// The month's tokens are spent.
    #[error("{}", .0.words())]
    BudgetSpent(Refusal),
    /// What was spent this month cannot be known now.
    #[error("The server cannot tell now what is left of the monthly budget. Try again shortly.")]
    BudgetUnknown,
    /// The tenant has as much as it may have.
    #[error("This would exceed the tenant's limit of {limit} {what}; the operator can raise it.")]
    OverQuota {
        /// More of what.
        what: &'static str,
        /// The most that it may have.
        limit: u64,
    },

    /// The operator named a tenant that does not exist.
    #[error("There is no tenant `{slug}`.")]
    TenantNotFound {
        /// What the operator wrote, shortened.
        slug: String,
    },
    /// The operator named a tenant that exists.
    #[error("The tenant `{slug}` exists already.")]
    TenantExists {
        /// The name in use.
        slug: String,
    },
    /// The operator named a key that the tenant does not have.
    #[error("The tenant has no such API key.")]
    KeyNotFound,

    /// A version that its owner took out of service.
    #[error(
        "`{model}` is disabled: {reason}. Its owner can enable it again, or move the alias that names it."
    )]
    VersionDisabled {
        /// The adapter version.
        model: String,
        /// Its owner's words.
        reason: String,
    },
    /// The adapter has no such alias.
    #[error("The adapter has no alias `{alias}`.")]
    AliasNotFound {
        /// The alias.
        alias: String,
    },
    /// Somebody moved the alias meanwhile.
    #[error("The alias has moved: it is at revision {revision} now. Look at it again, then move it.")]
    AliasMoved {
        /// Where it is; 0 = it does not exist.
        revision: u64,
    },
    /// Aliases name the version that is to be deleted.
    #[error("It cannot be deleted: {0}.")]
    VersionInUse(String),
    /// Unknown, forgotten, or another tenant's: deliberately one answer.
    #[error("There is no such push.")]
    PushNotFound,
    /// A push made no version.
    #[error("{cause}")]
    PushRefused {
        /// Its record.
        push: PushId,
        /// Why.
        cause: Box<ApiError>,
    },

    /// The engine found the adapter faulty, and will not try it again.
    #[error("The adapter cannot be used: {reason}.")]
    AdapterDisabled {
        /// What it did, in the engine's client-safe words.
        reason: String,
    },

    /// The engine's queue is full.
    #[error("The server is busy: its queue is full. Try again shortly.")]
    QueueFull,
    /// The answer was not ready in time.
    #[error(
        "The answer was not finished within the time that this server gives one request. Ask for fewer tokens, or try again later."
    )]
    RequestTimeout,
    /// The server is stopping.
    #[error("The server is restarting. Try again shortly.")]
    ShuttingDown,
    /// Too much usage waits for the database, or it cannot be written to the disk.
    #[error(
        "The server cannot record usage at the moment, and serves nothing that it cannot count. Try again shortly."
    )]
    MeteringUnavailable,
    /// The keys that would tell whether a token is right cannot be fetched.
    #[error("The server cannot reach the issuer of this token to check it. Try again shortly.")]
    IssuerUnavailable(#[source] Box<dyn Cause + Send + Sync>),
    /// No engine that answers can be reached; the cause is for the log.
    #[error("No engine can answer just now; try again.")]
    EngineUnavailable(#[source] Box<dyn Cause + Send + Sync>),
    /// The database, the blobs or the cache cannot be reached.
    #[error("The server cannot reach its storage. Try again shortly.")]
    StorageUnavailable(#[source] Box<dyn Cause + Send + Sync>),
    /// A fault of ours.
    #[error("The server had an internal error. It has been logged under this request's x-request-id.")]
    Internal(#[source] Box<dyn Cause + Send + Sync>),
}

impl ApiError {
    /// Longest piece of a client's own text that is given back in a message, in characters.
    const MAX_ECHO_CHARS: usize = 128;

    /// A field with a wrong value.
    pub fn invalid(param: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::InvalidValue { param: param.into(), message: message.into() }
    }

    /// A field whose text is not what it should name.
    pub(crate) fn unparsable(param: &'static str, error: &ParseError) -> Self {
        Self::invalid(param, format!("`{param}` is not valid: {}.", error.problem))
    }

    /// A model name that leads nowhere for this caller.
    pub fn model_not_found(model: &str) -> Self {
        Self::ModelNotFound { model: Self::echo(model) }
    }

    /// A fault of ours: the cause goes to the log, never to the client.
    pub fn internal(cause: impl Into<Box<dyn Cause + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// What is left of the limits, where one of them refused.
    fn standing(&self) -> Option<&Standing> {
        match self {
            Self::RateLimited(refusal) | Self::BudgetSpent(refusal) => Some(&refusal.standing),
            _ => None,
        }
    }

    /// A client's own text, shortened and made safe to print.
    pub(crate) fn echo(text: &str) -> String {
        let mut echoed: String = text
            .chars()
            .take(Self::MAX_ECHO_CHARS)
            .map(|c| if c.is_control() { '\u{fffd}' } else { c })
            .collect();
        if text.chars().nth(Self::MAX_ECHO_CHARS).is_some() {
            echoed.push('…');
        }
        echoed
    }

    /// The body that the client reads, on its own or as the last event of a stream.
    pub fn envelope(&self) -> ErrorEnvelope {
        let entry = self.entry();
        ErrorEnvelope {
            error: ErrorBody {
                message: self.to_string(),
                kind: entry.kind.as_str().to_owned(),
                param: self.param(),
                code: entry.code.to_owned(),
                push: match self {
                    Self::PushRefused { push, .. } => Some(push.to_string()),
                    _ => None,
                },
            },
        }
    }

    /// Logs the cause, once, where a failure becomes an answer.
    pub fn log(&self) {
        match self {
            Self::Internal(cause) => {
                tracing::error!(cause = chain(cause.as_ref()), "Request failed by a fault of ours");
            }
            Self::StorageUnavailable(cause)
            | Self::IssuerUnavailable(cause)
            | Self::EngineUnavailable(cause) => {
                tracing::warn!(cause = chain(cause.as_ref()), "What is needed to answer cannot be reached");
            }
            Self::PushRefused { cause, .. } => cause.log(),
            refused => tracing::debug!(code = refused.entry().code, reason = %refused, "Request refused"),
        }
    }
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        self.entry().status
    }

    fn error_response(&self) -> HttpResponse {
        self.log();
        let entry = self.entry();
        let mut response = HttpResponse::build(entry.status);
        match entry.retry {
            Retry::ClientDecides => {}
            Retry::Never => {
                response.insert_header(("x-should-retry", "false"));
            }
            Retry::After { ms } => {
                response.insert_header((header::RETRY_AFTER, ms.div_ceil(1000)));
                response.insert_header(("retry-after-ms", ms));
                response.insert_header(("x-should-retry", "true"));
            }
        }
        for header in self.standing().into_iter().flat_map(Standing::headers) {
            response.insert_header(header);
        }
        if entry.status == StatusCode::UNAUTHORIZED {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
        }
        if let Self::ShuttingDown = self {
            response.force_close();
        }
        if let Self::MethodNotAllowed { allow, .. } = self {
            response.insert_header((header::ALLOW, allow.as_str()));
        }
        response.json(self.envelope())
    }
}

/// A cause with all that caused it, on one line.
fn chain(cause: &(dyn Cause + Send + Sync + 'static)) -> String {
    let mut text = cause.to_string();
    let mut next = cause.source();
    while let Some(deeper) = next {
        text.push_str(": ");
        text.push_str(&deeper.to_string());
        next = deeper.source();
    }
    text
}

#[cfg(test)]
mod tests;
