//! Everything that can go wrong in the engine, by meaning. Knows no HTTP: the gateway's catalogue gives status and code.

use std::path::PathBuf;

use thiserror::Error;

/// What the engine could not do, and why.
#[derive(Debug, Clone, Error)]
pub enum EngineError {
    /// The base model's folder cannot be served: names the file, field or tensor.
    #[error("base model {path}: {problem}")]
    BaseModel {
        /// The file or folder at fault.
        path: PathBuf,
        /// What is wrong with it and what would fix it.
        problem: String,
    },
    /// The adapter cannot be honoured exactly, or its files are not what they were.
    #[error(transparent)]
    Adapter(#[from] AdapterRejection),
    /// A chat request to a base model that has no chat template.
    #[error("the base model has no chat template; use the completions endpoint")]
    NoChatTemplate,
    /// The chat template refused these messages.
    #[error("the chat template refused the messages: {0}")]
    Template(String),
    /// A sampling parameter outside its limits.
    #[error("{field}: {problem}")]
    Invalid {
        /// The parameter, by its wire name.
        field: &'static str,
        /// What is wrong and what is allowed.
        problem: String,
    },
    /// Prompt and answer do not fit into the context.
    #[error("the prompt has {prompt} tokens, and {context} are the most this model can hold with its answer")]
    ContextLength {
        /// Tokens of the prompt.
        prompt: usize,
        /// The model's context length.
        context: usize,
    },
    /// The waiting queue is full: come back later.
    #[error("the engine's queue is full ({limit} requests wait)")]
    QueueFull {
        /// How many may wait.
        limit: usize,
    },
    /// Nothing that could answer can be reached: come back later.
    #[error("no engine can answer now: {0}")]
    Unavailable(String),
    /// The request's deadline came before its end; everything it held is free.
    #[error("the request was not finished by its deadline")]
    DeadlineExceeded,
    /// Logits of the base model that are no numbers: a fault of ours. An adapter's are its own, and disable it.
    #[error("engine fault: the logits are not finite at position {position}")]
    NotFinite {
        /// The sequence's length by then, in tokens.
        position: usize,
    },
    /// The engine is stopping.
    #[error("the engine is shutting down")]
    ShuttingDown,
    /// A fault of ours; the text is for the log, not for a client.
    #[error("engine fault: {0}")]
    Fault(String),
}

/// Why an adapter was refused: client-safe words, a stable code, and the field or tensor at fault.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct AdapterRejection {
    /// Stable and machine-readable, such as `adapter_unsupported_dora`.
    pub code: &'static str,
    /// The config field or the tensor at fault.
    pub param: Option<String>,
    /// What was wrong, where, and what would fix it.
    pub message: String,
}

impl AdapterRejection {
    /// A refusal that names what is at fault.
    pub fn new(code: &'static str, param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, param: Some(param.into()), message: message.into() }
    }

    /// A refusal of the whole file or folder.
    pub fn whole(code: &'static str, message: impl Into<String>) -> Self {
        Self { code, param: None, message: message.into() }
    }
}
