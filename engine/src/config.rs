//! The engine's settings, already validated: it reads no environment.

use std::path::PathBuf;

/// Everything the engine needs to start.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// A Hugging Face model folder.
    pub model: PathBuf,
    /// What clients call the base model.
    pub model_id: String,
    /// Where to compute.
    pub device: DeviceChoice,
    /// How: the reference runner is slower everywhere, and the judge of the others.
    pub runner: RunnerChoice,
    /// Threads of the cpu runner; `None` = one for each core.
    pub threads: Option<usize>,
    /// Instructions of the cpu runner; `None` = the best that the machine has. Results do not depend on it.
    pub instruction_set: Option<InstructionSet>,
    /// Weights of the cpu runner; `None` = as they are stored.
    pub quantization: Option<Quantization>,
    /// Bytes for the pool of KV blocks; `None` = what the cuda runner finds free on the device beside all else, elsewhere
    /// [`EngineConfig::KV_BYTES`].
    pub kv_bytes: Option<usize>,
    /// Bytes for resident adapters; `None` = a fifth of what the cuda runner finds free, elsewhere
    /// [`EngineConfig::ADAPTER_BYTES`].
    pub adapter_bytes: Option<usize>,
    /// Highest LoRA rank that is accepted.
    pub max_rank: usize,
    /// Longest context served; `None` = the model's own.
    pub context_length: Option<usize>,
    /// Rows (decode and prefill tokens) of one step at most.
    pub max_batch_rows: usize,
    /// Sequences of one step at most.
    pub max_batch_sequences: usize,
    /// How long a step with decoding sequences should take at most: prompts beside them get what is left of it, and half
    /// of it at least.
    pub step_target_ms: u64,
    /// Requests that may wait; one more is refused.
    pub queue_limit: usize,
    /// Check every invariant after every step; for tests.
    pub paranoid: bool,
}

impl EngineConfig {
    /// Bytes for the pool of KV blocks when the settings do not say.
    pub const KV_BYTES: usize = 512 << 20;
    /// Bytes for resident adapters when the settings do not say.
    pub const ADAPTER_BYTES: usize = 1 << 30;

    /// Defaults for a model folder, which gives the model its name; sized for a small machine.
    pub fn new(model: impl Into<PathBuf>) -> Self {
        let model = model.into();
        let model_id =
            model.file_name().map_or_else(|| "base".to_owned(), |name| name.to_string_lossy().into_owned());
        Self {
            model,
            model_id,
            device: DeviceChoice::Auto,
            runner: RunnerChoice::Auto,
            threads: None,
            instruction_set: None,
            quantization: None,
            kv_bytes: None,
            adapter_bytes: None,
            max_rank: 256,
            context_length: None,
            max_batch_rows: 256,
            max_batch_sequences: 32,
            step_target_ms: 100,
            queue_limit: 256,
            paranoid: false,
        }
    }

    /// Bytes for the pool of KV blocks, where it lies in the machine's own memory.
    pub fn host_kv_bytes(&self) -> usize {
        self.kv_bytes.unwrap_or(Self::KV_BYTES)
    }

    /// Bytes for resident adapters, where they lie in the machine's own memory.
    pub fn host_adapter_bytes(&self) -> usize {
        self.adapter_bytes.unwrap_or(Self::ADAPTER_BYTES)
    }
}

/// Where the engine computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// The first GPU when built for CUDA and one is there, else the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// A CUDA device by number.
    Cuda(usize),
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RunnerChoice {
    /// The fastest one for the device.
    #[default]
    Auto,
    /// Own kernels, on a CPU.
    Cpu,
    /// Own kernels, on a CUDA device.
    Cuda,
    /// candle's tensors, on any device.
    Reference,
}

/// A form of the base weights with fewer bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantization {
    /// llama.cpp's Q8_0: groups of 32 signed bytes with one f16 scale, by candle's quantiser. Adapters stay as they are.
    Q8_0,
}

/// Instructions of the cpu runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstructionSet {
    /// AVX2, FMA and F16C registers; x86-64 only.
    Avx2,
    /// Plain arrays, on any machine.
    Portable,
}

impl InstructionSet {
    /// Whether this machine has it.
    pub fn is_available(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2")
                    && is_x86_feature_detected!("fma")
                    && is_x86_feature_detected!("f16c")
            }
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx2 => false,
        }
    }
}

/// Progress of loading the base model, for a progress bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LoadProgress {
    /// Bytes of weights read so far.
    pub done: u64,
    /// Bytes of weights in all.
    pub total: u64,
}
