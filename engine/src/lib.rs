#![doc = include_str!("../README.md")]

// In reading order: a module knows only those below it.
mod handle;

mod plan;
mod shared;

mod canary;

mod answers;

pub mod backend;

mod frontend;

mod worker;

mod step;

mod active;
mod residency;

pub mod runner;

pub mod batch;

pub mod lora;

pub mod model;

mod grammar;

mod template;
mod tokenizer;

mod sampler;
mod stop;

pub mod logits;

mod stats;

pub mod kv_pool;
pub mod observer;
mod priority;
mod queue;
pub mod request;

pub mod config;
pub mod error;

pub use answers::{Answerer, Answers};
pub use backend::{Backend, TokenStream};
pub use canary::{Answer, Canary, Trials};
pub use config::{DeviceChoice, EngineConfig, InstructionSet, LoadProgress, Quantization, RunnerChoice};
pub use error::{AdapterRejection, EngineError};
pub use frontend::{BaseInfo, Frontend, Prepared};
pub use handle::Engine;
pub use lora::{AdapterReport, ModuleNorm, Warning, check_offline as check_adapter_offline};
pub use observer::{Observer, Step};
pub use plan::Plan;
pub use queue::{Queue, QueuePlace};
pub use request::{
    AdapterFiles, CacheDomain, ChatMessage, Event, FinishReason, GenerateRequest, Progress, Prompt,
    RankedToken, ResponseFormat, Sampling, Timing, TokenLogprob, Usage,
};
pub use stats::{AdapterStats, Capacity, DisabledAdapter, Evictions, Resident, Stats, TokenStats};
