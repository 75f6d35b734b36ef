#![doc = include_str!("../README.md")]

// In reading order: a module knows only those below it.
#[cfg(feature = "mistralrs")]
mod mistralrs;

mod fleet;

mod server;

mod counts;

mod folder;
mod shelf;

mod generation;

mod router;

mod vllm;

mod names;

pub mod settings;

/// How far a log probability of a vLLM server may differ between two batches, with 16-bit numbers; an adapter that changes
/// less than twice that is taken for one that does nothing.
pub const NOISE: f32 = 0.01;

pub use fleet::{Fleet, probe};
#[cfg(feature = "mistralrs")]
pub use mistralrs::{Mistralrs, MistralrsSettings};
pub use server::{ServerState, ServerStatus};
pub use settings::{FleetSettings, ServerUrl};
