//! Reads what `make_golden.py` wrote.

use std::{env, fmt, fs, path::PathBuf};

use safetensors::SafeTensors;
use serde_json::Value;

/// Every fixture model.
pub(crate) const MODELS: [&str; 6] =
    ["llama", "llama-tied-bf16", "mistral-sharded", "qwen2", "qwen3", "qwen3-tied-f16"];

/// The folder of a fixture model. Where the suite was built is not always where it runs.
pub(crate) fn folder(model: &str) -> PathBuf {
    let engine = env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    PathBuf::from(engine).join("tests/fixtures").join(model)
}

/// The expectations of one model.
pub(crate) struct Fixture {
    pub(crate) model: &'static str,
    pub(crate) prompts: Vec<Vec<u32>>,
    pub(crate) cases: Vec<Case>,
}

/// One prompt with one adapter, or with none.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) adapter: Option<String>,
    pub(crate) prompt: usize,
    pub(crate) greedy: Vec<u32>,
    /// The logits that chose each greedy token.
    pub(crate) logits: Vec<Vec<f32>>,
    /// The same with the adapter merged into the base; for cases with an adapter.
    pub(crate) merged: Option<Vec<Vec<f32>>>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on prompt {}", self.adapter.as_deref().unwrap_or("no adapter"), self.prompt)
    }
}

impl Fixture {
    pub(crate) fn read(model: &'static str) -> Self {
        let folder = folder(model);
        let json: Value = serde_json::from_slice(&fs::read(folder.join("expected.json")).unwrap()).unwrap();
        let bytes = fs::read(folder.join("expected.safetensors")).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let cases = json["cases"].as_array().unwrap().iter().map(|case| {
            let name = case["logits"].as_str().unwrap();
            let adapter = case["adapter"].as_str().map(str::to_owned);
            Case {
                merged: adapter.as_ref().map(|_| rows(&tensors, &format!("{name}.merged"))),
                adapter,
                prompt: case["prompt"].as_u64().unwrap() as usize,
                greedy: ids(&case["greedy"]),
                logits: rows(&tensors, name),
            }
        });
        let cases: Vec<_> = cases.collect();
        assert!(!cases.is_empty());
        Self { model, prompts: json["prompts"].as_array().unwrap().iter().map(ids).collect(), cases }
    }

    pub(crate) fn case(&self, adapter: Option<&str>, prompt: usize) -> &Case {
        let wanted = |case: &&Case| case.adapter.as_deref() == adapter && case.prompt == prompt;
        self.cases.iter().find(wanted).expect("the fixture has this case")
    }
}

/// An adapter of the fixtures as another writer lays it out; `make_formats.py` makes them.
#[derive(serde::Deserialize)]
pub(crate) struct Format {
    pub(crate) model: String,
    pub(crate) adapter: String,
    /// The adapter with the same numbers, whose logits are known.
    pub(crate) golden: String,
}

/// Every format, by model.
pub(crate) fn formats(model: &str) -> Vec<Format> {
    let path = folder("formats.json");
    let all: Vec<Format> = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
    all.into_iter().filter(|format| format.model == model).collect()
}

fn ids(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as u32).collect()
}

fn rows(tensors: &SafeTensors<'_>, name: &str) -> Vec<Vec<f32>> {
    let view = tensors.tensor(name).unwrap();
    assert_eq!(view.dtype(), safetensors::Dtype::F32);
    let numbers: Vec<f32> = view.data().as_chunks().0.iter().map(|&b| f32::from_le_bytes(b)).collect();
    numbers.chunks(view.shape()[1]).map(<[f32]>::to_vec).collect()
}
