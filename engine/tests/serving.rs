//! The engine as a whole, on the demo's base model and adapters: what its callers are promised.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be read is a failed test")]

#[path = "support/demo.rs"]
mod demo;

use std::time::Duration;

use futures_util::{StreamExt, future::join_all};
use tenora_engine::{EngineError, FinishReason, Prompt, Sampling, lora::codes};

use self::demo::{ADAPTERS, QUESTIONS, answer, ask, engine, text};

#[tokio::test(flavor = "multi_thread")]
async fn a_mixed_batch_answers_like_solo_runs_and_every_adapter_differs() {
    let cases: Vec<(Option<&str>, &str)> = ADAPTERS
        .map(Some)
        .into_iter()
        .chain([None])
        .flat_map(|adapter| QUESTIONS.map(|question| (adapter, question)))
        .collect();
    let alone = engine(|_| ());
    let mut solo = Vec::new();
    for &(adapter, question) in &cases {
        solo.push(text(&alone, ask(adapter, question, 1)).await);
    }
    for question in 0..QUESTIONS.len() {
        let mut answers: Vec<&String> = solo.iter().skip(question).step_by(QUESTIONS.len()).collect();
        answers.sort();
        answers.dedup();
        assert_eq!(answers.len(), 4, "an adapter that does nothing: {solo:#?}");
    }
    let mixed = engine(|config| config.max_batch_rows = 24);
    for _ in 0..2 {
        let answers = join_all(cases.iter().map(|&(a, q)| text(&mixed, ask(a, q, 1)))).await;
        assert_eq!(answers, solo);
    }
    assert_eq!(mixed.stats().largest_mix, 4, "three adapters and the base in one step");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_reused_within_a_tenant_and_changes_nothing() {
    let engine = engine(|_| ());
    let question = QUESTIONS[1].repeat(4);
    let cached = |tenant, adapter| {
        let (engine, question) = (engine.clone(), question.clone());
        async move { answer(&engine, ask(adapter, &question, tenant)).await.unwrap() }
    };
    let first = cached(1, Some(ADAPTERS[1])).await;
    let again = cached(1, Some(ADAPTERS[1])).await;
    assert_eq!(first.0, again.0);
    assert_eq!(first.2.cached_tokens, 0);
    assert!(again.2.cached_tokens >= 16 && again.2.cached_tokens < again.2.prompt_tokens, "{:?}", again.2);
    assert_eq!(cached(2, Some(ADAPTERS[1])).await.2.cached_tokens, 0, "another tenant");
    assert_eq!(cached(1, Some(ADAPTERS[0])).await.2.cached_tokens, 0, "another adapter");
    assert_eq!(cached(1, None).await.2.cached_tokens, 0, "the base");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_seed_gives_the_same_answers_whatever_else_runs() {
    let engine = engine(|_| ());
    let seeded = || {
        let mut request = ask(None, QUESTIONS[0], 1);
        request.sampling =
            Sampling { temperature: 1.0, seed: Some(7), n: 3, max_tokens: Some(20), ..Sampling::default() };
        request
    };
    let alone = answer(&engine, seeded()).await.unwrap();
    assert_ne!(alone.0[0], alone.0[1], "choices draw their own numbers");
    let noise = join_all((0..6).map(|_| text(&engine, ask(Some(ADAPTERS[2]), QUESTIONS[1], 2))));
    let (beside, _) = tokio::join!(answer(&engine, seeded()), noise);
    assert_eq!(beside.unwrap().0, alone.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_ends_at_its_limit_at_a_stop_string_or_with_the_context() {
    let engine = engine(|config| config.context_length = Some(64));
    let asked = |change: &dyn Fn(&mut Sampling)| {
        let mut request = ask(None, QUESTIONS[0], 1);
        change(&mut request.sampling);
        request
    };
    let limited = answer(&engine, asked(&|s| s.max_tokens = Some(3))).await.unwrap();
    assert_eq!((limited.1[0], limited.2.completion_tokens), (FinishReason::Length, 3));
    let endless = answer(&engine, asked(&|s| (s.ignore_eos, s.max_tokens) = (true, None))).await.unwrap();
    assert_eq!(endless.1[0], FinishReason::Length);
    assert_eq!(endless.2.prompt_tokens + endless.2.completion_tokens, 64);
    let whole = &limited.0[0];
    let stop: String = whole.chars().skip(1).take(2).collect();
    let stopped = answer(&engine, asked(&|s| s.stop = vec![stop.clone()])).await.unwrap();
    assert_eq!(stopped.1[0], FinishReason::Stop);
    assert_eq!(stopped.0[0], whole.split(&stop).next().unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_served_is_refused_by_its_name() {
    let engine = engine(|config| config.context_length = Some(64));
    let long = answer(&engine, ask(None, &"word ".repeat(100), 1)).await;
    assert!(matches!(long, Err(EngineError::ContextLength { context: 64, .. })), "{long:?}");
    let mut outside = ask(None, "x", 1);
    outside.prompt = Prompt::Tokens(vec![1, 99_999]);
    assert!(matches!(answer(&engine, outside).await, Err(EngineError::Invalid { field: "prompt", .. })));
    let mut empty = ask(None, "x", 1);
    empty.prompt = Prompt::Tokens(Vec::new());
    assert!(matches!(answer(&engine, empty).await, Err(EngineError::Invalid { field: "prompt", .. })));
    let mut lied = ask(Some(ADAPTERS[0]), "x", 1);
    lied.adapter.as_mut().unwrap().digest = [0; 32];
    let refused = answer(&engine, lied).await;
    assert!(matches!(&refused, Err(EngineError::Adapter(why)) if why.code == codes::DISABLED), "{refused:?}");
    assert_eq!(
        text(&engine, ask(None, "hi", 1)).await,
        text(&engine, ask(None, "hi", 1)).await,
        "it goes on"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_request_too_many_is_told_to_come_back_and_dropped_ones_leave_nothing() {
    let engine = engine(|config| (config.queue_limit, config.max_batch_sequences) = (2, 1));
    let endless = || {
        let mut request = ask(Some(ADAPTERS[0]), QUESTIONS[0], 1);
        (request.sampling.ignore_eos, request.sampling.max_tokens) = (true, None);
        request
    };
    let mut running = engine.generate(endless()).await.unwrap();
    running.next().await.unwrap().unwrap();
    let waiting = [engine.generate(endless()).await.unwrap(), engine.generate(endless()).await.unwrap()];
    assert!(matches!(engine.generate(endless()).await, Err(EngineError::QueueFull { limit: 2 })));
    drop((running, waiting));
    for _ in 0..200 {
        let stats = engine.stats();
        if (stats.running, stats.waiting, stats.kv_blocks_free) == (0, 0, stats.kv_blocks) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("something is still held: {:?}", engine.stats());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_engine_ends_its_streams_and_takes_no_more() {
    let engine = engine(|_| ());
    let mut request = ask(None, QUESTIONS[0], 1);
    (request.sampling.ignore_eos, request.sampling.max_tokens) = (true, None);
    let mut running = engine.generate(request).await.unwrap();
    running.next().await.unwrap().unwrap();
    engine.shutdown();
    let mut last = None;
    while let Some(event) = running.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(EngineError::ShuttingDown))), "{last:?}");
    let mut refused = engine.generate(ask(None, "x", 1)).await;
    for _ in 0..100 {
        if let Err(error) = refused {
            assert!(matches!(error, EngineError::ShuttingDown));
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        refused = engine.generate(ask(None, "x", 1)).await;
    }
    panic!("it still takes requests");
}
