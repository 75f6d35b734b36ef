//! What a base model is and needs, found from its files without loading them.

#[cfg(feature = "cuda")]
use crate::runner::cuda::CudaRunner;
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
    /// What is free on the device that all this goes to; `None` = it goes to the machine's own memory.
    pub device_bytes: Option<usize>,
}

impl Plan {
    /// Reads the model's config and the heads of its files, and compares the ones with the others.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: what would keep an engine from starting, as far as it can be seen without loading.
    pub fn of(config: &EngineConfig) -> Result<Self, EngineError> {
        let (base, checkpoint) = BaseFacts::look(config)?;
        let (kv_bytes, adapter_bytes) = (config.host_kv_bytes(), config.host_adapter_bytes());
        let (block, kv_bytes, adapter_bytes, device_bytes) = match runner::choose(config)? {
            RunnerChoice::Cpu => (CpuRunner::block(&base.model), kv_bytes, adapter_bytes, None),
            #[cfg(feature = "cuda")]
            RunnerChoice::Cuda => {
                let (block, shares, free) = CudaRunner::look(config, &base.model, &checkpoint)?;
                (block, shares.kv_bytes, shares.adapter_bytes, Some(free))
            }
            _ => {
                let block = ReferenceRunner::block_on(config, &base.model, &checkpoint)?;
                (block, kv_bytes, adapter_bytes, None)
            }
        };
        let refuse = |problem: String| EngineError::BaseModel { path: config.model.clone(), problem };
        let blocks = base.kv_blocks(kv_bytes, block).map_err(refuse)?;
        let (block_tokens, block_bytes) = block;
        Ok(Self {
            class: base.model.architecture.class(),
            parameters: base.parameters,
            weight_bytes: base.weight_bytes,
            context_length: base.model.context_length,
            kv_tokens: blocks * block_tokens,
            kv_bytes: blocks * block_bytes,
            adapter_bytes,
            device_bytes,
        })
    }
}
