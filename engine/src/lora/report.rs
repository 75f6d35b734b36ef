//! What an accepted adapter is, in words for its owner.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{
    codes::CHECKS,
    fit::PlacedTensor,
    names::Side,
    peft_config::PeftConfig,
    values::{ModuleNorm, Values, Warning},
};
use crate::error::AdapterRejection;

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
    /// How large its numbers are, by projection.
    pub norms: Vec<ModuleNorm>,
    /// The model that the config says it was trained on: words of its owner, and no proof of anything.
    pub base_model: Option<String>,
    /// The checks that it passed, in order: names of [`CHECKS`].
    pub checks: Vec<&'static str>,
    /// What its owner should know, though it is accepted.
    pub warnings: Vec<Warning>,
}

/// The check that needs a server.
const MEMORY_CHECK: &str = "memory";

impl AdapterReport {
    /// Judges the values, which is the last check, and describes the adapter.
    pub(super) fn new(
        config: PeftConfig,
        (tensors, values): (&[PlacedTensor], &Values),
        bytes: u64,
    ) -> Result<Self, AdapterRejection> {
        let (norms, warnings) = values.judge()?;
        let ranks: BTreeSet<usize> = tensors.iter().map(|t| t.rank).collect();
        let mut scales: Vec<f64> = tensors.iter().filter(|t| t.side == Side::A).map(|t| t.scale).collect();
        scales.sort_by(f64::total_cmp);
        scales.dedup();
        let modules: BTreeSet<_> = tensors.iter().map(|t| t.projection).collect();
        let layers: BTreeSet<usize> = tensors.iter().map(|t| t.layer).collect();
        let dtypes: BTreeSet<&str> = tensors.iter().map(|t| t.dtype.name()).collect();
        let checks = CHECKS.iter().map(|(name, _)| *name).filter(|name| *name != MEMORY_CHECK);
        Ok(Self {
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
            norms,
            base_model: config.base_model,
            checks: checks.collect(),
            warnings,
        })
    }

    /// Notes that it also fits into the memory of the server whose base model is `id`.
    pub(crate) fn passed_here(&mut self, id: &str) {
        self.checks.push(MEMORY_CHECK);
        self.compare_base(id);
    }

    /// Warns when the config names another base model than the one that is served as `id`. Only a hint: names differ for
    /// good reasons, and the proof are the shapes.
    pub(crate) fn compare_base(&mut self, id: &str) {
        if let Some(named) = self.base_model.as_deref().filter(|named| plain_name(named) != plain_name(id)) {
            let message = format!(
                "adapter_config.json says that it was trained on `{named}`, and the base model here is `{id}`: the shapes \
                 fit, but on other weights it would answer badly"
            );
            self.warnings.push(Warning { code: "base_model_differs", message });
        }
    }
}

/// What names of one model have in common: the last part, without case and without what says how it was quantised.
fn plain_name(name: &str) -> String {
    let last = name.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().unwrap_or_default();
    let last = last.to_ascii_lowercase();
    let suffixes = ["-unsloth-bnb-4bit", "-bnb-4bit", "-bnb-8bit"];
    let quantised = suffixes.iter().find_map(|suffix| last.strip_suffix(suffix));
    quantised.unwrap_or(&last).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_one_model_are_one_name() {
        let served = plain_name("Qwen2.5-0.5B-Instruct");
        for name in [
            "Qwen/Qwen2.5-0.5B-Instruct",
            "unsloth/qwen2.5-0.5b-instruct-unsloth-bnb-4bit",
            "unsloth/Qwen2.5-0.5B-Instruct-bnb-4bit",
            "/data/models/Qwen2.5-0.5B-Instruct/",
            r"C:\models\Qwen2.5-0.5B-Instruct",
        ] {
            assert_eq!(plain_name(name), served, "{name}");
        }
        assert_ne!(plain_name("Qwen/Qwen2.5-0.5B"), served);
    }
}
