//! Tensor names as training code writes them: which of the base's modules a LoRA weight belongs to, which matrix of its
//! pair it is, and what its adapter was called. Knows no base model. PEFT writes
//! `base_model.model.{module}.lora_{A|B}.weight`; a state dict saved by hand has the adapter's name before `weight`, a
//! converter may have left the prefix out, and wrappers of the training loop put their own names between.

use super::{codes, targets::embeddings_refused};
use crate::error::AdapterRejection;

/// What PEFT puts before the base model's own module names.
const PREFIX: &str = "base_model.model.";
/// Modules that `torch.compile`, FSDP and activation checkpointing put around others, and that no base model has.
const WRAPPERS: [&str; 3] = ["_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"];
/// What DDP and DeepSpeed call the model that they wrap: no wrapper's name in any other place than the first.
const OUTERMOST_WRAPPER: &str = "module";

/// Which of a pair of matrices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Side {
    /// `[rank, inputs]`.
    A,
    /// `[outputs, rank]`.
    B,
}

/// What the name of a LoRA weight says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct LoraName {
    /// The base model's module, such as `model.layers.3.self_attn.q_proj`.
    pub(super) module: String,
    pub(super) side: Side,
    /// What the adapter was called where it was trained, if the name tells.
    pub(super) adapter: Option<String>,
}

/// Reads a tensor's name.
pub(super) fn parse(name: &str) -> Result<LoraName, AdapterRejection> {
    let refuse =
        |code, problem: &str| Err(AdapterRejection::new(code, name, format!("tensor `{name}` {problem}")));
    if name.contains("lora_embedding_") || name.contains("embed_tokens") || name.contains("lm_head") {
        return Err(embeddings_refused(name, "embed_tokens` or `lm_head"));
    }
    if name.contains("lora_magnitude_vector") {
        return refuse(codes::UNSUPPORTED_DORA, "belongs to DoRA; train with `use_dora=False`");
    }
    if name.contains("modules_to_save") {
        return refuse(codes::UNSUPPORTED_MODULES_TO_SAVE, "is a fully trained module; train without it");
    }
    if name.ends_with(".bias") {
        let problem = "is a bias; train with `bias=\"none\"` and `lora_bias=False`";
        return refuse(codes::UNSUPPORTED_BIAS, problem);
    }
    if name.contains(".lora_a.") || name.contains(".lora_b.") {
        let problem = "is named as torchtune names its own; save with `FullModelHFCheckpointer`, which writes PEFT's \
                       two files";
        return refuse(codes::UNEXPECTED_TENSOR, problem);
    }
    let path = unwrapped(name);
    let path = path.strip_prefix(PREFIX).unwrap_or(&path);
    if path.starts_with(PREFIX) {
        let problem = "has PEFT's prefix twice, so the model had an adapter already when this one was trained on it; \
                       merge that one into its base, or train on the base itself";
        return refuse(codes::UNEXPECTED_TENSOR, problem);
    }
    match split(path) {
        Some((module, side, adapter)) => {
            Ok(LoraName { module: module.to_owned(), side, adapter: adapter.map(str::to_owned) })
        }
        None => refuse(codes::UNEXPECTED_TENSOR, "is neither `lora_A.weight` nor `lora_B.weight`; remove it"),
    }
}

/// The name without the wrappers of the training loop.
fn unwrapped(name: &str) -> String {
    let inner = name.split('.').filter(|part| !WRAPPERS.contains(part));
    inner.skip_while(|part| *part == OUTERMOST_WRAPPER).collect::<Vec<_>>().join(".")
}

/// `{module}.lora_{A|B}[.{adapter}].weight`.
fn split(path: &str) -> Option<(&str, Side, Option<&str>)> {
    let (before, last) = path.strip_suffix(".weight")?.rsplit_once('.')?;
    if let Some(side) = side(last) {
        return Some((before, side, None));
    }
    let (module, matrix) = before.rsplit_once('.')?;
    Some((module, side(matrix)?, Some(last)))
}

fn side(matrix: &str) -> Option<Side> {
    match matrix {
        "lora_A" => Some(Side::A),
        "lora_B" => Some(Side::B),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_writers_name_is_the_same_weight() {
        let q_proj = "model.layers.3.self_attn.q_proj";
        for (name, adapter) in [
            ("base_model.model.model.layers.3.self_attn.q_proj.lora_B.weight", None),
            ("base_model.model.model.layers.3.self_attn.q_proj.lora_B.default.weight", Some("default")),
            ("base_model.model.model.layers.3.self_attn.q_proj.lora_B.customer-7.weight", Some("customer-7")),
            ("model.layers.3.self_attn.q_proj.lora_B.weight", None),
            ("_orig_mod.base_model.model.model.layers.3.self_attn.q_proj.lora_B.weight", None),
            ("base_model.model._orig_mod.model.layers.3.self_attn.q_proj.lora_B.weight", None),
            ("module.base_model.model.model.layers.3.self_attn.q_proj.lora_B.a.weight", Some("a")),
            ("module._orig_mod.module.model.layers.3.self_attn.q_proj.lora_B.weight", None),
            (
                "_fsdp_wrapped_module.base_model.model.model.layers.3._fsdp_wrapped_module.\
                 _checkpoint_wrapped_module.self_attn.q_proj._fsdp_wrapped_module.lora_B.default.weight",
                Some("default"),
            ),
        ] {
            let expected =
                LoraName { module: q_proj.to_owned(), side: Side::B, adapter: adapter.map(str::to_owned) };
            assert_eq!(parse(name), Ok(expected), "{name}");
        }
    }

    #[test]
    fn what_could_mean_two_things_is_no_name() {
        for name in [
            "base_model.model.base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight",
            "model.layers.0.self_attn.q_proj.lora_A.two.names.weight",
            "model.layers.0.self_attn.q_proj.lora_C.weight",
            "model.layers.0.self_attn.q_proj.lora_A",
            "lora_A.weight",
            "weight",
            "",
        ] {
            assert!(parse(name).is_err(), "{name}");
        }
        // In the middle, `module` is a module.
        let inner = parse("base_model.model.module.layers.0.self_attn.q_proj.lora_A.weight");
        assert_eq!(inner.unwrap().module, "module.layers.0.self_attn.q_proj");
    }
}
