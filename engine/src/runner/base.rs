//! What every runner does first: open the checkpoint that the settings name, and measure it.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::{
    config::{EngineConfig, LoadProgress},
    error::EngineError,
    model::{Architecture, Checkpoint, ModelConfig, Shard},
};

/// A resident base model, whatever computes it.
#[derive(Debug, Clone)]
pub struct BaseFacts {
    /// Its shape; the context length is the one served.
    pub model: Arc<ModelConfig>,
    /// What names its weights and arithmetic: SHA-256, in hex.
    pub fingerprint: String,
    /// Bytes of its tensors in the file.
    pub weight_bytes: u64,
    /// Numbers in its tensors.
    pub parameters: u64,
}

impl BaseFacts {
    /// Opens the checkpoint and reads every byte of it once.
    pub(super) fn open(
        config: &EngineConfig,
        progress: &dyn Fn(LoadProgress),
    ) -> Result<(Self, Checkpoint), EngineError> {
        let (mut base, checkpoint) = Self::look(config)?;
        base.fingerprint = checkpoint.fingerprint(&base.model, progress)?;
        Ok((base, checkpoint))
    }

    /// A base model that another engine computes, of any family, whose weights may be elsewhere. One of ours is named as
    /// where we compute it; another by its configuration, its tokenizer and whatever weights are in the folder.
    pub(crate) fn of_folder(
        config: &EngineConfig,
        progress: &dyn Fn(LoadProgress),
    ) -> Result<Self, EngineError> {
        let model = Arc::new(with_context(config, ModelConfig::read_any(&config.model)?)?);
        let has_weights = Checkpoint::is_in(&config.model);
        if has_weights && model.architecture != Architecture::Other {
            return Self::open(config, progress).map(|(base, _)| base);
        }
        let mut hash = Sha256::new();
        for file in ["config.json", "tokenizer.json"] {
            let path = config.model.join(file);
            let bytes = std::fs::read(&path).map_err(|error| EngineError::BaseModel {
                path: path.clone(),
                problem: format!("cannot be read: {error}; copy it from the model's own folder"),
            })?;
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(&bytes);
        }
        let shards = if has_weights { Shard::all_of(&config.model)? } else { Vec::new() };
        let weight_bytes = shards.iter().map(Shard::bytes).sum();
        let (mut parameters, mut done) = (0, 0);
        for (name, view) in shards.iter().flat_map(Shard::tensors) {
            hash.update(format!("{name} {:?} {:?}", view.dtype(), view.shape()));
            hash.update(view.data());
            parameters += view.shape().iter().product::<usize>() as u64;
            done += view.data().len() as u64;
            progress(LoadProgress { done, total: weight_bytes });
        }
        let fingerprint = hex::encode(hash.finalize());
        Ok(Self { model, fingerprint, weight_bytes, parameters })
    }

    /// The same but for the fingerprint, for which every byte would have to be read.
    pub(crate) fn look(config: &EngineConfig) -> Result<(Self, Checkpoint), EngineError> {
        let model = Arc::new(served_model(config)?);
        let checkpoint = Checkpoint::open(&config.model, &model)?;
        let (weight_bytes, parameters) = (checkpoint.weight_bytes(), checkpoint.parameters());
        Ok((Self { model, fingerprint: String::new(), weight_bytes, parameters }, checkpoint))
    }

    /// How many KV blocks so many bytes pay for; at least one context must fit.
    pub(crate) fn kv_blocks(
        &self,
        kv_bytes: usize,
        (block_tokens, block_bytes): (usize, usize),
    ) -> Result<usize, String> {
        let blocks = kv_bytes / block_bytes;
        let context = self.model.context_length;
        let needed = context.div_ceil(block_tokens);
        if blocks < needed {
            return Err(format!(
                "one context of {context} tokens needs {} bytes of KV blocks, and {kv_bytes} are given; give more, or \
                 serve a shorter context",
                needed * block_bytes
            ));
        }
        Ok(blocks)
    }
}

/// The model as served: its context may be shortened by the settings, not lengthened.
fn served_model(config: &EngineConfig) -> Result<ModelConfig, EngineError> {
    with_context(config, ModelConfig::read(&config.model)?)
}

fn with_context(config: &EngineConfig, mut model: ModelConfig) -> Result<ModelConfig, EngineError> {
    match config.context_length {
        Some(wanted) if wanted > model.context_length || wanted == 0 => {
            let problem = format!(
                "a context of {wanted} tokens is asked for, and 1 to {} are possible",
                model.context_length
            );
            Err(EngineError::BaseModel { path: config.model.clone(), problem })
        }
        Some(wanted) => {
            model.context_length = wanted;
            Ok(model)
        }
        None => Ok(model),
    }
}
