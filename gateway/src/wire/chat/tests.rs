//! What is read, and what is refused under which name.

use serde_json::json;

use super::*;

fn check(fields: Value) -> Result<(Prompt, Sampling), (String, String)> {
    let mut body = json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }] });
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    let request: ChatRequest = serde_json::from_value(body).expect("a request");
    request.check().map_err(|error| (error.param().unwrap_or_default(), error.to_string()))
}

fn refused(fields: Value) -> String {
    check(fields).expect_err("refused").0
}

#[test]
fn sampling_is_read_in_the_engines_terms() {
    let fields = json!({
        "temperature": 0.5, "top_p": 0.9, "top_k": -1, "seed": -1, "stop": "x", "n": 2, "logprobs": true,
        "top_logprobs": 3, "max_tokens": 5, "max_completion_tokens": 7, "logit_bias": { "12": -3 },
    });
    let (_, sampling) = check(fields).expect("valid");
    assert_eq!((sampling.temperature, sampling.top_p, sampling.top_k, sampling.n), (0.5, 0.9, 0, 2));
    assert_eq!((sampling.seed, sampling.logprobs, sampling.max_tokens), (Some(u64::MAX), Some(3), Some(7)));
    assert_eq!((sampling.stop, sampling.logit_bias), (vec!["x".to_owned()], vec![(12, -3.0)]));
    assert_eq!(check(json!({})).expect("valid").1, Sampling::default());
}

#[test]
fn messages_become_plain_turns() {
    let parts = json!([{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }]);
    let messages = json!([
        { "role": "developer", "content": "rules" },
        { "role": "user", "content": parts, "name": "ann" },
        { "role": "assistant", "content": "ok", "refusal": null, "annotations": [] },
    ]);
    let (Prompt::Chat(turns), _) = check(json!({ "messages": messages })).expect("valid") else {
        panic!("a chat")
    };
    let read: Vec<_> = turns.iter().map(|turn| (turn.role.as_str(), turn.content.as_str())).collect();
    assert_eq!(read, [("system", "rules"), ("user", "ab"), ("assistant", "ok")]);
    assert_eq!(turns[1].name.as_deref(), Some("ann"));
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    for (field, value) in [
        ("tools", json!([{ "type": "function" }])),
        ("functions", json!([{ "name": "f" }])),
        ("tool_choice", json!("required")),
        ("function_call", json!({ "name": "f" })),
        ("audio", json!({ "voice": "a" })),
        ("modalities", json!(["text", "audio"])),
        ("top_logprobs", json!(2)),
        ("top_k", json!(-5)),
        ("max_tokens", json!(0)),
        ("max_completion_tokens", json!(0)),
        ("logit_bias", json!({ "word": 1 })),
        ("messages", json!([])),
    ] {
        assert_eq!(refused(json!({ field: value })), field);
    }
    let message = |message: Value| refused(json!({ "messages": [message] }));
    assert_eq!(message(json!({ "role": "robot", "content": "x" })), "messages[0].role");
    assert_eq!(message(json!({ "role": "user" })), "messages[0].content");
    assert_eq!(
        message(json!({ "role": "user", "content": [{ "type": "image_url" }] })),
        "messages[0].content[0]"
    );
    assert_eq!(message(json!({ "role": "assistant", "content": "x", "tool_calls": [{}] })), "tool_calls");
}

#[test]
fn what_changes_nothing_is_accepted() {
    let harmless = json!({
        "tools": [], "tool_choice": "auto", "parallel_tool_calls": true, "response_format": { "type": "text" },
        "modalities": ["text"], "metadata": { "a": "b" }, "store": false, "user": "u", "service_tier": "auto",
        "temperature": null, "stop": null, "stream": false,
    });
    check(harmless).expect("valid");
}
