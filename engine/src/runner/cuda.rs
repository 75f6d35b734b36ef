//! The cuda runner: kernels of `tenora-kernels` and one matrix product a group of projections, on preallocated buffers, asked
//! for without waiting for any. Weights, keys and values are bf16 where the checkpoint is stored in 16 bits, else f32; sums
//! are f32. The device is behind [`Gpu`], so that tests run the same code without one.
#![expect(unsafe_code, reason = "kernels take addresses on a device; each block says why they are right")]

mod adapter;

mod decoder;

mod tables;
mod top;
mod weights;
mod workspace;

pub(crate) mod memory;
mod numbers;

#[cfg(feature = "cuda")]
pub mod driver;

pub mod gpu;

use std::sync::Arc;

use tenora_kernels::abi::{BLOCK_TOKENS, Element, LORA_MAX_RANK, MAX_HEAD_DIM};

pub use self::{
    adapter::CudaAdapter,
    gpu::{DeviceMemory, Gpu, GpuError, Product},
};
use self::{
    adapter::CudaLoader,
    decoder::Step,
    memory::Shares,
    numbers::as_floats_mut,
    tables::{Limits, StepTables, Tables},
    top::Top,
    weights::Weights,
    workspace::Workspace,
};
use super::{AdapterLoader, BaseFacts, Runner};
use crate::{
    batch::{Batch, BatchSequence},
    config::{EngineConfig, LoadProgress},
    error::EngineError,
    logits::{NextLogits, Wanted},
    model::{Checkpoint, ModelConfig},
};

/// One resident base model on one device.
pub struct CudaRunner<G: Gpu> {
    base: BaseFacts,
    loader: Arc<CudaLoader<G>>,
    element: Element,
    weights: Weights<G>,
    workspace: Workspace<G>,
    tables: Tables<G>,
    kv: G::Memory,
    kv_blocks: usize,
    /// `[sequences, vocab_size]` of `f32`.
    logits: G::Host,
    /// What [`Top`] says.
    top: G::Host,
    limits: Limits,
    adapter_bytes: usize,
    // The last one: what is above it is memory of it.
    gpu: Arc<G>,
}

impl<G: Gpu> CudaRunner<G> {
    /// Loads the base model that the settings name. Blocks; reads every byte of the weights. `element` is what weights,
    /// keys and values become; `None` = by how the checkpoint is stored.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: a file, field or tensor cannot be served, it does not fit on the device, or the settings'
    /// KV bytes do not hold one context.
    pub fn load(
        gpu: G,
        element: Option<Element>,
        config: &EngineConfig,
        progress: &dyn Fn(LoadProgress),
    ) -> Result<Self, EngineError> {
        let refuse = |problem: String| EngineError::BaseModel { path: config.model.clone(), problem };
        let no_room = |error: GpuError| refuse(error.to_string());
        let (base, checkpoint) = BaseFacts::open(config, progress)?;
        let model = &base.model;
        check(model, config).map_err(refuse)?;
        let element = element.unwrap_or_else(|| element_of(&checkpoint));
        let limits = Limits::of(model, config);
        let gpu = Arc::new(gpu);
        let weights = Weights::load(&*gpu, model, &checkpoint, element)?;
        let workspace = Workspace::new(&*gpu, model, element, &limits).map_err(no_room)?;
        let tables = Tables::new(&*gpu, limits).map_err(no_room)?;
        let logits =
            gpu.allocate_host(limits.sequences * model.vocab_size * size_of::<f32>()).map_err(no_room)?;
        let top = gpu.allocate_host(Top::most_bytes(limits.sequences)).map_err(no_room)?;
        let Shares { kv_bytes, adapter_bytes } = Shares::of(config, gpu.free_bytes().map_err(no_room)?);
        let block_bytes = memory::block_bytes(model, element);
        let kv_blocks = base.kv_blocks(kv_bytes, (BLOCK_TOKENS, block_bytes)).map_err(refuse)?;
        let kv = gpu.allocate(kv_blocks * block_bytes).map_err(no_room)?;
        tracing::info!(?element, kv_blocks, kv_bytes, adapter_bytes, "The cuda runner is ready");
        let loader = CudaLoader {
            gpu: Arc::clone(&gpu),
            model: Arc::clone(model),
            max_rank: config.max_rank,
            element,
        };
        Ok(Self {
            loader: Arc::new(loader),
            element,
            weights,
            workspace,
            tables,
            kv,
            kv_blocks,
            logits,
            top,
            limits,
            adapter_bytes,
            base,
            gpu,
        })
    }

    /// Bytes for adapters: the settings', or what they leave to the device.
    pub fn adapter_bytes(&self) -> usize {
        self.adapter_bytes
    }

    /// The device.
    pub fn gpu(&self) -> &G {
        &self.gpu
    }

    /// What serving with these settings takes on a device that has so much free.
    #[cfg(feature = "cuda")]
    fn shares(
        model: &ModelConfig,
        checkpoint: &Checkpoint,
        config: &EngineConfig,
        free_bytes: usize,
    ) -> Result<((usize, usize), Shares), String> {
        check(model, config)?;
        let (element, limits) = (element_of(checkpoint), Limits::of(model, config));
        let taken = Weights::<G>::bytes(model, element)
            + Workspace::<G>::bytes(model, element, &limits)
            + Tables::<G>::bytes(&limits);
        let block = (BLOCK_TOKENS, memory::block_bytes(model, element));
        Ok((block, Shares::of(config, free_bytes.saturating_sub(taken))))
    }

    /// Everything of a step, up to the copies of what its sequences want.
    fn compute(&mut self, tables: &StepTables, between: &mut dyn FnMut()) -> Result<(), GpuError> {
        // SAFETY: the caller waits before it fills the tables again.
        unsafe { self.tables.send(&self.gpu, tables.bytes) }?;
        let model = &self.base.model;
        let side = memory::layer_side_numbers(model, self.kv_blocks) * self.element.bytes();
        let step = Step {
            gpu: &*self.gpu,
            model,
            element: self.element,
            weights: &self.weights.places,
            buffers: self.workspace.buffers,
            tables,
            most_rows: self.limits.rows,
            kv: (self.kv.address(), side as u64),
        };
        step.forward(between)?;
        let (buffers, row) = (self.workspace.buffers, model.vocab_size * size_of::<f32>());
        let rows = tables.last.len as usize - tables.top.rows;
        let wanted = [
            (buffers.top, &mut self.top, tables.top.bytes()),
            (buffers.logits + (tables.top.rows * row) as u64, &mut self.logits, rows * row),
        ];
        for (from, to, bytes) in wanted.into_iter().filter(|(_, _, bytes)| *bytes > 0) {
            // SAFETY: there is room for what all sequences may want, and the caller waits before it reads any.
            unsafe { self.gpu.copy_out(from, to, bytes) }?;
        }
        Ok(())
    }
}

fn element_of(checkpoint: &Checkpoint) -> Element {
    if checkpoint.is_sixteen_bit() { Element::Bf16 } else { Element::F32 }
}

/// What the kernels are not made for.
fn check(model: &ModelConfig, config: &EngineConfig) -> Result<(), String> {
    if model.head_dim > MAX_HEAD_DIM {
        return Err(format!(
            "has heads of {} numbers, and the cuda runner serves up to {MAX_HEAD_DIM}; choose the reference runner",
            model.head_dim
        ));
    }
    if config.max_rank > LORA_MAX_RANK {
        return Err(format!(
            "adapters of rank {} are to be accepted, and the cuda runner serves up to {LORA_MAX_RANK}; lower the \
             highest rank, or choose the reference runner",
            config.max_rank
        ));
    }
    Ok(())
}

#[cfg(feature = "cuda")]
impl CudaRunner<driver::Device> {
    /// Loads onto the device that the settings name.
    ///
    /// # Errors
    /// Those of [`CudaRunner::load`]; the device is not there, or the kernels were not built for it.
    pub fn open(config: &EngineConfig, progress: &dyn Fn(LoadProgress)) -> Result<Self, EngineError> {
        let device = driver::Device::open(config.device);
        let device = device.map_err(|error| EngineError::BaseModel {
            path: config.model.clone(),
            problem: error.to_string(),
        })?;
        Self::load(device, None, config, progress)
    }

    /// Tokens and bytes of a KV block, what keys and adapters would get, and what is free now.
    pub(crate) fn look(
        config: &EngineConfig,
        model: &ModelConfig,
        checkpoint: &Checkpoint,
    ) -> Result<((usize, usize), Shares, usize), EngineError> {
        let look = || {
            let device = driver::Device::open(config.device).map_err(|error| error.to_string())?;
            let free = device.free_bytes().map_err(|error| error.to_string())?;
            let (block, shares) = Self::shares(model, checkpoint, config, free)?;
            Ok((block, shares, free))
        };
        look().map_err(|problem| EngineError::BaseModel { path: config.model.clone(), problem })
    }
}

impl<G: Gpu> Runner for CudaRunner<G> {
    type Adapter = CudaAdapter<G>;

    fn run_with(
        &mut self,
        batch: &Batch<CudaAdapter<G>>,
        between: &mut dyn FnMut(),
    ) -> Result<Vec<NextLogits<'_>>, EngineError> {
        batch.check(&self.base.model, (self.kv_blocks, BLOCK_TOKENS))?;
        let tables = self.tables.fill(batch)?;
        let asked = self.compute(&tables, between);
        // Also after an error, and without logits: whoever comes next may change the tables and let adapters go.
        let done = self.gpu.wait();
        asked.and(done).map_err(|error| EngineError::Fault(error.to_string()))?;
        let vocab_size = self.base.model.vocab_size;
        let mut top = tables.top.read(&self.top);
        let mut rows = as_floats_mut(&mut self.logits).chunks_exact_mut(vocab_size);
        let next = |sequence: &BatchSequence| match sequence.wanted {
            Wanted::Nothing => None,
            Wanted::Top(_) => top.next().map(NextLogits::Top),
            Wanted::Row => rows.next().map(NextLogits::Row),
        };
        Ok(batch.sequences.iter().filter_map(next).collect())
    }

    fn loader(&self) -> Arc<dyn AdapterLoader<Adapter = CudaAdapter<G>>> {
        Arc::clone(&self.loader) as _
    }

    fn base(&self) -> &BaseFacts {
        &self.base
    }

    fn kv_blocks(&self) -> usize {
        self.kv_blocks
    }

    fn block_tokens(&self) -> usize {
        BLOCK_TOKENS
    }
}
