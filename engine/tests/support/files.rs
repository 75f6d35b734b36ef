//! An adapter's files in a folder, with their true digest.

use std::{fs, path::Path, sync::Arc};

use sha2::{Digest, Sha256};
use tenora_engine::AdapterFiles;

/// Reads both files once.
pub(crate) fn adapter_files(folder: &Path) -> AdapterFiles {
    let (config, weights) = (folder.join("adapter_config.json"), folder.join("adapter_model.safetensors"));
    let bytes = fs::read(&config).unwrap();
    let digest = Sha256::new()
        .chain_update((bytes.len() as u64).to_le_bytes())
        .chain_update(&bytes)
        .chain_update(fs::read(&weights).unwrap())
        .finalize();
    AdapterFiles { digest: digest.into(), config, weights, pin: Arc::new(()) }
}
