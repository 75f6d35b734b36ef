//! `response_format` over HTTP: answers that programs can read, and what is refused.

use serde_json::{Value, json};
use tenora_tests::{Settings, chat};

const CHAT: &str = "/v1/chat/completions";
const QUESTION: &str = "I was charged twice for my order.";

fn triage() -> Value {
    json!({
        "type": "object",
        "properties": {
            "priority": { "enum": ["low", "high"] },
            "reasons": { "type": "array", "items": { "type": "string", "maxLength": 12 }, "minItems": 1, "maxItems": 2 },
            "score": { "type": "integer", "minimum": 1, "maximum": 5 },
        },
        "required": ["priority", "reasons", "score"],
        "additionalProperties": false,
    })
}

fn named(schema: &Value) -> Value {
    json!({ "type": "json_schema", "json_schema": { "name": "triage", "strict": true, "schema": schema } })
}

fn ask(model: &str, format: &Value, temperature: f64) -> Value {
    let mut body = chat(model, QUESTION);
    body["response_format"] = format.clone();
    body["temperature"] = temperature.into();
    body["seed"] = 5.into();
    body["max_tokens"] = 200.into();
    body
}

#[track_caller]
fn assert_is_triage(text: &str) {
    let answer: Value = serde_json::from_str(text).expect(text);
    let fields: Vec<&String> = answer.as_object().expect("an object").keys().collect();
    assert_eq!(fields, ["priority", "reasons", "score"], "{text}");
    assert!(["low", "high"].contains(&answer["priority"].as_str().expect("a word")), "{text}");
    let reasons = answer["reasons"].as_array().expect("a list");
    assert!((1..=2).contains(&reasons.len()), "{text}");
    assert!(reasons.iter().all(|reason| reason.as_str().is_some_and(|r| r.chars().count() <= 12)), "{text}");
    assert!((1..=5).contains(&answer["score"].as_i64().expect("a whole number")), "{text}");
}

#[tokio::test]
async fn an_answer_is_of_its_schema_with_and_without_an_adapter_streaming_and_not() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let models = acme.get("/v1/models").await.body;
    let base = models["data"][0]["id"].as_str().expect("an id");
    for model in ["ticket-triage", base] {
        for temperature in [0.0, 1.0] {
            let body = ask(model, &named(&triage()), temperature);
            let (reply, mut stream) = tokio::join!(acme.chat(&body), acme.stream(CHAT, &body));
            assert_eq!(reply.status, 200, "{}", reply.body);
            let choice = &reply.body["choices"][0];
            assert_eq!(choice["finish_reason"], "stop", "{choice}");
            let text = choice["message"]["content"].as_str().expect("a text");
            assert_is_triage(text);
            assert_eq!(stream.text().await, text);
        }
    }
    let mut completion = json!({ "model": base, "prompt": "Ticket:", "max_tokens": 200, "seed": 1 });
    completion["response_format"] = named(&triage());
    let reply = acme.post("/v1/completions", &completion).await;
    assert_is_triage(reply.body["choices"][0]["text"].as_str().expect("a text"));
}

#[tokio::test]
async fn an_object_is_what_the_adapter_says_anyway_and_a_cut_answer_says_so() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let free = acme.text(&ask("ticket-triage", &json!({ "type": "text" }), 0.0)).await;
    let object = json!({ "type": "json_object" });
    assert_eq!(acme.text(&ask("ticket-triage", &object, 0.0)).await, free);
    let mut short = ask("ticket-triage", &object, 0.0);
    short["max_tokens"] = 3.into();
    let choice = acme.chat(&short).await.body["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "length");
    assert!(free.starts_with(choice["message"]["content"].as_str().expect("a text")), "{choice}");
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_by_its_name_at_once() {
    let settings = Settings::demo();
    let server = settings.start();
    let acme = server.tenant(&settings, "acme");
    let deep = (0..60).fold(json!({}), |inner, _| json!({ "items": inner }));
    for (format, param, part) in [
        (json!({ "type": "xml" }), "response_format.type", "json_schema"),
        (json!({}), "response_format.type", "type"),
        (json!("json_object"), "response_format", "response_format"),
        (json!({ "type": "json_object", "more": 1 }), "response_format.more", "more"),
        (json!({ "type": "json_schema" }), "response_format.json_schema", "schema"),
        (
            json!({ "type": "json_schema", "json_schema": { "schema": {} } }),
            "response_format.json_schema.name",
            "name",
        ),
        (named(&json!(true)), "response_format.json_schema.schema", "object"),
        (
            named(&json!({ "properties": { "a": { "not": {} } } })),
            "response_format",
            "`not` at `#/properties/a`",
        ),
        (named(&json!({ "$ref": "https://example.com/s.json" })), "response_format", "example.com"),
        (named(&json!({ "description": "x".repeat(70_000) })), "response_format", "65536"),
        (named(&json!({ "enum": [], "type": "string" })), "response_format", "nothing conforms"),
        (named(&json!({ "items": deep, "x-guidance": {} })), "response_format", "x-guidance"),
    ] {
        let reply = acme.chat(&ask("ticket-triage", &format, 0.0)).await;
        reply.expect_error(400, "invalid_value");
        assert_eq!(reply.body["error"]["param"], param, "{format}: {}", reply.body);
        assert!(reply.message().contains(part), "`{part}` in: {}", reply.message());
    }
    let mut endless = ask("ticket-triage", &json!({ "type": "json_object" }), 0.0);
    endless["ignore_eos"] = true.into();
    let refused = acme.chat(&endless).await;
    refused.expect_error(400, "invalid_value");
    assert_eq!(refused.body["error"]["param"], "ignore_eos");
}
