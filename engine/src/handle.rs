//! The engine as the rest of the program holds it: a bounded queue in, bounded streams out. Prompts are rendered and
//! encoded here, on the caller's side of the queue.

use std::{
    error::Error,
    num::NonZeroU32,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, mpsc as queue},
    task::{Context, Poll},
    thread,
    time::{Duration, Instant},
};

use futures_core::Stream;
use tokio::{
    sync::{Semaphore, mpsc, oneshot, watch},
    time::{timeout, timeout_at},
};

use crate::{
    active::{EVENT_BUFFER, Submission},
    canary::{self, Answer, Canary, Trials},
    config::{EngineConfig, LoadProgress, RunnerChoice},
    error::{AdapterRejection, EngineError},
    grammar::{self, Grammar, Grammars},
    kv_pool::Owner,
    lora::{self, AdapterReport},
    model::ModelConfig,
    observer::Observer,
    priority,
    queue::Queue,
    request::{AdapterFiles, CacheDomain, Event, GenerateRequest, Progress, Prompt, ResponseFormat},
    residency::{self, Residency},
    runner::{self, BaseFacts, ObservedLoader, Runner, cpu::CpuRunner, reference::ReferenceRunner},
    stats::{Capacity, Resident, Stats},
    step::{Limits, Stepper},
    template::ChatTemplate,
    tokenizer::TextCodec,
    worker::{self, Command},
};

/// How long the engine may take to say which adapters are in memory: a step.
const RESIDENTS_WAIT: Duration = Duration::from_secs(2);
/// Commands beyond the waiting requests that find room: wake-ups and the stop.
const SPARE_COMMANDS: usize = 16;

/// A handle to the engine's thread, which ends with the last of them. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Shared>);

struct Shared {
    base: BaseInfo,
    model: Arc<ModelConfig>,
    codec: Arc<TextCodec>,
    template: Option<ChatTemplate>,
    grammars: Grammars,
    compilers: Arc<Semaphore>,
    config: EngineConfig,
    resident_bytes: Box<dyn Fn(u64) -> usize + Send + Sync>,
    block_tokens: usize,
    trials: Trials,
    commands: queue::SyncSender<Command>,
    queue: Queue,
    stats: watch::Receiver<Stats>,
}

/// The resident base model.
#[derive(Debug, Clone)]
pub struct BaseInfo {
    /// What clients send as `model`.
    pub id: String,
    /// Names its weights and its arithmetic: SHA-256, in hex.
    pub fingerprint: String,
    /// Numbers in its tensors.
    pub parameters: u64,
    /// Prompt and answer together, in tokens.
    pub context_length: usize,
}

/// The events of one request. Dropping it cancels the request: within one step everything it held is free.
pub struct TokenStream {
    events: mpsc::Receiver<Result<Event, EngineError>>,
    progress: Arc<Progress>,
}

impl TokenStream {
    /// What the request cost so far; goes on being true when the stream is gone.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }
}

/// A request that was checked and encoded, and waits for nothing but its turn.
pub struct Prepared {
    tokens: Vec<u32>,
    request: GenerateRequest,
    most_output: u64,
}

impl Prepared {
    /// Tokens that the request can cost at most: its prompt, and every answer as long as it may be.
    pub fn most_tokens(&self) -> u64 {
        self.tokens.len() as u64 + self.most_output
    }

    /// Whose request it is, and when its answer is of no use any more: what its admission decided.
    pub fn admitted(mut self, domain: CacheDomain, deadline: Instant) -> Self {
        (self.request.domain, self.request.deadline) = (domain, Some(deadline));
        self
    }
}

impl Stream for TokenStream {
    type Item = Result<Event, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_recv(context)
    }
}

impl Engine {
    /// Loads the base model and starts the engine's thread. Blocks; reads every byte of the weights.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`] names the file, field or tensor that cannot be served.
    pub fn start(
        config: EngineConfig,
        observer: Arc<dyn Observer>,
        progress: &dyn Fn(LoadProgress),
    ) -> Result<Self, EngineError> {
        match runner::choose(&config)? {
            RunnerChoice::Cpu => Self::serve(CpuRunner::load(&config, progress)?, config, observer),
            _ => Self::serve(ReferenceRunner::load(&config, progress)?, config, observer),
        }
    }

    /// Starts the thread that a runner computes on.
    fn serve<R: Runner>(
        runner: R,
        config: EngineConfig,
        observer: Arc<dyn Observer>,
    ) -> Result<Self, EngineError> {
        let facts = runner.base().clone();
        let limits = Limits::new(&config, &facts);
        let BaseFacts { model, fingerprint, parameters, .. } = facts;
        let codec = Arc::new(TextCodec::read(&config.model, model.vocab_size)?);
        let template = ChatTemplate::read(&config.model)?;
        let trials = Trials::new(&codec, (model.vocab_size, model.context_length), R::NOISE);
        let grammars = Grammars::new(&codec, model.vocab_size, &model.eos_tokens)?;
        let base = BaseInfo {
            id: config.model_id.clone(),
            fingerprint,
            parameters,
            context_length: model.context_length,
        };
        let (commands, received) = queue::sync_channel(config.queue_limit + SPARE_COMMANDS);
        let wake = {
            let commands = commands.clone();
            // A full queue is being read anyway.
            Arc::new(move || _ = commands.try_send(Command::Wake))
        };
        let (loader, block_tokens) = (runner.loader(), runner.block_tokens());
        let resident_bytes = {
            let loader = Arc::clone(&loader);
            Box::new(move |file_bytes| loader.resident_bytes(file_bytes))
        };
        let loader = Arc::new(ObservedLoader { loader, observer: Arc::clone(&observer) });
        let residency = Residency::new(config.adapter_bytes, loader, wake);
        let stepper = Stepper::new(runner, residency, limits, Arc::clone(&codec), observer);
        let (numbers, stats) = watch::channel(stepper.stats());
        thread::Builder::new()
            .name("tenora-engine".to_owned())
            .spawn(move || worker::run(stepper, &received, &numbers))
            .map_err(|error| EngineError::Fault(format!("the engine's thread did not start: {error}")))?;
        let queue = Queue::new(config.queue_limit);
        let compilers = Arc::new(Semaphore::new(grammar::COMPILERS));
        let shared = Shared {
            base,
            model,
            codec,
            template,
            grammars,
            compilers,
            config,
            resident_bytes,
            block_tokens,
            trials,
            commands,
            queue,
            stats,
        };
        Ok(Self(Arc::new(shared)))
    }

    /// The resident base model.
    pub fn base(&self) -> &BaseInfo {
        &self.0.base
    }

    /// What it has to give.
    pub fn capacity(&self) -> Capacity {
        let config = &self.0.config;
        Capacity {
            queue_limit: config.queue_limit,
            adapter_bytes: config.adapter_bytes,
            block_tokens: self.0.block_tokens,
            max_batch_sequences: config.max_batch_sequences,
        }
    }

    /// What the engine is doing.
    pub fn stats(&self) -> Stats {
        self.0.stats.borrow().clone()
    }

    /// The adapters in memory, the last wanted first; none when the engine has no time to say so.
    pub async fn residents(&self) -> Vec<Resident> {
        let (tell, told) = oneshot::channel();
        if self.0.commands.try_send(Command::Residents(tell)).is_err() {
            return Vec::new();
        }
        timeout(RESIDENTS_WAIT, told).await.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Checks a request and encodes its prompt: what it can cost is known then.
    ///
    /// # Errors
    /// What is wrong with the request, by its fields.
    pub async fn prepare(&self, mut request: GenerateRequest) -> Result<Prepared, EngineError> {
        request.sampling.check(self.0.model.vocab_size)?;
        let prompt = std::mem::replace(&mut request.prompt, Prompt::Tokens(Vec::new()));
        let shared = Arc::clone(&self.0);
        let tokens = blocking(move || shared.encode(&prompt)).await?;
        let room = (self.0.model.context_length - tokens.len()) as u64;
        let most = request.sampling.max_tokens.map_or(room, |most| room.min(u64::from(most)));
        Ok(Prepared { most_output: most * u64::from(request.sampling.n.max(1)), tokens, request })
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
    /// What is wrong with its answer's format; [`EngineError::QueueFull`] when too many wait already. What goes
    /// wrong later, such as the load of its adapter, comes as the stream's last item.
    pub async fn submit(&self, prepared: Prepared) -> Result<TokenStream, EngineError> {
        self.enqueue(prepared, false).await
    }

    /// Has an adapter answer one short prompt before anybody relies on it: queued like every request, in its owner's domain
    /// and on its account, its load included.
    ///
    /// # Errors
    /// [`EngineError::Adapter`] with [`codes::NOT_FINITE`](lora::codes::NOT_FINITE): the model's numbers overflow with it, and
    /// it is out of service from then on. With [`codes::DOES_NOTHING`](lora::codes::DOES_NOTHING): it changes nothing.
    /// Otherwise those of [`Engine::generate`].
    pub async fn canary(
        &self,
        files: AdapterFiles,
        domain: CacheDomain,
        deadline: Instant,
    ) -> Result<Canary, EngineError> {
        let ask = |adapter| {
            self.answer(GenerateRequest {
                prompt: Prompt::Tokens(self.0.trials.prompt()),
                adapter,
                domain,
                sampling: Trials::sampling(),
                weight: NonZeroU32::MIN,
                deadline: Some(deadline),
            })
        };
        // The base's answer may be somebody else's request that waits, with another deadline.
        let judged = timeout_at(deadline.into(), self.0.trials.judge(files, ask)).await;
        judged.unwrap_or(Err(EngineError::DeadlineExceeded))
    }

    /// The whole answer to a trial.
    async fn answer(&self, request: GenerateRequest) -> Result<Answer, EngineError> {
        let mut stream = self.enqueue(self.prepare(request).await?, true).await?;
        let mut likeliest = Vec::new();
        while let Some(event) = stream.events.recv().await {
            match event? {
                Event::Text { logprobs, .. } => {
                    likeliest = logprobs.first().map_or(likeliest, |first| canary::likeliest(&first.top));
                }
                Event::Finished { .. } => {}
                Event::Done(usage) => {
                    return Ok(Answer { likeliest, usage, adapter_bytes: stream.progress.adapter_bytes() });
                }
            }
        }
        Err(EngineError::ShuttingDown)
    }

    /// Puts a request into the queue; one on trial has its adapter on trial.
    async fn enqueue(&self, prepared: Prepared, trial: bool) -> Result<TokenStream, EngineError> {
        let Prepared { tokens: prompt, request, .. } = prepared;
        let GenerateRequest { adapter, domain, mut sampling, weight, deadline, .. } = request;
        let grammar = self.compile(std::mem::take(&mut sampling.format)).await?;
        let place = self.0.queue.enter(domain)?;
        let progress = Arc::new(Progress::submitted_now());
        let (events, stream) = mpsc::channel(EVENT_BUFFER);
        let submission = Submission {
            prompt,
            owner: Owner { domain, adapter: adapter.as_ref().map(|files| files.digest) },
            adapter,
            seed: sampling.seed.unwrap_or_else(rand::random),
            sampling,
            grammar,
            events,
            progress: Arc::clone(&progress),
            place: Some(place),
            weight,
            deadline,
            trial,
        };
        match self.0.commands.try_send(Command::Submit(Box::new(submission))) {
            Ok(()) => Ok(TokenStream { events: stream, progress }),
            Err(queue::TrySendError::Full(_)) => {
                Err(EngineError::QueueFull { limit: self.0.config.queue_limit })
            }
            Err(queue::TrySendError::Disconnected(_)) => Err(EngineError::ShuttingDown),
        }
    }

    /// Compiles what the answer must be, where that is not just any text.
    async fn compile(&self, format: ResponseFormat) -> Result<Option<Grammar>, EngineError> {
        if format == ResponseFormat::Text {
            return Ok(None);
        }
        let turn = Arc::clone(&self.0.compilers).acquire_owned();
        let slot = timeout(grammar::COMPILER_WAIT, turn).await.ok().and_then(Result::ok);
        let slot = slot.ok_or(EngineError::QueueFull { limit: grammar::COMPILERS })?;
        let shared = Arc::clone(&self.0);
        blocking(move || shared.grammars.compile(format, Some(slot))).await
    }

    /// Checks an adapter's files, values included, against the base model, on a thread that yields to the steps.
    ///
    /// # Errors
    /// [`EngineError::Adapter`]: the first thing that is wrong, with a code of [`lora::codes`].
    pub async fn check_adapter(
        &self,
        config: Vec<u8>,
        weights: PathBuf,
    ) -> Result<AdapterReport, EngineError> {
        let (engine, (done, checked)) = (self.clone(), oneshot::channel());
        let work = move || {
            priority::lower(priority::CHECK);
            // Whoever asked may be gone.
            _ = done.send(engine.judge(&config, &weights));
        };
        let fault = |error: &dyn Error| EngineError::Fault(format!("an adapter was not checked: {error}"));
        thread::Builder::new().name("tenora-check".to_owned()).spawn(work).map_err(|error| fault(&error))?;
        Ok(checked.await.map_err(|error| fault(&error))??)
    }

    /// Blocks; holds one tensor at a time.
    fn judge(&self, config: &[u8], weights: &Path) -> Result<AdapterReport, AdapterRejection> {
        let EngineConfig { max_rank, adapter_bytes, .. } = self.0.config;
        let mut report = lora::check(config, weights, &self.0.model, max_rank)?;
        let bytes = (self.0.resident_bytes)(report.bytes);
        if bytes > adapter_bytes {
            return Err(residency::too_large(bytes, adapter_bytes));
        }
        report.passed_here(&self.0.base.id);
        Ok(report)
    }

    /// Puts an adapter that proved faulty ([`Stats`] lists them) back into service.
    pub fn enable_adapter(&self, digest: [u8; 32]) {
        // The thread may have ended already.
        _ = self.0.commands.send(Command::Enable(Box::new(digest)));
    }

    /// Stops the thread; what it still runs ends with [`EngineError::ShuttingDown`].
    pub fn shutdown(&self) {
        self.0.stop();
    }
}

/// Work that takes long enough to be in the way of others.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| EngineError::Fault(format!("preparing a request failed: {error}")))?
}

impl Shared {
    /// A prompt's tokens, which leave room for at least one more.
    fn encode(&self, prompt: &Prompt) -> Result<Vec<u32>, EngineError> {
        let tokens = match prompt {
            Prompt::Chat(messages) => {
                self.template.as_ref().ok_or(EngineError::NoChatTemplate)?.encode(&self.codec, messages)?
            }
            Prompt::Text(text) => self.codec.encode_text(text)?,
            Prompt::Tokens(tokens) => tokens.clone(),
        };
        let (length, context) = (tokens.len(), self.model.context_length);
        if length >= context {
            return Err(EngineError::ContextLength { prompt: length, context });
        }
        let invalid = |problem: String| EngineError::Invalid { field: "prompt", problem };
        if tokens.is_empty() {
            return Err(invalid("is empty; there is nothing to continue".to_owned()));
        }
        let vocab_size = self.model.vocab_size;
        match tokens.iter().find(|token| **token as usize >= vocab_size) {
            Some(token) => Err(invalid(format!("has token {token}, outside the vocabulary of {vocab_size}"))),
            None => Ok(tokens),
        }
    }

    fn stop(&self) {
        // The thread may have ended already.
        _ = self.commands.send(Command::Stop);
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.stop();
    }
}
