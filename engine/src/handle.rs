//! The engine as the rest of the program holds it: requests in, bounded streams out, whatever answers them.

use std::{num::NonZeroU32, path::PathBuf, sync::Arc, time::Instant};

use tokio::time::timeout_at;

#[cfg(feature = "cuda")]
use crate::runner::cuda::CudaRunner;
use crate::{
    backend::{Backend, TokenStream},
    canary::{Answer, Canary, Trials},
    config::{EngineConfig, LoadProgress, RunnerChoice},
    error::EngineError,
    frontend::{BaseInfo, Frontend, Prepared},
    lora::AdapterReport,
    observer::Observer,
    request::{AdapterFiles, CacheDomain, GenerateRequest, Prompt},
    runner::{self, cpu::CpuRunner, reference::ReferenceRunner},
    shared::Shared,
    stats::{Capacity, Resident, Stats},
};

/// A handle to what answers requests. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    frontend: Frontend,
    backend: Arc<dyn Backend>,
    trials: Arc<Trials>,
}

impl Engine {
    /// Loads the base model and starts the shared engine's thread, which ends with the last handle. Blocks; reads every
    /// byte of the weights.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`] names the file, field or tensor that cannot be served.
    pub fn start(
        config: EngineConfig,
        observer: Arc<dyn Observer>,
        progress: &dyn Fn(LoadProgress),
    ) -> Result<Self, EngineError> {
        let (frontend, shared) = match runner::choose(&config)? {
            RunnerChoice::Cpu => Shared::start(CpuRunner::load(&config, progress)?, &config, observer),
            #[cfg(feature = "cuda")]
            RunnerChoice::Cuda => {
                let runner = CudaRunner::open(&config, progress)?;
                let config = EngineConfig { adapter_bytes: Some(runner.adapter_bytes()), ..config };
                Shared::start(runner, &config, observer)
            }
            _ => Shared::start(ReferenceRunner::load(&config, progress)?, &config, observer),
        }?;
        Ok(Self::new(frontend, Arc::new(shared)))
    }

    /// An engine whose requests another backend answers.
    pub fn new(frontend: Frontend, backend: Arc<dyn Backend>) -> Self {
        let trials = Arc::new(Trials::of(&frontend));
        Self { frontend, backend, trials }
    }

    /// The base model that is served.
    pub fn base(&self) -> &BaseInfo {
        self.frontend.base()
    }

    /// Whether anything can answer just now.
    pub fn is_ready(&self) -> bool {
        self.backend.is_ready()
    }

    /// What it has to give.
    pub fn capacity(&self) -> Capacity {
        self.backend.capacity()
    }

    /// What the engine is doing.
    pub fn stats(&self) -> Stats {
        self.backend.stats()
    }

    /// The adapters in memory, the last wanted first; none when the engine has no time to say so.
    pub async fn residents(&self) -> Vec<Resident> {
        self.backend.residents().await
    }

    /// Checks a request and encodes its prompt: what it can cost is known then.
    ///
    /// # Errors
    /// What is wrong with the request, by its fields.
    pub async fn prepare(&self, request: GenerateRequest) -> Result<Prepared, EngineError> {
        self.frontend.prepare(request).await
    }

    /// Prepares a generation and submits it.
    ///
    /// # Errors
    /// Those of [`Engine::prepare`] and [`Engine::submit`].
    pub async fn generate(&self, request: GenerateRequest) -> Result<TokenStream, EngineError> {
        self.submit(self.prepare(request).await?).await
    }

    /// Queues a generation and returns its events. The engine's caller has admitted it.
    ///
    /// # Errors
    /// Those of [`Backend::submit`].
    pub async fn submit(&self, prepared: Prepared) -> Result<TokenStream, EngineError> {
        self.backend.submit(prepared).await
    }

    /// Has an adapter answer one short prompt before anybody relies on it: queued like every request, in its owner's domain
    /// and on its account, its load included.
    ///
    /// # Errors
    /// [`EngineError::Adapter`] with [`codes::NOT_FINITE`](crate::lora::codes::NOT_FINITE): the model's numbers overflow with
    /// it, and it is out of service from then on. With [`codes::DOES_NOTHING`](crate::lora::codes::DOES_NOTHING): it changes
    /// nothing. Otherwise those of [`Engine::generate`].
    pub async fn canary(
        &self,
        files: AdapterFiles,
        domain: CacheDomain,
        deadline: Instant,
    ) -> Result<Canary, EngineError> {
        let ask = |adapter| async move {
            let prepared = self.prepare(GenerateRequest {
                prompt: Prompt::Tokens(self.trials.prompt()),
                adapter,
                domain,
                sampling: Trials::sampling(),
                weight: NonZeroU32::MIN,
                deadline: Some(deadline),
            });
            Answer::read(self.submit(prepared.await?.on_trial()).await?).await
        };
        // The base's answer may be somebody else's request that waits, with another deadline.
        let judged = timeout_at(deadline.into(), self.trials.judge(files, ask)).await;
        judged.unwrap_or(Err(EngineError::DeadlineExceeded))
    }

    /// Checks an adapter's files, values included, against the base model, on a thread that yields to the steps.
    ///
    /// # Errors
    /// [`EngineError::Adapter`]: the first thing that is wrong, with a code of [`crate::lora::codes`].
    pub async fn check_adapter(
        &self,
        config: Vec<u8>,
        weights: PathBuf,
    ) -> Result<AdapterReport, EngineError> {
        self.frontend.check_adapter(config, weights).await
    }

    /// Puts an adapter that proved faulty ([`Stats`] lists them) back into service.
    pub fn enable_adapter(&self, digest: [u8; 32]) {
        self.backend.enable_adapter(digest);
    }

    /// Ends the engine; what it still runs ends with [`EngineError::ShuttingDown`].
    pub fn shutdown(&self) {
        self.backend.shutdown();
    }
}
