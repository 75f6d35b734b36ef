//! The base model's weights on the device: one allocation, matrices that share an input in one piece, so that queries, keys
//! and values are one product, and gate and up another.

use safetensors::tensor::TensorView;
use tenora_kernels::abi::Element;

use super::{
    gpu::{DeviceMemory, Gpu, GpuError},
    memory::Layout,
    numbers::{as_bytes, convert},
};
use crate::{
    error::EngineError,
    model::{Checkpoint, ModelConfig, Projection},
};

/// Numbers that are converted and sent at a time.
const CHUNK_NUMBERS: usize = 4 << 20;

/// Where everything lies.
pub(super) struct Weights<G: Gpu> {
    pub(super) places: Places,
    /// Held for its addresses.
    _memory: G::Memory,
}

/// Addresses of weights, as a checkpoint has them, row by row; 0 is where the model has none.
pub(super) struct Places {
    /// `[vocab_size, hidden_size]`.
    pub(super) embedding: u64,
    /// `[vocab_size, hidden_size]`, perhaps the embedding.
    pub(super) head: u64,
    /// `[hidden_size]`.
    pub(super) norm: u64,
    /// `[head_dim / 2]` of `f32`.
    pub(super) frequencies: u64,
    pub(super) layers: Vec<LayerPlaces>,
}

/// One layer's.
pub(super) struct LayerPlaces {
    pub(super) attention_norm: u64,
    pub(super) mlp_norm: u64,
    /// `[head_dim]`.
    pub(super) query_norm: u64,
    /// `[head_dim]`.
    pub(super) key_norm: u64,
    /// `[(heads + 2 · kv_heads) · head_dim, hidden_size]`.
    pub(super) qkv: u64,
    /// `[hidden_size, heads · head_dim]`.
    pub(super) output: u64,
    /// `[2 · intermediate_size, hidden_size]`.
    pub(super) gate_up: u64,
    /// `[hidden_size, intermediate_size]`.
    pub(super) down: u64,
    /// By [`Projection::index`].
    pub(super) biases: [u64; 7],
}

impl<G: Gpu> Weights<G> {
    /// Bytes that the weights take.
    pub(super) fn bytes(model: &ModelConfig, element: Element) -> usize {
        let mut placing = Placing::new(model, element, 0);
        placing.all();
        placing.layout.bytes()
    }

    /// Brings every tensor onto the device; the checkpoint has already been compared with the model.
    pub(super) fn load(
        gpu: &G,
        model: &ModelConfig,
        checkpoint: &Checkpoint,
        element: Element,
    ) -> Result<Self, EngineError> {
        let refuse = |error: GpuError| checkpoint.fault(format!("its weights do not fit: {error}"));
        let memory = gpu.allocate(Self::bytes(model, element)).map_err(refuse)?;
        let mut placing = Placing::new(model, element, memory.address());
        let places = placing.all();
        let frequencies = model.rope.inverse_frequencies(model.head_dim);
        // SAFETY: the place has room for them.
        unsafe { gpu.upload(as_bytes(&frequencies), places.frequencies) }.map_err(refuse)?;
        for (name, place) in &placing.tensors {
            bring(gpu, &checkpoint.tensor(name)?, element, *place).map_err(refuse)?;
        }
        Ok(Self { places, _memory: memory })
    }
}

/// Sends a tensor to its place.
fn bring<G: Gpu>(gpu: &G, tensor: &TensorView<'_>, element: Element, mut place: u64) -> Result<(), GpuError> {
    let numbers: usize = tensor.shape().iter().product();
    let chunk_bytes = CHUNK_NUMBERS * (tensor.data().len() / numbers.max(1));
    let mut converted = Vec::new();
    for chunk in tensor.data().chunks(chunk_bytes.max(1)) {
        converted.clear();
        convert(tensor.dtype(), chunk, element, &mut converted);
        // SAFETY: `Placing` gave the tensor a place for all its numbers.
        unsafe { gpu.upload(&converted, place) }?;
        place += converted.len() as u64;
    }
    Ok(())
}

/// Gives every tensor its place.
struct Placing<'a> {
    model: &'a ModelConfig,
    element: Element,
    layout: Layout,
    tensors: Vec<(String, u64)>,
}

impl<'a> Placing<'a> {
    fn new(model: &'a ModelConfig, element: Element, start: u64) -> Self {
        Self { model, element, layout: Layout::at(start), tensors: Vec::new() }
    }

    fn all(&mut self) -> Places {
        let model = self.model;
        let (hidden, table) = (model.hidden_size, model.vocab_size * model.hidden_size);
        let embedding = self.tensor("model.embed_tokens.weight", table);
        let head = if model.tied_embeddings { embedding } else { self.tensor("lm_head.weight", table) };
        Places {
            embedding,
            head,
            norm: self.tensor("model.norm.weight", hidden),
            frequencies: self.layout.take(model.head_dim / 2 * size_of::<f32>()),
            layers: (0..model.layers).map(|index| self.layer(index)).collect(),
        }
    }

    fn layer(&mut self, index: usize) -> LayerPlaces {
        use Projection::{DownProj, GateProj, KProj, OProj, QProj, UpProj, VProj};
        let (hidden, head_dim) = (self.model.hidden_size, self.model.head_dim);
        let has_qk_norm = self.model.has_qk_norm();
        let mut norm = |name: &str, width| self.tensor(&format!("model.layers.{index}.{name}.weight"), width);
        let (attention_norm, mlp_norm) =
            (norm("input_layernorm", hidden), norm("post_attention_layernorm", hidden));
        let (query_norm, key_norm) = match has_qk_norm {
            true => (norm("self_attn.q_norm", head_dim), norm("self_attn.k_norm", head_dim)),
            false => (0, 0),
        };
        LayerPlaces {
            attention_norm,
            mlp_norm,
            query_norm,
            key_norm,
            qkv: self.stacked(index, &[QProj, KProj, VProj]),
            output: self.stacked(index, &[OProj]),
            gate_up: self.stacked(index, &[GateProj, UpProj]),
            down: self.stacked(index, &[DownProj]),
            biases: Projection::ALL.map(|projection| self.bias(index, projection)),
        }
    }

    /// Matrices of one width, one below the other.
    fn stacked(&mut self, layer: usize, projections: &[Projection]) -> u64 {
        let numbers = |projection: &Projection| {
            let (inputs, outputs) = self.model.projection_dims(*projection);
            inputs * outputs * self.element.bytes()
        };
        let place = self.layout.take(projections.iter().map(numbers).sum());
        let mut next = place;
        for projection in projections {
            self.tensors.push((format!("{}.weight", projection.path(layer)), next));
            let (inputs, outputs) = self.model.projection_dims(*projection);
            next += (inputs * outputs * self.element.bytes()) as u64;
        }
        place
    }

    fn bias(&mut self, layer: usize, projection: Projection) -> u64 {
        if !self.model.has_bias(projection) {
            return 0;
        }
        let (_, outputs) = self.model.projection_dims(projection);
        self.tensor(&format!("{}.bias", projection.path(layer)), outputs)
    }

    fn tensor(&mut self, name: &str, numbers: usize) -> u64 {
        let place = self.layout.take(numbers * self.element.bytes());
        self.tensors.push((name.to_owned(), place));
        place
    }
}
