//! Pages in a browser: what a listed origin may ask and read, and what nobody else may.

use std::collections::BTreeMap;

use reqwest::{Method, header::HeaderMap};
use serde_json::json;
use tenora_gateway::router::routes;
use tenora_tests::{Client, Reply, Server, Settings, chat};

const CHAT: &str = "/v1/chat/completions";
const PAGE: &str = "https://app.example.com";
const ELSEWHERE: [&str; 4] =
    ["https://evil.example", "http://app.example.com", "https://app.example.com.evil.example", "null"];

fn start() -> (Settings, Server) {
    let settings =
        Settings::demo().with("TENORA_CORS_ORIGINS", "http://localhost:3000, https://app.example.com");
    let server = settings.start();
    (settings, server)
}

async fn ask(client: &Client, method: Method, path: &str, origin: &str) -> Reply {
    Reply::to(client.request(method, path).header("origin", origin)).await
}

async fn preflight(client: &Client, path: &str, origin: &str) -> Reply {
    let request = client.request(Method::OPTIONS, path).header("origin", origin);
    let request = request.header("access-control-request-method", "POST");
    // As OpenAI's SDK for JavaScript makes a browser ask.
    let headers = "authorization,content-type,x-stainless-arch,x-stainless-retry-count,x-stainless-runtime";
    Reply::to(request.header("access-control-request-headers", headers)).await
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).expect(name).to_str().expect("text")
}

#[track_caller]
fn is_open(headers: &HeaderMap, readable: &[&str]) {
    assert_eq!(header(headers, "access-control-allow-origin"), PAGE);
    assert_eq!(header(headers, "vary"), "origin");
    let told: Vec<_> = header(headers, "access-control-expose-headers").split(", ").collect();
    for name in readable {
        assert!(told.contains(name) && headers.contains_key(*name), "{name} is not readable: {told:?}");
    }
    assert!(!headers.contains_key("access-control-allow-credentials"));
}

#[track_caller]
fn is_closed(headers: &HeaderMap, what: &str) {
    let cors = headers.keys().find(|name| name.as_str().starts_with("access-control-"));
    assert_eq!(cors, None, "{what}");
}

#[tokio::test]
async fn a_listed_page_may_ask_what_a_route_answers_and_nobody_else() {
    let (_settings, server) = start();
    let anonymous = server.client(None);
    let mut paths: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for route in routes() {
        paths.entry(route.path).or_default().push(route.method.to_string());
    }
    for (path, methods) in paths {
        let asked = path.replace(['{', '}'], "");
        let told = preflight(&anonymous, &asked, PAGE).await;
        if !path.starts_with("/v1/") {
            told.expect_error(405, "method_not_allowed");
            is_closed(&told.headers, path);
            continue;
        }
        assert_eq!(told.status, 204, "{path}: {}", told.body);
        is_open(&told.headers, &["x-request-id"]);
        assert_eq!(header(&told.headers, "access-control-allow-methods"), methods.join(", "), "{path}");
        let headers = header(&told.headers, "access-control-allow-headers");
        for name in
            ["authorization", "content-type", "x-request-id", "idempotency-key", "x-stainless-runtime"]
        {
            assert!(headers.split(", ").any(|allowed| allowed == name), "{path}: {name} not in {headers}");
        }
        for origin in ELSEWHERE {
            let refused = preflight(&anonymous, &asked, origin).await;
            refused.expect_error(405, "method_not_allowed");
            is_closed(&refused.headers, origin);
        }
    }
    // Neither is anything done, nor a credential looked at.
    let plain = ask(&anonymous, Method::OPTIONS, CHAT, PAGE).await;
    plain.expect_error(405, "method_not_allowed");
    is_open(&plain.headers, &[]);
}

#[tokio::test]
async fn a_listed_page_reads_answers_errors_and_streams() {
    let (settings, server) = start();
    let (acme, admin, anonymous) =
        (server.tenant(&settings, "acme"), server.admin(&settings), server.client(None));
    let limits = json!({"limits": {"requests_per_minute": 2, "tokens_per_minute": 100_000}});
    assert_eq!(admin.patch("/admin/v1/tenants/acme", &limits).await.status, 200);
    let mut body = chat("ticket-triage", "My app crashes.");
    body["max_tokens"] = 2.into();
    let generate = |client: &Client| client.request(Method::POST, CHAT).header("origin", PAGE).json(&body);

    let unknown = Reply::to(generate(&anonymous)).await;
    unknown.expect_error(401, "invalid_api_key");
    is_open(&unknown.headers, &["x-request-id"]);
    let nowhere = ask(&acme, Method::GET, "/v1/nowhere", PAGE).await;
    nowhere.expect_error(404, "route_not_found");
    is_open(&nowhere.headers, &["x-request-id"]);

    let answer = Reply::to(generate(&acme)).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    is_open(
        &answer.headers,
        &["x-request-id", "x-ratelimit-remaining-tokens", "x-tenora-adapter-digest", "server-timing"],
    );
    let mut streamed = body.clone();
    streamed["stream"] = true.into();
    let stream = acme.request(Method::POST, CHAT).header("origin", PAGE).json(&streamed);
    let stream = stream.send().await.expect("an answer");
    is_open(stream.headers(), &["x-request-id", "x-ratelimit-remaining-requests", "x-tenora-adapter-digest"]);
    assert!(stream.text().await.expect("a stream").ends_with("data: [DONE]\n\n"));
    let limited = Reply::to(generate(&acme)).await;
    limited.expect_error(429, "rate_limit_exceeded");
    is_open(
        &limited.headers,
        &["retry-after", "retry-after-ms", "x-should-retry", "x-ratelimit-limit-requests"],
    );

    for origin in ELSEWHERE {
        is_closed(&ask(&acme, Method::GET, "/v1/models", origin).await.headers, origin);
    }
    for path in ["/admin/v1/tenants", "/readyz", "/openapi.json", "/docs", "/"] {
        is_closed(&ask(&admin, Method::GET, path, PAGE).await.headers, path);
    }
}

#[tokio::test]
async fn without_the_setting_no_page_reads_anything() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    for path in ["/v1/models", "/v1/nowhere"] {
        let answer = ask(&acme, Method::GET, path, PAGE).await;
        is_closed(&answer.headers, path);
        assert!(!answer.headers.contains_key("vary"));
    }
    let told = preflight(&acme, CHAT, PAGE).await;
    told.expect_error(405, "method_not_allowed");
    is_closed(&told.headers, CHAT);
}

#[test]
fn a_star_is_refused_with_what_to_write_instead() {
    let (status, error) = Settings::demo().with("TENORA_CORS_ORIGINS", "*,https://Shop.example/").fail();
    assert!(!status.success());
    for words in ["TENORA_CORS_ORIGINS", "list each origin", "write https://shop.example"] {
        assert!(error.contains(words), "{words} is missing:\n{error}");
    }
}
