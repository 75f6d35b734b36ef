//! The cpu runner: own kernels over plain slices in memory allocated once, weights packed at load. A row's logits are the
//! same bits in every batch, in every chunking, on any number of threads and with any instruction set; see
//! `cpu/kernels.rs` for why.
#![expect(
    unsafe_code,
    reason = "kernels read and write through pointers, and tasks of one region share matrices; each block says why it is sound"
)]

mod adapter;
mod decoder;
mod workspace;

mod attention;
pub mod probe;
mod project;

mod linear;
mod matrix;
mod pool;

mod kernels;

mod feed;
mod floats;
mod lanes;

use std::{sync::Arc, thread};

pub use self::adapter::CpuAdapter;
use self::{
    adapter::CpuLoader,
    attention::{BLOCK_TOKENS, Heads, KvMemory, MAX_VECTORS},
    decoder::{Decoder, Step},
    feed::Piece,
    lanes::Instructions,
    pool::Pool,
    workspace::{Sizes, Workspace},
};
use super::{AdapterLoader, BaseFacts, Runner};
use crate::{
    batch::Batch,
    config::{EngineConfig, LoadProgress},
    error::EngineError,
    logits::NextLogits,
    model::ModelConfig,
};

/// One resident base model in packed panels, in the checkpoint's own type or quantised; arithmetic in f32.
pub struct CpuRunner {
    base: BaseFacts,
    loader: Arc<CpuLoader>,
    decoder: Decoder,
    kv: KvMemory,
    workspace: Workspace,
    /// Kept between steps, so that they allocate nothing.
    coming: Vec<Piece>,
    pool: Pool,
    instructions: Instructions,
    most: (usize, usize),
}

impl CpuRunner {
    /// Loads the base model that the settings name. Blocks; reads every byte of the weights.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: a file, field or tensor cannot be served, the machine lacks the wanted instructions,
    /// or the settings' KV bytes do not hold one context.
    pub fn load(config: &EngineConfig, progress: &dyn Fn(LoadProgress)) -> Result<Self, EngineError> {
        let refuse = |problem: String| EngineError::BaseModel { path: config.model.clone(), problem };
        let Some(instructions) = Instructions::choose(config.instruction_set) else {
            return Err(refuse("the wanted instruction set is not on this machine".to_owned()));
        };
        let (base, checkpoint) = BaseFacts::open(config, progress)?;
        let model = &base.model;
        let heads = Heads::of(model);
        if heads.group > MAX_VECTORS {
            let problem = format!(
                "has {} query heads for each key head; {MAX_VECTORS} are the most that are served",
                heads.group
            );
            return Err(refuse(problem));
        }
        let blocks = base.kv_blocks(config.host_kv_bytes(), Self::block(model)).map_err(refuse)?;
        let decoder = Decoder::load(model, &checkpoint, config.quantization)?;
        let threads =
            config.threads.unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
        let pool =
            Pool::new(threads).map_err(|error| refuse(format!("its threads did not start: {error}")))?;
        let most = (config.max_batch_rows, config.max_batch_sequences.min(config.max_batch_rows));
        let sizes = Sizes {
            rows: most.0,
            sequences: most.1,
            max_rank: config.max_rank,
            threads: pool.threads(),
            scratch: decoder.scratch(model.context_length),
        };
        tracing::info!(%instructions, threads, weight_bytes = decoder.bytes(), "The cpu runner is ready");
        Ok(Self {
            loader: Arc::new(CpuLoader { model: Arc::clone(model), max_rank: config.max_rank }),
            kv: KvMemory::new(heads, model.layers, blocks),
            workspace: Workspace::new(model, sizes),
            coming: Vec::new(),
            decoder,
            pool,
            instructions,
            most,
            base,
        })
    }

    /// Tokens and bytes of a KV block.
    pub(crate) fn block(model: &ModelConfig) -> (usize, usize) {
        (BLOCK_TOKENS, Heads::of(model).block_bytes(model.layers))
    }
}

impl Runner for CpuRunner {
    type Adapter = CpuAdapter;

    fn run_with(
        &mut self,
        batch: &Batch<CpuAdapter>,
        between: &mut dyn FnMut(),
    ) -> Result<Vec<NextLogits<'_>>, EngineError> {
        batch.check(&self.base.model, (self.kv.blocks(), BLOCK_TOKENS))?;
        let wanted = batch.wanted_rows().count();
        if batch.rows() > self.most.0 || wanted > self.most.1 {
            let (rows, sequences) = self.most;
            return Err(EngineError::Fault(format!(
                "malformed batch: over {rows} rows or {sequences} sequences"
            )));
        }
        let mut step = Step {
            batch,
            views: self.workspace.views(),
            kv: &mut self.kv,
            coming: &mut self.coming,
            pool: &mut self.pool,
            instructions: self.instructions,
        };
        self.decoder.forward(&mut step, between);
        let (numbers, stride) = self.workspace.logits(wanted);
        Ok(NextLogits::rows(numbers, stride, self.base.model.vocab_size))
    }

    fn noise(&mut self, _: (usize, usize)) -> Result<f32, EngineError> {
        Ok(0.0)
    }

    fn loader(&self) -> Arc<dyn AdapterLoader<Adapter = CpuAdapter>> {
        Arc::clone(&self.loader) as _
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
