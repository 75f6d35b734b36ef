//! Named shapes of base models: the numbers of their `config.json`, and the tensors that follow from them.

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use crate::weights::{Fill, Tensor};

/// A shape by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ShapeName {
    /// For the benchmark's own test.
    Tiny,
    /// SmolLM2-135M with a vocabulary of 32,000: the shape that the figures in bench/README.md are for.
    #[value(name = "smollm2-135m")]
    #[serde(rename = "smollm2-135m")]
    Smollm2,
    /// Qwen3-0.6B.
    #[value(name = "qwen3-0.6b")]
    #[serde(rename = "qwen3-0.6b")]
    Qwen3,
    /// Llama-3.2-1B.
    #[value(name = "llama-3.2-1b")]
    #[serde(rename = "llama-3.2-1b")]
    Llama32,
    /// Llama-3.1-8B.
    #[value(name = "llama-3.1-8b")]
    #[serde(rename = "llama-3.1-8b")]
    Llama31,
}

/// The numbers of a decoder.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    pub(crate) architecture: &'static str,
    pub(crate) hidden: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
    pub(crate) intermediate: usize,
    pub(crate) vocabulary: usize,
    pub(crate) context: usize,
    /// Whether the output layer is the embedding.
    tied: bool,
    #[serde(skip)]
    rms_norm_eps: f64,
    #[serde(skip)]
    rope: Rope,
}

#[derive(Debug, Clone)]
struct Rope {
    theta: f64,
    /// Llama 3's stretching, by this factor.
    llama3_factor: Option<f64>,
}

/// One of the seven linear maps of a layer.
pub(crate) struct Projection {
    /// Such as `self_attn.q_proj`.
    pub(crate) path: &'static str,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl ShapeName {
    pub(crate) fn shape(self) -> Shape {
        let llama = |name| Shape {
            name,
            architecture: "LlamaForCausalLM",
            hidden: 64,
            layers: 2,
            heads: 4,
            kv_heads: 2,
            head_dim: 16,
            intermediate: 128,
            vocabulary: 512,
            context: 2048,
            tied: true,
            rms_norm_eps: 1e-5,
            rope: Rope { theta: 100_000.0, llama3_factor: None },
        };
        match self {
            Self::Tiny => llama("tiny"),
            Self::Smollm2 => Shape {
                hidden: 576,
                layers: 30,
                heads: 9,
                kv_heads: 3,
                head_dim: 64,
                intermediate: 1536,
                vocabulary: 32_000,
                context: 8192,
                ..llama("smollm2-135m")
            },
            Self::Qwen3 => Shape {
                architecture: "Qwen3ForCausalLM",
                hidden: 1024,
                layers: 28,
                heads: 16,
                kv_heads: 8,
                head_dim: 128,
                intermediate: 3072,
                vocabulary: 151_936,
                context: 40_960,
                rms_norm_eps: 1e-6,
                rope: Rope { theta: 1_000_000.0, llama3_factor: None },
                ..llama("qwen3-0.6b")
            },
            Self::Llama32 => Shape {
                hidden: 2048,
                layers: 16,
                heads: 32,
                kv_heads: 8,
                head_dim: 64,
                intermediate: 8192,
                vocabulary: 128_256,
                context: 131_072,
                rope: Rope { theta: 500_000.0, llama3_factor: Some(32.0) },
                ..llama("llama-3.2-1b")
            },
            Self::Llama31 => Shape {
                hidden: 4096,
                layers: 32,
                heads: 32,
                kv_heads: 8,
                head_dim: 128,
                intermediate: 14_336,
                vocabulary: 128_256,
                context: 131_072,
                tied: false,
                rope: Rope { theta: 500_000.0, llama3_factor: Some(8.0) },
                ..llama("llama-3.1-8b")
            },
        }
    }
}

impl Shape {
    /// `config.json`.
    pub(crate) fn config(&self, dtype: &str) -> Value {
        let scaling = self.rope.llama3_factor.map(|factor| {
            json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": 1.0,
                "high_freq_factor": 4.0,
                "original_max_position_embeddings": 8192,
            })
        });
        json!({
            "architectures": [self.architecture],
            "model_type": if self.has_qk_norm() { "qwen3" } else { "llama" },
            "hidden_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.kv_heads,
            "head_dim": self.head_dim,
            "intermediate_size": self.intermediate,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.context,
            "rms_norm_eps": self.rms_norm_eps,
            "rope_theta": self.rope.theta,
            "rope_scaling": scaling,
            "hidden_act": "silu",
            "attention_bias": false,
            "tie_word_embeddings": self.tied,
            "torch_dtype": dtype,
        })
    }

    /// Every tensor of the checkpoint, always in this order.
    pub(crate) fn tensors(&self) -> Vec<Tensor> {
        let ones = |name: String, length| Tensor { name, shape: vec![length], fill: Fill::Ones };
        let normal = |name: String, shape| Tensor { name, shape, fill: Fill::Normal };
        let mut tensors = vec![
            normal("model.embed_tokens.weight".to_owned(), vec![self.vocabulary, self.hidden]),
            ones("model.norm.weight".to_owned(), self.hidden),
        ];
        for layer in 0..self.layers {
            let name = |rest: &str| format!("model.layers.{layer}.{rest}.weight");
            tensors.push(ones(name("input_layernorm"), self.hidden));
            tensors.push(ones(name("post_attention_layernorm"), self.hidden));
            if self.has_qk_norm() {
                tensors.push(ones(name("self_attn.q_norm"), self.head_dim));
                tensors.push(ones(name("self_attn.k_norm"), self.head_dim));
            }
            let maps = self.projections();
            tensors.extend(maps.iter().map(|map| normal(name(map.path), vec![map.outputs, map.inputs])));
        }
        if !self.tied {
            tensors.push(normal("lm_head.weight".to_owned(), vec![self.vocabulary, self.hidden]));
        }
        tensors
    }

    /// The seven linear maps of every layer.
    pub(crate) fn projections(&self) -> [Projection; 7] {
        let (hidden, inner) = (self.hidden, self.intermediate);
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        let map = |path, inputs, outputs| Projection { path, inputs, outputs };
        [
            map("self_attn.q_proj", hidden, queries),
            map("self_attn.k_proj", hidden, keys),
            map("self_attn.v_proj", hidden, keys),
            map("self_attn.o_proj", queries, hidden),
            map("mlp.gate_proj", hidden, inner),
            map("mlp.up_proj", hidden, inner),
            map("mlp.down_proj", inner, hidden),
        ]
    }

    /// Numbers in all tensors. Each is read once for every token of a single stream (a tied embedding as output layer), but for
    /// an embedding of its own.
    pub(crate) fn parameters(&self) -> usize {
        self.tensors().iter().map(Tensor::numbers).sum()
    }

    /// Keys and values of one token, in f32.
    pub(crate) fn kv_bytes_per_token(&self) -> usize {
        2 * self.layers * self.kv_heads * self.head_dim * 4
    }

    fn has_qk_norm(&self) -> bool {
        self.architecture == "Qwen3ForCausalLM"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shapes_have_the_sizes_of_their_models() {
        // SmolLM2-135M has 134,515,008 parameters with its own vocabulary of 49,152.
        let smollm2 = ShapeName::Smollm2.shape();
        assert_eq!(smollm2.parameters(), 134_515_008 - (49_152 - 32_000) * 576);
        // As their model cards' safetensors say.
        assert_eq!(ShapeName::Qwen3.shape().parameters(), 596_049_920);
        assert_eq!(ShapeName::Llama32.shape().parameters(), 1_235_814_400);
        assert_eq!(ShapeName::Llama31.shape().parameters(), 8_030_261_248);
    }
}
