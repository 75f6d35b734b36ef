//! Answers that must be JSON are JSON, of whichever adapter and in whatever batch, and nobody else notices.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests: what cannot be read is a failed test"
)]

#[path = "../src/grammar/tests/conforms.rs"]
mod conforms;
#[path = "support/demo.rs"]
mod demo;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tenora_engine::{EngineError, FinishReason, GenerateRequest, ResponseFormat, Sampling};

use self::{
    conforms::conforms,
    demo::{ADAPTERS, QUESTIONS, answer, ask, engine, text},
};

/// What `ticket-triage` was trained to answer.
fn triage() -> Value {
    json!({
        "type": "object",
        "properties": {
            "category": { "type": "string", "maxLength": 20 },
            "priority": { "enum": ["low", "medium", "high", "urgent"] },
            "sentiment": { "type": "string", "maxLength": 20 },
        },
        "required": ["category", "priority", "sentiment"],
        "additionalProperties": false,
    })
}

/// Schemas whose answers are short whatever the model prefers.
fn schemas() -> Vec<Value> {
    vec![
        triage(),
        json!({ "enum": ["yes", "no", "perhaps"] }),
        json!({ "type": "array", "items": { "type": "integer", "minimum": 0, "maximum": 999 }, "minItems": 2, "maxItems": 5 }),
        json!({
            "type": "object",
            "properties": {
                "ticket": { "type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$" },
                "score": { "type": "number", "minimum": 0, "maximum": 1, "multipleOf": 0.5 },
                "lines": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": { "name": { "type": "string", "maxLength": 8 }, "open": { "type": "boolean" } },
                        "required": ["name", "open"],
                        "additionalProperties": false,
                    },
                    "maxItems": 2,
                },
            },
            "required": ["ticket", "score", "lines"],
            "additionalProperties": false,
        }),
    ]
}

fn formatted(
    mut request: GenerateRequest,
    format: ResponseFormat,
    temperature: f32,
    seed: u64,
) -> GenerateRequest {
    request.sampling =
        Sampling { temperature, seed: Some(seed), max_tokens: Some(250), format, ..Sampling::default() };
    request
}

fn under(schema: &Value, adapter: Option<&str>, temperature: f32, seed: u64) -> GenerateRequest {
    let format = ResponseFormat::JsonSchema(schema.clone());
    formatted(ask(adapter, QUESTIONS[seed as usize % 2], 1), format, temperature, seed)
}

#[track_caller]
fn assert_conforms(text: &str, schema: &Value) {
    let value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(conforms(&value, schema, schema), "{text} is not of {schema}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_conforms_in_a_mixed_batch_whose_other_rows_do_not_change() {
    let free: Vec<_> = ADAPTERS.map(Some).into_iter().chain([None]).collect();
    let alone = engine(|_| ());
    let before = join_all(free.iter().map(|adapter| text(&alone, ask(*adapter, QUESTIONS[0], 2)))).await;

    let mixed = engine(|_| ());
    let mut cases = Vec::new();
    for schema in schemas() {
        for adapter in [None, Some(ADAPTERS[0]), Some(ADAPTERS[1])] {
            cases.extend(
                [(0.0, 1), (1.0, 2), (1.0, 3)]
                    .map(|(temperature, seed)| (schema.clone(), adapter, temperature, seed)),
            );
        }
    }
    let constrained = join_all(cases.iter().map(|(schema, adapter, temperature, seed)| {
        answer(&mixed, under(schema, *adapter, *temperature, *seed))
    }));
    let others = join_all(free.iter().map(|adapter| text(&mixed, ask(*adapter, QUESTIONS[0], 2))));
    let (constrained, after) = tokio::join!(constrained, others);
    assert_eq!(after, before);
    assert!(mixed.stats().largest_mix >= 3, "{:?}", mixed.stats());
    for (answer, (schema, adapter, ..)) in constrained.into_iter().zip(&cases) {
        let (texts, reasons, _) = answer.unwrap();
        assert_eq!(reasons, [FinishReason::Stop], "{adapter:?}: {texts:?}");
        assert_conforms(&texts[0], schema);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_answers_so_anyway_answers_the_same() {
    let engine = engine(|_| ());
    let free = text(&engine, ask(Some(ADAPTERS[0]), QUESTIONS[0], 1)).await;
    for format in [ResponseFormat::JsonObject, ResponseFormat::JsonSchema(triage())] {
        let request = formatted(ask(Some(ADAPTERS[0]), QUESTIONS[0], 1), format, 0.0, 1);
        assert_eq!(text(&engine, request).await, free);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn choices_go_their_own_ways() {
    let engine = engine(|_| ());
    let mut request = under(&schemas()[3], None, 1.0, 4);
    request.sampling.n = 4;
    let (texts, reasons, usage) = answer(&engine, request).await.unwrap();
    texts.iter().for_each(|text| assert_conforms(text, &schemas()[3]));
    assert_eq!(reasons, [FinishReason::Stop; 4]);
    assert!(texts.windows(2).any(|pair| pair[0] != pair[1]), "{texts:?}");
    assert!(usage.completion_tokens > 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn any_object_is_an_object() {
    let engine = engine(|_| ());
    for seed in 0..4 {
        let request = formatted(ask(None, QUESTIONS[0], 1), ResponseFormat::JsonObject, 1.0, seed);
        let (texts, reasons, _) = answer(&engine, request).await.unwrap();
        match reasons[0] {
            FinishReason::Stop => assert_conforms(&texts[0], &json!({ "type": "object" })),
            FinishReason::Length => assert!(texts[0].starts_with('{'), "{texts:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_cut_says_so_and_a_complete_one_does_not() {
    let engine = engine(|_| ());
    let whole = answer(&engine, under(&triage(), Some(ADAPTERS[0]), 0.0, 0)).await.unwrap();
    let tokens = whole.2.completion_tokens;
    for (most, reason) in [(5, FinishReason::Length), (tokens, FinishReason::Stop)] {
        let mut request = under(&triage(), Some(ADAPTERS[0]), 0.0, 0);
        request.sampling.max_tokens = Some(most);
        let (texts, reasons, usage) = answer(&engine, request).await.unwrap();
        assert_eq!((reasons[0], usage.completion_tokens), (reason, most));
        assert!(whole.0[0].starts_with(&texts[0]), "{texts:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn being_preempted_and_computed_again_changes_nothing() {
    let numbers = json!({ "type": "integer", "minimum": 100, "maximum": 999 });
    let schema = json!({ "type": "array", "items": numbers, "minItems": 20, "maxItems": 22 });
    let asked = || {
        (0..6).map(|seed| {
            let mut request = under(&schema, (seed % 2 == 0).then_some(ADAPTERS[0]), 1.0, seed);
            request.sampling.max_tokens = Some(120);
            request
        })
    };
    let roomy = engine(|config| config.context_length = Some(160));
    let calm = join_all(asked().map(|request| answer(&roomy, request))).await;
    // Ten blocks of 16 tokens: sequences begin side by side, and two of more than 80 tokens can never both end.
    let tight = engine(|config| (config.context_length, config.kv_bytes) = (Some(160), Some(10 << 16)));
    assert_eq!(tight.stats().kv_blocks, 10);
    let crowded = join_all(asked().map(|request| answer(&tight, request))).await;
    for (calm, crowded) in calm.into_iter().zip(crowded) {
        let (calm, crowded) = (calm.unwrap(), crowded.unwrap());
        assert_eq!((&calm.0, &calm.1), (&crowded.0, &crowded.1));
        assert!(calm.2.prompt_tokens + calm.2.completion_tokens > 80, "{:?}", calm.2);
        if calm.1[0] == FinishReason::Stop {
            assert_conforms(&calm.0[0], &schema);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schema_that_cannot_be_honoured_is_refused_before_the_queue() {
    let engine = engine(|config| config.queue_limit = 1);
    for _ in 0..3 {
        let refused = engine.generate(under(&json!({ "not": {} }), None, 0.0, 0)).await;
        let Err(EngineError::Invalid { field: "response_format", problem }) = refused else {
            panic!("it was taken")
        };
        assert!(problem.contains("`not`"), "{problem}");
    }
    assert_conforms(&text(&engine, under(&triage(), None, 0.0, 0)).await, &triage());
}
