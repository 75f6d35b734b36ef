//! The reference runner: candle tensors on any device, plain and complete. The oracle of every other runner.

mod adapter;
mod attention;
mod decoder;
mod device;

use std::sync::Arc;

use candle_core::{DType, Device};

pub use self::adapter::ReferenceAdapter;
pub(super) use self::device::is_cpu;
use self::{
    adapter::AdapterSource,
    attention::{KvPool, StepPlan},
    decoder::Decoder,
};
use super::{AdapterLoader, BaseFacts, Runner};
use crate::{
    batch::Batch,
    config::{EngineConfig, LoadProgress},
    error::EngineError,
    logits::NextLogits,
    model::{Checkpoint, ModelConfig},
};

/// Tokens per KV block.
const BLOCK_TOKENS: usize = 16;

/// One resident base model in candle tensors: f32 on a CPU, bf16 on a GPU when the checkpoint is stored in 16 bits.
pub struct ReferenceRunner {
    base: BaseFacts,
    adapters: Arc<AdapterSource>,
    decoder: Decoder,
    kv: KvPool,
    logits: Vec<f32>,
}

impl ReferenceRunner {
    /// Loads the base model that the settings name. Blocks; reads every byte of the weights.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: a file, field or tensor cannot be served, the device is not there, or the settings'
    /// KV bytes do not hold one context.
    pub fn load(config: &EngineConfig, progress: &dyn Fn(LoadProgress)) -> Result<Self, EngineError> {
        let refuse = |problem: String| EngineError::BaseModel { path: config.model.clone(), problem };
        let device = device::open(config.device).map_err(refuse)?;
        let (base, checkpoint) = BaseFacts::open(config, progress)?;
        let (dtype, block) = Self::block(&device, &base.model, &checkpoint);
        let blocks = base.kv_blocks(config.host_kv_bytes(), block).map_err(refuse)?;
        let load = || -> candle_core::Result<_> {
            let kv = KvPool::new(&base.model, blocks, dtype, &device)?;
            let decoder = Decoder::load(&base.model, checkpoint.into_var_builder(dtype, &device))?;
            Ok((decoder, kv))
        };
        let (decoder, kv) = load().map_err(|e| refuse(e.to_string()))?;
        let model = Arc::clone(&base.model);
        let adapters = Arc::new(AdapterSource { model, max_rank: config.max_rank, dtype, device });
        Ok(Self { base, adapters, decoder, kv, logits: Vec::new() })
    }

    /// Tokens and bytes of a KV block on the configured device.
    pub(crate) fn block_on(
        config: &EngineConfig,
        model: &ModelConfig,
        checkpoint: &Checkpoint,
    ) -> Result<(usize, usize), EngineError> {
        let refuse = |problem: String| EngineError::BaseModel { path: config.model.clone(), problem };
        let device = device::open(config.device).map_err(refuse)?;
        Ok(Self::block(&device, model, checkpoint).1)
    }

    fn block(device: &Device, model: &ModelConfig, checkpoint: &Checkpoint) -> (DType, (usize, usize)) {
        let dtype = match device {
            Device::Cpu => DType::F32,
            _ if checkpoint.is_sixteen_bit() => DType::BF16,
            _ => DType::F32,
        };
        (dtype, (BLOCK_TOKENS, KvPool::block_bytes(model, dtype)))
    }
}

impl Runner for ReferenceRunner {
    type Adapter = ReferenceAdapter;

    fn run_with(
        &mut self,
        batch: &Batch<ReferenceAdapter>,
        between: &mut dyn FnMut(),
    ) -> Result<Vec<NextLogits<'_>>, EngineError> {
        batch.check(&self.base.model, (self.kv.blocks(), BLOCK_TOKENS))?;
        let mut step = || -> candle_core::Result<_> {
            let plan = StepPlan::new(batch, &self.kv)?;
            self.decoder.forward(batch, (&plan, &self.kv), between)
        };
        self.logits = step().map_err(|e| EngineError::Fault(e.to_string()))?;
        let vocab_size = self.base.model.vocab_size;
        Ok(NextLogits::rows(&mut self.logits, vocab_size, vocab_size))
    }

    fn loader(&self) -> Arc<dyn AdapterLoader<Adapter = ReferenceAdapter>> {
        Arc::clone(&self.adapters) as _
    }

    fn base(&self) -> &BaseFacts {
        &self.base
    }

    fn kv_blocks(&self) -> usize {
        self.kv.blocks()
    }

    fn block_tokens(&self) -> usize {
        BLOCK_TOKENS
    }
}
