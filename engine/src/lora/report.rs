//! What an accepted adapter is, in words for its owner.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{fit::PlacedTensor, fit::Side, peft_config::PeftConfig};

/// What an accepted adapter is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AdapterReport {
    /// Highest rank.
    pub rank: usize,
    /// Every rank in use, ascending.
    pub ranks: Vec<usize>,
    /// The config's alpha; patterns may give modules their own.
    pub alpha: f64,
    /// Every scale in use, ascending: what `B (A x)` is multiplied by.
    pub scales: Vec<f64>,
    /// Whether scales are `alpha / sqrt(rank)`, not `alpha / rank`.
    pub rank_stabilised: bool,
    /// Projections with an adapter in at least one layer, such as `q_proj`.
    pub modules: Vec<&'static str>,
    /// Layers with an adapter in at least one projection.
    pub layers: Vec<usize>,
    /// Tensors in the file.
    pub tensors: usize,
    /// Numbers in the tensors.
    pub parameters: u64,
    /// Bytes of the weights file.
    pub bytes: u64,
    /// Number format of the tensors, `F32`, `F16` or `BF16`; several are joined by `+`.
    pub dtype: String,
}

impl AdapterReport {
    pub(super) fn new(config: &PeftConfig, tensors: &[PlacedTensor], bytes: u64) -> Self {
        let ranks: BTreeSet<usize> = tensors.iter().map(|t| t.rank).collect();
        let mut scales: Vec<f64> = tensors.iter().filter(|t| t.side == Side::A).map(|t| t.scale).collect();
        scales.sort_by(f64::total_cmp);
        scales.dedup();
        let modules: BTreeSet<_> = tensors.iter().map(|t| t.projection).collect();
        let layers: BTreeSet<usize> = tensors.iter().map(|t| t.layer).collect();
        let dtypes: BTreeSet<&str> = tensors.iter().map(|t| t.dtype.name()).collect();
        Self {
            rank: ranks.last().copied().unwrap_or_default(),
            ranks: ranks.into_iter().collect(),
            alpha: config.alpha,
            scales,
            rank_stabilised: config.rank_stabilised,
            modules: modules.into_iter().map(|p| p.name()).collect(),
            layers: layers.into_iter().collect(),
            tensors: tensors.len(),
            parameters: tensors.iter().map(|t| t.numbers() as u64).sum(),
            bytes,
            dtype: dtypes.into_iter().collect::<Vec<_>>().join("+"),
        }
    }
}
