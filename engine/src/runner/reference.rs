//! The reference runner: candle tensors on any device, plain and complete. The oracle of every other runner.

mod adapter;
mod attention;
mod decoder;
mod device;

use std::sync::Arc;

use candle_core::{DType, Device};

pub use self::adapter::ReferenceAdapter;
use self::{
    adapter::AdapterSource,
    attention::{KvPool, StepPlan},
    decoder::Decoder,
};
use super::{AdapterLoader, Runner};
use crate::{
    batch::Batch,
    config::{EngineConfig, LoadProgress},
    error::EngineError,
    model::{Checkpoint, ModelConfig},
};

/// Tokens per KV block.
const BLOCK_TOKENS: usize = 16;

/// One resident base model in candle tensors: f32 on a CPU, bf16 on a GPU when the checkpoint is stored in 16 bits.
pub struct ReferenceRunner {
    model: Arc<ModelConfig>,
    fingerprint: String,
    weight_bytes: u64,
    parameters: u64,
    max_rank: usize,
    dtype: DType,
    device: Device,
    decoder: Decoder,
    kv: KvPool,
}

impl ReferenceRunner {
    /// Loads the base model that the settings name. Blocks; reads every byte of the weights.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: a file, field or tensor cannot be served, the device is not there, or the settings'
    /// KV bytes do not hold one context.
    pub fn load(config: &EngineConfig, progress: &dyn Fn(LoadProgress)) -> Result<Self, EngineError> {
        let refuse = |problem: String| EngineError::BaseModel { path: config.model.clone(), problem };
        let model = served_model(config)?;
        let device = device::open(config.device).map_err(refuse)?;
        let checkpoint = Checkpoint::open(&config.model, &model)?;
        let fingerprint = checkpoint.fingerprint(&model, progress)?;
        let (weight_bytes, parameters) = (checkpoint.weight_bytes(), checkpoint.parameters());
        let dtype = match device {
            Device::Cpu => DType::F32,
            _ if checkpoint.is_sixteen_bit() => DType::BF16,
            _ => DType::F32,
        };
        let blocks = kv_blocks(config, &model, dtype).map_err(refuse)?;
        let load = || -> candle_core::Result<_> {
            let kv = KvPool::new(&model, blocks, dtype, &device)?;
            let decoder = Decoder::load(&model, checkpoint.into_var_builder(dtype, &device))?;
            Ok((decoder, kv))
        };
        let (decoder, kv) = load().map_err(|e| refuse(e.to_string()))?;
        let max_rank = config.max_rank;
        let model = Arc::new(model);
        Ok(Self { model, fingerprint, weight_bytes, parameters, max_rank, dtype, device, decoder, kv })
    }

    /// The base model's shape; its context length is the one served.
    pub fn model(&self) -> &ModelConfig {
        &self.model
    }

    /// What names the base model's weights and arithmetic: SHA-256, in hex.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Bytes of the base model's tensors in the file.
    pub fn weight_bytes(&self) -> u64 {
        self.weight_bytes
    }

    /// Numbers in the base model's tensors.
    pub fn parameters(&self) -> u64 {
        self.parameters
    }

    fn check(&self, batch: &Batch<ReferenceAdapter>) -> Result<(), EngineError> {
        let rows = batch.rows();
        let broken = |what: &str| Err(EngineError::Fault(format!("malformed batch: {what}")));
        if rows == 0 || batch.positions.len() != rows {
            return broken("no rows, or not one position for each");
        }
        if batch.tokens.iter().any(|&t| t as usize >= self.model.vocab_size) {
            return broken("a token outside the vocabulary");
        }
        if batch.positions.iter().any(|&p| p as usize >= self.model.context_length) {
            return broken("a position outside the context");
        }
        if !tile(batch.sequences.iter().map(|s| &s.rows), rows)
            || !tile(batch.segments.iter().map(|s| &s.rows), rows)
        {
            return broken("sequences or segments leave gaps");
        }
        Ok(())
    }
}

impl Runner for ReferenceRunner {
    type Adapter = ReferenceAdapter;

    fn run(&mut self, batch: &Batch<ReferenceAdapter>) -> Result<Vec<Vec<f32>>, EngineError> {
        self.check(batch)?;
        let step = || -> candle_core::Result<_> {
            let plan = StepPlan::new(batch, &self.kv)?;
            self.decoder.forward(batch, &plan, &self.kv)
        };
        step().map_err(|e| EngineError::Fault(e.to_string()))
    }

    fn loader(&self) -> AdapterLoader<ReferenceAdapter> {
        let source = AdapterSource {
            model: Arc::clone(&self.model),
            max_rank: self.max_rank,
            dtype: self.dtype,
            device: self.device.clone(),
        };
        Arc::new(move |files| source.load(files))
    }

    /// The smallest numbers of a file have two bytes, and a tensor's at most four.
    fn adapter_bytes(file_bytes: u64) -> usize {
        usize::try_from(file_bytes).unwrap_or(usize::MAX).saturating_mul(2)
    }

    fn kv_blocks(&self) -> usize {
        self.kv.blocks()
    }

    fn block_tokens(&self) -> usize {
        BLOCK_TOKENS
    }
}

/// The model as served: its context may be shortened by the settings, not lengthened.
fn served_model(config: &EngineConfig) -> Result<ModelConfig, EngineError> {
    let mut model = ModelConfig::read(&config.model)?;
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

fn kv_blocks(config: &EngineConfig, model: &ModelConfig, dtype: DType) -> Result<usize, String> {
    let block_bytes = KvPool::block_bytes(model, dtype);
    let blocks = config.kv_bytes / block_bytes;
    let needed = model.context_length.div_ceil(BLOCK_TOKENS);
    if blocks < needed {
        return Err(format!(
            "one context of {} tokens needs {} bytes of KV blocks, and {} are given; give more, or serve a shorter context",
            model.context_length,
            needed * block_bytes,
            config.kv_bytes
        ));
    }
    Ok(blocks)
}

/// Whether ranges follow each other from 0 to `rows`, none of them empty.
fn tile<'a>(ranges: impl Iterator<Item = &'a std::ops::Range<usize>>, rows: usize) -> bool {
    let mut next = 0;
    for range in ranges {
        if range.start != next || range.end <= range.start {
            return false;
        }
        next = range.end;
    }
    next == rows
}
