//! The base model, where it comes from and how it is served.

use std::path::{Path, PathBuf};

use secrecy::SecretString;
use tenora_engine::{DeviceChoice, Quantization, RunnerChoice};

use super::{
    Mode, parse,
    reader::{Reader, Variable},
};

pub(super) const MODEL: Variable = Variable::new("TENORA_MODEL", None);
const DEVICE: Variable = Variable::new("TENORA_DEVICE", Some("auto"));
const RUNNER: Variable = Variable::new("TENORA_RUNNER", Some("auto"));
const THREADS: Variable = Variable::new("TENORA_THREADS", None);
const QUANTIZE: Variable = Variable::new("TENORA_QUANTIZE", Some("none"));
const CONTEXT_LENGTH: Variable = Variable::new("TENORA_CONTEXT_LENGTH", None);
const MAX_RANK: Variable = Variable::new("TENORA_MAX_RANK", Some("256"));
const KV_CACHE_BYTES: Variable = Variable::new("TENORA_KV_CACHE_BYTES", Some("auto"));
const ADAPTER_MEMORY_BYTES: Variable = Variable::new("TENORA_ADAPTER_MEMORY_BYTES", Some("auto"));
const MAX_BATCH_ROWS: Variable = Variable::new("TENORA_MAX_BATCH_ROWS", Some("256"));
const MAX_BATCH_SEQUENCES: Variable = Variable::new("TENORA_MAX_BATCH_SEQUENCES", Some("32"));
const STEP_TARGET_MS: Variable = Variable::new("TENORA_STEP_TARGET_MS", Some("100"));
const QUEUE_LIMIT: Variable = Variable::new("TENORA_QUEUE_LIMIT", Some("256"));
const HF_ENDPOINT: Variable = Variable::new("HF_ENDPOINT", Some("https://huggingface.co"));
const HF_TOKEN: Variable = Variable::new("HF_TOKEN", None);

pub(super) const VARIABLES: &[&Variable] = &[
    &MODEL,
    &DEVICE,
    &RUNNER,
    &THREADS,
    &QUANTIZE,
    &CONTEXT_LENGTH,
    &MAX_RANK,
    &KV_CACHE_BYTES,
    &ADAPTER_MEMORY_BYTES,
    &MAX_BATCH_ROWS,
    &MAX_BATCH_SEQUENCES,
    &STEP_TARGET_MS,
    &QUEUE_LIMIT,
    &HF_ENDPOINT,
    &HF_TOKEN,
];

/// The base model and how it is served.
#[derive(Debug)]
pub struct EngineSettings {
    /// Where the base model comes from.
    pub model: ModelSource,
    /// The model hub, for a model that is not a folder.
    pub hub: HubSettings,
    /// Where to compute.
    pub device: DeviceChoice,
    /// What computes.
    pub runner: RunnerChoice,
    /// Threads that compute on a CPU; `None` = one for each core.
    pub threads: Option<usize>,
    /// A smaller form of the base weights.
    pub quantization: Option<Quantization>,
    /// Longest context; `None` = the model's own.
    pub context_length: Option<usize>,
    /// Highest LoRA rank that is accepted.
    pub max_rank: usize,
    /// Bytes for KV blocks; `None` = by the device.
    pub kv_cache_bytes: Option<usize>,
    /// Bytes for adapters in memory; `None` = by the device.
    pub adapter_memory_bytes: Option<usize>,
    /// Rows of one step at most.
    pub max_batch_rows: usize,
    /// Sequences of one step at most.
    pub max_batch_sequences: usize,
    /// How long a step with decoding sequences should take, in milliseconds.
    pub step_target_ms: u64,
    /// Requests that may wait.
    pub queue_limit: usize,
}

/// Where the base model comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelSource {
    /// A Hugging Face model folder.
    Folder(PathBuf),
    /// `organisation/name` on the model hub.
    Hub(String),
}

impl ModelSource {
    /// What clients call the model: its id on the hub, or its folder's name.
    pub fn id(&self) -> String {
        match self {
            Self::Hub(id) => id.clone(),
            Self::Folder(folder) => {
                let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.clone());
                whole
                    .file_name()
                    .map_or_else(|| "base".to_owned(), |name| name.to_string_lossy().into_owned())
            }
        }
    }
}

/// The model hub.
#[derive(Debug)]
pub struct HubSettings {
    /// Its address.
    pub endpoint: String,
    /// For models behind a login.
    pub token: Option<SecretString>,
}

impl EngineSettings {
    pub(super) fn read(reader: &mut Reader, mode: &Mode) -> Self {
        Self {
            model: model(reader, mode),
            hub: HubSettings {
                endpoint: reader.text(&HF_ENDPOINT).unwrap_or("https://huggingface.co").to_owned(),
                token: reader.secret(&HF_TOKEN),
            },
            device: reader.value(&DEVICE, DeviceChoice::Auto, device),
            runner: reader.value(&RUNNER, RunnerChoice::Auto, runner),
            threads: reader.optional(&THREADS, |text| parse::count(text, 1..=1024)),
            quantization: reader.value(&QUANTIZE, None, quantization),
            context_length: reader.optional(&CONTEXT_LENGTH, |text| parse::count(text, 1..=1 << 24)),
            max_rank: reader.value(&MAX_RANK, 256, |text| parse::count(text, 1..=4096)),
            kv_cache_bytes: size(reader, &KV_CACHE_BYTES),
            adapter_memory_bytes: size(reader, &ADAPTER_MEMORY_BYTES),
            max_batch_rows: reader.value(&MAX_BATCH_ROWS, 256, |text| parse::count(text, 1..=1 << 16)),
            max_batch_sequences: reader
                .value(&MAX_BATCH_SEQUENCES, 32, |text| parse::count(text, 1..=1 << 12)),
            step_target_ms: reader.value(&STEP_TARGET_MS, 100, |text| parse::number(text, 1..=60_000)),
            queue_limit: reader.value(&QUEUE_LIMIT, 256, |text| parse::count(text, 1..=1 << 16)),
        }
    }
}

fn model(reader: &mut Reader, mode: &Mode) -> ModelSource {
    if let Mode::Demo(dir) = mode {
        return ModelSource::Folder(dir.join("base"));
    }
    let Some(text) = reader.text(&MODEL).map(str::to_owned) else {
        if *mode == Mode::Serve {
            reader.mistake(
                &MODEL,
                "must name the base model: a Hugging Face folder, or organisation/name on the hub; \
                 `tenora serve --demo` needs none",
            );
        }
        return ModelSource::Folder(PathBuf::new());
    };
    if is_hub_id(&text) && !Path::new(&text).exists() {
        return ModelSource::Hub(text);
    }
    ModelSource::Folder(text.into())
}

/// `organisation/name` in the hub's alphabet; anything else can only be a path.
fn is_hub_id(text: &str) -> bool {
    let word = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    };
    text.split_once('/').is_some_and(|(organisation, name)| word(organisation) && word(name))
}

fn device(text: &str) -> Result<DeviceChoice, String> {
    match text {
        "auto" => Ok(DeviceChoice::Auto),
        "cpu" => Ok(DeviceChoice::Cpu),
        other => other
            .strip_prefix("cuda:")
            .and_then(|number| number.parse().ok())
            .map(DeviceChoice::Cuda)
            .ok_or_else(|| format!("`{other}` is not auto, cpu or cuda:N")),
    }
}

fn runner(text: &str) -> Result<RunnerChoice, String> {
    match text {
        "auto" => Ok(RunnerChoice::Auto),
        "cpu" => Ok(RunnerChoice::Cpu),
        "cuda" => Ok(RunnerChoice::Cuda),
        "reference" => Ok(RunnerChoice::Reference),
        other => Err(format!("`{other}` is not auto, cpu, cuda or reference")),
    }
}

fn quantization(text: &str) -> Result<Option<Quantization>, String> {
    match text {
        "none" => Ok(None),
        "q8_0" => Ok(Some(Quantization::Q8_0)),
        other => Err(format!("`{other}` is not none or q8_0")),
    }
}

fn size(reader: &mut Reader, variable: &Variable) -> Option<usize> {
    reader.value(variable, None, |text| match text {
        "auto" => Ok(None),
        // `parse::bytes` refuses what a usize cannot hold.
        bytes => parse::bytes(bytes).map(|bytes| Some(bytes as usize)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hub_ids_are_told_from_paths() {
        for id in ["Qwen/Qwen3-0.6B", "HuggingFaceTB/SmolLM2-135M"] {
            assert!(is_hub_id(id), "{id}");
        }
        for path in ["./base", "../base", "/models/base", "base", "a/b/c", "a/", "org/.hidden", "org/na me"] {
            assert!(!is_hub_id(path), "{path}");
        }
    }

    #[test]
    fn devices_are_parsed_strictly() {
        assert_eq!(device("cuda:1"), Ok(DeviceChoice::Cuda(1)));
        assert!(device("cuda").is_err() && device("gpu").is_err());
    }
}
