//! What is read, and what is refused under which name.

use serde_json::json;
use tenora_engine::RankedToken;

use super::*;

fn check(fields: Value) -> Result<(Prompt, Sampling), String> {
    let mut body = json!({ "model": "m", "prompt": "hi" });
    for (name, value) in fields.as_object().expect("fields") {
        body[name] = value.clone();
    }
    let request: CompletionRequest = serde_json::from_value(body).expect("a request");
    request.check().map_err(|error| error.param().unwrap_or_default())
}

#[test]
fn a_prompt_is_a_text_or_token_ids() {
    let prompt = |value: Value| check(json!({ "prompt": value })).map(|checked| checked.0);
    assert!(matches!(prompt(json!("a")), Ok(Prompt::Text(text)) if text == "a"));
    assert!(matches!(prompt(json!(["a"])), Ok(Prompt::Text(text)) if text == "a"));
    assert!(matches!(prompt(json!([1, 2])), Ok(Prompt::Tokens(tokens)) if tokens == [1, 2]));
    assert_eq!(prompt(json!([])).expect_err("empty"), "prompt");
    assert_eq!(prompt(json!(["a", "b"])).expect_err("two"), "prompt");
}

#[test]
fn what_cannot_be_honoured_is_refused_by_name() {
    for (field, value) in
        [("echo", json!(true)), ("suffix", json!("end")), ("best_of", json!(2)), ("logprobs", json!(21))]
    {
        assert_eq!(check(json!({ field: value })).expect_err("refused"), field);
    }
    let harmless =
        json!({ "echo": false, "suffix": "", "best_of": 1, "logprobs": 5, "user": "u", "store": true });
    let (_, sampling) = check(harmless).expect("valid");
    assert_eq!((sampling.max_tokens, sampling.logprobs), (Some(16), Some(5)));
}

#[test]
fn log_probabilities_keep_their_order_and_their_pieces() {
    let token = |bytes: &[u8], logprob| RankedToken { id: 0, bytes: bytes.to_vec(), logprob };
    let top = vec![token(b"z", -0.1), token(b"\xe2\x80", -0.2), token(b"\xe2\x81", -0.3), token(b"a", -0.4)];
    let entries = vec![
        TokenLogprob { token: token(b"z", -0.1), top },
        TokenLogprob { token: token("é".as_bytes(), -0.5), top: Vec::new() },
    ];
    let told = serde_json::to_value(logprobs(Some(entries), 10)).expect("JSON");
    let names: Vec<&str> =
        told["top_logprobs"][0].as_object().expect("a map").keys().map(String::as_str).collect();
    assert_eq!(names, ["z", "bytes:\\xe2\\x80", "bytes:\\xe2\\x81", "a"], "best first, none merged");
    assert_eq!((&told["text_offset"], &told["tokens"]), (&json!([10, 11]), &json!(["z", "é"])));
}
