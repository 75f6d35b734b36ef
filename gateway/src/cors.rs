//! Which pages of other origins may read the tenants' API in a browser (CORS, as the Fetch standard has it). Knows neither
//! routes nor credentials: a page sends its key in a header of its own accord, so that cookies never play a part.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method,
        header::{
            ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
            ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS,
            ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
        },
    },
    web::Data,
};
use reqwest::Url;

/// What pages of other origins may reach: never the operator's API.
const OPEN_TO_PAGES: &str = "/v1/";
/// For how long a browser may remember what it was told before a request; browsers take no more than this.
const MAX_AGE_S: u32 = 7200;
/// Headers that a page may send: what this API reads, and what OpenAI's SDK adds of its own.
const REQUEST_HEADERS: &str = "authorization, content-type, x-request-id, idempotency-key, user-agent, \
                               openai-organization, openai-project";
/// OpenAI's SDK tells of itself in headers of this family, and each release in somewhat different ones.
const SDK_FAMILY: &str = "x-stainless-";
const MAX_SDK_HEADERS: usize = 32;
const MAX_SDK_HEADER_CHARS: usize = 64;
/// Headers of answers that a page may read, besides the families below.
const READABLE: [&str; 6] = [
    "x-request-id",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "server-timing",
    "openai-processing-ms",
];
const READABLE_FAMILIES: [&str; 2] = ["x-ratelimit-", "x-tenora-"];

/// Origins whose pages may read the tenants' API, as browsers send them: `https://app.example.com`.
#[derive(Debug, Clone, Default)]
pub struct Origins(Vec<String>);

impl Origins {
    /// Reads origins with commas between; an error names every one that is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (origins, mistakes): (Vec<_>, Vec<_>) =
            text.split(',').map(|part| origin(part.trim())).partition(Result::is_ok);
        if mistakes.is_empty() {
            return Ok(Self(origins.into_iter().flatten().collect()));
        }
        Err(mistakes.into_iter().filter_map(Result::err).collect::<Vec<_>>().join("; "))
    }

    /// The request's origin, when it is listed.
    fn listed<'r>(&self, request: &'r HttpRequest) -> Option<&'r HeaderValue> {
        let origin = request.headers().get(ORIGIN)?;
        self.0.iter().any(|listed| listed.as_bytes() == origin.as_bytes()).then_some(origin)
    }
}

fn origin(text: &str) -> Result<String, String> {
    const EXAMPLE: &str = "https://app.example.com or http://localhost:3000";
    if text.contains('*') {
        return Err(format!(
            "`{text}` would let pages in that nobody named; list each origin, such as {EXAMPLE}"
        ));
    }
    let none = || format!("`{text}` is not an origin such as {EXAMPLE}");
    let url = Url::parse(text).map_err(|_| none())?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(none());
    }
    let sent = url.origin().ascii_serialization();
    if sent == text { Ok(sent) } else { Err(format!("`{text}` is not what browsers send; write {sent}")) }
}

/// The configured origins, where the request is to something that pages may reach.
fn origins(request: &HttpRequest) -> Option<&Origins> {
    let origins = request.app_data::<Data<Origins>>()?;
    (!origins.0.is_empty() && request.path().starts_with(OPEN_TO_PAGES)).then(|| origins.get_ref())
}

/// The answer to a browser that asks what it may ask, for a page of a listed origin: before any credential, which it does
/// not send. `allow` are the route's methods.
pub fn preflight(request: &HttpRequest, allow: &str) -> Option<HttpResponse> {
    let headers = request.headers();
    let asks = request.method() == Method::OPTIONS && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
    let origins = origins(request).filter(|_| asks)?;
    origins.listed(request)?;
    Some(
        HttpResponse::NoContent()
            .insert_header((ACCESS_CONTROL_ALLOW_METHODS, allow))
            .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, sendable(headers)))
            .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE_S))
            .finish(),
    )
}

/// Lets a page of a listed origin read this answer, whatever it is: errors and streams too.
pub fn open(request: &HttpRequest, answer: &mut HeaderMap) {
    let Some(origins) = origins(request) else { return };
    // Also where the origin is not listed: another one would have been answered otherwise.
    answer.append(VARY, HeaderValue::from_static("origin"));
    let Some(origin) = origins.listed(request) else { return };
    answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    if let Ok(readable) = HeaderValue::from_str(&readable(answer)) {
        answer.insert(ACCESS_CONTROL_EXPOSE_HEADERS, readable);
    }
}

/// The headers that the page may send: the fixed ones, and those of the SDK's that it asks for.
fn sendable(asked: &HeaderMap) -> String {
    let asked = asked.get_all(ACCESS_CONTROL_REQUEST_HEADERS).filter_map(|value| value.to_str().ok());
    let sdk = asked.flat_map(|names| names.split(',')).map(str::trim).filter(|name| is_the_sdks(name));
    std::iter::once(REQUEST_HEADERS).chain(sdk.take(MAX_SDK_HEADERS)).collect::<Vec<_>>().join(", ")
}

fn is_the_sdks(name: &str) -> bool {
    let plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    name.len() <= MAX_SDK_HEADER_CHARS && name.strip_prefix(SDK_FAMILY).is_some_and(plain)
}

/// Those of the answer's headers that a page may read.
fn readable(answer: &HeaderMap) -> String {
    let readable = |name: &&str| {
        READABLE.contains(name) || READABLE_FAMILIES.iter().any(|family| name.starts_with(family))
    };
    answer.keys().map(|name| name.as_str()).filter(readable).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn request(method: Method, path: &str, headers: &[(&str, &str)]) -> HttpRequest {
        let origins = Origins::parse("https://app.example.com, http://localhost:3000").expect("origins");
        let request = TestRequest::with_uri(path).method(method).app_data(Data::new(origins));
        headers.iter().fold(request, |request, header| request.insert_header(*header)).to_http_request()
    }

    fn opened(request: &HttpRequest) -> HeaderMap {
        let mut answer = HeaderMap::new();
        for name in ["x-request-id", "x-ratelimit-limit-tokens", "x-tenora-anything", "x-frame-options"] {
            answer.insert(name.parse().expect("a name"), HeaderValue::from_static("1"));
        }
        open(request, &mut answer);
        answer
    }

    #[test]
    fn an_origin_is_what_a_browser_sends_and_every_other_is_named() {
        for right in ["https://a.example", "http://localhost:3000", "https://xn--bcher-kva.example:8443"] {
            assert_eq!(Origins::parse(right).expect(right).0, [right]);
        }
        for (wrong, fix) in [
            ("https://A.example/", "write https://a.example"),
            ("https://a.example:443", "write https://a.example"),
            ("https://a.example/app", "write https://a.example"),
            ("https://bücher.example", "write https://xn--bcher-kva.example"),
            ("a.example", "such as https://app.example.com"),
            ("null", "such as https://app.example.com"),
            ("file:///tmp", "such as https://app.example.com"),
            ("", "such as https://app.example.com"),
            ("*", "list each origin"),
            ("https://*.example", "list each origin"),
        ] {
            let error = Origins::parse(wrong).expect_err(wrong);
            assert!(error.contains(fix), "{wrong}: {error}");
        }
        let both = Origins::parse("*, https://a.example, nowhere").expect_err("two mistakes");
        assert!(both.contains("`*`") && both.contains("`nowhere`") && !both.contains("a.example"), "{both}");
    }

    #[test]
    fn only_listed_origins_may_read_and_only_what_is_a_tenants() {
        let page = [("origin", "https://app.example.com")];
        let answer = opened(&request(Method::GET, "/v1/models", &page));
        assert_eq!(answer.get(ACCESS_CONTROL_ALLOW_ORIGIN).expect("open"), "https://app.example.com");
        assert_eq!(answer.get(VARY).expect("told"), "origin");
        let readable = answer.get(ACCESS_CONTROL_EXPOSE_HEADERS).expect("told").to_str().expect("text");
        let mut readable: Vec<_> = readable.split(", ").collect();
        readable.sort_unstable();
        assert_eq!(readable, ["x-ratelimit-limit-tokens", "x-request-id", "x-tenora-anything"]);
        for (path, origin) in [
            ("/v1/models", "https://app.example.com.evil.example"),
            ("/v1/models", "http://app.example.com"),
            ("/v1/models", "null"),
            ("/admin/v1/tenants", "https://app.example.com"),
            ("/v1/../admin/v1/tenants", "null"),
            ("/readyz", "https://app.example.com"),
        ] {
            let answer = opened(&request(Method::GET, path, &[("origin", origin)]));
            assert!(
                !answer.keys().any(|name| name.as_str().starts_with("access-control-")),
                "{path} {origin}"
            );
        }
        let without = TestRequest::with_uri("/v1/models").insert_header(page[0]).to_http_request();
        assert_eq!(opened(&without).len(), 4, "no setting, no header");
    }

    #[test]
    fn a_page_may_send_what_is_read_and_what_the_sdk_adds() {
        let asked = [
            ("origin", "https://app.example.com"),
            ("access-control-request-method", "POST"),
            (
                "access-control-request-headers",
                "authorization,x-stainless-lang,x-stainless-OS,x-stainless-a b,cookie",
            ),
        ];
        let answer = preflight(&request(Method::OPTIONS, "/v1/models", &asked), "GET, POST").expect("told");
        assert_eq!(answer.status(), 204);
        let header = |name| answer.headers().get(name).expect("told").to_str().expect("text");
        assert_eq!(header(ACCESS_CONTROL_ALLOW_METHODS), "GET, POST");
        assert_eq!(header(ACCESS_CONTROL_ALLOW_HEADERS), format!("{REQUEST_HEADERS}, x-stainless-lang"));
        assert_eq!(header(ACCESS_CONTROL_MAX_AGE), "7200");

        let no_preflight = |method, path, headers: &[(&str, &str)]| {
            assert!(preflight(&request(method, path, headers), "GET").is_none(), "{path} {headers:?}");
        };
        no_preflight(Method::OPTIONS, "/v1/models", &asked[..1]);
        no_preflight(Method::OPTIONS, "/v1/models", &asked[1..]);
        no_preflight(Method::GET, "/v1/models", &asked);
        no_preflight(Method::OPTIONS, "/admin/v1/tenants", &asked);
        let many = vec!["x-stainless-lang"; 1000].join(",");
        let asked = [asked[0], asked[1], ("access-control-request-headers", many.as_str())];
        let answer = preflight(&request(Method::OPTIONS, "/v1/models", &asked), "GET").expect("told");
        let told = answer.headers().get(ACCESS_CONTROL_ALLOW_HEADERS).expect("told");
        assert!(told.len() < 1024, "{} characters", told.len());
    }
}
