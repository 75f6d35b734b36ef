//! PEFT LoRA adapters on all seven projections, made in memory.

use serde_json::json;

use crate::{
    shapes::Shape,
    weights::{self, Fill, Source, Tensor},
};

/// An adapter's two files.
pub(crate) struct Adapter {
    /// `adapter_config.json`.
    pub(crate) config: Vec<u8>,
    /// `adapter_model.safetensors`.
    pub(crate) weights: Vec<u8>,
}

/// What an adapter of this benchmark is called.
pub(crate) fn name(number: usize) -> String {
    format!("a{number:04}")
}

/// Makes an adapter with alpha = 2 rank. Unlike a fresh one, its `lora_B` is random too: zeros would do nothing.
pub(crate) fn make(shape: &Shape, rank: usize, source: Source) -> anyhow::Result<Adapter> {
    let modules = shape.projections().map(|map| map.path.split_once('.').map_or(map.path, |(_, name)| name));
    let config = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": 2 * rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": modules,
    });
    Ok(Adapter {
        config: config.to_string().into_bytes(),
        weights: weights::bytes(tensors(shape, rank), source)?,
    })
}

/// Numbers in an adapter of this rank.
pub(crate) fn numbers(shape: &Shape, rank: usize) -> usize {
    tensors(shape, rank).iter().map(Tensor::numbers).sum()
}

fn tensors(shape: &Shape, rank: usize) -> Vec<Tensor> {
    let maps = shape.projections();
    let sides = (0..shape.layers).flat_map(|layer| {
        maps.iter().flat_map(move |map| {
            let side = |side: &str, shape: [usize; 2]| Tensor {
                name: format!("base_model.model.model.layers.{layer}.{}.lora_{side}.weight", map.path),
                shape: shape.to_vec(),
                fill: Fill::Normal,
            };
            [side("A", [rank, map.inputs]), side("B", [map.outputs, rank])]
        })
    });
    sides.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{shapes::ShapeName, weights::Storage};

    #[test]
    fn rank_16_on_smollm2_is_as_large_as_peft_makes_it() {
        let shape = ShapeName::Smollm2.shape();
        assert_eq!(numbers(&shape, 16), 4_884_480);
        let adapter =
            make(&ShapeName::Tiny.shape(), 2, Source { seed: 1, file: 1, storage: Storage::F32 }).unwrap();
        assert!(adapter.weights.len() > 4 * numbers(&ShapeName::Tiny.shape(), 2));
    }
}
