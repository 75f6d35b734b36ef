//! One model of mistral.rs: loaded from a folder, asked for logits. The one place that knows its crate.
//!
//! Its sampler is a hook of ours: it is handed a sequence's logits, has the engine choose, and hands on logits of which the
//! chosen token's alone are high. So an answer is the same tokens, texts and costs as from every other engine.

use std::{
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use mistralrs::core::{
    Constraint, CustomLogitsProcessor, DefaultSchedulerMethod, DeviceMapSetting, MistralRs, MistralRsBuilder,
    ModelDType, NormalLoaderBuilder, NormalRequest, NormalSpecificConfig, Request, RequestMessage, Response,
    SamplingParams, SchedulerConfig, StopTokens, TokenSource,
};
use mistralrs::{Device, Tensor};
use tenora_engine::{Answers, EngineError, Frontend};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc};

use super::MistralrsSettings;

/// Pieces of one sequence that mistral.rs may be ahead; they are thrown away at once.
const PIECES: usize = 64;

/// A model in memory; mistral.rs's thread ends with it.
pub(super) struct Model {
    engine: Arc<MistralRs>,
    /// Ends a sequence when it is chosen, where the model knows such a token.
    end: Option<u32>,
    /// Sequences that may be computed together. Its own limit is not heeded when nothing runs.
    turns: Arc<Semaphore>,
}

impl Model {
    /// Loads a model folder.
    pub(super) async fn load(
        frontend: Frontend,
        folder: &Path,
        settings: &MistralrsSettings,
    ) -> Result<Self, EngineError> {
        let refuse = {
            let path = frontend.folder().to_owned();
            move |problem: &dyn std::fmt::Display| EngineError::BaseModel {
                path: path.clone(),
                problem: format!("mistral.rs does not take it: {problem:#}"),
            }
        };
        let (folder, cpu) = (folder.to_string_lossy().into_owned(), settings.cpu);
        let load = move || {
            let config = NormalSpecificConfig::default();
            let loader =
                NormalLoaderBuilder::new(config, None, None, Some(folder), false, None).build(None)?;
            let (device, dtype) = match cpu {
                true => (Device::Cpu, ModelDType::F32),
                false => (mistralrs::best_device(false)?, ModelDType::Auto),
            };
            let map = DeviceMapSetting::dummy();
            loader.load_model_from_hf(None, TokenSource::None, &dtype, &device, true, map, None, None)
        };
        let loaded = tokio::task::spawn_blocking(load).await;
        let pipeline = loaded.map_err(|error| refuse(&error))?.map_err(|error| refuse(&error))?;
        // Its attention for single rows on a CPU (0.8.1) adds up what sequences of one batch see.
        let most = if cpu { 1 } else { settings.max_sequences };
        let most = NonZeroUsize::new(most).unwrap_or(NonZeroUsize::MIN);
        let turns = Arc::new(Semaphore::new(most.get()));
        let scheduler = SchedulerConfig::DefaultScheduler { method: DefaultSchedulerMethod::Fixed(most) };
        // Prefixes would be reused between tenants. Ends are the engine's affair.
        let engine = MistralRsBuilder::new(pipeline, scheduler, false, None)
            .with_no_prefix_cache(true)
            .with_disable_eos_stop(true)
            .build()
            .await;
        Ok(Self { engine, end: frontend.end_of_sequence(), turns })
    }

    /// Computes one choice of a request to its end. Dropping this ends it within two tokens.
    pub(super) async fn answer(
        &self,
        answers: Arc<Mutex<Answers>>,
        choice: usize,
    ) -> Result<(), EngineError> {
        let gone = || EngineError::Unavailable("mistral.rs has stopped; its log says why".to_owned());
        let turn = Arc::clone(&self.turns).acquire_owned().await.map_err(|_| gone())?;
        let (pieces, mut received) = mpsc::channel(PIECES);
        let mut sampling = SamplingParams::neutral();
        // The likeliest token, which is the one that was chosen; left out it would be 1.
        sampling.temperature = Some(0.0);
        let prompt = {
            let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
            sampling.max_len = answers.max_tokens().map(|most| most as usize);
            sampling.stop_toks =
                self.end.filter(|_| !answers.ignores_eos()).map(|end| StopTokens::Ids(vec![end]));
            answers.prompt().to_vec()
        };
        let hook = Arc::new(Hook {
            answers,
            choice,
            end: self.end,
            ended: Notify::new(),
            outcome: Mutex::default(),
            _turn: turn,
        });
        let request = NormalRequest {
            messages: RequestMessage::CompletionTokens(prompt),
            sampling_params: sampling,
            response: pieces,
            return_logprobs: false,
            is_streaming: true,
            id: self.engine.next_request_id(),
            constraint: Constraint::None,
            suffix: None,
            tools: None,
            tool_choice: None,
            logits_processors: Some(vec![Arc::clone(&hook) as Arc<dyn CustomLogitsProcessor>]),
            return_raw_logits: false,
            web_search_options: None,
            model_id: None,
            truncate_sequence: false,
        };
        let sender = self.engine.get_sender(None).map_err(|_| gone())?;
        sender.send(Request::Normal(Box::new(request))).await.map_err(|_| gone())?;
        loop {
            let response = tokio::select! {
                () = hook.ended.notified() => return hook.outcome(),
                response = received.recv() => response,
            };
            match response {
                Some(Response::InternalError(error) | Response::ValidationError(error)) => {
                    return Err(EngineError::Fault(format!("mistral.rs: {error}")));
                }
                Some(Response::CompletionModelError(error, _)) => {
                    return Err(EngineError::Fault(format!("mistral.rs: {error}")));
                }
                Some(_) => {}
                // It ended before the hook said so, or just then.
                None => return hook.outcome(),
            }
        }
    }
}

/// Chooses the tokens of one sequence.
struct Hook {
    answers: Arc<Mutex<Answers>>,
    choice: usize,
    end: Option<u32>,
    ended: Notify,
    /// How it ended; `None` = it has not.
    outcome: Mutex<Option<Result<(), EngineError>>>,
    /// Given back when mistral.rs has put the sequence down, which may be later than its reader has.
    _turn: OwnedSemaphorePermit,
}

impl Hook {
    fn outcome(&self) -> Result<(), EngineError> {
        let ended = self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take();
        ended.unwrap_or_else(|| {
            Err(EngineError::Fault("mistral.rs ended an answer before its end".to_owned()))
        })
    }

    fn end(&self, outcome: Result<(), EngineError>) {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(outcome);
        self.ended.notify_one();
    }
}

impl CustomLogitsProcessor for Hook {
    /// `[vocab_size]` in 32 bits, on the CPU. Never an error: it would end the step of the other sequences, too, whose
    /// tokens are chosen by then.
    fn apply(&self, logits: &Tensor, _context: &[u32]) -> mistralrs::Result<Tensor> {
        let mut numbers = logits.to_vec1::<f32>()?;
        let next =
            self.answers.lock().unwrap_or_else(PoisonError::into_inner).next(self.choice, &mut numbers);
        let chosen = match next {
            Ok(Some(token)) => Some(token),
            Ok(None) => {
                self.end(Ok(()));
                self.end
            }
            Err(error) => {
                self.end(Err(error));
                self.end
            }
        };
        numbers.fill(0.0);
        if let Some(number) = chosen.and_then(|token| numbers.get_mut(token as usize)) {
            *number = 1.0;
        }
        Tensor::new(numbers, logits.device())
    }
}
