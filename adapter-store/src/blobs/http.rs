//! How S3 is reached: one HTTP client with the program's own TLS, each request bounded. Knows no S3.

use std::error::Error as StdError;
use std::time::Duration;

use async_trait::async_trait;
use http_body_util::BodyExt;
use object_store::client::{
    ClientConfigKey, HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
    HttpResponseBody, HttpService,
};
use object_store::{ClientOptions, Error};
use reqwest::redirect::Policy;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// How long the head of an answer may take, beside the time that the request's body takes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(7);
/// How slow a body may travel.
const SLOWEST_BYTES_PER_S: u64 = 512 << 10;

/// Makes clients.
#[derive(Debug)]
pub(super) struct Connector;

#[derive(Debug)]
struct Client(reqwest::Client);

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // A redirect means another region: what was signed for one place is no good at another.
        let builder =
            reqwest::Client::builder().connect_timeout(CONNECT_TIMEOUT).redirect(Policy::none()).http1_only();
        // Plain HTTP is for what is near: a server of one's own, the machine's metadata. No proxy leads there.
        let plain = options.get_config_value(&ClientConfigKey::AllowHttp).as_deref() == Some("true");
        let builder = if plain { builder.no_proxy() } else { builder.https_only(true) };
        let client = builder.build().map_err(|error| Error::Generic { store: "S3", source: error.into() })?;
        Ok(HttpClient::new(Client(client)))
    }
}

#[async_trait]
impl HttpService for Client {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let bytes = request.body().content_length() as u64;
        let limit = ANSWER_TIMEOUT + Duration::from_secs(bytes / SLOWEST_BYTES_PER_S);
        let request: reqwest::Request = request.map(reqwest::Body::wrap).try_into().map_err(meaning)?;
        let answer = tokio::time::timeout(limit, self.0.execute(request))
            .await
            .map_err(|elapsed| HttpError::new(HttpErrorKind::Timeout, elapsed))?;
        let (head, body) = http::Response::<reqwest::Body>::from(answer.map_err(meaning)?).into_parts();
        Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body.map_err(meaning))))
    }
}

/// What may be tried again: a connection that was not made, and, where it does no harm, one that broke off.
fn meaning(error: reqwest::Error) -> HttpError {
    let kind = match &error {
        error if error.is_connect() => HttpErrorKind::Connect,
        error if error.is_timeout() => HttpErrorKind::Timeout,
        error if error.is_builder() || error.is_decode() => HttpErrorKind::Unknown,
        _ => HttpErrorKind::Interrupted,
    };
    // The address is told by whoever asked, and by nobody where it is secret.
    let error: Box<dyn StdError + Send + Sync> = error.without_url().into();
    HttpError::new_boxed(kind, error)
}
