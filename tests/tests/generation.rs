//! Chat and completions over HTTP: what is answered, what is refused, and whose adapter answers.

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};
use tenora_tests::{Adapter, Reply, Settings, chat};

/// Tenant, adapter, and a question of its task.
const TASKS: [(&str, &str, &str); 3] = [
    ("acme", "ticket-triage", "I was charged twice for my order."),
    ("globex", "text-to-sql", "List all customers from Delhi."),
    ("initech", "brand-voice", "Zoe gets 30 percent off, not more."),
];
const CHAT: &str = "/v1/chat/completions";

fn with(mut body: Value, fields: Value) -> Value {
    let fields = fields.as_object().expect("an object").clone();
    body.as_object_mut().expect("an object").extend(fields);
    body
}

#[tokio::test]
async fn three_tenants_at_once_streaming_and_not() {
    let settings = Settings::demo();
    let server = settings.start();
    let answers = join_all(TASKS.map(async |(tenant, adapter, question)| {
        let client = server.tenant(&settings, tenant);
        let body = chat(adapter, question);
        let (reply, mut stream) = tokio::join!(client.chat(&body), client.stream(CHAT, &body));
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.body["model"], format!("{adapter}@1"));
        assert!(reply.headers["x-tenora-adapter-digest"].to_str().expect("text").starts_with("sha256:"));
        let text = reply.body["choices"][0]["message"]["content"].as_str().expect("a text").to_owned();
        assert_eq!(stream.text().await, text, "{adapter}");
        text
    }))
    .await;
    assert!(answers[0].starts_with("{\"category\":"), "{answers:?}");
    assert!(answers[1].starts_with("SELECT"), "{answers:?}");
}

#[tokio::test]
async fn another_tenants_adapter_is_an_unknown_model() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    for path in [CHAT, "/v1/completions"] {
        let ask = async |model: &str| {
            let body = if path == CHAT { chat(model, "Hi") } else { json!({"model": model, "prompt": "Hi"}) };
            let reply = acme.post(path, &body).await;
            reply.expect_error(404, "model_not_found");
            reply.body.to_string().replace(model, "MODEL")
        };
        let unknown = ask("no-such-model").await;
        for foreign in ["text-to-sql", "text-to-sql@1", "ticket-triage@2", "../base", "", "Ticket-Triage"] {
            let answer = ask(foreign).await;
            if !foreign.is_empty() {
                assert_eq!(answer, unknown, "{foreign}");
            }
        }
    }
}

#[tokio::test]
async fn a_plain_name_is_the_latest_version_and_a_pinned_one_stays() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let (_, adapter, question) = TASKS[0];
    let first = acme.chat(&chat(adapter, question)).await;
    let same = acme.upload(adapter, &Adapter::demo(adapter)).await;
    assert_eq!(
        (same.status, same.body["version"].as_u64()),
        (201, Some(1)),
        "the same content is no new version"
    );
    let second = acme.upload(adapter, &Adapter::demo("text-to-sql")).await;
    assert_eq!((second.status, second.body["version"].as_u64()), (201, Some(2)), "{}", second.body);
    let latest = acme.chat(&chat(adapter, question)).await;
    assert_eq!(latest.body["model"], "ticket-triage@2");
    assert_ne!(latest.headers["x-tenora-adapter-digest"], first.headers["x-tenora-adapter-digest"]);
    let pinned = acme.chat(&chat("ticket-triage@1", question)).await;
    assert_eq!(pinned.body["model"], "ticket-triage@1");
    assert_eq!(pinned.body["choices"], first.body["choices"]);
    assert_ne!(latest.body["choices"], first.body["choices"], "the other weights answer");
}

#[tokio::test]
async fn the_base_model_answers_without_an_adapter() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let models = acme.get("/v1/models").await.body;
    let base = models["data"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(models["data"][1]["parent"], base);
    let reply = acme.chat(&chat(&base, "Hello.")).await;
    assert_eq!((reply.status, &reply.body["model"]), (200, &json!(base)));
    assert!(!reply.headers.contains_key("x-tenora-adapter-digest"));
}

#[tokio::test]
async fn bad_requests_have_their_own_status_code_and_field() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let valid = || chat("ticket-triage", "Hello");
    for (fields, param) in [
        (json!({"model": 7}), "model"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": "Hello"}), "messages"),
        (json!({"messages": [{"role": "user", "content": 5}]}), "messages[0].content"),
        (json!({"temperature": 9}), "temperature"),
        (json!({"temperature": "hot"}), "temperature"),
        (json!({"top_p": 0}), "top_p"),
        (json!({"max_tokens": 0}), "max_tokens"),
        (json!({"max_tokens": -1}), "max_tokens"),
        (json!({"n": 99}), "n"),
        (json!({"logprobs": true, "top_logprobs": 99}), "top_logprobs"),
        (json!({"logit_bias": {"word": 1}}), "logit_bias"),
        (json!({"no_such_field": 1}), "no_such_field"),
        (json!({"tools": [{"type": "function"}]}), "tools"),
    ] {
        let reply = acme.chat(&with(valid(), fields.clone())).await;
        reply.expect_error(400, "invalid_value");
        assert_eq!(reply.body["error"]["param"], param, "{fields}: {}", reply.body);
    }
    let long = acme.chat(&chat("ticket-triage", &"word ".repeat(2000))).await;
    long.expect_error(400, "context_length_exceeded");
    assert!(long.message().contains("512"), "{}", long.message());
    let send = |text: &str, media: &str| {
        let request = acme.request(Method::POST, CHAT).header("content-type", media).body(text.to_owned());
        Reply::to(request)
    };
    send("{\"model\":", "application/json").await.expect_error(400, "invalid_json");
    send("{}", "text/plain").await.expect_error(415, "unsupported_media_type");
    let huge = format!("\"{}\"", "x".repeat(5 << 20));
    send(&huge, "application/json").await.expect_error(413, "payload_too_large");
    acme.get(CHAT).await.expect_error(405, "method_not_allowed");
    acme.get("/v1/nothing").await.expect_error(404, "route_not_found");
}

#[tokio::test]
async fn sampling_is_honoured() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let ask = async |fields: Value| {
        let reply = acme.chat(&with(chat("ticket-triage", "My app crashes."), fields)).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        reply.body
    };
    let several = ask(json!({"n": 3, "temperature": 1.5, "seed": 1})).await;
    let choices = several["choices"].as_array().expect("a list");
    assert_eq!(
        choices.iter().map(|choice| choice["index"].as_u64()).collect::<Vec<_>>(),
        [Some(0), Some(1), Some(2)]
    );
    let seeded = json!({"temperature": 1.5, "seed": 11, "ignore_eos": true, "max_tokens": 40});
    let one = ask(seeded.clone()).await;
    assert_eq!(one["choices"], ask(seeded.clone()).await["choices"], "a seed repeats itself");
    assert_ne!(one["choices"], ask(with(seeded, json!({"seed": 12}))).await["choices"]);

    let whole = ask(json!({})).await["choices"][0]["message"]["content"].clone();
    let cut = ask(json!({"stop": ["priority"]})).await;
    let before = whole.as_str().expect("a text").split("priority").next().expect("a part");
    assert_eq!(cut["choices"][0]["message"]["content"], before);
    assert_eq!(cut["choices"][0]["finish_reason"], "stop");

    let short = ask(json!({"max_tokens": 3, "logprobs": true, "top_logprobs": 2})).await;
    assert_eq!(short["choices"][0]["finish_reason"], "length");
    let usage = &short["usage"];
    assert_eq!(usage["completion_tokens"], 3);
    let total = usage["prompt_tokens"].as_u64().expect("a number") + 3;
    assert_eq!(usage["total_tokens"], total);
    let logprobs = short["choices"][0]["logprobs"]["content"].as_array().expect("a list");
    assert_eq!(logprobs.len(), 3);
    for token in logprobs {
        assert_eq!(token["top_logprobs"].as_array().expect("a list").len(), 2);
        assert_eq!(token["top_logprobs"][0]["token"], token["token"], "greedy takes the likeliest");
        assert!(token["logprob"].as_f64().expect("a number") <= 0.0);
    }
}

#[tokio::test]
async fn a_stream_is_told_as_sdks_read_it() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let body =
        with(chat("ticket-triage", "My app crashes."), json!({"stream_options": {"include_usage": true}}));
    let events = acme.stream(CHAT, &body).await.rest().await;
    assert_eq!(events[0]["choices"][0]["delta"]["role"], "assistant");
    let ids: std::collections::BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "one id for all");
    let last = events.last().expect("events");
    assert!(last["choices"].as_array().expect("a list").is_empty());
    assert!(last["usage"]["completion_tokens"].as_u64().expect("a number") > 0);
    let ending = &events[events.len() - 2];
    assert_eq!(ending["choices"][0]["finish_reason"], "stop");
    let refused =
        acme.request(Method::POST, CHAT).json(&with(chat("no-such-model", "Hi"), json!({"stream": true})));
    Reply::to(refused).await.expect_error(404, "model_not_found");
}
