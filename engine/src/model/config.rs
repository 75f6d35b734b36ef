//! A Hugging Face `config.json` of the families that one decoder covers, read strictly: what we would compute wrongly
//! is an error that names the field.

use std::{fmt, path::Path};

use super::{
    fields::{Fields, fault},
    projection::Projection,
    rope::Rope,
};
use crate::error::EngineError;

/// The model families served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Architecture {
    /// Llama 2 and 3.x, SmolLM2, TinyLlama.
    Llama,
    /// Mistral.
    Mistral,
    /// Qwen2 and Qwen2.5.
    Qwen2,
    /// Qwen3, dense.
    Qwen3,
    /// One that no runner here computes, for engines that do: a decoder whose projections are named and sized as Llama's.
    Other,
}

impl Architecture {
    /// The family's class in transformers.
    pub fn class(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
            Self::Other => "model of another family",
        }
    }

    /// The family's `model_type`.
    fn model_type(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Other => "",
        }
    }

    /// Those that runners compute.
    const ALL: [Self; 4] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];
}

impl fmt::Display for Architecture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.class())
    }
}

/// The shape of a base model and the constants of its arithmetic.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelConfig {
    /// The family.
    pub architecture: Architecture,
    /// Width of the residual stream.
    pub hidden_size: usize,
    /// Width of the feed-forward block.
    pub intermediate_size: usize,
    /// Decoder layers.
    pub layers: usize,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub kv_heads: usize,
    /// Width of one head; even, and not always `hidden_size / heads`.
    pub head_dim: usize,
    /// Rows of the embedding, and logits of a token.
    pub vocab_size: usize,
    /// Epsilon of every RMS norm.
    pub rms_norm_eps: f64,
    /// Rotary position embedding.
    pub rope: Rope,
    /// Longest context that is computed exactly as the model was made for, in tokens.
    pub context_length: usize,
    /// Whether the output layer is the embedding.
    pub tied_embeddings: bool,
    /// Tokens that end an answer.
    pub eos_tokens: Vec<u32>,
    biased: Vec<Projection>,
}

impl ModelConfig {
    /// Reads `config.json` of a model folder, and end-of-sequence tokens from `generation_config.json` where it has any.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`] names the file and the field that cannot be served.
    pub fn read(dir: &Path) -> Result<Self, EngineError> {
        let fields = Fields::read(&dir.join("config.json"))?;
        let architecture = architecture(&fields)?;
        refuse_what_differs(&fields)?;
        Self::read_as(architecture, dir, &fields)
    }

    /// The same for an engine that computes other families, too: of one that no runner here knows, what requests and
    /// adapters have to fit.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`] names the file and the field that has to be there.
    pub fn read_any(dir: &Path) -> Result<Self, EngineError> {
        Self::read(dir)
            .or_else(|_| Self::read_as(Architecture::Other, dir, &Fields::read(&dir.join("config.json"))?))
    }

    fn read_as(architecture: Architecture, dir: &Path, fields: &Fields) -> Result<Self, EngineError> {
        let mut config = Self::parse(architecture, fields)?;
        let generation = dir.join("generation_config.json");
        if generation.exists()
            && let Some(eos) = Fields::read(&generation)?.token_ids("eos_token_id")?
        {
            config.eos_tokens = eos;
        }
        if let Some(id) = config.eos_tokens.iter().find(|&&id| id as usize >= config.vocab_size) {
            let problem = format!("`eos_token_id` {id} is outside the vocabulary of {}", config.vocab_size);
            return Err(fault(dir, problem));
        }
        Ok(config)
    }

    /// Whether a projection adds a bias.
    pub fn has_bias(&self, projection: Projection) -> bool {
        self.biased.contains(&projection)
    }

    /// Whether queries and keys are normalised per head.
    pub fn has_qk_norm(&self) -> bool {
        self.architecture == Architecture::Qwen3
    }

    /// Everything beyond the tensors that changes the model's answers, in one line; part of its fingerprint.
    pub(super) fn arithmetic(&self) -> String {
        let Self { architecture, heads, kv_heads, head_dim, rms_norm_eps, rope, tied_embeddings, .. } = self;
        format!(
            "{} heads={heads} kv_heads={kv_heads} head_dim={head_dim} eps={rms_norm_eps:e} theta={:e} scaling={:?} \
             tied={tied_embeddings}",
            architecture.class(),
            rope.theta,
            rope.scaling,
        )
    }

    fn parse(architecture: Architecture, config: &Fields) -> Result<Self, EngineError> {
        let hidden_size = config.size("hidden_size")?;
        let heads = config.size("num_attention_heads")?;
        let kv_heads = config.optional_size("num_key_value_heads")?.unwrap_or(heads);
        if kv_heads > heads || !heads.is_multiple_of(kv_heads) {
            let problem = format!("is {kv_heads}, and must divide `num_attention_heads` = {heads}");
            return Err(config.problem("num_key_value_heads", &problem));
        }
        Ok(Self {
            architecture,
            hidden_size,
            intermediate_size: config.size("intermediate_size")?,
            layers: layers(config)?,
            heads,
            kv_heads,
            head_dim: head_dim(config, architecture, hidden_size, heads)?,
            vocab_size: config.size("vocab_size")?,
            rms_norm_eps: config.optional_number("rms_norm_eps")?.unwrap_or(1e-6),
            rope: match architecture {
                Architecture::Other => Rope::default(),
                _ => Rope::read(config)?,
            },
            context_length: context_length(config, architecture)?,
            tied_embeddings: config.flag("tie_word_embeddings", false)?,
            eos_tokens: config.token_ids("eos_token_id")?.unwrap_or_default(),
            biased: biased(config, architecture)?,
        })
    }
}

fn architecture(config: &Fields) -> Result<Architecture, EngineError> {
    let known = || Architecture::ALL.map(Architecture::class).join(", ");
    if let Some(classes) = config.get("architectures") {
        let class = classes.get(0).and_then(|c| c.as_str()).unwrap_or_default();
        return Architecture::ALL.into_iter().find(|a| a.class() == class).ok_or_else(|| {
            config.problem("architectures", &format!("is {classes}; this engine serves {}", known()))
        });
    }
    let model_type = config.text("model_type")?.unwrap_or_default();
    Architecture::ALL
        .into_iter()
        .find(|a| a.model_type() == model_type)
        .ok_or_else(|| config.problem("architectures", &format!("is missing; write one of {}", known())))
}

/// Fields whose other values would need arithmetic that the decoder does not have.
fn refuse_what_differs(config: &Fields) -> Result<(), EngineError> {
    let activation = config.text("hidden_act")?.unwrap_or("silu");
    if !matches!(activation, "silu" | "swish") {
        let problem = format!("is `{activation}`, and only `silu` is supported");
        return Err(config.problem("hidden_act", &problem));
    }
    if config.get("quantization_config").is_some() {
        let fix = "says that the checkpoint is quantised; use the f32, bf16 or f16 checkpoint instead";
        return Err(config.problem("quantization_config", fix));
    }
    Ok(())
}

fn layers(config: &Fields) -> Result<usize, EngineError> {
    const MOST: usize = 1024;
    match config.size("num_hidden_layers")? {
        layers if layers <= MOST => Ok(layers),
        _ => Err(config.problem("num_hidden_layers", &format!("is above {MOST}"))),
    }
}

fn head_dim(
    config: &Fields,
    architecture: Architecture,
    hidden_size: usize,
    heads: usize,
) -> Result<usize, EngineError> {
    const QWEN3_DEFAULT: usize = 128;
    let head_dim = match (config.optional_size("head_dim")?, architecture) {
        (Some(dim), _) => dim,
        (None, Architecture::Qwen3) => QWEN3_DEFAULT,
        (None, _) if hidden_size.is_multiple_of(heads) => hidden_size / heads,
        (None, _) => return Err(config.problem("hidden_size", "is not divisible by `num_attention_heads`")),
    };
    if !head_dim.is_multiple_of(2) {
        return Err(config.problem("head_dim", "must be even for rotary embedding"));
    }
    Ok(head_dim)
}

/// The model's context, but no longer than its sliding window: within one window, sliding and full attention agree.
fn context_length(config: &Fields, architecture: Architecture) -> Result<usize, EngineError> {
    let context = config.size("max_position_embeddings")?;
    match sliding_window(config, architecture)? {
        Some(window) if window < context => {
            tracing::warn!(context, window, "Serving a context no longer than the model's sliding window");
            Ok(window)
        }
        _ => Ok(context),
    }
}

fn sliding_window(config: &Fields, architecture: Architecture) -> Result<Option<usize>, EngineError> {
    if architecture == Architecture::Other {
        return Ok(None);
    }
    let slides = match architecture {
        Architecture::Llama | Architecture::Other => false,
        Architecture::Mistral => true,
        Architecture::Qwen2 | Architecture::Qwen3 => config.flag("use_sliding_window", false)?,
    };
    let slides_by_layer = config
        .get("layer_types")
        .and_then(|types| types.as_array())
        .is_some_and(|types| types.iter().any(|t| t.as_str() == Some("sliding_attention")));
    if slides || slides_by_layer { config.optional_size("sliding_window") } else { Ok(None) }
}

fn biased(config: &Fields, architecture: Architecture) -> Result<Vec<Projection>, EngineError> {
    let (attention, mlp) = Projection::ALL.split_at(4);
    let mut biased = Vec::new();
    match architecture {
        Architecture::Qwen2 => biased.extend(&attention[..3]),
        Architecture::Llama | Architecture::Qwen3 if config.flag("attention_bias", false)? => {
            biased.extend(attention);
        }
        Architecture::Llama | Architecture::Qwen3 | Architecture::Mistral | Architecture::Other => {}
    }
    if architecture == Architecture::Llama && config.flag("mlp_bias", false)? {
        biased.extend(mlp);
    }
    Ok(biased)
}
