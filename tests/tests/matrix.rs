//! Every route × every kind of credential: who gets in, and with which status the others are sent away.

use std::sync::atomic::{AtomicU8, Ordering};

use reqwest::{Method, RequestBuilder, multipart::Form};
use serde_json::{Value, json};
use tenora_gateway::{
    guard::Access,
    router::{Route, routes},
};
use tenora_tests::{Adapter, Client, Reply, Server, Settings, chat};

const SCOPES: [&str; 6] =
    ["chat", "models:read", "adapters:read", "adapters:write", "usage:read", "keys:write"];
const VIEWER: &str = "look-but-do-not-touch-0123456789abcdef";

struct World {
    settings: Settings,
    server: Server,
    /// An upload of `acme` of three bytes, and its one part.
    upload: (String, String),
}

/// An upload with all its bytes.
async fn begin_upload(client: &Client) -> (String, String) {
    let upload = client.post("/v1/uploads", &json!({"filename": "x", "bytes": 3})).await;
    let id = upload.body["id"].as_str().expect("an id").to_owned();
    let part = Reply::to(part(client, &id)).await;
    (id, part.body["id"].as_str().expect("an id").to_owned())
}

/// The same part each time.
fn part(client: &Client, upload: &str) -> RequestBuilder {
    let form = Form::new().text("part_number", "1").text("data", "abc");
    client.request(Method::POST, &format!("/v1/uploads/{upload}/parts")).multipart(form)
}

impl World {
    /// A valid request to the route, about resources of `acme`.
    async fn request(&self, route: &Route, client: &Client) -> RequestBuilder {
        let json = |path: &str, body| client.request(method(route), path).json(&body);
        match (route.method.as_str(), route.path) {
            ("POST", "/v1/chat/completions") => {
                let mut body = chat("ticket-triage", "Hello");
                body["max_tokens"] = 1.into();
                json(route.path, body)
            }
            ("POST", "/v1/completions") => {
                json(route.path, json!({"model": "ticket-triage", "prompt": "Hello", "max_tokens": 1}))
            }
            ("POST", "/v1/adapters") => client.upload_request("matrix", &Adapter::demo("text-to-sql")),
            ("POST", "/v1/uploads") => json(route.path, json!({"filename": "x", "bytes": 3})),
            ("POST", "/v1/uploads/{id}/parts") => part(client, &self.upload.0),
            ("POST", "/v1/uploads/{id}/complete") => {
                let path = route.path.replace("{id}", &self.upload.0);
                json(&path, json!({"part_ids": [self.upload.1]}))
            }
            (_, path) if path.starts_with("/v1/uploads/") => {
                client.request(method(route), &path.replace("{id}", &self.upload.0))
            }
            ("DELETE", "/v1/adapters/{name}") => client.request(Method::DELETE, "/v1/adapters/matrix"),
            ("DELETE", "/v1/adapters/{name}/versions/{version}") => {
                let spare = self.spare_version().await;
                client.request(Method::DELETE, &format!("/v1/adapters/ticket-triage/versions/{spare}"))
            }
            (verb, path) if path.contains("{model}") || path.contains("{name}") => {
                self.prod_has_moved().await;
                let path = path
                    .replace("{model}", "ticket-triage")
                    .replace("{name}", "ticket-triage")
                    .replace("{slug}", "acme");
                let path = path.replace("{version}", "1").replace("{alias}", "prod");
                match verb {
                    "PUT" => json(&path, json!({"version": 1})),
                    "PATCH" => json(&path, json!({"status": "ready"})),
                    "POST" => json(&path, json!({})),
                    _ => client.request(method(route), &path),
                }
            }
            (_, path) if path.starts_with("/v1/pushes/{id}") => {
                let pushes = self.acme().await.get("/v1/pushes").await.body;
                let id = pushes["data"][0]["id"].as_str().expect("the demo was pushed");
                client.request(Method::GET, &path.replace("{id}", id))
            }
            ("GET", "/v1/usage" | "/admin/v1/usage") => {
                client.request(Method::GET, &format!("{}?start_time=1735689600", route.path))
            }
            _ => self.operators_request(route, client).await,
        }
    }

    /// The same for what is the operator's, or anybody's.
    async fn operators_request(&self, route: &Route, client: &Client) -> RequestBuilder {
        let json = |path: &str, body| client.request(method(route), path).json(&body);
        match (route.method.as_str(), route.path) {
            ("POST", "/admin/v1/tenants") => json(route.path, json!({"slug": self.fresh_slug().await})),
            ("PATCH", "/admin/v1/tenants/{slug}") => json("/admin/v1/tenants/acme", json!({"name": "Acme"})),
            ("PATCH", "/admin/v1/servers") => {
                json(route.path, json!({"url": "http://gpu-1:8000", "draining": true}))
            }
            ("DELETE", "/admin/v1/tenants/{slug}") => {
                let slug = self.fresh_slug().await;
                self.server.admin(&self.settings).post("/admin/v1/tenants", &json!({"slug": slug})).await;
                client.request(Method::DELETE, &format!("/admin/v1/tenants/{slug}"))
            }
            ("POST", path) if path.ends_with("/keys") => {
                json(&path.replace("{slug}", "acme"), json!({"name": "matrix"}))
            }
            (verb, path) if path.contains("/keys/{id}") => {
                let key = self.key("acme", &SCOPES).await;
                let path =
                    path.replace("{slug}", "acme").replace("{id}", key.body["id"].as_str().expect("an id"));
                let request = client.request(method(route), &path);
                if verb == "POST" { request.json(&json!({})) } else { request }
            }
            ("POST", "/session") => {
                let key = &self.settings.credentials()["tenants"][0]["api_key"];
                json(route.path, json!({ "key": key }))
            }
            (_, path) => {
                let path = path.replace("{slug}", "acme").replace("{name}", "ticket-triage");
                client.request(method(route), &path.replace("{path:.*}", "tenants"))
            }
        }
    }

    /// A key to all that is acme's.
    async fn acme(&self) -> Client {
        self.client_with("acme", &SCOPES).await
    }

    /// The number of a version that no alias names.
    async fn spare_version(&self) -> u64 {
        static SPARE: AtomicU8 = AtomicU8::new(1);
        let spare = Adapter::demo("ticket-triage").variant(SPARE.fetch_add(1, Ordering::Relaxed));
        let acme = self.acme().await;
        let request = acme.upload_request_to("/v1/adapters?latest=false", "ticket-triage", &spare);
        let pushed = Reply::to(request).await;
        assert_eq!(pushed.status, 201, "{}", pushed.body);
        pushed.body["version"].as_u64().expect("a number")
    }

    /// Sees to it that there is an alias with somewhere to go back to.
    async fn prod_has_moved(&self) {
        let acme = self.acme().await;
        for _ in 0..2 {
            let path = "/v1/adapters/ticket-triage/aliases/prod";
            let moved = Reply::to(acme.request(Method::PUT, path).json(&json!({"version": 1}))).await;
            assert_eq!(moved.status, 200, "{}", moved.body);
        }
    }

    /// A slug that nobody has, or had.
    async fn fresh_slug(&self) -> String {
        let made = self.key("acme", &["chat"]).await;
        format!("t-{}", &made.body["id"].as_str().expect("an id")[12..])
    }

    async fn key(&self, tenant: &str, scopes: &[&str]) -> Reply {
        let admin = self.server.admin(&self.settings);
        let path = format!("/admin/v1/tenants/{tenant}/keys");
        let made = admin.post(&path, &json!({"name": "made", "scopes": scopes})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made
    }

    async fn status(&self, route: &Route, client: &Client) -> (u16, String) {
        let request = self.request(route, client).await;
        if route.path.ends_with("/live") {
            // It has no end.
            let answer = request.send().await.expect("an answer");
            if answer.status() == 200 {
                return (200, String::new());
            }
            return self.status_of(answer).await;
        }
        self.status_of(request.send().await.expect("an answer")).await
    }

    async fn status_of(&self, answer: reqwest::Response) -> (u16, String) {
        let status = answer.status().as_u16();
        let body: Value = serde_json::from_str(&answer.text().await.expect("a body")).unwrap_or_default();
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    }

    async fn client_with(&self, tenant: &str, scopes: &[&str]) -> Client {
        self.server.client(self.key(tenant, scopes).await.body["key"].as_str())
    }

    async fn client_without(&self, scope: &str) -> Client {
        let others: Vec<_> = SCOPES.into_iter().filter(|other| *other != scope).collect();
        self.client_with("acme", &others).await
    }

    /// Keys that were right once.
    async fn revoked_and_expired(&self) -> [Client; 2] {
        let admin = self.server.admin(&self.settings);
        let revoked = self.key("acme", &SCOPES).await.body;
        let path = format!("/admin/v1/tenants/acme/keys/{}", revoked["id"].as_str().expect("an id"));
        assert_eq!(admin.delete(&path).await.status, 200);
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock");
        let soon = now.as_secs() + 1;
        let body = json!({"name": "short-lived", "scopes": SCOPES, "expires_at": soon});
        let expired = admin.post("/admin/v1/tenants/acme/keys", &body).await.body;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        [revoked, expired].map(|made| self.server.client(made["key"].as_str()))
    }

    /// Everybody whose credential is none of a tenant.
    async fn strangers(&self) -> Vec<(&'static str, Client)> {
        let anonymous = self.server.client(None);
        let [revoked, expired] = self.revoked_and_expired().await;
        let unknown = format!("tk_{}.{}", "0".repeat(32), "a".repeat(64));
        let whole = self.key("acme", &SCOPES).await.body["key"].as_str().expect("a key").to_owned();
        vec![
            ("no key", anonymous.clone()),
            ("malformed", anonymous.with_authorization(Some("Basic dGs6eA=="))),
            ("nothing after Bearer", anonymous.with_authorization(Some("Bearer"))),
            ("unknown key", self.server.client(Some(&unknown))),
            ("the public half of a key", self.server.client(whole.split('.').next())),
            ("a key cut short", self.server.client(Some(&whole[..whole.len() - 1]))),
            ("revoked", revoked),
            ("expired", expired),
        ]
    }
}

/// The route's method, as this client writes it.
fn method(route: &Route) -> Method {
    route.method.as_str().parse().expect("a method")
}

#[tokio::test]
async fn every_route_meets_every_kind_of_credential() {
    let settings = Settings::demo().with("TENORA_VIEWER_KEY", VIEWER);
    let server = settings.start();
    let upload = begin_upload(&server.tenant(&settings, "acme")).await;
    let world = World { settings, server, upload };
    let strangers = world.strangers().await;
    let (acme, globex) =
        (world.client_with("acme", &SCOPES).await, world.client_with("globex", &SCOPES).await);
    let (admin, viewer) = (world.server.admin(&world.settings), world.server.client(Some(VIEWER)));
    let ok = |status: u16| (status, String::new());
    let wrong_key = (401, "invalid_api_key".to_owned());
    let lacks_scope = (403, "insufficient_scope".to_owned());
    for route in routes() {
        let what = format!("{} {}", route.method, route.path);
        // As OpenAI answers where the route is one of theirs.
        let theirs = route.path.ends_with("completions") || route.path.starts_with("/v1/uploads");
        let makes = !theirs && !route.path.ends_with("rollback");
        let right = if route.method == "POST" && makes { 201 } else { 200 };
        if route.access != Access::Anyone {
            for (who, client) in &strangers {
                assert_eq!(world.status(&route, client).await, wrong_key, "{what}: {who}");
            }
        }
        match route.access {
            Access::Anyone => {
                let expected = match (route.method.as_str(), route.path) {
                    ("GET", "/session") => (401, "session_ended".to_owned()),
                    ("DELETE", "/session") => ok(204),
                    _ => ok(200),
                };
                for (who, client) in &strangers {
                    assert_eq!(world.status(&route, client).await, expected, "{what}: {who}");
                }
            }
            Access::Tenant(scope) => {
                for client in [&admin, &viewer] {
                    assert_eq!(world.status(&route, client).await, wrong_key, "{what}: an operator's key");
                }
                if let Some(scope) = scope {
                    let lacking = world.status(&route, &world.client_without(scope).await).await;
                    assert_eq!(lacking, lacks_scope, "{what}: without {scope}");
                }
                let foreign = world.status(&route, &globex).await;
                let names_a_resource = route.path.contains('{') || route.path.ends_with("completions");
                let own = route.path == "/v1/adapters/{name}" && route.method == "DELETE";
                if names_a_resource && !own {
                    let code = match route.path {
                        path if path.contains("/keys/") => "key_not_found",
                        path if path.contains("/pushes/") => "push_not_found",
                        path if path.contains("/uploads/") => "upload_not_found",
                        _ => "model_not_found",
                    };
                    assert_eq!(foreign, (404, code.to_owned()), "{what}: another tenant's key");
                } else {
                    assert_eq!(foreign, ok(right), "{what}: another tenant's key, in its own space");
                }
                assert_eq!(world.status(&route, &acme).await, ok(right), "{what}: the right key");
            }
            Access::Admin | Access::AdminRead => {
                assert_eq!(world.status(&route, &acme).await, wrong_key, "{what}: a tenant's key");
                let looking = if route.access == Access::AdminRead { ok(right) } else { lacks_scope.clone() };
                assert_eq!(world.status(&route, &viewer).await, looking, "{what}: who may only look");
                // The demo's engine is in its own process.
                let serverless = route.method == "PATCH" && route.path == "/admin/v1/servers";
                let answer = if serverless { (400, "invalid_value".to_owned()) } else { ok(right) };
                assert_eq!(world.status(&route, &admin).await, answer, "{what}: the right key");
            }
        }
    }
}

#[tokio::test]
async fn another_tenants_adapter_is_neither_shown_nor_deleted() {
    let settings = Settings::demo();
    let server = settings.start();
    let (acme, globex) = (server.tenant(&settings, "acme"), server.tenant(&settings, "globex"));
    for path in ["/v1/adapters/ticket-triage", "/v1/models/ticket-triage", "/v1/models/ticket-triage@1"] {
        globex.get(path).await.expect_error(404, "model_not_found");
    }
    globex.delete("/v1/adapters/ticket-triage").await.expect_error(404, "model_not_found");
    assert_eq!(acme.get("/v1/adapters/ticket-triage").await.status, 200);
    let listed = globex.get("/v1/adapters").await.body.to_string();
    assert!(listed.contains("text-to-sql") && !listed.contains("ticket-triage"), "{listed}");
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_any_more() {
    let settings = Settings::demo();
    let server = settings.start();
    let admin = server.admin(&settings);
    let made = admin.post("/admin/v1/tenants/acme/keys", &json!({"name": "short-lived"})).await.body;
    let client = server.client(made["key"].as_str());
    assert_eq!(client.get("/v1/models").await.status, 200);
    let path = format!("/admin/v1/tenants/acme/keys/{}", made["id"].as_str().expect("an id"));
    assert_eq!(admin.delete(&path).await.status, 200);
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    client.get("/v1/models").await.expect_error(401, "invalid_api_key");
    assert_eq!(admin.delete(&path).await.status, 200, "revoking again is no error: a retry finds it done");
    let unknown = format!("/admin/v1/tenants/acme/keys/{}", "0".repeat(32));
    admin.delete(&unknown).await.expect_error(404, "key_not_found");
}
