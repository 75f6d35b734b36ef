//! Proof before traffic: a real adapter has an effect, which is measured; one that changes nothing, and one that makes the
//! model's numbers overflow though its own are fine, are refused, and nobody beside them notices.
#![expect(clippy::unwrap_used, reason = "helpers of tests: what cannot be read is a failed test")]

#[path = "support/demo.rs"]
mod demo;

use std::{
    collections::HashMap,
    fs,
    path::Path,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, future::join_all};
use half::f16;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use serde_json::json;
use tempfile::TempDir;
use tenora_engine::{
    AdapterFiles, CacheDomain, Canary, Engine, EngineError, Event, GenerateRequest, RunnerChoice, lora::codes,
};

use self::demo::{ADAPTERS, QUESTIONS, answer, ask, demo, engine, engine_on, files::adapter_files, text};

const TENANT: CacheDomain = CacheDomain(1);

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn demo_adapter(name: &str) -> AdapterFiles {
    adapter_files(&demo().join("adapters").join(name))
}

async fn canary(engine: &Engine, files: AdapterFiles) -> Result<Canary, EngineError> {
    // A server may have it on any of its threads.
    fn sendable<T: Send>(canary: T) -> T {
        canary
    }
    sendable(engine.canary(files, TENANT, soon())).await
}

/// The code with which an adapter was refused, if it was.
fn code<T>(outcome: Result<T, EngineError>) -> Option<&'static str> {
    match outcome {
        Err(EngineError::Adapter(rejection)) => Some(rejection.code),
        _ => None,
    }
}

/// Writes a safetensors file of f32 matrices.
fn write(path: &Path, tensors: &[(String, Vec<usize>, Vec<f32>)]) {
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, numbers)| numbers.iter().flat_map(|n| n.to_le_bytes()).collect())
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
    });
    let views: HashMap<_, _> = views.collect();
    fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

/// A rank-one adapter on these modules of the demo's base, with their As and Bs.
fn craft(folder: &Path, modules: &[(&str, Vec<f32>, Vec<f32>)]) -> AdapterFiles {
    let targets: Vec<_> = modules.iter().map(|(module, ..)| format!("model.{module}")).collect();
    let config = json!({"peft_type": "LORA", "r": 1, "lora_alpha": 1, "target_modules": targets});
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join("adapter_config.json"), config.to_string()).unwrap();
    let tensors = modules.iter().flat_map(|(module, a, b)| {
        let name = |matrix| format!("base_model.model.model.{module}.{matrix}.weight");
        [(name("lora_A"), vec![1, a.len()], a.clone()), (name("lora_B"), vec![b.len(), 1], b.clone())]
    });
    write(&folder.join("adapter_model.safetensors"), &tensors.collect::<Vec<_>>());
    adapter_files(folder)
}

/// Numbers of about this size, both signs.
fn numbers(count: usize, size: f32) -> Vec<f32> {
    (0..count).map(|i| size * ((i * 7919 % 101) as f32 - 50.0) / 50.0).collect()
}

/// The demo's base, computing the same and near the edge: what the last feed-forward block gets is 2⁵⁶ times as large, and
/// what comes out of it is made 2⁻¹¹² times as large.
fn base_near_the_edge(folder: &Path) {
    for file in ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(demo().join("base").join(file), folder.join(file)).unwrap();
    }
    let bytes = fs::read(demo().join("base/model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensors = file.tensors().into_iter().map(|(name, view)| {
        assert_eq!(view.dtype(), Dtype::F16);
        let scale = match name.as_str() {
            "model.layers.3.post_attention_layernorm.weight" => 2f32.powi(56),
            "model.layers.3.mlp.down_proj.weight" => 2f32.powi(-112),
            _ => 1.0,
        };
        let numbers = view.data().as_chunks().0.iter().map(|&b| f16::from_le_bytes(b).to_f32() * scale);
        (name, view.shape().to_vec(), numbers.collect())
    });
    write(&folder.join("model.safetensors"), &tensors.collect::<Vec<_>>());
}

/// Two neurons of the last feed-forward block, one of which gets a gate and an input of 10²⁰: each is a fine number.
fn overflowing(folder: &Path) -> AdapterFiles {
    let mut a = vec![0.0; 256];
    a[0] = 1.0;
    let mut b = vec![0.0; 896];
    (b[0], b[1]) = (6e4, -6e4);
    craft(folder, &[("layers.3.mlp.gate_proj", a.clone(), b.clone()), ("layers.3.mlp.up_proj", a, b)])
}

/// The tokens of an answer, and the bits of their and their rivals' log probabilities.
async fn bits(engine: &Engine, mut request: GenerateRequest) -> Vec<(u32, u32)> {
    request.sampling.logprobs = Some(5);
    let mut events = engine.generate(request).await.unwrap();
    let mut bits = Vec::new();
    while let Some(event) = events.next().await {
        if let Event::Text { logprobs, .. } = event.unwrap() {
            let tokens = logprobs.iter().flat_map(|own| own.top.iter().chain([&own.token]));
            bits.extend(tokens.map(|token| (token.id, token.logprob.to_bits())));
        }
    }
    bits
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_adapter_has_an_effect_which_does_not_depend_on_what_the_engine_did_before() {
    let engine = engine(|_| ());
    let mut effects = Vec::new();
    for adapter in ADAPTERS {
        let files = demo_adapter(adapter);
        let first = canary(&engine, files.clone()).await.unwrap();
        assert!(first.effect > 0.1, "{adapter}: {first:?}");
        assert!(first.load > Duration::ZERO && first.run > Duration::ZERO, "{first:?}");
        let on_disk = fs::metadata(&files.weights).unwrap().len();
        assert!((on_disk / 2..2 * on_disk).contains(&first.resident_bytes), "{first:?}, {on_disk} on disk");
        effects.push(first.effect);
    }
    effects.dedup();
    assert_eq!(effects.len(), ADAPTERS.len(), "three adapters, three effects");
    // The adapter is there, the prompt's keys and values are too, the tenant's and another one's.
    let files = demo_adapter(ADAPTERS[0]);
    text(&engine, ask(Some(ADAPTERS[0]), QUESTIONS[0], 1)).await;
    for domain in [TENANT, TENANT, CacheDomain(2)] {
        let again = engine.canary(files.clone(), domain, soon()).await.unwrap();
        assert_eq!((again.effect, again.load), (effects[0], Duration::ZERO));
    }
    assert!(engine.stats().adapters.disabled.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_changes_nothing_is_refused_though_its_files_are_fine() {
    let folder = TempDir::new().unwrap();
    // A nudge of 10⁻³³ beside queries of about one.
    let tiny = craft(
        &folder.path().join("tiny"),
        &[("layers.0.self_attn.q_proj", numbers(256, 1e-3), numbers(256, 1e-30))],
    );
    let small = craft(
        &folder.path().join("small"),
        &[("layers.0.self_attn.q_proj", numbers(256, 0.1), numbers(256, 0.1))],
    );
    let config = fs::read(&tiny.config).unwrap();
    for runner in [RunnerChoice::Cpu, RunnerChoice::Reference] {
        let engine = engine(|config| config.runner = runner);
        let report = engine.check_adapter(config.clone(), tiny.weights.clone()).await.unwrap();
        assert_eq!(report.checks.last(), Some(&"memory"));
        assert_eq!(report.warnings, []);
        let refused = canary(&engine, tiny.clone()).await;
        assert!(refused.as_ref().unwrap_err().to_string().contains("lora_alpha"), "{refused:?}");
        assert_eq!(code(refused), Some(codes::DOES_NOTHING), "{runner:?}");
        assert!(engine.stats().adapters.disabled.is_empty(), "it is harmless");
        let effect = canary(&engine, small.clone()).await.unwrap().effect;
        assert!(effect > 1e-3, "{runner:?}: {effect}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_overflows_is_refused_and_changes_no_bit_of_what_runs_beside_it() {
    let folder = TempDir::new().unwrap();
    let base = folder.path().join("base");
    fs::create_dir(&base).unwrap();
    base_near_the_edge(&base);
    let bad = overflowing(&folder.path().join("bad"));
    let fine = craft(
        &folder.path().join("fine"),
        &[("layers.1.self_attn.v_proj", numbers(256, 0.1), numbers(128, 0.1))],
    );
    let engine = engine_on(&base, |_| ());
    let report = engine.check_adapter(fs::read(&bad.config).unwrap(), bad.weights.clone()).await;
    assert_eq!(report.unwrap().rank, 1, "nothing is wrong with its files");
    let requests = || {
        let with = |adapter: Option<&AdapterFiles>, question: &str| GenerateRequest {
            adapter: adapter.cloned(),
            ..ask(None, question, 2)
        };
        [
            with(None, QUESTIONS[0]),
            with(None, QUESTIONS[1]),
            with(Some(&fine), QUESTIONS[0]),
            with(Some(&fine), QUESTIONS[1]),
        ]
    };
    let mut alone = Vec::new();
    for request in requests() {
        alone.push(bits(&engine, request).await);
    }
    assert_ne!(alone[0], alone[2], "the fine adapter does something");
    let beside = join_all(requests().map(|request| bits(&engine, request)));
    let (beside, refused) = tokio::join!(beside, canary(&engine, bad.clone()));
    assert_eq!(code(refused), Some(codes::NOT_FINITE));
    assert!(beside == alone, "somebody's numbers changed");
    let again = canary(&engine, bad.clone()).await;
    assert_eq!(code(again), Some(codes::DISABLED));
    assert!(canary(&engine, fine).await.unwrap().effect > 0.0);
    let adapters = engine.stats().adapters;
    assert_eq!((adapters.resident, adapters.disabled.len()), (1, 1), "it keeps no memory: {adapters:?}");
    assert_eq!(adapters.disabled[0].digest, bad.digest);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_waits_its_turn_and_no_longer_than_it_may() {
    let engine = engine(|config| (config.queue_limit, config.max_batch_sequences) = (2, 1));
    let endless = || {
        let mut request = ask(None, QUESTIONS[0], 1);
        (request.sampling.ignore_eos, request.sampling.max_tokens) = (true, None);
        request
    };
    let mut running = engine.generate(endless()).await.unwrap();
    running.next().await.unwrap().unwrap();
    let waiting = [engine.generate(endless()).await.unwrap(), engine.generate(endless()).await.unwrap()];
    let full = canary(&engine, demo_adapter(ADAPTERS[0])).await;
    assert!(matches!(full, Err(EngineError::QueueFull { .. })), "{full:?}");
    drop(waiting);
    // Their places are free within a step.
    let late = loop {
        match engine.canary(demo_adapter(ADAPTERS[0]), TENANT, Instant::now()).await {
            Err(EngineError::QueueFull { .. }) => tokio::task::yield_now().await,
            other => break other,
        }
    };
    assert!(matches!(late, Err(EngineError::DeadlineExceeded)), "{late:?}");
    drop(running);
    // Neither failure is remembered.
    for _ in 0..200 {
        match canary(&engine, demo_adapter(ADAPTERS[0])).await {
            Ok(canary) => {
                assert!(canary.effect > 0.0);
                assert!(answer(&engine, ask(Some(ADAPTERS[0]), QUESTIONS[0], 1)).await.is_ok());
                return;
            }
            Err(EngineError::QueueFull { .. }) => tokio::time::sleep(Duration::from_millis(5)).await,
            Err(other) => panic!("{other}"),
        }
    }
    panic!("the queue stays full");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_room_could_be_made_for_is_refused_by_the_check() {
    let engine = engine(|config| config.adapter_bytes = Some(1000));
    let files = demo_adapter(ADAPTERS[0]);
    let refused =
        engine.check_adapter(fs::read(&files.config).unwrap(), files.weights.clone()).await.unwrap_err();
    assert_eq!(code::<()>(Err(refused)), Some(codes::TOO_LARGE_FOR_MEMORY));
    assert_eq!(code(canary(&engine, files).await), Some(codes::TOO_LARGE_FOR_MEMORY));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_are_not_those_of_the_digest_fail_the_canary() {
    let engine = engine(|_| ());
    let lied = AdapterFiles { digest: [9; 32], ..demo_adapter(ADAPTERS[0]) };
    assert_eq!(code(canary(&engine, lied).await), Some(codes::DISABLED));
}
