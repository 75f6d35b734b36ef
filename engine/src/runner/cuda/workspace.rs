//! Where a step's numbers lie on the device between its kernels: allocated once, for the largest step, at addresses that
//! never change.

use tenora_kernels::{
    abi::{Element, LORA_SHRINK_RANKS},
    plan::{attention_scratch, lora_scratch},
};

use super::{
    gpu::{DeviceMemory, Gpu, GpuError},
    memory::Layout,
    tables::Limits,
    top::Top,
};
use crate::model::{ModelConfig, Projection};

/// Linears that share an input, and so one shrink and one expand.
pub(super) const GROUPS: [&[Projection]; 4] = [
    &[Projection::QProj, Projection::KProj, Projection::VProj],
    &[Projection::OProj],
    &[Projection::GateProj, Projection::UpProj],
    &[Projection::DownProj],
];

/// The memory, and where what lies in it.
pub(super) struct Workspace<G: Gpu> {
    pub(super) buffers: Buffers,
    /// Held for its addresses.
    _memory: G::Memory,
}

/// Addresses; `T` unless it says otherwise.
#[derive(Clone, Copy)]
pub(super) struct Buffers {
    /// The residual stream, `[rows, hidden_size]`.
    pub(super) residual: u64,
    /// What a block adds to it, `[rows, hidden_size]`.
    pub(super) delta: u64,
    /// What a block reads of it, `[rows, hidden_size]`.
    pub(super) normed: u64,
    /// Queries, keys and values, `[rows, (heads + 2 · kv_heads) · head_dim]`.
    pub(super) qkv: u64,
    /// `[rows, heads · head_dim]`.
    pub(super) attended: u64,
    /// `[rows, 2 · intermediate_size]`; the product of both lies where the gate did.
    pub(super) gate_up: u64,
    /// `[rows, head_dim]` of `f32`.
    pub(super) angles: u64,
    /// `s · A x` of a group, `f32`.
    pub(super) shrunk: u64,
    /// Attention over parts of a long past, `f32`.
    pub(super) partial_out: u64,
    pub(super) partial_stats: u64,
    /// The rows whose logits are wanted, `[sequences, hidden_size]`.
    pub(super) last: u64,
    /// `[sequences, vocab_size]` of `f32`.
    pub(super) logits: u64,
    /// What [`Top`] says.
    pub(super) top: u64,
}

impl<G: Gpu> Workspace<G> {
    /// Bytes for the largest step.
    pub(super) fn bytes(model: &ModelConfig, element: Element, limits: &Limits) -> usize {
        let mut layout = Layout::at(0);
        Buffers::place(&mut layout, model, element, limits);
        layout.bytes()
    }

    pub(super) fn new(
        gpu: &G,
        model: &ModelConfig,
        element: Element,
        limits: &Limits,
    ) -> Result<Self, GpuError> {
        let memory = gpu.allocate(Self::bytes(model, element, limits))?;
        let buffers = Buffers::place(&mut Layout::at(memory.address()), model, element, limits);
        Ok(Self { buffers, _memory: memory })
    }
}

impl Buffers {
    fn place(layout: &mut Layout, model: &ModelConfig, element: Element, limits: &Limits) -> Self {
        let (queries, keys) = (model.heads * model.head_dim, model.kv_heads * model.head_dim);
        let Limits { rows, sequences, partials, max_rank, .. } = *limits;
        let mut matrix = |rows: usize, width: usize| layout.take(rows * width * element.bytes());
        let (residual, delta, normed) = (
            matrix(rows, model.hidden_size),
            matrix(rows, model.hidden_size),
            matrix(rows, model.hidden_size),
        );
        let (qkv, attended) = (matrix(rows, queries + 2 * keys), matrix(rows, queries));
        let gate_up = matrix(rows, 2 * model.intermediate_size);
        let last = matrix(sequences, model.hidden_size);
        let mut floats = |numbers: usize| layout.take(numbers * size_of::<f32>());
        let [partial_out, partial_stats] =
            attention_scratch(partials, model.heads, model.head_dim).map(&mut floats);
        let ranks = max_rank.next_multiple_of(LORA_SHRINK_RANKS);
        let shrunk = |group: &[Projection]| {
            let (inputs, _) = model.projection_dims(group[0]);
            lora_scratch(rows, group.len(), ranks, inputs)
        };
        Self {
            residual,
            delta,
            normed,
            qkv,
            attended,
            gate_up,
            angles: floats(rows * model.head_dim),
            shrunk: floats(GROUPS.into_iter().map(shrunk).max().unwrap_or(0)),
            partial_out,
            partial_stats,
            last,
            logits: floats(sequences * model.vocab_size),
            top: layout.take(Top::most_bytes(sequences)),
        }
    }
}
