//! The engine's one seam: a runner turns a batch into logits. What it runs on, and how weights and keys lie in memory,
//! is its own business; scheduling, sampling and tenants are not.

pub mod cpu;
pub mod cuda;
pub mod reference;

mod base;
mod noise;

use std::{sync::Arc, time::Instant};

pub use self::{base::BaseFacts, noise::LEAST_NOISE};
use crate::{
    batch::Batch,
    config::{EngineConfig, RunnerChoice},
    error::{AdapterRejection, EngineError},
    logits::NextLogits,
    observer::Observer,
    request::AdapterFiles,
};

/// The runner for these settings: the device's own unless another is asked for.
///
/// # Errors
/// [`EngineError::BaseModel`]: the settings contradict each other.
pub(crate) fn choose(config: &EngineConfig) -> Result<RunnerChoice, EngineError> {
    let refuse = |problem: &str| {
        Err(EngineError::BaseModel { path: config.model.clone(), problem: problem.to_owned() })
    };
    match (config.runner, reference::is_cpu(config.device)) {
        (RunnerChoice::Auto, true) | (RunnerChoice::Cpu, true) => Ok(RunnerChoice::Cpu),
        (RunnerChoice::Cpu, false) => {
            refuse("the cpu runner is asked for on another device; choose the CPU, or the runner `auto`")
        }
        (RunnerChoice::Cuda, true) => {
            refuse("the cuda runner is asked for, and there is no CUDA device; choose the runner `auto`")
        }
        (_, _) if config.quantization.is_some() => {
            refuse("only the cpu runner quantises; choose it, or no quantisation")
        }
        // A build without CUDA has the reference say so.
        (RunnerChoice::Auto | RunnerChoice::Cuda, false) if cfg!(feature = "cuda") => Ok(RunnerChoice::Cuda),
        (_, _) => Ok(RunnerChoice::Reference),
    }
}

/// Turns batches into logits, one at a time, on the engine's thread.
///
/// Contract (held by every implementation): a row's logits depend only on its own sequence and adapter; a batch of
/// mixed adapters equals its sequences run one by one, within the implementation's stated tolerance.
pub trait Runner: Send + 'static {
    /// An adapter in the form this runner computes with.
    type Adapter: ResidentAdapter;

    /// Runs one step: writes keys and values of every row into its blocks and returns, for each sequence that wants any
    /// logits, in order, as many as it wants or more. Calls `between` before each layer, so that a caller with other short
    /// work need not wait for the end.
    ///
    /// # Errors
    /// [`EngineError::Fault`]: the device failed; no row of this batch may be trusted.
    fn run_with(
        &mut self,
        batch: &Batch<Self::Adapter>,
        between: &mut dyn FnMut(),
    ) -> Result<Vec<NextLogits<'_>>, EngineError>;

    /// The same for a caller without other work.
    ///
    /// # Errors
    /// Those of [`Runner::run_with`].
    fn run(&mut self, batch: &Batch<Self::Adapter>) -> Result<Vec<NextLogits<'_>>, EngineError> {
        self.run_with(batch, &mut || ())
    }

    /// How far a row's logits may differ between two batches of so many rows and sequences at most; 0 where they are the
    /// same bits in all. Asked before the first request: unless it is known, batches are run to see.
    ///
    /// # Errors
    /// Those of [`Runner::run_with`].
    fn noise(&mut self, most: (usize, usize)) -> Result<f32, EngineError>
    where
        Self: Sized,
    {
        noise::measure(self, most)
    }

    /// How adapters are brought in, while [`Runner::run`] is at work.
    fn loader(&self) -> Arc<dyn AdapterLoader<Adapter = Self::Adapter>>;

    /// The base model that is resident.
    fn base(&self) -> &BaseFacts;

    /// Blocks in the KV pool.
    fn kv_blocks(&self) -> usize;

    /// Tokens per KV block.
    fn block_tokens(&self) -> usize;
}

/// An adapter that a runner holds ready.
pub trait ResidentAdapter: Send + Sync + 'static {
    /// Bytes it takes while resident.
    fn bytes(&self) -> usize;
}

/// Brings adapters in, from threads of its callers.
pub trait AdapterLoader: Send + Sync + 'static {
    /// What it makes.
    type Adapter: ResidentAdapter;

    /// Reads, re-hashes, checks and converts one adapter's files.
    ///
    /// # Errors
    /// The files are not those of the digest, or cannot be honoured exactly on this base.
    fn load(&self, files: &AdapterFiles) -> Result<Self::Adapter, AdapterRejection>;

    /// The most bytes that an adapter whose weights file has `file_bytes` takes while resident.
    fn resident_bytes(&self, file_bytes: u64) -> usize;
}

/// A loader that tells how long its loads took.
pub(crate) struct ObservedLoader<A> {
    pub(crate) loader: Arc<dyn AdapterLoader<Adapter = A>>,
    pub(crate) observer: Arc<dyn Observer>,
}

impl<A: ResidentAdapter> AdapterLoader for ObservedLoader<A> {
    type Adapter = A;

    fn load(&self, files: &AdapterFiles) -> Result<A, AdapterRejection> {
        let begun = Instant::now();
        let loaded = self.loader.load(files)?;
        self.observer.loaded(begun.elapsed());
        Ok(loaded)
    }

    fn resident_bytes(&self, file_bytes: u64) -> usize {
        self.loader.resident_bytes(file_bytes)
    }
}
