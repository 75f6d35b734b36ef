//! The shared engine: one resident base model and many adapters, on a thread of this process.

use std::{
    sync::{Arc, mpsc as queue},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use crate::{
    active::EVENT_BUFFER,
    answers::enter,
    backend::{Backend, TokenStream},
    config::EngineConfig,
    error::EngineError,
    frontend::{AdapterLimits, Frontend, Prepared},
    grammar::Compilers,
    observer::Observer,
    queue::Queue,
    residency::Residency,
    runner::{ObservedLoader, Runner},
    stats::{Capacity, Resident, Stats},
    step::{Limits, Stepper},
    worker::{self, Command},
};

/// How long the engine may take to say which adapters are in memory: a step.
const RESIDENTS_WAIT: Duration = Duration::from_secs(2);
/// Commands beyond the waiting requests that find room: wake-ups and the stop.
const SPARE_COMMANDS: usize = 16;

/// A queue to the engine's thread, which ends with it.
pub(crate) struct Shared {
    compilers: Compilers,
    capacity: Capacity,
    commands: queue::SyncSender<Command>,
    queue: Queue,
    stats: watch::Receiver<Stats>,
}

impl Shared {
    /// Starts the thread that a runner computes on.
    pub(crate) fn start<R: Runner>(
        mut runner: R,
        config: &EngineConfig,
        observer: Arc<dyn Observer>,
    ) -> Result<(Frontend, Self), EngineError> {
        let facts = runner.base().clone();
        let noise =
            runner.noise((config.max_batch_rows, config.max_batch_sequences.min(config.max_batch_rows)))?;
        tracing::info!(noise, "Logits move by this much with what else is in a batch");
        let (commands, received) = queue::sync_channel(config.queue_limit + SPARE_COMMANDS);
        let wake = {
            let commands = commands.clone();
            // A full queue is being read anyway.
            Arc::new(move || _ = commands.try_send(Command::Wake))
        };
        let loader = runner.loader();
        let adapters = {
            let loader = Arc::clone(&loader);
            let resident_bytes = Box::new(move |file_bytes| loader.resident_bytes(file_bytes));
            AdapterLimits { max_rank: config.max_rank, bytes: config.host_adapter_bytes(), resident_bytes }
        };
        let frontend = Frontend::new(config, &facts, adapters, noise)?;
        let codec = Arc::clone(frontend.codec());
        let compilers = Compilers::new(&codec, facts.model.vocab_size, &facts.model.eos_tokens)?;
        let capacity = Capacity {
            queue_limit: config.queue_limit,
            adapter_bytes: config.host_adapter_bytes(),
            block_tokens: runner.block_tokens(),
            max_batch_sequences: config.max_batch_sequences,
        };
        let loader = Arc::new(ObservedLoader { loader, observer: Arc::clone(&observer) });
        let residency = Residency::new(config.host_adapter_bytes(), loader, wake);
        let stepper = Stepper::new(runner, residency, Limits::new(config, &facts), codec, observer);
        let (numbers, stats) = watch::channel(stepper.stats());
        thread::Builder::new()
            .name("tenora-engine".to_owned())
            .spawn(move || worker::run(stepper, &received, &numbers))
            .map_err(|error| EngineError::Fault(format!("the engine's thread did not start: {error}")))?;
        let shared = Self { compilers, capacity, commands, queue: Queue::new(config.queue_limit), stats };
        Ok((frontend, shared))
    }
}

#[async_trait]
impl Backend for Shared {
    async fn submit(&self, prepared: Prepared) -> Result<TokenStream, EngineError> {
        let (submission, stream) = enter(prepared, (&self.compilers, &self.queue), EVENT_BUFFER).await?;
        match self.commands.try_send(Command::Submit(Box::new(submission))) {
            Ok(()) => Ok(stream),
            Err(queue::TrySendError::Full(_)) => {
                Err(EngineError::QueueFull { limit: self.capacity.queue_limit })
            }
            Err(queue::TrySendError::Disconnected(_)) => Err(EngineError::ShuttingDown),
        }
    }

    async fn residents(&self) -> Vec<Resident> {
        let (tell, told) = oneshot::channel();
        if self.commands.try_send(Command::Residents(tell)).is_err() {
            return Vec::new();
        }
        timeout(RESIDENTS_WAIT, told).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    fn stats(&self) -> Stats {
        self.stats.borrow().clone()
    }

    fn capacity(&self) -> Capacity {
        self.capacity
    }

    fn enable_adapter(&self, digest: [u8; 32]) {
        // The thread may have ended already.
        _ = self.commands.send(Command::Enable(Box::new(digest)));
    }

    fn shutdown(&self) {
        // The thread may have ended already.
        _ = self.commands.send(Command::Stop);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.shutdown();
    }
}
