//! Every tensor that a checkpoint of a model must have, and its shape.

use super::{config::ModelConfig, projection::Projection};

/// A tensor that a checkpoint must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpectedTensor {
    /// Its name in the file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
}

impl ModelConfig {
    /// Inputs and outputs of a projection; its weight is `[outputs, inputs]`.
    pub fn projection_dims(&self, projection: Projection) -> (usize, usize) {
        let (queries, keys) = (self.heads * self.head_dim, self.kv_heads * self.head_dim);
        match projection {
            Projection::QProj => (self.hidden_size, queries),
            Projection::KProj | Projection::VProj => (self.hidden_size, keys),
            Projection::OProj => (queries, self.hidden_size),
            Projection::GateProj | Projection::UpProj => (self.hidden_size, self.intermediate_size),
            Projection::DownProj => (self.intermediate_size, self.hidden_size),
        }
    }

    /// Every tensor of the model, embeddings first.
    pub fn expected_tensors(&self) -> Vec<ExpectedTensor> {
        let mut tensors = vec![
            expected("model.embed_tokens.weight", [self.vocab_size, self.hidden_size]),
            expected("model.norm.weight", [self.hidden_size]),
        ];
        if !self.tied_embeddings {
            tensors.push(expected("lm_head.weight", [self.vocab_size, self.hidden_size]));
        }
        for layer in 0..self.layers {
            let prefix = format!("model.layers.{layer}");
            for norm in ["input_layernorm", "post_attention_layernorm"] {
                tensors.push(expected(format!("{prefix}.{norm}.weight"), [self.hidden_size]));
            }
            if self.has_qk_norm() {
                for norm in ["q_norm", "k_norm"] {
                    tensors.push(expected(format!("{prefix}.self_attn.{norm}.weight"), [self.head_dim]));
                }
            }
            for projection in Projection::ALL {
                let (inputs, outputs) = self.projection_dims(projection);
                let path = projection.path(layer);
                tensors.push(expected(format!("{path}.weight"), [outputs, inputs]));
                if self.has_bias(projection) {
                    tensors.push(expected(format!("{path}.bias"), [outputs]));
                }
            }
        }
        tensors
    }
}

fn expected<const N: usize>(name: impl Into<String>, shape: [usize; N]) -> ExpectedTensor {
    ExpectedTensor { name: name.into(), shape: shape.to_vec() }
}
