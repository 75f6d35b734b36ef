//! What a base model is and needs, found from its files without loading them.

use crate::{
    config::{EngineConfig, RunnerChoice},
    error::EngineError,
    runner::{self, BaseFacts, cpu::CpuRunner, reference::ReferenceRunner},
};

/// What serving a base model with these settings takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Its architecture, as `config.json` names it.
    pub class: &'static str,
    /// Numbers in its tensors.
    pub parameters: u64,
    /// Bytes of its tensors in the files.
    pub weight_bytes: u64,
    /// Prompt and answer together, in tokens.
    pub context_length: usize,
    /// Tokens that the KV pool holds.
    pub kv_tokens: usize,
    /// Bytes of the KV pool.
    pub kv_bytes: usize,
    /// Bytes for adapters.
    pub adapter_bytes: usize,
}

impl Plan {
    /// Reads the model's config and the heads of its files, and compares the ones with the others.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: what would keep an engine from starting, as far as it can be seen without loading.
    pub fn of(config: &EngineConfig) -> Result<Self, EngineError> {
        let (base, checkpoint) = BaseFacts::look(config)?;
        let block = match runner::choose(config)? {
            RunnerChoice::Cpu => CpuRunner::block(&base.model),
            _ => ReferenceRunner::block_on(config, &base.model, &checkpoint)?,
        };
        let refuse = |problem: String| EngineError::BaseModel { path: config.model.clone(), problem };
        let blocks = base.kv_blocks(config, block).map_err(refuse)?;
        let (block_tokens, block_bytes) = block;
        Ok(Self {
            class: base.model.architecture.class(),
            parameters: base.parameters,
            weight_bytes: base.weight_bytes,
            context_length: base.model.context_length,
            kv_tokens: blocks * block_tokens,
            kv_bytes: blocks * block_bytes,
            adapter_bytes: config.adapter_bytes,
        })
    }
}
