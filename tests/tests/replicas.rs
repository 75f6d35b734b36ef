//! Two servers on one Postgres and one Redis, and what happens when these go away.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenora_tests::{ADMIN_KEY, Client, Outage, Production, Server};

/// How long Postgres and Redis are away under load.
const OUTAGE: Duration = Duration::from_secs(30);

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs()
}

fn question(tokens: u32) -> Value {
    json!({"model": "base", "prompt": "Hello", "max_tokens": tokens, "temperature": 0, "ignore_eos": true})
}

/// The id of the base model that a server serves.
async fn base(client: &Client) -> Value {
    client.get("/v1/models").await.body["data"][0]["id"].clone()
}

/// A tenant with these limits; its key.
async fn tenant(server: &Server, slug: &str, limits: Value) -> String {
    let admin = server.client(Some(ADMIN_KEY));
    assert_eq!(admin.post("/admin/v1/tenants", &json!({"slug": slug})).await.status, 201);
    assert_eq!(
        admin.patch(&format!("/admin/v1/tenants/{slug}"), &json!({"limits": limits})).await.status,
        200
    );
    let made = admin.post(&format!("/admin/v1/tenants/{slug}/keys"), &json!({"name": "k"})).await;
    made.body["key"].as_str().expect("a key").to_owned()
}

async fn used(server: &Server, slug: &str, requests: u64) -> [u64; 3] {
    let admin = server.client(Some(ADMIN_KEY));
    let path = format!("/admin/v1/usage?start_time={}&project_ids={slug}", now() - 86_400);
    let started = Instant::now();
    loop {
        let body = admin.get(&path).await.body;
        let buckets = body["data"].as_array().cloned().unwrap_or_default();
        let results =
            buckets.iter().flat_map(|bucket| bucket["results"].as_array().cloned().unwrap_or_default());
        let sum = results.fold([0; 3], |sum, result| {
            let of = |name: &str| result[name].as_u64().expect("a number");
            [sum[0] + of("num_model_requests"), sum[1] + of("input_tokens"), sum[2] + of("output_tokens")]
        });
        if sum[0] >= requests || started.elapsed() > Duration::from_secs(30) {
            return sum;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_keep_one_limit_and_one_account() {
    let Some(production) = Production::make().await else { return };
    let ((_one, one), (_two, two)) = (production.replica(), production.replica());
    let key = tenant(&one, "acme", json!({"requests_per_minute": 40})).await;
    let clients = [one.client(Some(&key)), two.client(Some(&key))];
    let mut body = question(3);
    body["model"] = base(&clients[0]).await;
    // The other server knows the new tenant's limits at once, because it never saw it before.
    let asked = (0..120).map(|n| clients[n % 2].post("/v1/completions", &body));
    let replies = join_all(asked).await;
    let granted: Vec<_> = replies.iter().filter(|reply| reply.status == 200).collect();
    let refused = replies.iter().filter(|reply| reply.code() == "rate_limit_exceeded").count();
    assert_eq!((granted.len(), refused), (40, 80), "not one more, and not one less");

    let tokens = |name: &str| {
        granted.iter().map(|reply| reply.body["usage"][name].as_u64().expect("a number")).sum::<u64>()
    };
    let received = [40, tokens("prompt_tokens"), tokens("completion_tokens")];
    assert_eq!(used(&one, "acme", 40).await, received);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(used(&two, "acme", 40).await, received, "nothing is counted twice later");
}

/// Asks over and over while others do the same, until it was refused so often in a row; the tokens of each answer.
async fn insist(client: Client, body: Value) -> Vec<u64> {
    let (mut granted, mut refused) = (Vec::new(), 0);
    while refused < 20 {
        let reply = client.post("/v1/completions", &body).await;
        if reply.status == 200 {
            granted.push(reply.body["usage"]["total_tokens"].as_u64().expect("a number"));
            refused = 0;
        } else {
            reply.expect_error(429, "rate_limit_exceeded");
            refused += 1;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    granted
}

async fn tokens_left(client: &Client) -> u64 {
    let limits = client.get("/v1/limits").await.body;
    limits["tenant_left"]["tokens_per_minute"]["remaining"].as_u64().expect("a number")
}

/// Reserved is what a request can cost, settled what it did: together never more than the limit, and in the end the truth.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_keep_one_limit_of_tokens_and_settle_it_with_the_truth() {
    let Some(production) = Production::make().await else { return };
    let ((_one, one), (_two, two)) = (production.replica(), production.replica());
    let scout = one.client(Some(&tenant(&one, "scout", json!({})).await));
    let mut whole = question(20);
    whole["model"] = base(&scout).await;
    let prompt = &scout.post("/v1/completions", &whole).await.body["usage"]["prompt_tokens"];
    let prompt = prompt.as_u64().expect("a number");

    // Each answer is as long as it may be: what is reserved is the truth.
    let limit = 40 * (prompt + 20) + 19;
    let key = tenant(&one, "acme", json!({"tokens_per_minute": limit})).await;
    let clients = [one.client(Some(&key)), two.client(Some(&key))];
    let replies = join_all((0..120).map(|n| clients[n % 2].post("/v1/completions", &whole))).await;
    let granted = replies.iter().filter(|reply| reply.status == 200).count();
    let refused = replies.iter().filter(|reply| reply.code() == "rate_limit_exceeded").count();
    assert_eq!((granted, refused), (40, 80), "not one more, and not one less");
    assert_eq!(used(&two, "acme", 40).await, [40, 40 * prompt, 40 * 20]);

    // Each answer ends early: far more is reserved than used, given back, and used by others.
    let mut short = question(200);
    (short["model"], short["stop"]) = (whole["model"].clone(), json!(["e", "a", " ", "\n"]));
    let limit = 4 * (prompt + 200);
    let key = tenant(&one, "globex", json!({"tokens_per_minute": limit})).await;
    let clients = [one.client(Some(&key)), two.client(Some(&key))];
    let started = Instant::now();
    let asked = (0..8).map(|n| tokio::spawn(insist(clients[n % 2].clone(), short.clone())));
    let granted: Vec<u64> =
        join_all(asked).await.into_iter().flat_map(|asked| asked.expect("no panic")).collect();
    let received = granted.iter().sum::<u64>();
    clients[0].post("/v1/completions", &short).await.expect_error(429, "rate_limit_exceeded");
    assert!(started.elapsed() < Duration::from_secs(50), "the machine is too busy to say");
    assert!(granted.len() > 4, "what was given back was used: {} requests", granted.len());
    assert!(received <= limit && limit - received < prompt + 200, "{received} of {limit} tokens");
    for client in &clients {
        assert_eq!(tokens_left(client).await, limit - received);
    }
    let [requests, input, output] = used(&one, "globex", granted.len() as u64).await;
    assert_eq!((requests, input + output), (granted.len() as u64, received));
}

/// Each gives away its share of what is left to give: what they add to the past is one limit at most.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_that_lose_redis_together_stay_within_what_is_stated() {
    let Some(production) = Production::make().await else { return };
    let ((_one, one), (_two, two)) = (production.replica(), production.replica());
    let mut body = question(3);
    let mut tenants = Vec::new();
    for (slug, limits) in [
        ("fresh", json!({"requests_per_minute": 40})),
        ("busy", json!({"requests_per_minute": 40})),
        ("frugal", json!({"tokens_per_minute": 400})),
    ] {
        let key = tenant(&one, slug, limits).await;
        tenants.push([one.client(Some(&key)), two.client(Some(&key))]);
    }
    let [fresh, busy, frugal] = &tenants[..] else { panic!("three tenants") };
    body["model"] = base(&fresh[0]).await;
    // Known to both, as they must be while neither asks the other.
    for client in tenants.iter().flatten() {
        assert_eq!(client.get("/v1/models").await.status, 200);
    }
    // A server says every two seconds that it lives.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut before = 0;
    for _ in 0..30 {
        let reply = busy[0].post("/v1/completions", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        before += 1;
    }
    production.redis(Outage::Cut);
    let press = async |clients: &[Client; 2]| {
        let replies = join_all((0..120).map(|n| clients[n % 2].post("/v1/completions", &body))).await;
        for reply in &replies {
            assert!(reply.status == 200 || reply.code() == "rate_limit_exceeded", "{}", reply.body);
        }
        let granted = replies.into_iter().filter(|reply| reply.status == 200);
        granted
            .map(|reply| reply.body["usage"]["total_tokens"].as_u64().expect("a number"))
            .collect::<Vec<_>>()
    };
    assert_eq!(press(fresh).await.len(), 40, "two halves");
    assert_eq!(before + press(busy).await.len(), 50, "the one has given more than its half before");
    let tokens = press(frugal).await;
    let (each, all) = (tokens[0], tokens.iter().sum::<u64>());
    assert!(all <= 400 && 400 - all < 2 * each, "{all} tokens, {each} at a time");

    production.redis(Outage::Over);
    let started = Instant::now();
    for server in [&one, &two] {
        while server.client(None).get("/readyz").await.body["checks"]["limits"] != "ok" {
            assert!(started.elapsed() < Duration::from_secs(20), "not exact again");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    // What both have given is known to both.
    for clients in [0, 1] {
        fresh[clients].post("/v1/completions", &body).await.expect_error(429, "rate_limit_exceeded");
        busy[clients].post("/v1/completions", &body).await.expect_error(429, "rate_limit_exceeded");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_revoked_at_one_server_is_refused_by_the_other_within_a_second() {
    let Some(production) = Production::make().await else { return };
    let ((_one, one), (_two, two)) = (production.replica(), production.replica());
    let key = tenant(&one, "acme", json!({})).await;
    let client = two.client(Some(&key));
    let mut body = question(400);
    body["model"] = base(&client).await;
    body["n"] = 8.into();
    assert_eq!(client.post("/v1/completions", &body).await.status, 200);
    let admin = one.client(Some(ADMIN_KEY));
    let keys = admin.get("/admin/v1/tenants/acme/keys").await.body;
    let path = format!("/admin/v1/tenants/acme/keys/{}", keys["data"][0]["id"].as_str().expect("an id"));
    assert_eq!(admin.delete(&path).await.status, 200);
    let revoked = Instant::now();
    let ended = loop {
        let reply = client.post("/v1/completions", &body).await;
        if reply.status != 200 {
            break reply;
        }
    };
    // Cut off while it ran, or turned away.
    assert!(["credential_revoked", "invalid_api_key"].contains(&ended.code()), "{}", ended.body);
    // It looks twice a second; the rest is for a busy machine.
    assert!(revoked.elapsed() < Duration::from_secs(2), "{:?}", revoked.elapsed());
    client.get("/v1/models").await.expect_error(401, "invalid_api_key");
}

/// Known tenants are served, nothing is lost, and nobody hears that a key is wrong.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_postgres_is_no_wrong_key_and_loses_no_usage() {
    let Some(production) = Production::make().await else { return };
    let (_settings, server) = production.replica();
    let key = tenant(&server, "acme", json!({"requests_per_minute": 10_000})).await;
    let stranger = tenant(&server, "globex", json!({})).await;
    let client = server.client(Some(&key));
    let mut body = question(2);
    body["model"] = base(&client).await;
    let mut answered = 0;
    let mut sum = [0, 0];
    let short = Duration::from_secs(1);
    for (wire, long) in
        [(Outage::Over, short), (Outage::Cut, OUTAGE), (Outage::Stalled, 5 * short), (Outage::Over, short)]
    {
        production.postgres(wire);
        let started = Instant::now();
        while started.elapsed() < long {
            let reply = client.post("/v1/completions", &body).await;
            assert_eq!(reply.status, 200, "{wire:?}: {}", reply.body);
            answered += 1;
            sum[0] += reply.body["usage"]["prompt_tokens"].as_u64().expect("a number");
            sum[1] += reply.body["usage"]["completion_tokens"].as_u64().expect("a number");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if wire != Outage::Over {
            server.client(Some(&stranger)).get("/v1/models").await.expect_error(503, "storage_unavailable");
            // It goes on with what it knows, and so it should go on being asked.
            let ready = server.client(None).get("/readyz").await;
            assert_eq!((ready.status, &ready.body["status"]), (200, &json!("degraded")));
            assert_eq!(ready.body["checks"]["database"], "unreachable");
        }
    }
    assert_eq!(used(&server, "acme", answered).await, [answered, sum[0], sum[1]]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_that_is_longer_than_can_be_bridged_is_told_to_load_balancers() {
    let Some(production) = Production::make().await else { return };
    let settings = production.settings(&["serve"]).with("TENORA_OUTAGE_GRACE_S", "2");
    let server = settings.start();
    let client = server.client(None);
    assert_eq!(client.get("/readyz").await.status, 200);
    production.postgres(Outage::Cut);
    let started = Instant::now();
    while client.get("/readyz").await.status == 200 {
        assert!(started.elapsed() < Duration::from_secs(30), "nobody knows a key any more");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(started.elapsed() > Duration::from_secs(1), "it bridged what it could");
    production.postgres(Outage::Over);
    let started = Instant::now();
    while client.get("/readyz").await.status != 200 {
        assert!(started.elapsed() < Duration::from_secs(30), "the database is back");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_requests_wait_no_longer_and_limits_are_kept() {
    let Some(production) = Production::make().await else { return };
    let (_settings, server) = production.replica();
    let key = tenant(&server, "acme", json!({"requests_per_minute": 30})).await;
    let client = server.client(Some(&key));
    let busy = tenant(&server, "globex", json!({"requests_per_minute": 10_000})).await;
    let busy = server.client(Some(&busy));
    let mut body = question(1);
    body["model"] = base(&client).await;
    for _ in 0..10 {
        assert_eq!(client.post("/v1/completions", &body).await.status, 200);
    }
    production.redis(Outage::Stalled);
    let stalled = Instant::now();
    let soon = async |client: &Client| {
        let started = Instant::now();
        let reply = client.post("/v1/completions", &body).await;
        assert!(started.elapsed() < Duration::from_millis(1500), "{:?}", started.elapsed());
        reply
    };
    let mut granted = 10;
    for _ in 0..40 {
        let reply = soon(&client).await;
        granted += usize::from(reply.status == 200);
        assert!([200, 429].contains(&reply.status), "{}", reply.body);
    }
    assert_eq!(granted, 30, "one server alone never goes over");
    while stalled.elapsed() < OUTAGE {
        let reply = soon(&busy).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let ready = server.client(None).get("/readyz").await;
    assert_eq!((ready.status, &ready.body["checks"]["limits"]), (200, &"degraded".into()), "{}", ready.body);

    production.redis(Outage::Over);
    let started = Instant::now();
    while server.client(None).get("/readyz").await.body["checks"]["limits"] != "ok" {
        assert!(started.elapsed() < Duration::from_secs(20), "not exact again");
        // A request is what tries Redis again.
        client.post("/v1/completions", &body).await.expect_error(429, "rate_limit_exceeded");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
