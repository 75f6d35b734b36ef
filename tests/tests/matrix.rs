//! Every route × every kind of credential: who gets in, and with which status the others are sent away.

use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tenora_gateway::{
    guard::Access,
    router::{Route, routes},
};
use tenora_tests::{Adapter, Client, Reply, Server, Settings, chat};

const SCOPES: [&str; 5] = ["chat", "models:read", "adapters:read", "adapters:write", "usage:read"];

struct World {
    settings: Settings,
    server: Server,
}

impl World {
    /// A valid request to the route, about resources of `acme`.
    async fn request(&self, route: &Route, client: &Client) -> RequestBuilder {
        let json = |path: &str, body| client.request(Method::POST, path).json(&body);
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
            ("DELETE", "/v1/adapters/{name}") => client.request(Method::DELETE, "/v1/adapters/matrix"),
            (_, "/v1/models/{model}" | "/v1/adapters/{name}") => {
                let path = route.path.replace("{model}", "ticket-triage").replace("{name}", "ticket-triage");
                client.request(Method::GET, &path)
            }
            ("GET", "/v1/usage" | "/admin/v1/usage") => {
                client.request(Method::GET, &format!("{}?start_time=1735689600", route.path))
            }
            ("POST", "/admin/v1/tenants") => json(route.path, json!({"slug": "new-one"})),
            ("POST", "/admin/v1/tenants/{slug}/keys") => {
                json("/admin/v1/tenants/acme/keys", json!({"name": "matrix"}))
            }
            ("DELETE", "/admin/v1/tenants/{slug}/keys/{id}") => {
                let key = self.key(&SCOPES).await;
                let path = format!("/admin/v1/tenants/acme/keys/{}", key.body["id"].as_str().expect("an id"));
                client.request(Method::DELETE, &path)
            }
            (method, path) => {
                let method = method.parse().expect("a method");
                client.request(method, &path.replace("{slug}", "acme"))
            }
        }
    }

    async fn key(&self, scopes: &[&str]) -> Reply {
        let admin = self.server.admin(&self.settings);
        let made =
            admin.post("/admin/v1/tenants/acme/keys", &json!({"name": "made", "scopes": scopes})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        made
    }

    async fn status(&self, route: &Route, client: &Client) -> (u16, String) {
        let reply = Reply::to(self.request(route, client).await).await;
        (reply.status, reply.code().to_owned())
    }

    async fn client_without(&self, scope: &str) -> Client {
        let others: Vec<_> = SCOPES.into_iter().filter(|other| *other != scope).collect();
        self.server.client(self.key(&others).await.body["key"].as_str())
    }
}

#[tokio::test]
async fn every_route_meets_every_kind_of_credential() {
    let settings = Settings::demo();
    let world = World { server: settings.start(), settings };
    let anonymous = world.server.client(None);
    let strangers = [
        ("no key", anonymous.clone()),
        ("malformed", anonymous.with_authorization(Some("Basic dGs6eA=="))),
        ("nothing after Bearer", anonymous.with_authorization(Some("Bearer"))),
        ("wrong key", world.server.client(Some(&format!("tk_{}.{}", "0".repeat(32), "a".repeat(43))))),
    ];
    let (acme, globex) =
        (world.server.tenant(&world.settings, "acme"), world.server.tenant(&world.settings, "globex"));
    let admin = world.server.admin(&world.settings);
    let ok = |status: u16| (status, String::new());
    let wrong_key = (401, "invalid_api_key".to_owned());
    for route in routes() {
        let what = format!("{} {}", route.method, route.path);
        let right = if route.method == "POST" && !route.path.ends_with("completions") { 201 } else { 200 };
        match route.access {
            Access::Anyone => {
                for (who, client) in &strangers {
                    assert_eq!(world.status(&route, client).await, ok(200), "{what}: {who}");
                }
            }
            Access::Tenant(scope) => {
                for (who, client) in strangers.iter().chain([&("the operator's key", admin.clone())]) {
                    assert_eq!(world.status(&route, client).await, wrong_key, "{what}: {who}");
                }
                let lacking = world.status(&route, &world.client_without(scope).await).await;
                assert_eq!(lacking, (403, "insufficient_scope".to_owned()), "{what}: without {scope}");
                let foreign = world.status(&route, &globex).await;
                let names_a_resource = route.path.contains('{') || route.path.ends_with("completions");
                let own = route.path == "/v1/adapters/{name}" && route.method == "DELETE";
                if names_a_resource && !own {
                    let unknown = (404, "model_not_found".to_owned());
                    assert_eq!(foreign, unknown, "{what}: another tenant's key");
                } else {
                    assert_eq!(foreign, ok(right), "{what}: another tenant's key, in its own space");
                }
                assert_eq!(world.status(&route, &acme).await, ok(right), "{what}: the right key");
            }
            Access::Admin => {
                for (who, client) in strangers.iter().chain([&("a tenant's key", acme.clone())]) {
                    assert_eq!(world.status(&route, client).await, wrong_key, "{what}: {who}");
                }
                assert_eq!(world.status(&route, &admin).await, ok(right), "{what}: the right key");
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
