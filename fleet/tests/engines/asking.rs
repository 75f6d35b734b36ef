//! Engines on the demo's base model and adapters, and short words for asking them.

use std::{
    fs,
    num::NonZeroU32,
    path::Path,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::StreamExt;
use safetensors::{SafeTensors, tensor::TensorView};
use sha2::{Digest, Sha256};
use tenora_engine::{
    AdapterFiles, AdapterRejection, CacheDomain, ChatMessage, DeviceChoice, Engine, EngineConfig,
    EngineError, Event, FinishReason, Frontend, GenerateRequest, Prompt, Sampling, Usage,
};
use tenora_fleet::{Fleet, FleetSettings, NOISE, ServerUrl};
use tenora_tests::{
    repository,
    vllm::{BASE, StandIn, base},
};

pub(crate) const ADAPTERS: [&str; 3] = ["ticket-triage", "text-to-sql", "brand-voice"];
pub(crate) const QUESTIONS: [&str; 2] =
    ["The printer in Leeds is broken again.", "How many orders did Anna Weber place in March?"];

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Whole {
    pub(crate) texts: Vec<String>,
    pub(crate) reasons: Vec<FinishReason>,
    pub(crate) usage: Usage,
}

fn config() -> EngineConfig {
    let mut config = EngineConfig::new(base());
    config.kv_bytes = Some(32 << 20);
    config.device = DeviceChoice::Cpu;
    config
}

pub(crate) fn shared() -> Engine {
    Engine::start(config(), Arc::new(()), &|_| ()).expect("the demo's base model is there")
}

pub(crate) fn settings(
    servers: &[StandIn],
    folder: &Path,
    change: impl FnOnce(&mut FleetSettings),
) -> FleetSettings {
    let mut settings = FleetSettings {
        servers: servers.iter().map(|server| ServerUrl::parse(&server.url()).expect("an address")).collect(),
        api_key: None,
        model: BASE.to_owned(),
        folder: folder.to_owned(),
        folder_there: folder.to_owned(),
        folder_bytes: 1 << 30,
        adapters_per_server: 4,
        queue_limit: 64,
        load_timeout: Duration::from_secs(5),
        load_rest: Duration::from_millis(50),
        salt_key: b"a key for salts".to_vec().into(),
    };
    change(&mut settings);
    settings
}

/// An engine whose requests these servers answer. The model's folder has no weights here.
pub(crate) async fn fleet(settings: FleetSettings) -> (Engine, Arc<Fleet>) {
    let folder = settings.folder.join(".model");
    fs::create_dir_all(&folder).expect("a folder");
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(base().join(file), folder.join(file)).expect("the demo's files");
    }
    let config = EngineConfig { model: folder, ..config() };
    let frontend = Frontend::open(&config, NOISE, &|_| ()).expect("a model without weights");
    let fleet = Fleet::start(frontend.clone(), settings, Arc::new(())).await.expect("a fleet");
    let fleet = Arc::new(fleet);
    (Engine::new(frontend, fleet.clone()), fleet)
}

/// mistral.rs with so many models of the demo's in memory.
#[cfg(feature = "mistralrs")]
pub(crate) async fn mistralrs(folder: &Path, models: usize) -> Engine {
    let settings = tenora_fleet::MistralrsSettings {
        folder: folder.join("merged"),
        models,
        max_sequences: 16,
        queue_limit: 64,
        load_rest: Duration::from_millis(50),
        cpu: true,
    };
    let frontend = Frontend::open(&config(), NOISE, &|_| ()).expect("the demo's base model");
    let backend = tenora_fleet::Mistralrs::start(frontend.clone(), settings, Arc::new(())).await;
    Engine::new(frontend, Arc::new(backend.expect("a model that mistral.rs takes")))
}

/// Files in a folder, with their true digest.
pub(crate) fn files(folder: &Path) -> AdapterFiles {
    let (config, weights) = (folder.join("adapter_config.json"), folder.join("adapter_model.safetensors"));
    let bytes = fs::read(&config).expect("a config");
    let digest = Sha256::new()
        .chain_update((bytes.len() as u64).to_le_bytes())
        .chain_update(&bytes)
        .chain_update(fs::read(&weights).expect("weights"))
        .finalize();
    AdapterFiles { digest: digest.into(), config, weights, pin: Arc::new(()) }
}

/// One of the demo's.
pub(crate) fn adapter(name: &str) -> AdapterFiles {
    files(&repository().join("demo/adapters").join(name))
}

/// Not the files that its digest names.
pub(crate) fn damaged() -> AdapterFiles {
    AdapterFiles { digest: [7; 32], ..adapter(ADAPTERS[0]) }
}

/// A demo adapter with half of its rank in one layer, another scale in another, and rank-stabilised.
pub(crate) fn patterned(folder: &Path) -> AdapterFiles {
    let from = repository().join("demo/adapters").join(ADAPTERS[1]);
    let mut config: serde_json::Value =
        serde_json::from_slice(&fs::read(from.join("adapter_config.json")).expect("a config")).expect("JSON");
    config["use_rslora"] = true.into();
    config["lora_alpha"] = 3.into();
    config["rank_pattern"] = serde_json::json!({"layers.0.self_attn.q_proj": 8});
    config["alpha_pattern"] =
        serde_json::json!({"layers.1.self_attn.v_proj": 40, "layers.2.mlp.down_proj": 1});
    fs::write(folder.join("adapter_config.json"), config.to_string()).expect("a file");
    rewrite(&from, folder, |name, shape, data| {
        if !name.contains("layers.0.self_attn.q_proj") {
            return;
        }
        let number = data.len() / (shape[0] * shape[1]);
        let half = if name.contains("lora_A") { [shape[0] / 2, shape[1]] } else { [shape[0], shape[1] / 2] };
        let row = shape[1] * number;
        *data = (0..half[0]).flat_map(|at| data[at * row..at * row + half[1] * number].to_vec()).collect();
        *shape = half.to_vec();
    });
    files(folder)
}

/// Writes the tensors of one folder into another, changed.
fn rewrite(from: &Path, to: &Path, change: impl Fn(&str, &mut Vec<usize>, &mut Vec<u8>)) {
    let bytes = fs::read(from.join("adapter_model.safetensors")).expect("weights");
    let tensors = SafeTensors::deserialize(&bytes).expect("weights");
    let mut changed = Vec::new();
    for (name, tensor) in tensors.tensors() {
        let (mut shape, mut data) = (tensor.shape().to_vec(), tensor.data().to_vec());
        change(&name, &mut shape, &mut data);
        changed.push((name, tensor.dtype(), shape, data));
    }
    let views = changed.iter().map(|(name, dtype, shape, data)| {
        (name.clone(), TensorView::new(*dtype, shape.clone(), data).expect("a tensor"))
    });
    safetensors::serialize_to_file(views, None, &to.join("adapter_model.safetensors")).expect("a file");
}

/// A demo adapter, all of whose `B` are zero.
pub(crate) fn empty(folder: &Path) -> AdapterFiles {
    let from = repository().join("demo/adapters").join(ADAPTERS[0]);
    fs::copy(from.join("adapter_config.json"), folder.join("adapter_config.json")).expect("a config");
    rewrite(&from, folder, |name, _, data| {
        if name.contains("lora_B") {
            data.fill(0);
        }
    });
    files(folder)
}

/// A greedy chat of at most 40 tokens.
pub(crate) fn ask(name: Option<&str>, question: &str, tenant: u128) -> GenerateRequest {
    let message = ChatMessage { role: "user".to_owned(), content: question.to_owned(), name: None };
    GenerateRequest {
        prompt: Prompt::Chat(vec![message]),
        adapter: name.map(adapter),
        domain: CacheDomain(tenant),
        sampling: Sampling { temperature: 0.0, max_tokens: Some(40), ..Sampling::default() },
        weight: NonZeroU32::MIN,
        deadline: None,
    }
}

/// An answer of just so many tokens.
pub(crate) fn long(name: Option<&str>, tokens: u32) -> GenerateRequest {
    let mut request = ask(name, QUESTIONS[0], 1);
    (request.sampling.max_tokens, request.sampling.ignore_eos) = (Some(tokens), true);
    request
}

/// Why an adapter was refused.
pub(crate) fn rejection<T: std::fmt::Debug>(answer: Result<T, EngineError>) -> AdapterRejection {
    match answer {
        Err(EngineError::Adapter(rejection)) => rejection,
        other => AdapterRejection::whole("none", format!("{other:?}")),
    }
}

pub(crate) async fn answer(engine: &Engine, request: GenerateRequest) -> Result<Whole, EngineError> {
    let choices = request.sampling.n as usize;
    let mut events = engine.generate(request).await?;
    let (mut texts, mut reasons) = (vec![String::new(); choices], vec![FinishReason::Length; choices]);
    while let Some(event) = events.next().await {
        match event? {
            Event::Text { choice, text, .. } => texts[choice as usize] += &text,
            Event::Finished { choice, reason } => reasons[choice as usize] = reason,
            Event::Done(usage) => return Ok(Whole { texts, reasons, usage }),
        }
    }
    Err(EngineError::Fault("the stream ended without a sum".to_owned()))
}

/// What the shared engine says to each, one by one.
pub(crate) async fn reference(cases: &[(Option<&str>, &str)]) -> Vec<String> {
    static ENGINE: OnceLock<Engine> = OnceLock::new();
    let engine = ENGINE.get_or_init(shared);
    let mut all = Vec::new();
    for (name, question) in cases {
        all.push(answer(engine, ask(*name, question, 1)).await.expect("an answer").texts.concat());
    }
    all
}
