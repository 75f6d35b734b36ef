//! Does an adapter fit a base model? Every tensor has a place, every place has its pair, shapes and ranks agree with the
//! base and with the config. Pure.

use std::collections::BTreeMap;

use super::{
    codes,
    header::{FloatType, TensorInfo, shown},
    names::{self, LoraName, Side},
    peft_config::PeftConfig,
    targets::Place,
};
use crate::{
    error::AdapterRejection,
    model::{ModelConfig, Projection},
};

/// A tensor with its place in the base model.
#[derive(Debug)]
pub(crate) struct PlacedTensor {
    pub(crate) name: String,
    pub(crate) layer: usize,
    pub(crate) projection: Projection,
    pub(crate) side: Side,
    pub(crate) dtype: FloatType,
    pub(crate) shape: [usize; 2],
    pub(crate) rank: usize,
    /// What `B (A x)` is multiplied by.
    pub(crate) scale: f64,
}

impl PlacedTensor {
    /// Numbers in the tensor.
    pub(crate) fn numbers(&self) -> usize {
        self.shape[0] * self.shape[1]
    }
}

/// Gives every tensor its place, in the order of the file.
pub(super) fn place(
    config: &PeftConfig,
    tensors: &[TensorInfo],
    model: &ModelConfig,
    max_rank: usize,
) -> Result<Vec<PlacedTensor>, AdapterRejection> {
    let names = tensors.iter().map(|tensor| names::parse(&tensor.name)).collect::<Result<Vec<_>, _>>()?;
    refuse_several(tensors, &names)?;
    let mut pairs: BTreeMap<(Place, Side), &TensorInfo> = BTreeMap::new();
    let mut keys = Vec::with_capacity(tensors.len());
    for (tensor, name) in tensors.iter().zip(&names) {
        let key = (place_of(tensor, &name.module, model)?, name.side);
        if let Some(other) = pairs.insert(key, tensor) {
            let problem = format!("and `{}` are the same weight; keep one", other.name);
            return Err(refuse(codes::UNEXPECTED_TENSOR, tensor, &problem));
        }
        keys.push(key);
    }
    refuse_incomplete(&pairs)?;
    let ranks = agree_on_targets(config, &pairs, model)?;
    let placed = tensors.iter().zip(keys).filter_map(|(tensor, ((layer, projection), side))| {
        let &(rank, scale) = ranks.get(&(layer, projection))?;
        let (name, shape, dtype) = (tensor.name.clone(), tensor.shape, tensor.dtype);
        Some(PlacedTensor { name, layer, projection, side, dtype, shape, rank, scale })
    });
    let placed: Vec<_> = placed.collect();
    placed.iter().try_for_each(|tensor| check_shape(tensor, model, max_rank))?;
    Ok(placed)
}

fn refuse(code: &'static str, tensor: &TensorInfo, problem: &str) -> AdapterRejection {
    AdapterRejection::new(code, &tensor.name, format!("tensor `{}` {problem}", tensor.name))
}

/// The place of a LoRA weight in the base model.
fn place_of(tensor: &TensorInfo, module: &str, model: &ModelConfig) -> Result<Place, AdapterRejection> {
    let unknown = |what: &str| {
        refuse(codes::UNKNOWN_MODULE, tensor, &format!("{what}; was the adapter trained on another base?"))
    };
    let rest = module
        .strip_prefix("model.layers.")
        .ok_or_else(|| unknown("belongs to no decoder layer of the base model"))?;
    let (layer, rest) = rest.split_once('.').ok_or_else(|| unknown("names no module of a layer"))?;
    let plain = layer == "0" || (!layer.starts_with('0') && layer.bytes().all(|c| c.is_ascii_digit()));
    let layer: usize = layer.parse().ok().filter(|_| plain).ok_or_else(|| unknown("has no layer number"))?;
    let projection = Projection::ALL
        .into_iter()
        .find(|p| rest.split_once('.') == Some((p.block(), p.name())))
        .ok_or_else(|| unknown("names a module that the base model does not have"))?;
    if layer >= model.layers {
        let problem = format!(
            "is for layer {layer}, and the base model has {} (from 0); was the adapter trained on another base?",
            model.layers
        );
        return Err(refuse(codes::LAYER_OUT_OF_RANGE, tensor, &problem));
    }
    Ok((layer, projection))
}

/// One file holds one adapter: what it is called is the same in all names, or in none.
fn refuse_several(tensors: &[TensorInfo], names: &[LoraName]) -> Result<(), AdapterRejection> {
    let called = |name: &LoraName| match &name.adapter {
        Some(adapter) => format!("the adapter `{adapter}`"),
        None => "an adapter without a name".to_owned(),
    };
    let other = names.iter().position(|name| name.adapter != names[0].adapter);
    other.map_or(Ok(()), |other| {
        let problem = format!(
            "belongs to {}, and `{}` to {}; save each adapter by itself, as \
             `model.save_pretrained(folder, selected_adapters=[…])` does",
            called(&names[other]),
            tensors[0].name,
            called(&names[0])
        );
        Err(refuse(codes::SEVERAL_ADAPTERS, &tensors[other], &problem))
    })
}

fn refuse_incomplete(pairs: &BTreeMap<(Place, Side), &TensorInfo>) -> Result<(), AdapterRejection> {
    for (&(place, side), tensor) in pairs {
        let (other, missing) = match side {
            Side::A => (Side::B, "lora_B"),
            Side::B => (Side::A, "lora_A"),
        };
        if !pairs.contains_key(&(place, other)) {
            return Err(refuse(codes::MISSING_PAIR, tensor, &format!("has no `{missing}` beside it")));
        }
    }
    Ok(())
}

/// Rank and scale of every targeted place; an error when file and config target different ones.
fn agree_on_targets(
    config: &PeftConfig,
    pairs: &BTreeMap<(Place, Side), &TensorInfo>,
    model: &ModelConfig,
) -> Result<BTreeMap<Place, (usize, f64)>, AdapterRejection> {
    let targeted = config.targets.resolve(model)?;
    let mut ranks = BTreeMap::new();
    for &(layer, projection) in &targeted {
        let module = projection.path(layer);
        if !pairs.contains_key(&((layer, projection), Side::A)) {
            let message = format!(
                "adapter_config.json targets `{module}`, and the weights file has no tensors for it; upload the \
                 two files of one save"
            );
            return Err(AdapterRejection::new(codes::TARGETS_DISAGREE, module, message));
        }
        ranks.insert((layer, projection), config.rank_and_scale(&module)?);
    }
    match pairs.iter().find(|((place, _), _)| !ranks.contains_key(place)) {
        None => Ok(ranks),
        Some((_, tensor)) => {
            let problem =
                "is for a module that adapter_config.json does not target; upload the two files of one save";
            Err(refuse(codes::TARGETS_DISAGREE, tensor, problem))
        }
    }
}

fn check_shape(tensor: &PlacedTensor, model: &ModelConfig, max_rank: usize) -> Result<(), AdapterRejection> {
    let PlacedTensor { name, projection, side, shape, rank, .. } = tensor;
    let (inputs, outputs) = model.projection_dims(*projection);
    let (found_rank, found_width, width, which) = match side {
        Side::A => (shape[0], shape[1], inputs, "inputs"),
        Side::B => (shape[1], shape[0], outputs, "outputs"),
    };
    let refuse = |code, problem: String| {
        Err(AdapterRejection::new(code, name, format!("tensor `{}` {problem}", shown(name))))
    };
    if found_width != width {
        return refuse(
            codes::WRONG_SHAPE,
            format!(
                "has shape {shape:?}, and the base model's {projection} has {width} {which}; was the adapter \
                 trained on another base?"
            ),
        );
    }
    if found_rank != *rank {
        let problem = format!("has rank {found_rank} (shape {shape:?}), and adapter_config.json says {rank}");
        return refuse(codes::RANK_MISMATCH, problem);
    }
    if *rank > max_rank {
        return refuse(
            codes::RANK_TOO_HIGH,
            format!("has rank {rank}, and this server takes up to {max_rank}"),
        );
    }
    Ok(())
}
