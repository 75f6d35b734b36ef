//! What every engine behind the gateway must do, whatever answers its requests: the shared one in this process, and a fleet of
//! (stand-ins for) vLLM servers; and mistral.rs, where it is built in. What is particular to a fleet, and its faults, is in
//! `faults.rs`.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, future::join_all};
use serde_json::json;
use tenora_engine::{
    EngineError, Event, FinishReason, Prompt, ResponseFormat, Sampling, TokenLogprob, lora::codes,
};
use tenora_tests::vllm::StandIn;

use crate::asking::{
    ADAPTERS, QUESTIONS, Whole, adapter, answer, ask, damaged, empty, fleet, long, patterned, reference,
    rejection, settings, shared,
};

/// An engine, and what of it must be kept alive.
struct World {
    engine: tenora_engine::Engine,
    _servers: Vec<StandIn>,
    folder: tempfile::TempDir,
    /// mistral.rs would reuse them between tenants, and is told not to.
    reuses_prefixes: bool,
}

impl World {
    async fn shared() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { engine: shared(), _servers: Vec::new(), folder, reuses_prefixes: true }
    }

    async fn fleet() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let servers =
            vec![StandIn::start("127.0.0.1:0", Some("a key")), StandIn::start("127.0.0.1:0", Some("a key"))];
        let settings = settings(&servers, folder.path(), |settings| settings.api_key = Some("a key".into()));
        Self { engine: fleet(settings).await.0, _servers: servers, folder, reuses_prefixes: true }
    }

    #[cfg(feature = "mistralrs")]
    async fn mistralrs() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let engine = crate::asking::mistralrs(folder.path(), 8).await;
        Self { engine, _servers: Vec::new(), folder, reuses_prefixes: false }
    }
}

macro_rules! on_every_engine {
    ($($test:ident),* $(,)?) => {
        mod shared_engine {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::World::shared().await).await;
            })*
        }
        mod vllm_servers {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::World::fleet().await).await;
            })*
        }
        #[cfg(feature = "mistralrs")]
        mod mistral_rs {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                super::$test(&super::World::mistralrs().await).await;
            })*
        }
    };
}

on_every_engine!(
    tenants_at_once_get_the_reference_answers,
    a_stream_comes_in_pieces_and_tells_its_cost,
    who_hangs_up_holds_nothing,
    stop_strings_lengths_and_choices_are_honoured,
    a_seed_gives_the_same_again,
    log_probabilities_are_those_of_the_model,
    structured_answers_are_structured,
    prefixes_are_reused_within_a_tenant_alone,
    ranks_and_scales_by_pattern_are_exact,
    an_adapter_that_is_damaged_is_refused,
    an_adapter_that_does_nothing_is_found_out,
    an_answer_ends_at_its_deadline,
    what_cannot_be_asked_is_refused_by_its_field,
    a_stopped_engine_says_so,
    residents_and_numbers_are_told,
);

async fn tenants_at_once_get_the_reference_answers(world: &World) {
    let cases: Vec<_> = ADAPTERS
        .map(Some)
        .into_iter()
        .chain([None])
        .flat_map(|adapter| QUESTIONS.map(|question| (adapter, question)))
        .collect();
    let expected = reference(&cases).await;
    for _ in 0..2 {
        let asked = cases.iter().enumerate().map(|(tenant, (adapter, question))| {
            answer(&world.engine, ask(*adapter, question, tenant as u128))
        });
        let told: Vec<_> =
            join_all(asked).await.into_iter().map(|whole| whole.expect("an answer").texts.concat()).collect();
        assert_eq!(told, expected);
    }
}

async fn a_stream_comes_in_pieces_and_tells_its_cost(world: &World) {
    let mut stream = world.engine.generate(long(Some(ADAPTERS[0]), 24)).await.expect("a stream");
    let progress = stream.progress();
    let (mut pieces, mut text, mut finished) = (0, String::new(), 0);
    let usage = loop {
        match stream.next().await.expect("an event").expect("no error") {
            Event::Text { choice, text: piece, .. } => {
                assert_eq!((choice, finished), (0, 0));
                pieces += 1;
                text += &piece;
            }
            Event::Finished { choice, reason } => {
                assert_eq!((choice, reason), (0, FinishReason::Length));
                finished += 1;
            }
            Event::Done(usage) => break usage,
        }
    };
    assert!(stream.next().await.is_none(), "nothing after the end");
    assert!(pieces > 5 && !text.is_empty() && finished == 1, "{pieces} pieces, {finished} ends");
    assert_eq!((usage.completion_tokens, progress.tokens()[2]), (24, 24));
    assert_eq!(usage.prompt_tokens, progress.tokens()[0]);
    assert!(usage.prompt_tokens > 5 && usage.timing.decode > Duration::ZERO);
}

async fn who_hangs_up_holds_nothing(world: &World) {
    let mut stream = world.engine.generate(long(Some(ADAPTERS[1]), 400)).await.expect("a stream");
    let progress = stream.progress();
    stream.next().await.expect("an event").expect("no error");
    drop(stream);
    let begun = Instant::now();
    while world._servers.iter().map(StandIn::busy).sum::<usize>() + world.engine.stats().running > 0 {
        assert!(begun.elapsed() < Duration::from_secs(5), "still running: {:?}", world.engine.stats());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let [prompt, _, generated] = progress.tokens();
    assert!(prompt > 0 && (1..400).contains(&generated), "what it cost is known: {generated}");
}

async fn stop_strings_lengths_and_choices_are_honoured(world: &World) {
    let whole = answer(&world.engine, ask(Some(ADAPTERS[2]), QUESTIONS[0], 1)).await.expect("an answer");
    let text = whole.texts.concat();
    let stop: String = text.chars().skip(6).take(4).collect();
    let mut request = ask(Some(ADAPTERS[2]), QUESTIONS[0], 1);
    request.sampling.stop = vec!["never said".to_owned(), stop.clone()];
    let stopped = answer(&world.engine, request).await.expect("an answer");
    assert_eq!(stopped.texts.concat(), text[..text.find(&stop).expect("it is there")]);
    assert_eq!(stopped.reasons, [FinishReason::Stop]);

    let mut request = ask(Some(ADAPTERS[2]), QUESTIONS[0], 1);
    (request.sampling.n, request.sampling.max_tokens) = (3, Some(5));
    let Whole { texts, reasons, usage } = answer(&world.engine, request).await.expect("an answer");
    assert_eq!(reasons, [FinishReason::Length; 3]);
    assert!(texts.iter().all(|one| *one == texts[0] && text.starts_with(one.as_str())), "{texts:?}");
    assert_eq!(usage.completion_tokens, 15);
}

async fn a_seed_gives_the_same_again(world: &World) {
    let sampled = |seed| {
        let mut request = ask(Some(ADAPTERS[2]), QUESTIONS[1], 1);
        (request.sampling.temperature, request.sampling.seed) = (2.0, Some(seed));
        (request.sampling.max_tokens, request.sampling.ignore_eos) = (Some(40), true);
        answer(&world.engine, request)
    };
    let (one, two, other) = tokio::join!(sampled(7), sampled(7), sampled(8));
    let text = |whole: Result<Whole, EngineError>| whole.expect("an answer").texts.concat();
    let (one, two, other) = (text(one), text(two), text(other));
    assert_eq!(one, two);
    assert_ne!(one, other);
}

async fn log_probabilities_are_those_of_the_model(world: &World) {
    let ask_for = |top| {
        let mut request = ask(Some(ADAPTERS[0]), QUESTIONS[0], 1);
        request.sampling.logprobs = Some(top);
        request
    };
    let read = async |engine: &tenora_engine::Engine, top| -> (String, Vec<TokenLogprob>) {
        let mut stream = engine.generate(ask_for(top)).await.expect("a stream");
        let (mut text, mut all) = (String::new(), Vec::new());
        while let Some(event) = stream.next().await {
            if let Event::Text { text: piece, logprobs, .. } = event.expect("no error") {
                text += &piece;
                all.extend(logprobs);
            }
        }
        (text, all)
    };
    let ((text, here), (_, there)) = (read(&world.engine, 4).await, read(&shared(), 4).await);
    assert_eq!(here.len(), there.len());
    for (here, there) in here.iter().zip(&there) {
        assert_eq!((here.token.id, &here.token.bytes), (there.token.id, &there.token.bytes));
        assert!((here.token.logprob - there.token.logprob).abs() < 1e-3);
        assert_eq!(here.top.len(), 4);
        assert!(here.top.windows(2).all(|pair| pair[0].logprob >= pair[1].logprob));
        assert_eq!(here.top[0].id, there.top[0].id);
    }
    let bytes: Vec<u8> = here.iter().flat_map(|one| one.token.bytes.clone()).collect();
    assert!(String::from_utf8_lossy(&bytes).contains(text.trim()), "the tokens are the text");
    let (_, chosen_alone) = read(&world.engine, 0).await;
    assert!(chosen_alone.len() == here.len() && chosen_alone.iter().all(|one| one.top.is_empty()));
}

async fn structured_answers_are_structured(world: &World) {
    let schema = json!({
        "type": "object",
        "properties": {"team": {"enum": ["billing", "hardware"]}, "urgent": {"type": "boolean"}},
        "required": ["team", "urgent"],
        "additionalProperties": false
    });
    let mut request = ask(Some(ADAPTERS[0]), QUESTIONS[0], 1);
    (request.sampling.format, request.sampling.max_tokens) = (ResponseFormat::JsonSchema(schema), Some(60));
    let text = answer(&world.engine, request).await.expect("an answer").texts.concat();
    let value: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert!(value["urgent"].is_boolean() && value["team"].is_string(), "{text}");
}

async fn prefixes_are_reused_within_a_tenant_alone(world: &World) {
    let question = QUESTIONS[1].repeat(4);
    let cached = async |tenant, adapter| {
        answer(&world.engine, ask(adapter, &question, tenant)).await.expect("an answer").usage.cached_tokens
    };
    assert_eq!(cached(1, Some(ADAPTERS[1])).await, 0);
    let again = cached(1, Some(ADAPTERS[1])).await;
    assert!(if world.reuses_prefixes { again >= 16 } else { again == 0 }, "{again}");
    assert_eq!(cached(2, Some(ADAPTERS[1])).await, 0, "another tenant");
    assert_eq!(cached(1, Some(ADAPTERS[0])).await, 0, "another adapter");
}

async fn ranks_and_scales_by_pattern_are_exact(world: &World) {
    let folder = tempfile::tempdir().expect("a folder");
    let files = patterned(folder.path());
    let ask_it = || {
        let mut request = ask(None, QUESTIONS[1], 1);
        request.adapter = Some(files.clone());
        request
    };
    let expected = answer(&shared(), ask_it()).await.expect("an answer").texts.concat();
    assert_eq!(answer(&world.engine, ask_it()).await.expect("an answer").texts.concat(), expected);
    let plain = answer(&world.engine, ask(Some(ADAPTERS[1]), QUESTIONS[1], 1)).await.expect("an answer");
    assert_ne!(plain.texts.concat(), expected, "patterns matter");
    for entry in world.folder.path().read_dir().expect("a folder") {
        let config = entry.expect("an entry").path().join("adapter_config.json");
        let text = std::fs::read_to_string(config).unwrap_or_default();
        assert!(!text.contains("pattern"), "a server need know nothing of patterns: {text}");
    }
}

async fn an_adapter_that_is_damaged_is_refused(world: &World) {
    let mut request = ask(Some(ADAPTERS[0]), QUESTIONS[0], 1);
    request.adapter = Some(damaged());
    let refused = rejection(answer(&world.engine, request).await);
    // Or out of service for that reason.
    assert!([codes::DIGEST_MISMATCH, codes::DISABLED].contains(&refused.code), "{refused:?}");
    answer(&world.engine, ask(Some(ADAPTERS[0]), QUESTIONS[0], 1)).await.expect("others are served");
}

async fn an_adapter_that_does_nothing_is_found_out(world: &World) {
    let folder = tempfile::tempdir().expect("a folder");
    let deadline = Instant::now() + Duration::from_secs(20);
    let domain = tenora_engine::CacheDomain(1);
    let refused = rejection(world.engine.canary(empty(folder.path()), domain, deadline).await);
    assert_eq!(refused.code, codes::DOES_NOTHING, "{refused:?}");
    let canary =
        world.engine.canary(adapter(ADAPTERS[0]), domain, deadline).await.expect("it does something");
    assert!(canary.effect > 0.1, "{canary:?}");
}

async fn an_answer_ends_at_its_deadline(world: &World) {
    let mut request = long(Some(ADAPTERS[0]), 2_000);
    request.deadline = Some(Instant::now() + Duration::from_millis(60));
    let mut stream = world.engine.generate(request).await.expect("a stream");
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(EngineError::DeadlineExceeded))), "{last:?}");
}

async fn what_cannot_be_asked_is_refused_by_its_field(world: &World) {
    let mut request = ask(None, QUESTIONS[0], 1);
    request.sampling = Sampling { temperature: 9.0, ..request.sampling };
    let refused = world.engine.generate(request).await;
    assert!(matches!(refused.err(), Some(EngineError::Invalid { field: "temperature", .. })));
    let mut request = ask(None, QUESTIONS[0], 1);
    request.prompt = Prompt::Tokens(vec![1; 100_000]);
    assert!(matches!(world.engine.generate(request).await.err(), Some(EngineError::ContextLength { .. })));
}

async fn a_stopped_engine_says_so(world: &World) {
    let mut stream = world.engine.generate(long(None, 2_000)).await.expect("a stream");
    stream.next().await.expect("an event").expect("no error");
    world.engine.shutdown();
    let mut last = None;
    while let Some(event) = stream.next().await {
        last = Some(event);
    }
    assert!(matches!(last, Some(Err(EngineError::ShuttingDown))), "{last:?}");
    let refused = match world.engine.generate(long(None, 1)).await {
        Ok(mut stream) => stream.next().await.and_then(Result::err),
        Err(error) => Some(error),
    };
    // A stream that ends before its first event says the same.
    assert!(matches!(refused, None | Some(EngineError::ShuttingDown)), "{refused:?}");
}

async fn residents_and_numbers_are_told(world: &World) {
    for name in ADAPTERS {
        answer(&world.engine, ask(Some(name), QUESTIONS[0], 5)).await.expect("an answer");
    }
    let (residents, stats) = (world.engine.residents().await, world.engine.stats());
    assert_eq!(residents.len(), 3);
    assert_eq!(residents[0].digest, adapter(ADAPTERS[2]).digest, "the last wanted first");
    assert!(residents.iter().all(|one| one.owner.0 == 5 && one.bytes > 0));
    assert!(
        stats.tokens.generated > 10 && stats.tokens.prompt > 10 && stats.adapters.misses >= 3,
        "{stats:?}"
    );
    assert!(world.engine.is_ready());
}
