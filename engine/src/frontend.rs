//! What happens to a request before an engine runs it, whatever engine that is: limits, the chat template, tokens; and what
//! happens to an adapter before anybody may ask for it. Needs a model's folder, and none of its weights.

use std::{
    error::Error,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::Instant,
};

use tokio::{sync::oneshot, task::spawn_blocking};

use crate::{
    config::{EngineConfig, LoadProgress},
    error::{AdapterRejection, EngineError},
    lora::{self, AdapterReport},
    model::ModelConfig,
    priority,
    request::{AdapterFiles, CacheDomain, ChatMessage, GenerateRequest, Prompt},
    residency,
    runner::BaseFacts,
    template::ChatTemplate,
    tokenizer::TextCodec,
};

/// Longest prompt that is encoded where it arrives, in bytes of text and in messages.
const SHORT_BYTES: usize = 512;
const SHORT_MESSAGES: usize = 8;

/// The base model that is served.
#[derive(Debug, Clone)]
pub struct BaseInfo {
    /// What clients send as `model`.
    pub id: String,
    /// Names its weights and its arithmetic: SHA-256, in hex.
    pub fingerprint: String,
    /// Numbers in its tensors; 0 where the weights are elsewhere.
    pub parameters: u64,
    /// Prompt and answer together, in tokens.
    pub context_length: usize,
}

/// The side of the queue on which callers are. Cheap to clone.
#[derive(Clone)]
pub struct Frontend(Arc<Parts>);

struct Parts {
    base: BaseInfo,
    folder: PathBuf,
    model: Arc<ModelConfig>,
    codec: Arc<TextCodec>,
    template: Option<ChatTemplate>,
    adapters: AdapterLimits,
    /// How far a logit may differ between two batches.
    noise: f32,
}

/// What an adapter may need.
pub(crate) struct AdapterLimits {
    pub(crate) max_rank: usize,
    /// Bytes of memory for all adapters.
    pub(crate) bytes: usize,
    /// Bytes that an adapter takes while it is resident, by its file's.
    pub(crate) resident_bytes: Box<dyn Fn(u64) -> usize + Send + Sync>,
}

/// A request that was checked and encoded, and waits for nothing but its turn.
pub struct Prepared {
    /// The prompt.
    pub(crate) tokens: Vec<u32>,
    pub(crate) request: GenerateRequest,
    pub(crate) trial: bool,
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

    /// Has the adapter on trial: where its numbers are none, it is refused rather than disabled.
    pub(crate) fn on_trial(mut self) -> Self {
        self.trial = true;
        self
    }

    /// The prompt's tokens, and what was asked for without the prompt.
    pub fn into_parts(self) -> (Vec<u32>, GenerateRequest) {
        (self.tokens, self.request)
    }
}

impl Frontend {
    /// For an engine that runs elsewhere: `noise` is how far its logits may differ between two batches. The base model is
    /// named by its weights where the folder has them, as by an engine that runs here, and by its configuration and
    /// tokenizer where it has not. Blocks; reads every byte of the folder's weights.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`] names the file, field or tensor that cannot be served.
    pub fn open(
        config: &EngineConfig,
        noise: f32,
        progress: &dyn Fn(LoadProgress),
    ) -> Result<Self, EngineError> {
        let facts = BaseFacts::of_folder(config, progress)?;
        let adapters = AdapterLimits {
            max_rank: config.max_rank,
            // Its memory is its own affair.
            bytes: usize::MAX,
            resident_bytes: Box::new(|file_bytes| file_bytes as usize),
        };
        Self::new(config, &facts, adapters, noise)
    }

    /// For an engine that has loaded the base model.
    pub(crate) fn new(
        config: &EngineConfig,
        facts: &BaseFacts,
        adapters: AdapterLimits,
        noise: f32,
    ) -> Result<Self, EngineError> {
        let model = Arc::clone(&facts.model);
        Ok(Self(Arc::new(Parts {
            base: BaseInfo {
                id: config.model_id.clone(),
                fingerprint: facts.fingerprint.clone(),
                parameters: facts.parameters,
                context_length: model.context_length,
            },
            folder: config.model.clone(),
            codec: Arc::new(TextCodec::read(&config.model, model.vocab_size)?),
            template: ChatTemplate::read(&config.model)?,
            model,
            adapters,
            noise,
        })))
    }

    /// The base model that is served.
    pub fn base(&self) -> &BaseInfo {
        &self.0.base
    }

    /// The folder that holds it.
    pub fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// A token that ends an answer, if the model has one.
    pub fn end_of_sequence(&self) -> Option<u32> {
        self.0.model.eos_tokens.first().copied()
    }

    pub(crate) fn codec(&self) -> &Arc<TextCodec> {
        &self.0.codec
    }

    /// The bytes that a token stands for; none for a special token.
    pub fn token_bytes(&self, id: u32) -> Vec<u8> {
        self.0.codec.token_bytes(id)
    }

    pub(crate) fn model(&self) -> &ModelConfig {
        &self.0.model
    }

    /// How far a logit may differ between two batches.
    pub(crate) fn noise(&self) -> f32 {
        self.0.noise
    }

    /// Checks a request and encodes its prompt: what it can cost is known then.
    ///
    /// # Errors
    /// What is wrong with the request, by its fields.
    pub async fn prepare(&self, mut request: GenerateRequest) -> Result<Prepared, EngineError> {
        request.sampling.check(self.0.model.vocab_size)?;
        let prompt = std::mem::replace(&mut request.prompt, Prompt::Tokens(Vec::new()));
        let tokens = if is_short(&prompt) {
            self.0.encode(&prompt)?
        } else {
            let parts = Arc::clone(&self.0);
            let encoded = spawn_blocking(move || parts.encode(&prompt)).await;
            encoded.map_err(|error| EngineError::Fault(format!("preparing a request failed: {error}")))??
        };
        let room = (self.0.model.context_length - tokens.len()) as u64;
        let most = request.sampling.max_tokens.map_or(room, |most| room.min(u64::from(most)));
        let most_output = most * u64::from(request.sampling.n.max(1));
        Ok(Prepared { most_output, tokens, request, trial: false })
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
        let (parts, (done, checked)) = (Arc::clone(&self.0), oneshot::channel());
        let work = move || {
            priority::lower(priority::CHECK);
            // Whoever asked may be gone.
            _ = done.send(parts.judge(&config, &weights));
        };
        let fault = |error: &dyn Error| EngineError::Fault(format!("an adapter was not checked: {error}"));
        thread::Builder::new().name("tenora-check".to_owned()).spawn(work).map_err(|error| fault(&error))?;
        Ok(checked.await.map_err(|error| fault(&error))??)
    }

    /// Writes an adapter into a folder as every engine reads it: verified, one rank, `alpha / r` the scale of all modules.
    /// Blocks.
    ///
    /// # Errors
    /// [`EngineError::Adapter`]: the files are not those of the digest. [`EngineError::Fault`]: the folder cannot be written.
    pub fn write_plain(&self, files: &AdapterFiles, folder: &Path) -> Result<(), EngineError> {
        lora::write_plain(files, (&self.0.model, self.0.adapters.max_rank), folder)
    }

    /// Writes the base model with an adapter in its weights into an empty folder, for an engine that knows no adapters.
    /// Blocks; reads and writes every byte of the weights.
    ///
    /// # Errors
    /// [`EngineError::Adapter`]: the files are not those of the digest. [`EngineError::BaseModel`]: the folder of the base
    /// model has not the weights that the adapter changes. [`EngineError::Fault`]: the folder cannot be written.
    pub fn write_merged(
        &self,
        files: &AdapterFiles,
        folder: &Path,
        progress: &dyn Fn(LoadProgress),
    ) -> Result<(), EngineError> {
        let limits = (&*self.0.model, self.0.adapters.max_rank);
        lora::write_merged(files, limits, (&self.0.folder, folder), progress)
    }
}

impl Parts {
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

    /// Blocks; holds one tensor at a time.
    fn judge(&self, config: &[u8], weights: &Path) -> Result<AdapterReport, AdapterRejection> {
        let AdapterLimits { max_rank, bytes: limit, resident_bytes } = &self.adapters;
        let mut report = lora::check(config, weights, &self.model, *max_rank)?;
        let bytes = resident_bytes(report.bytes);
        if bytes > *limit {
            return Err(residency::too_large(bytes, *limit));
        }
        report.passed_here(&self.base.id);
        Ok(report)
    }
}

/// Whether a prompt is too short for the way to another thread and back to be worth it.
fn is_short(prompt: &Prompt) -> bool {
    match prompt {
        Prompt::Chat(messages) => {
            let bytes = |ChatMessage { role, content, name }: &ChatMessage| {
                role.len() + content.len() + name.as_ref().map_or(0, String::len)
            };
            messages.len() <= SHORT_MESSAGES && messages.iter().map(bytes).sum::<usize>() <= SHORT_BYTES
        }
        Prompt::Text(text) => text.len() <= SHORT_BYTES,
        Prompt::Tokens(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_where_it_arrives_is_short() {
        let said = |bytes| ChatMessage { role: "user".to_owned(), content: "a".repeat(bytes), name: None };
        assert!(is_short(&Prompt::Text("a".repeat(SHORT_BYTES))));
        assert!(!is_short(&Prompt::Text("a".repeat(SHORT_BYTES + 1))));
        assert!(is_short(&Prompt::Chat(vec![said(10); SHORT_MESSAGES])));
        assert!(!is_short(&Prompt::Chat(vec![said(SHORT_BYTES)])), "the role counts, too");
        assert!(!is_short(&Prompt::Chat(vec![said(0); SHORT_MESSAGES + 1])));
    }
}
