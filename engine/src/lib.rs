#![doc = include_str!("../README.md")]

// In reading order: a module knows only those below it.
mod handle;

mod canary;
mod plan;

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

mod stats;

pub mod kv_pool;
pub mod observer;
mod priority;
mod queue;
pub mod request;

pub mod config;
pub mod error;

pub use canary::Canary;
pub use config::{DeviceChoice, EngineConfig, InstructionSet, LoadProgress, Quantization, RunnerChoice};
pub use error::{AdapterRejection, EngineError};
pub use handle::{BaseInfo, Engine, Prepared, TokenStream};
pub use lora::{AdapterReport, ModuleNorm, Warning, check_offline as check_adapter_offline};
pub use observer::{Observer, Step};
pub use plan::Plan;
pub use request::{
    AdapterFiles, CacheDomain, ChatMessage, Event, FinishReason, GenerateRequest, Progress, Prompt,
    RankedToken, ResponseFormat, Sampling, Timing, TokenLogprob, Usage,
};
pub use stats::{AdapterStats, Capacity, DisabledAdapter, Evictions, Resident, Stats, TokenStats};
