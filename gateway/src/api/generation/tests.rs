//! What a stream looks like on the wire, byte for byte.

use tenora_engine::{EngineError, FinishReason, RankedToken, TokenLogprob};

use super::*;
use crate::wire::{chat::Chat, completions::Text};

fn text(choice: u32, text: &str) -> Result<Event, ApiError> {
    Ok(Event::Text { choice, text: text.to_owned(), logprobs: Vec::new() })
}

fn finished(choice: u32, reason: FinishReason) -> Result<Event, ApiError> {
    Ok(Event::Finished { choice, reason })
}

fn done() -> Result<Event, ApiError> {
    let usage = tenora_engine::Usage {
        prompt_tokens: 7,
        cached_tokens: 4,
        completion_tokens: 3,
        ..Default::default()
    };
    Ok(Event::Done(usage))
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(future)
}

/// The stream's text, with what differs from run to run made plain.
fn transcript<S: Shape>(events: Vec<Result<Event, ApiError>>, include_usage: bool) -> String {
    let heading = Heading {
        model: "triage@2".to_owned(),
        digest: None,
        system_fingerprint: "fp_0123".to_owned(),
        telling: Telling { stream: true, include_usage },
    };
    let bytes: Vec<Bytes> =
        block_on(sse::<S, _>(stream::iter(events), &heading).map(|b| b.expect("bytes")).collect());
    let text = String::from_utf8(bytes.concat()).expect("UTF-8");
    let mut out = String::new();
    for line in text.lines() {
        match line
            .strip_prefix("data: ")
            .and_then(|json| serde_json::from_str::<serde_json::Value>(json).ok())
        {
            Some(mut json) if json["id"].is_string() => {
                assert!(json["id"].as_str().is_some_and(|id| id.starts_with(S::ID_PREFIX)));
                json["id"] = "ID".into();
                json["created"] = 0.into();
                out += &format!("data: {json}\n");
            }
            _ => out += &format!("{line}\n"),
        }
    }
    out
}

#[test]
fn a_chat_stream_opens_tells_ends_and_sums_up() {
    let events = vec![text(0, "Grü"), text(0, "ße\n"), finished(0, FinishReason::Stop), done()];
    insta::assert_snapshot!(transcript::<Chat>(events, true), @r#"
    data: {"id":"ID","object":"chat.completion.chunk","created":0,"model":"triage@2","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"system_fingerprint":"fp_0123"}

    data: {"id":"ID","object":"chat.completion.chunk","created":0,"model":"triage@2","choices":[{"index":0,"delta":{"content":"Grü"},"logprobs":null,"finish_reason":null}],"system_fingerprint":"fp_0123"}

    data: {"id":"ID","object":"chat.completion.chunk","created":0,"model":"triage@2","choices":[{"index":0,"delta":{"content":"ße\n"},"logprobs":null,"finish_reason":null}],"system_fingerprint":"fp_0123"}

    data: {"id":"ID","object":"chat.completion.chunk","created":0,"model":"triage@2","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop"}],"system_fingerprint":"fp_0123"}

    data: {"id":"ID","object":"chat.completion.chunk","created":0,"model":"triage@2","choices":[],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"prompt_tokens_details":{"cached_tokens":4}},"system_fingerprint":"fp_0123"}

    data: [DONE]
    "#);
}

#[test]
fn a_completion_stream_has_no_opening_and_no_sum_unless_asked() {
    let events = vec![text(0, "a"), finished(0, FinishReason::Length), done()];
    insta::assert_snapshot!(transcript::<Text>(events, false), @r#"
    data: {"id":"ID","object":"text_completion","created":0,"model":"triage@2","choices":[{"index":0,"text":"a","logprobs":null,"finish_reason":null}],"system_fingerprint":"fp_0123"}

    data: {"id":"ID","object":"text_completion","created":0,"model":"triage@2","choices":[{"index":0,"text":"","logprobs":null,"finish_reason":"length"}],"system_fingerprint":"fp_0123"}

    data: [DONE]
    "#);
}

#[test]
fn an_error_is_the_last_event_and_no_done_follows() {
    let events = vec![text(0, "a"), Err(EngineError::Fault("secret cause".into()).into()), text(0, "b")];
    let told = transcript::<Text>(events, true);
    let last = told.trim_end().lines().last().expect("a line");
    assert!(last.contains(r#""code":"internal_error""#), "{told}");
    assert!(!told.contains("secret cause") && !told.contains("[DONE]"), "{told}");
}

#[test]
fn a_stream_that_breaks_off_says_so() {
    let told = transcript::<Chat>(vec![text(0, "a")], false);
    assert!(told.contains(r#""code":"shutting_down""#) && !told.contains("[DONE]"), "{told}");
}

#[test]
fn whole_answers_are_put_together_by_choice() {
    let token = RankedToken { id: 5, bytes: "é".into(), logprob: -0.5 };
    let logprobs = vec![TokenLogprob { token: token.clone(), top: vec![token] }];
    let events = vec![
        text(1, "b"),
        Ok(Event::Text { choice: 0, text: "é".to_owned(), logprobs }),
        finished(1, FinishReason::Stop),
        text(0, "!"),
        finished(0, FinishReason::Length),
        done(),
    ];
    let (answers, usage) = block_on(collect(stream::iter(events))).expect("answers");
    let head = Head {
        id: "ID".to_owned(),
        created: 0,
        model: "triage@2".to_owned(),
        system_fingerprint: "fp_0123".to_owned(),
    };
    insta::assert_json_snapshot!(Chat::whole(head, answers, usage.into()));
}
