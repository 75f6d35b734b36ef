//! Who is calling, what they may do, how much they used: as clients see it, on one server.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tenora_tests::{Adapter, Client, Reply, Server, Settings, chat};

const CHAT: &str = "/v1/chat/completions";

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

/// A short question, and an answer of this many tokens.
fn question(tokens: u32) -> Value {
    let mut body = chat("ticket-triage", "My app crashes.");
    body["ignore_eos"] = true.into();
    body["max_tokens"] = tokens.into();
    body
}

async fn limit(admin: &Client, limits: Value) {
    let reply = admin.patch("/admin/v1/tenants/acme", &json!({"limits": limits})).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    // Every server knows within a second; this one at once.
}

async fn key(admin: &Client, body: Value) -> Value {
    let made = admin.post("/admin/v1/tenants/acme/keys", &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body
}

fn header<'a>(reply: &'a Reply, name: &str) -> &'a str {
    reply.headers.get(name).expect(name).to_str().expect("text")
}

/// Input and output tokens and requests of acme, once the rows have arrived.
async fn used(admin: &Client, requests: u64) -> [u64; 3] {
    let path = format!("/admin/v1/usage?start_time={}&project_ids=acme", now() - 86_400);
    let started = Instant::now();
    loop {
        let usage = admin.get(&path).await;
        assert_eq!(usage.status, 200, "{}", usage.body);
        let results = usage.body["data"].as_array().expect("buckets").iter();
        let results = results.flat_map(|bucket| bucket["results"].as_array().expect("results").clone());
        let sum = results.fold([0; 3], |[requests, input, output], result| {
            let number = |name: &str| result[name].as_u64().expect("a number");
            [
                requests + number("num_model_requests"),
                input + number("input_tokens"),
                output + number("output_tokens"),
            ]
        });
        if sum[0] >= requests || started.elapsed() > Duration::from_secs(20) {
            return sum;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn limits_are_kept_told_and_raised() {
    let settings = Settings::demo();
    let server = settings.start();
    let (acme, admin) = (server.tenant(&settings, "acme"), server.admin(&settings));
    limit(&admin, json!({"requests_per_minute": 3, "tokens_per_minute": 100_000})).await;
    for left in [2, 1, 0] {
        let reply = acme.chat(&question(2)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(header(&reply, "x-ratelimit-limit-requests"), "3");
        assert_eq!(header(&reply, "x-ratelimit-remaining-requests"), left.to_string());
        assert_eq!(header(&reply, "x-ratelimit-limit-tokens"), "100000");
    }
    let refused = acme.chat(&question(2)).await;
    refused.expect_error(429, "rate_limit_exceeded");
    assert_eq!(refused.body["error"]["type"], "requests");
    assert_eq!(header(&refused, "x-should-retry"), "true");
    let wait: u64 = header(&refused, "retry-after-ms").parse().expect("milliseconds");
    assert!((1..=61_000).contains(&wait), "{wait}");
    assert!(refused.message().contains("3 requests a minute"), "{}", refused.message());
    // Nobody else's.
    assert_eq!(server.tenant(&settings, "globex").chat(&chat("text-to-sql", "Hi")).await.status, 200);
    let told = acme.get("/v1/limits").await.body;
    assert_eq!(
        (&told["tenant"]["requests_per_minute"], &told["tenant"]["monthly_tokens"]),
        (&3.into(), &Value::Null)
    );
    assert_eq!(told["tenant_left"]["requests_per_minute"]["remaining"], 0);

    limit(&admin, json!({"tokens_per_minute": 50})).await;
    let too_long = acme.chat(&question(400)).await;
    too_long.expect_error(429, "rate_limit_exceeded");
    assert_eq!(
        (&too_long.body["error"]["type"], header(&too_long, "x-should-retry")),
        (&"tokens".into(), "false")
    );

    limit(&admin, json!({"monthly_tokens": 10})).await;
    let spent = acme.chat(&question(2)).await;
    spent.expect_error(429, "insufficient_quota");
    assert_eq!(header(&spent, "x-should-retry"), "false");

    limit(&admin, json!({"adapters": 1, "adapter_rank": 1})).await;
    let refused = acme.upload("another", &Adapter::demo("text-to-sql")).await;
    refused.expect_error(403, "quota_exceeded");
    assert!(refused.message().contains("limit of 1 for an adapter's rank"), "{}", refused.message());
    limit(&admin, json!({"adapters": 1})).await;
    let refused = acme.upload("another", &Adapter::demo("text-to-sql")).await;
    refused.expect_error(403, "quota_exceeded");
    assert!(refused.message().contains("limit of 1 adapters"), "{}", refused.message());
    let wrong = admin.patch("/admin/v1/tenants/acme", &json!({"limits": {"adapters": "many"}})).await;
    assert_eq!(
        (wrong.status, wrong.body["error"]["param"].as_str()),
        (400, Some("limits.adapters")),
        "{}",
        wrong.body
    );

    limit(&admin, json!({})).await;
    assert_eq!(acme.chat(&question(2)).await.status, 200);
}

#[tokio::test]
async fn a_key_has_limits_and_adapters_of_its_own() {
    let settings = Settings::demo();
    let server = settings.start();
    let admin = server.admin(&settings);
    let body = json!({"name": "narrow", "adapters": ["other"], "limits": {"concurrent_requests": 1}});
    let narrow = server.client(key(&admin, body).await["key"].as_str());
    narrow.chat(&question(1)).await.expect_error(404, "model_not_found");
    let models = narrow.get("/v1/models").await.body.to_string();
    assert!(!models.contains("ticket-triage"), "{models}");
    assert_eq!(narrow.get("/v1/me").await.body["adapters"], json!(["other"]));

    let one = json!({"name": "one at a time", "limits": {"concurrent_requests": 1}});
    let one = server.client(key(&admin, one).await["key"].as_str());
    let mut running = one.stream(CHAT, &question(400)).await;
    running.next().await.expect("it runs");
    let refused = one.chat(&question(1)).await;
    refused.expect_error(429, "rate_limit_exceeded");
    assert!(
        refused.message().contains("This key's limit of 1 requests at the same time"),
        "{}",
        refused.message()
    );
    drop(running);
    let started = Instant::now();
    while one.chat(&question(1)).await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(5), "hanging up gives the place back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_tenant_manages_its_keys_and_gives_no_more_than_it_has() {
    let settings = Settings::demo();
    let server = settings.start();
    let (acme, admin) = (server.tenant(&settings, "acme"), server.admin(&settings));
    let made = acme.post("/v1/keys", &json!({"name": "ci", "scopes": ["chat", "keys:write"]})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let ci = server.client(made.body["key"].as_str());
    ci.post("/v1/keys", &json!({"name": "x", "scopes": ["adapters:write"]}))
        .await
        .expect_error(403, "grant_exceeded");
    let usual = ci.post("/v1/keys", &json!({"name": "usual"})).await;
    assert_eq!(usual.body["scopes"], json!(["chat"]), "the usual scopes, as far as the asking key has them");

    let rotated = acme
        .post(
            &format!("/v1/keys/{}/rotate", made.body["id"].as_str().expect("an id")),
            &json!({"grace_s": 60}),
        )
        .await;
    assert_eq!(rotated.status, 201, "{}", rotated.body);
    let new = server.client(rotated.body["key"].as_str());
    for client in [&ci, &new] {
        assert_eq!(client.get("/v1/me").await.body["tenant"], "acme");
    }
    // A key of a wider one cannot be rotated into one's own hands.
    let wide = acme.get("/v1/keys").await.body["data"]
        .as_array()
        .expect("keys")
        .iter()
        .find(|key| key["name"] == "demo")
        .expect("the demo's")["id"]
        .as_str()
        .expect("an id")
        .to_owned();
    ci.post(&format!("/v1/keys/{wide}/rotate"), &json!({})).await.expect_error(403, "grant_exceeded");

    let log = admin.get("/admin/v1/audit?tenant=acme&type=key.rotate").await.body;
    assert_eq!(log["data"][0]["actor"]["type"], "key");
    assert_eq!(log["data"][0]["actor"]["ip_address"], "127.0.0.1");
    let path = format!("/v1/keys/{}", rotated.body["id"].as_str().expect("an id"));
    assert_eq!(acme.delete(&path).await.status, 200);
    new.get("/v1/me").await.expect_error(401, "invalid_api_key");
}

#[tokio::test]
async fn a_revocation_ends_running_answers_within_a_second() {
    let settings = Settings::demo();
    let server = settings.start();
    let admin = server.admin(&settings);
    let made = key(&admin, json!({"name": "short-lived"})).await;
    let client = server.client(made["key"].as_str());
    let mut body = question(2000);
    body["model"] = "ticket-triage".into();
    let mut stream = client.stream(CHAT, &body).await;
    stream.next().await.expect("it runs");
    let path = format!("/admin/v1/tenants/acme/keys/{}", made["id"].as_str().expect("an id"));
    let revoked = Instant::now();
    assert_eq!(admin.delete(&path).await.status, 200);
    let error = loop {
        let event = stream.next().await.expect("cut off, not finished");
        if !event["error"].is_null() {
            break event;
        }
    };
    assert_eq!(error["error"]["code"], "credential_revoked");
    // At once on this server; a second and more is for a busy machine.
    assert!(revoked.elapsed() < Duration::from_secs(2), "{:?}", revoked.elapsed());

    let acme = server.tenant(&settings, "acme");
    let suspended = admin.patch("/admin/v1/tenants/acme", &json!({"status": "suspended"})).await;
    assert_eq!(suspended.body["status"], "suspended");
    acme.chat(&question(1)).await.expect_error(403, "tenant_suspended");
    admin.patch("/admin/v1/tenants/acme", &json!({"status": "active"})).await;
    assert_eq!(acme.chat(&question(1)).await.status, 200);
    assert_eq!(admin.delete("/admin/v1/tenants/acme").await.status, 200);
    acme.chat(&question(1)).await.expect_error(401, "invalid_api_key");
    admin.get("/admin/v1/tenants/acme").await.expect_error(404, "tenant_not_found");
}

#[tokio::test]
async fn usage_is_what_clients_received_and_what_was_generated_before_they_hung_up() {
    let settings = Settings::demo();
    let server = settings.start();
    let (acme, admin) = (server.tenant(&settings, "acme"), server.admin(&settings));
    let (mut input, mut output) = (0, 0);
    for tokens in [1, 5, 20] {
        let usage = acme.chat(&question(tokens)).await.body["usage"].clone();
        input += usage["prompt_tokens"].as_u64().expect("a number");
        output += usage["completion_tokens"].as_u64().expect("a number");
    }
    // Refused: not let through, and not counted.
    acme.chat(&json!({"model": "nobody", "messages": []})).await;
    assert_eq!(used(&admin, 3).await, [3, input, output]);

    let mut stream = acme.stream(CHAT, &question(1500)).await;
    for _ in 0..5 {
        stream.next().await.expect("it runs");
    }
    drop(stream);
    let [requests, all_input, all_output] = used(&admin, 4).await;
    assert_eq!((requests, all_input), (4, input + input / 3));
    let generated = all_output - output;
    assert!((3..1400).contains(&generated), "{generated} tokens before the client hung up");

    let own = acme.get(&format!("/v1/usage?start_time={}&group_by=model", now() - 3600)).await;
    assert_eq!(own.status, 200, "{}", own.body);
    assert!(own.body.to_string().contains("ticket-triage@1"), "{}", own.body);
    let other =
        server.tenant(&settings, "globex").get(&format!("/v1/usage?start_time={}", now() - 3600)).await;
    assert!(!other.body.to_string().contains("ticket-triage"), "{}", other.body);
}

/// What was answered before the kill is counted once; what was running then may be missing, and is never doubled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_answer_is_lost_or_doubled_by_a_kill() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let (mut answered, mut input, mut output) = (0, 0, 0);
    for _ in 0..30 {
        let usage = acme.chat(&question(3)).await.body["usage"].clone();
        answered += 1;
        input += usage["prompt_tokens"].as_u64().expect("a number");
        output += usage["completion_tokens"].as_u64().expect("a number");
    }
    let mut running = acme.stream(CHAT, &question(1500)).await;
    running.next().await.expect("it runs");
    server.kill();
    drop(running);
    for _ in 0..2 {
        let server = settings.start();
        assert_eq!(used(&server.admin(&settings), answered).await, [answered, input, output]);
        server.kill();
    }
}

struct Issuer {
    settings: Settings,
    server: Server,
}

const SECRET: &str = "a-secret-of-tests-that-is-long-enough-0123456789";

/// A token signed with HS256 (RFC 7515).
fn sign(claims: &Value) -> String {
    let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", part(&json!({"alg": "HS256", "typ": "JWT"})), part(claims));
    let mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any length").chain_update(&signed);
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

impl Issuer {
    fn start() -> Self {
        let settings = Settings::demo();
        let secret = settings.data().join("issuer-secret");
        std::fs::write(&secret, SECRET).expect("written");
        let issuers = json!([{
            "issuer": "https://login.example.com",
            "audience": "tenora",
            "algorithms": ["HS256"],
            "secret_file": secret,
            "tenants": {"claim": "org", "allowed": ["acme", "nowhere"]},
            "scope_map": {"llm": ["chat"], "models": ["models:read"]},
        }]);
        let file = settings.data().join("issuers.json");
        std::fs::write(&file, issuers.to_string()).expect("written");
        let settings = settings.with("TENORA_JWT_ISSUERS_FILE", &file.to_string_lossy());
        Self { server: settings.start(), settings }
    }

    fn client(&self, change: Value) -> Client {
        let mut claims = json!({
            "iss": "https://login.example.com", "aud": "tenora", "exp": now() + 600, "sub": "ada", "org": "acme",
            "scope": "llm models payroll",
        });
        for (name, value) in change.as_object().expect("claims") {
            claims[name] = value.clone();
        }
        self.server.client(Some(&sign(&claims)))
    }
}

#[tokio::test]
async fn a_token_speaks_for_the_tenants_of_its_issuer_with_mapped_scopes() {
    let issuer = Issuer::start();
    let ada = issuer.client(json!({}));
    let me = ada.get("/v1/me").await.body;
    assert_eq!(
        (&me["tenant"], &me["credential"], &me["scopes"]),
        (&"acme".into(), &"token".into(), &json!(["chat", "models:read"]))
    );
    assert_eq!(ada.chat(&question(2)).await.status, 200);
    ada.get("/v1/adapters").await.expect_error(403, "insufficient_scope");
    let admin = issuer.server.admin(&issuer.settings);
    assert_eq!(used(&admin, 1).await[0], 1, "a token's requests are metered too");
    for (wrong, change) in [
        ("expired", json!({"exp": now() - 600})),
        ("another audience", json!({"aud": "payroll"})),
        ("another issuer", json!({"iss": "https://evil.example.com"})),
        ("not yet", json!({"nbf": now() + 600})),
        ("a tenant that the issuer may not speak for", json!({"org": "globex"})),
        ("a tenant that does not exist", json!({"org": "nowhere"})),
        ("nobody", json!({"sub": ""})),
    ] {
        let reply = issuer.client(change).get("/v1/me").await;
        assert_eq!((reply.status, reply.code()), (401, "invalid_api_key"), "{wrong}");
    }
    let operator = issuer.client(json!({"scope": "platform-admin", "role": "admin"}));
    operator.get("/admin/v1/tenants").await.expect_error(401, "invalid_api_key");
    let suspended = admin.patch("/admin/v1/tenants/acme", &json!({"status": "suspended"})).await;
    assert_eq!(suspended.status, 200);
    ada.get("/v1/me").await.expect_error(403, "tenant_suspended");
}
