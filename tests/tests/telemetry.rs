//! What an operator is told: one trace of a request from the caller's span to the last token, numbers, and nothing that is
//! nobody's business. A collector that does not take it changes nothing for clients.

use std::time::{Duration, Instant};

use reqwest::Method;
use tenora_tests::{Adapter, Collector, Mood, Reply, Server, Settings, chat, hex};

const CHAT: &str = "/v1/chat/completions";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const QUESTION: &str = "The printer in Leeds is broken again.";

/// A caller that traces.
fn traceparent() -> String {
    format!("00-{TRACE}-{CALLER}-01")
}

/// The demo, with a collector; its adapters are in the blob store and nowhere nearer.
fn with(collector: &Collector) -> (Settings, Server) {
    let settings = Settings::demo();
    let mut first = settings.start();
    first.terminate();
    assert!(first.wait(Duration::from_secs(30)).success());
    let settings = settings
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
        .with("OTEL_EXPORTER_OTLP_HEADERS", "x-collector-key=s%20ecret")
        .with("OTEL_METRIC_EXPORT_INTERVAL", "1000")
        .with("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")
        .with("TENORA_OPS_LISTEN", "127.0.0.1:0");
    let server = settings.start();
    (settings, server)
}

async fn traced(server: &Server, settings: &Settings, body: &serde_json::Value) -> Reply {
    let acme = server.tenant(settings, "acme");
    let request = acme.request(Method::POST, CHAT).header("traceparent", traceparent()).json(body);
    Reply::to(request).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chat_is_one_trace_from_its_caller_to_its_last_token() {
    let collector = Collector::start(Mood::Takes);
    let (settings, server) = with(&collector);
    let reply = traced(&server, &settings, &chat("ticket-triage", QUESTION)).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let root = "POST /v1/chat/completions";
    let trace = collector.trace(TRACE, root).await;
    let generation = "chat ticket-triage@1";
    assert_eq!(
        trace.tree(CALLER),
        [
            root,
            "  authenticate",
            "  resolve",
            "    fetch",
            "  encode",
            "  admit",
            "  chat ticket-triage@1",
            "    load",
            "    queue",
            "    prefill",
            "    decode",
            "    settle",
        ]
    );
    let told = |span: &str, key: &str| trace.attribute(span, key).unwrap_or_default();
    assert_eq!(trace.kind(root).as_str_name(), "SPAN_KIND_SERVER");
    assert_eq!(trace.kind(generation).as_str_name(), "SPAN_KIND_CLIENT");
    assert_eq!(told(root, "http.response.status_code"), "200");
    assert_eq!(told(root, "tenora.tenant"), "acme");
    assert_eq!(told(root, "tenora.request_id"), reply.headers["x-request-id"].to_str().expect("plain"));
    assert_eq!(told("fetch", "tenora.load.tier"), "blob");
    assert_eq!(told("load", "tenora.load.tier"), "disk");
    assert_eq!(told(generation, "gen_ai.operation.name"), "chat");
    assert_eq!(told(generation, "gen_ai.request.model"), "ticket-triage@1");
    assert_eq!(told(generation, "gen_ai.request.max_tokens"), "80");
    assert_eq!(
        told(generation, "tenora.adapter.digest"),
        reply.headers["x-tenora-adapter-digest"].to_str().expect("plain")
    );
    let usage = &reply.body["usage"];
    assert_eq!(told(generation, "gen_ai.usage.input_tokens"), usage["prompt_tokens"].to_string());
    assert_eq!(told(generation, "gen_ai.usage.output_tokens"), usage["completion_tokens"].to_string());
    assert!(told(generation, "gen_ai.response.finish_reasons").contains("stop"));
    assert!(told(generation, "gen_ai.response.time_to_first_chunk").parse::<f64>().expect("seconds") > 0.0);
    let [load, decode] = ["load", "decode"].map(|name| trace.span(name));
    let whole = trace.span(generation);
    assert!(whole.start_time_unix_nano <= load.start_time_unix_nano + 1_000_000);
    assert!(decode.end_time_unix_nano <= whole.end_time_unix_nano + 1_000_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_is_one_trace() {
    let collector = Collector::start(Mood::Takes);
    let (settings, server) = with(&collector);
    let acme = server.tenant(&settings, "acme");
    let adapter = Adapter::demo("text-to-sql").variant(7);
    let request = acme.upload_request("fresh", &adapter).header("traceparent", traceparent());
    let reply = Reply::to(request).await;
    assert_eq!(reply.status, 201, "{}", reply.body);
    let root = "POST /v1/adapters";
    let trace = collector.trace(TRACE, root).await;
    assert_eq!(
        trace.tree(CALLER),
        [root, "  authenticate", "  receive", "  push", "    check", "    canary", "    commit",]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_and_a_caller_that_does_not_trace_are_told_too() {
    let collector = Collector::start(Mood::Takes);
    let (settings, server) = with(&collector);
    let unknown = traced(&server, &settings, &chat("nobodys", QUESTION)).await;
    unknown.expect_error(404, "model_not_found");
    let trace = collector.trace(TRACE, "POST /v1/chat/completions").await;
    let root = "POST /v1/chat/completions";
    assert_eq!(trace.attribute(root, "http.response.status_code").as_deref(), Some("404"));
    for broken in ["00-zz-1-01", "00-00000000000000000000000000000000-b7ad6b7169203331-01", "\u{e9}"] {
        let acme = server.tenant(&settings, "acme");
        let request = acme.request(Method::GET, "/v1/models").header("traceparent", broken.as_bytes());
        assert_eq!(Reply::to(request).await.status, 200, "{broken:?}");
    }
    let started = Instant::now();
    while collector.spans().iter().filter(|span| span.name == "GET /v1/models").count() < 3 {
        assert!(started.elapsed() < Duration::from_secs(30), "a broken traceparent begins a new trace");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let fresh = collector.spans().into_iter().find(|span| span.name == "GET /v1/models").expect("there");
    assert!(fresh.parent_span_id.is_empty() && hex(&fresh.trace_id) != TRACE);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn neither_prompts_nor_keys_are_in_what_is_sent() {
    let collector = Collector::start(Mood::Takes);
    let (settings, mut server) = with(&collector);
    let reply = traced(&server, &settings, &chat("ticket-triage", QUESTION)).await;
    let answer = reply.body["choices"][0]["message"]["content"].as_str().expect("a text").to_owned();
    let key = settings.credentials()["tenants"][0]["api_key"].as_str().expect("a key").to_owned();
    let secret = key.split_once('.').expect("a secret half").1.to_owned();
    server.terminate();
    assert!(server.wait(Duration::from_secs(30)).success(), "it delivers what is left when it stops");
    let holds = |words: &str| {
        let sent = [collector.bodies("/v1/traces"), collector.bodies("/v1/metrics")].concat();
        assert!(sent.len() > 1, "both signals are sent");
        sent.iter().any(|body| body.windows(words.len()).any(|window| window == words.as_bytes()))
    };
    assert!(holds("ticket-triage@1") && holds("acme") && holds("deployment.environment.name"));
    assert!(
        holds("vllm:num_requests_running") && holds("tenora_adapter_load_seconds"),
        "metrics are sent too"
    );
    for private in [QUESTION, &answer, &secret, "Bearer"] {
        assert!(!holds(private), "{private} was sent");
    }
    assert!(collector.headers().iter().any(|header| header == "x-collector-key: s ecret"));

    let settings = settings.with("TENORA_TRACE_CONTENT", "true");
    let server = settings.start();
    assert_eq!(traced(&server, &settings, &chat("ticket-triage", QUESTION)).await.status, 200);
    let started = Instant::now();
    while !holds(QUESTION) {
        assert!(started.elapsed() < Duration::from_secs(30), "the operator asked for content");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!holds(&secret) && !holds("Bearer"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_in_a_bad_mood_changes_nothing_for_clients() {
    for mood in [Mood::Refuses, Mood::Hangs] {
        let collector = Collector::start(mood);
        let (settings, mut server) = with(&collector);
        let acme = server.tenant(&settings, "acme");
        let expected = acme.text(&chat("ticket-triage", QUESTION)).await;
        for _ in 0..20 {
            assert_eq!(acme.text(&chat("ticket-triage", QUESTION)).await, expected);
        }
        let ops = server.ops();
        let started = Instant::now();
        loop {
            let ready = ops.get("/readyz").await;
            assert_eq!(ready.status, 200, "{mood:?}: it serves");
            if ready.body["checks"]["telemetry"] == "degraded" {
                break;
            }
            assert!(started.elapsed() < Duration::from_secs(60), "{mood:?}: {}", ready.body);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        if mood == Mood::Refuses {
            collector.becomes(Mood::Takes);
            let started = Instant::now();
            while ops.get("/readyz").await.body["checks"]["telemetry"] != "ok" {
                assert!(started.elapsed() < Duration::from_secs(60), "it delivers again");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        let stopping = Instant::now();
        server.terminate();
        assert!(server.wait(Duration::from_secs(30)).success());
        assert!(stopping.elapsed() < Duration::from_secs(15), "{mood:?}: a stop does not wait for it");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operators_address_shows_what_happens_and_no_more() {
    let settings = Settings::demo().with("TENORA_OPS_LISTEN", "127.0.0.1:0");
    let server = settings.start();
    let (acme, ops) = (server.tenant(&settings, "acme"), server.ops());
    assert_eq!(acme.chat(&chat("ticket-triage", QUESTION)).await.status, 200);
    acme.chat(&chat("nobodys", QUESTION)).await.expect_error(404, "model_not_found");
    let numbers = server.metrics().await;
    let value = |line: &str| numbers.lines().find_map(|known| known.strip_prefix(line)).map(str::trim);
    assert_eq!(value(r#"tenora_requests_total{outcome="finished",tenant="acme"}"#), Some("1"));
    assert_eq!(
        value(r#"vllm:request_success_total{engine="0",finished_reason="stop",model_name="base"}"#),
        Some("1")
    );
    assert_eq!(
        value(r#"tenora_http_requests_total{code="404",method="POST",route="/v1/chat/completions"}"#),
        Some("1")
    );
    assert_eq!(value(r#"tenora_dependency_up{dependency="database"}"#), Some("1"));
    assert_eq!(value("tenora_limiter_fallback"), Some("0"));
    assert_eq!(ops.get("/healthz").await.status, 200);
    assert_eq!(ops.get("/v1/models").await.status, 404, "the API is elsewhere");
    assert_eq!(acme.get("/metrics").await.status, 404, "and numbers are not on the API's address");
    let admin = server.admin(&settings);
    assert_eq!(admin.delete("/admin/v1/tenants/acme").await.status, 200);
    assert!(!server.metrics().await.contains("acme"), "a tenant's series go with it");
}
