//! What mutants are made of: the smaller adapters of the fixtures, each with the base that it was made for.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tenora_engine::model::ModelConfig;

/// Larger ones have no other structure and take longer.
const MOST_BYTES: u64 = 16 << 10;

/// A good adapter.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) config: Vec<u8>,
    pub(crate) weights: Vec<u8>,
    pub(crate) model: ModelConfig,
}

impl Sample {
    /// Where the tensors begin.
    pub(crate) fn data(&self) -> usize {
        (u64::from_le_bytes(self.weights[..8].try_into().unwrap()) as usize).saturating_add(8)
    }
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

/// Every small adapter of the fixtures, in the same order everywhere.
pub(crate) fn corpus() -> Vec<Sample> {
    let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut samples = Vec::new();
    for base in folders(&fixtures) {
        let model = ModelConfig::read(&base.join("base")).unwrap();
        for adapter in folders(&base).iter().filter(|adapter| adapter.join("adapter_config.json").exists()) {
            let weights = adapter.join("adapter_model.safetensors");
            if fs::metadata(&weights).unwrap().len() > MOST_BYTES {
                continue;
            }
            let config = fs::read(adapter.join("adapter_config.json")).unwrap();
            let weights = fs::read(weights).unwrap();
            samples.push(Sample { config, weights, model: model.clone() });
        }
    }
    assert!(samples.len() > 15, "{} samples", samples.len());
    samples
}
