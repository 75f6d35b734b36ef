//! Browsers: signed in with a key that pages never see again, held to what that key may do, and shown what happens now.

use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use tenora_tests::{Client, Reply, Server, Settings, chat};

/// A browser that has signed in.
struct Browser {
    client: Client,
    cookie: String,
    session: Value,
}

impl Browser {
    async fn sign_in(server: &Server, key: &str) -> Self {
        let client = server.client(None);
        let reply = client.post("/session", &json!({ "key": key })).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let set = reply.headers["set-cookie"].to_str().expect("plain").to_owned();
        let (cookie, flags) = set.split_once(';').expect("flags");
        for flag in ["HttpOnly", "SameSite=Strict", "Path=/"] {
            assert!(flags.contains(flag), "{set}");
        }
        assert!(!flags.contains("Secure"), "this browser is on the server's machine: {set}");
        assert!(!set.contains(key.split_once('.').map_or(key, |(_, secret)| secret)), "the key is not in it");
        Self { client, cookie: cookie.to_owned(), session: reply.body }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, path).header("cookie", &self.cookie)
    }

    async fn get(&self, path: &str) -> Reply {
        Reply::to(self.request(Method::GET, path)).await
    }

    /// With the token that proves that the request is of the dashboard's page.
    async fn send(&self, method: Method, path: &str, body: &Value) -> Reply {
        let csrf = self.session["csrf"].as_str().expect("a token");
        Reply::to(self.request(method, path).header("x-csrf-token", csrf).json(body)).await
    }
}

fn key(settings: &Settings, tenant: usize) -> String {
    settings.credentials()["tenants"][tenant]["api_key"].as_str().expect("a key").to_owned()
}

fn admin_key(settings: &Settings) -> String {
    settings.credentials()["admin_key"].as_str().expect("a key").to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_in_a_browser_is_the_tenant_and_nobody_else() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = Browser::sign_in(&server, &key(&settings, 0)).await;
    assert_eq!(acme.session["role"], "tenant");
    assert_eq!(acme.session["tenant"]["slug"], "acme");
    assert_eq!(acme.get("/session").await.body["csrf"], acme.session["csrf"], "the same session");
    assert_eq!(acme.get("/v1/me").await.body["tenant"], "acme");
    acme.get("/admin/v1/tenants").await.expect_error(401, "invalid_api_key");
    acme.get("/v1/adapters/text-to-sql").await.expect_error(404, "model_not_found");
    let asked = acme.send(Method::POST, "/v1/chat/completions", &chat("ticket-triage", "Hello")).await;
    assert_eq!(asked.status, 200, "{}", asked.body);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_changes_something_needs_the_sessions_token() {
    let settings = Settings::demo();
    let server = settings.start();
    let operator = Browser::sign_in(&server, &admin_key(&settings)).await;
    assert_eq!((&operator.session["role"], &operator.session["tenant"]), (&json!("admin"), &Value::Null));
    let new = json!({"slug": "umbrella", "name": "Umbrella"});
    for token in [None, Some(""), Some("00"), Some(&operator.session["csrf"].as_str().expect("a token")[1..])]
    {
        let mut request = operator.request(Method::POST, "/admin/v1/tenants").json(&new);
        if let Some(token) = token {
            request = request.header("x-csrf-token", token);
        }
        Reply::to(request).await.expect_error(403, "csrf_token_missing");
    }
    // Another session's token is another's.
    let other = Browser::sign_in(&server, &admin_key(&settings)).await;
    let csrf = other.session["csrf"].as_str().expect("a token");
    let mixed = operator.request(Method::POST, "/admin/v1/tenants").header("x-csrf-token", csrf).json(&new);
    Reply::to(mixed).await.expect_error(403, "csrf_token_missing");
    assert_eq!(operator.send(Method::POST, "/admin/v1/tenants", &new).await.status, 201);
    operator
        .send(Method::POST, "/v1/chat/completions", &chat("base", "Hello"))
        .await
        .expect_error(401, "invalid_api_key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_ends_with_its_key_and_a_cookie_of_ones_own_making_is_none() {
    let settings = Settings::demo();
    let server = settings.start();
    let admin = server.admin(&settings);
    let made = admin.post("/admin/v1/tenants/acme/keys", &json!({"name": "for a browser"})).await;
    let browser = Browser::sign_in(&server, made.body["key"].as_str().expect("a key")).await;
    assert_eq!(browser.get("/v1/me").await.status, 200);
    let id = made.body["id"].as_str().expect("an id");
    assert_eq!(admin.delete(&format!("/admin/v1/tenants/acme/keys/{id}")).await.status, 200);
    let started = Instant::now();
    while browser.get("/v1/me").await.status == 200 {
        assert!(started.elapsed() < Duration::from_secs(2), "a revoked key ends its sessions");
    }
    browser.get("/session").await.expect_error(401, "invalid_api_key");
    for forged in ["x", "00", &browser.cookie["tenora_session=".len()..].replace('a', "b"), &"0".repeat(200)]
    {
        let request = server
            .client(None)
            .request(Method::GET, "/v1/me")
            .header("cookie", format!("tenora_session={forged}"));
        Reply::to(request).await.expect_error(401, "session_ended");
    }
    server.client(None).get("/session").await.expect_error(401, "session_ended");
    server
        .client(None)
        .post("/session", &json!({"key": "nonsense"}))
        .await
        .expect_error(401, "invalid_api_key");
    server
        .client(None)
        .post("/session", &json!({"key": "x".repeat(5000)}))
        .await
        .expect_error(401, "invalid_api_key");
    let out = Reply::to(browser.request(Method::DELETE, "/session")).await;
    assert_eq!(out.status, 204);
    assert!(out.headers["set-cookie"].to_str().expect("plain").contains("Max-Age=0"));
}

/// Events of a stream until one of this name.
async fn event(answer: &mut reqwest::Response, name: &str) -> Value {
    let mut text = String::new();
    loop {
        let chunk = answer.chunk().await.expect("unbroken").expect("it goes on");
        text += &String::from_utf8_lossy(&chunk);
        for event in text.split("\n\n") {
            if let Some(data) = event.strip_prefix(&format!("event: {name}\ndata: "))
                && let Ok(value) = serde_json::from_str(data)
            {
                return value;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_now_is_told_to_the_operator_whole_and_to_a_tenant_its_own() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    acme.text(&chat("ticket-triage", "My app crashes.")).await;
    let open = async |client: Client, path: &str| {
        let answer = client.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.status(), 200);
        answer
    };
    let mut all = open(server.admin(&settings), "/admin/v1/live").await;
    assert!(event(&mut all, "history").await["points"].is_array());
    let now = loop {
        let now = event(&mut all, "now").await;
        if now["requests_per_s"].as_f64().expect("a number") > 0.0 {
            break now;
        }
    };
    assert!(now["ttft_ms"]["p50"].as_f64().expect("one was answered") > 0.0, "{now}");
    assert_eq!(now["tenants"][0]["slug"], "acme");
    assert!(now["kv"]["blocks"].as_u64().expect("a number") > 0);
    let resident = &now["adapters"]["resident"][0];
    assert_eq!(
        (&resident["tenant"], &resident["adapter"]),
        (&json!("acme"), &json!("ticket-triage")),
        "{now}"
    );

    let mut own = open(acme, "/v1/live").await;
    let now = event(&mut own, "now").await;
    assert!(now["output_tokens_per_s"].as_f64().expect("a number") > 0.0, "{now}");
    let mut foreign = open(server.tenant(&settings, "globex"), "/v1/live").await;
    let now = event(&mut foreign, "now").await;
    assert_eq!(now["requests_per_s"], 0.0, "{now}");
    assert_eq!(
        (&now["batch"], &now["kv"]["used"], &now["adapters"]["bytes"]),
        (&Value::Null, &Value::Null, &Value::Null)
    );
    let others = now["adapters"]["resident"].as_array().expect("a list");
    assert!(others.iter().all(|adapter| adapter["tenant"] == "globex"), "{now}");
    assert!(!now.to_string().contains("acme"), "{now}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_sees_a_tenants_adapters_and_finds_tenants() {
    let settings = Settings::demo();
    let server = settings.start();
    let admin = server.admin(&settings);
    let adapters = admin.get("/admin/v1/tenants/acme/adapters").await;
    assert_eq!(adapters.body["data"][0]["name"], "ticket-triage", "{}", adapters.body);
    let versions = admin.get("/admin/v1/tenants/acme/adapters/ticket-triage/versions").await;
    assert_eq!(versions.body["data"][0]["version"], 1);
    let aliases = admin.get("/admin/v1/tenants/acme/adapters/ticket-triage/aliases").await;
    assert_eq!(aliases.body["data"][0]["alias"], "latest", "{}", aliases.body);
    admin.get("/admin/v1/tenants/nobody/adapters").await.expect_error(404, "tenant_not_found");
    admin
        .get("/admin/v1/tenants/acme/adapters/text-to-sql/versions")
        .await
        .expect_error(404, "model_not_found");
    let found = admin.get("/admin/v1/tenants?q=OBE&order=-created_at").await;
    assert_eq!(found.body["data"].as_array().map(Vec::len), Some(1), "{}", found.body);
    assert_eq!(found.body["data"][0]["slug"], "globex");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_served_with_a_strict_policy_and_lets_no_path_out() {
    let settings = Settings::demo();
    let server = settings.start();
    let client = server.client(None);
    for path in ["/dashboard", "/dashboard/tenants/acme", "/dashboard/..%2f..%2fetc%2fpasswd"] {
        let answer = client.request(Method::GET, path).send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{path}");
        let policy = answer.headers()["content-security-policy"].to_str().expect("plain").to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'"), "{policy}");
        assert_eq!(answer.headers()["x-frame-options"], "DENY");
        assert!(answer.text().await.expect("a page").contains("<html"), "{path}");
    }
    client.get("/dashboard/assets/none.js").await.expect_error(404, "route_not_found");
}
