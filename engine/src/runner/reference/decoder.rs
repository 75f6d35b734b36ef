//! The decoder of all served families: token rows in, logits out. Base linears come from `mistralrs-quant`, so a
//! quantised form needs no change here.

use std::sync::Arc;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{ops::rms_norm, rotary_emb::rope_thd};
use mistralrs_quant::{QuantMethod, QuantMethodConfig, ShardedVarBuilder, UnquantLinear, linear_no_bias};

use super::{
    ReferenceAdapter,
    attention::{KvPool, StepPlan},
};
use crate::{
    batch::{Batch, Segment},
    model::{ModelConfig, Projection},
};

/// The resident base model.
pub(super) struct Decoder {
    embedding: Tensor,
    layers: Vec<Layer>,
    norm: Norm,
    head: Arc<dyn QuantMethod>,
    rope: RopeTable,
}

impl Decoder {
    /// Loads every tensor; the checkpoint has already been compared with the model.
    pub(super) fn load(model: &ModelConfig, vb: ShardedVarBuilder) -> Result<Self> {
        let (vocab, hidden) = (model.vocab_size, model.hidden_size);
        let embedding = vb.get((vocab, hidden), "model.embed_tokens.weight")?;
        let head = if model.tied_embeddings {
            let linear = candle_nn::Linear::new(embedding.clone(), None);
            Arc::new(UnquantLinear::new(QuantMethodConfig::Unquantized(linear))?) as Arc<dyn QuantMethod>
        } else {
            linear_no_bias(hidden, vocab, &None, vb.pp("lm_head"))?
        };
        let layers = (0..model.layers).map(|i| Layer::load(model, i, &vb)).collect::<Result<_>>()?;
        let norm = Norm::load(model, hidden, vb.pp("model.norm"))?;
        let rope = RopeTable::new(model, vb.dtype(), vb.device())?;
        Ok(Self { embedding, layers, norm, head, rope })
    }

    /// Logits, `[sequences that want them, vocab_size]`, row by row.
    pub(super) fn forward(
        &self,
        batch: &Batch<ReferenceAdapter>,
        (plan, kv): (&StepPlan, &KvPool),
        between: &mut dyn FnMut(),
    ) -> Result<Vec<f32>> {
        let device = self.embedding.device();
        let tokens = Tensor::new(batch.tokens.as_slice(), device)?;
        let step = Step { plan, segments: &batch.segments, angles: self.rope.at(&batch.positions)?, kv };
        let mut hidden = self.embedding.index_select(&tokens, 0)?;
        for (index, layer) in self.layers.iter().enumerate() {
            between();
            hidden = layer.forward(&hidden, index, &step)?;
        }
        let last_rows: Vec<u32> = batch.wanted_rows().map(|row| row as u32).collect();
        if last_rows.is_empty() {
            return Ok(Vec::new());
        }
        let hidden = hidden.index_select(&Tensor::new(last_rows, device)?, 0)?;
        self.head.forward(&self.norm.forward(&hidden)?)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
    }
}

/// What all layers of one step share.
struct Step<'a> {
    plan: &'a StepPlan,
    segments: &'a [Segment<ReferenceAdapter>],
    angles: (Tensor, Tensor),
    kv: &'a KvPool,
}

struct Layer {
    projections: [Linear; 7],
    head_dim: usize,
    attention_norm: Norm,
    query_key_norms: Option<(Norm, Norm)>,
    mlp_norm: Norm,
}

impl Layer {
    fn load(model: &ModelConfig, index: usize, vb: &ShardedVarBuilder) -> Result<Self> {
        let (hidden, head_dim) = (model.hidden_size, model.head_dim);
        let here = vb.pp("model.layers").pp(index);
        let norm = |width, name| Norm::load(model, width, here.pp(name));
        let query_key_norms = match model.has_qk_norm() {
            true => Some((norm(head_dim, "self_attn.q_norm")?, norm(head_dim, "self_attn.k_norm")?)),
            false => None,
        };
        let projections = Projection::ALL
            .map(|p| Linear::load(model, p, vb.pp(p.path(index))))
            .into_iter()
            .collect::<Result<Vec<_>>>()?;
        let projections = projections
            .try_into()
            .map_err(|_| candle_core::Error::Msg("a layer has seven projections".to_owned()))?;
        Ok(Self {
            projections,
            head_dim,
            attention_norm: norm(hidden, "input_layernorm")?,
            query_key_norms,
            mlp_norm: norm(hidden, "post_attention_layernorm")?,
        })
    }

    /// One layer over `[rows, hidden_size]`.
    fn forward(&self, hidden: &Tensor, index: usize, step: &Step<'_>) -> Result<Tensor> {
        let project = |p: Projection, x: &Tensor| self.projections[p.index()].forward(x, (index, p), step);
        let x = self.attention_norm.forward(hidden)?;
        let (query_norm, key_norm) = match &self.query_key_norms {
            Some((query, key)) => (Some(query), Some(key)),
            None => (None, None),
        };
        let queries = self.rotate(project(Projection::QProj, &x)?, query_norm, step)?;
        let keys = self.rotate(project(Projection::KProj, &x)?, key_norm, step)?;
        let values = project(Projection::VProj, &x)?;
        let attended = step.kv.attend(index, step.plan, [&queries, &keys, &values])?;
        let hidden = (hidden + project(Projection::OProj, &attended)?)?;

        let x = self.mlp_norm.forward(&hidden)?;
        let gated = (project(Projection::GateProj, &x)?.silu()? * project(Projection::UpProj, &x)?)?;
        hidden + project(Projection::DownProj, &gated)?
    }

    /// Normalises heads where the family does, and turns them by their rows' angles.
    fn rotate(&self, x: Tensor, norm: Option<&Norm>, step: &Step<'_>) -> Result<Tensor> {
        let (rows, width) = x.dims2()?;
        let heads = x.reshape((1, rows, width / self.head_dim, self.head_dim))?;
        let heads = match norm {
            Some(norm) => norm.forward(&heads)?,
            None => heads,
        };
        rope_thd(&heads, &step.angles.0, &step.angles.1)?.reshape((rows, width))
    }
}

/// A base projection with its rows' adapters.
struct Linear {
    base: Arc<dyn QuantMethod>,
    bias: Option<Tensor>,
}

impl Linear {
    fn load(model: &ModelConfig, projection: Projection, vb: ShardedVarBuilder) -> Result<Self> {
        let (inputs, outputs) = model.projection_dims(projection);
        // The bias stays ours: on CUDA the crate's biased path accepts only batches of matrices.
        let bias = match model.has_bias(projection) {
            true => Some(vb.get(outputs, "bias")?),
            false => None,
        };
        Ok(Self { base: linear_no_bias(inputs, outputs, &None, vb)?, bias })
    }

    /// `W x + b`, and `s · B (A x)` for the rows of each adapter that targets this projection.
    fn forward(&self, x: &Tensor, place: (usize, Projection), step: &Step<'_>) -> Result<Tensor> {
        let y = self.base.forward(x)?;
        let y = match &self.bias {
            Some(bias) => y.broadcast_add(bias)?,
            None => y,
        };
        for segment in step.segments {
            let delta = segment.adapter.as_ref().and_then(|adapter| adapter.delta(place));
            if let Some(delta) = delta {
                let (start, len) = (segment.rows.start, segment.rows.len());
                let changed = (y.narrow(0, start, len)? + delta.apply(&x.narrow(0, start, len)?)?)?;
                y.slice_set(&changed, 0, start)?;
            }
        }
        Ok(y)
    }
}

struct Norm {
    weight: Tensor,
    epsilon: f32,
}

impl Norm {
    fn load(model: &ModelConfig, width: usize, vb: ShardedVarBuilder) -> Result<Self> {
        Ok(Self { weight: vb.get(width, "weight")?, epsilon: model.rms_norm_eps as f32 })
    }

    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        rms_norm(x, &self.weight, self.epsilon)
    }
}

/// Cosines and sines of every position of the context, `[context, head_dim / 2]`.
struct RopeTable {
    cos: Tensor,
    sin: Tensor,
}

impl RopeTable {
    fn new(model: &ModelConfig, dtype: DType, device: &Device) -> Result<Self> {
        let frequencies = model.rope.inverse_frequencies(model.head_dim);
        let frequencies = Tensor::from_vec(frequencies, (1, model.head_dim / 2), device)?;
        let positions = Tensor::arange(0, model.context_length as u32, device)?;
        let angles = positions.to_dtype(DType::F32)?.unsqueeze(1)?.matmul(&frequencies)?;
        Ok(Self { cos: angles.cos()?.to_dtype(dtype)?, sin: angles.sin()?.to_dtype(dtype)? })
    }

    fn at(&self, positions: &[u32]) -> Result<(Tensor, Tensor)> {
        let positions = Tensor::new(positions, self.cos.device())?;
        Ok((self.cos.index_select(&positions, 0)?, self.sin.index_select(&positions, 0)?))
    }
}
