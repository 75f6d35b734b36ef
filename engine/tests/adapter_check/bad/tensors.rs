//! Tensors that do not fit the base or the config, and values that no adapter may have.

use serde_json::json;
use tenora_engine::lora::codes;

use super::{Bad, bad};
use crate::adapter::Adapter;

pub(super) fn all() -> Vec<Bad> {
    [tensors(), places(), shapes(), values()].into_iter().flatten().collect()
}

fn tensors() -> Vec<Bad> {
    const EXTRA: &str = "base_model.model.model.layers.0.self_attn.";
    let extra = |name, code, tensor: &'static str| {
        bad(name, code, tensor, move |a| a.add(tensor.to_owned().as_str()))
    };
    vec![
        bad("B without A", codes::MISSING_PAIR, "layers.1.self_attn.q_proj.lora_B", |a| {
            a.remove("layers.1.self_attn.q_proj.lora_A");
        }),
        bad("A without B", codes::MISSING_PAIR, "layers.1.self_attn.q_proj.lora_A", |a| {
            a.remove("layers.1.self_attn.q_proj.lora_B");
        }),
        bad("one weight under two names", codes::UNEXPECTED_TENSOR, "_orig_mod", |a| {
            a.add(&format!("_orig_mod.{EXTRA}q_proj.lora_A.weight"));
        }),
        bad("two adapters in one file", codes::SEVERAL_ADAPTERS, "second", |a| {
            a.rename(".weight", ".first.weight");
            let second: Vec<_> = a.tensors.iter().map(|t| t.name.replace("first", "second")).collect();
            second.iter().for_each(|name| a.add(name));
        }),
        bad("an adapter on an adapter", codes::UNEXPECTED_TENSOR, "base_model.model.base_model", |a| {
            a.rename("base_model.model.", "base_model.model.base_model.model.");
        }),
        bad("torchtune's own names", codes::UNEXPECTED_TENSOR, "lora_a", |a| {
            a.rename("base_model.model.model.", "");
            a.rename("lora_A", "lora_a");
            a.rename("lora_B", "lora_b");
        }),
        bad("a merged model", codes::WHOLE_MODEL, "q_proj.weight", |a| {
            a.remove("lora_B");
            a.rename(".lora_A", "");
            a.rename("base_model.model.", "");
        }),
        bad("a model with its adapter", codes::WHOLE_MODEL, "base_layer", |a| {
            a.add(&format!("{EXTRA}q_proj.base_layer.weight"));
        }),
        extra("a stranger", codes::UNEXPECTED_TENSOR, "optimizer.state"),
        extra(
            "the base layer",
            codes::UNEXPECTED_TENSOR,
            "base_model.model.model.layers.0.self_attn.q_proj.weight",
        ),
        extra(
            "an adapter of another name",
            codes::SEVERAL_ADAPTERS,
            "base_model.model.model.layers.0.self_attn.q_proj.lora_A.other.weight",
        ),
        extra(
            "a DoRA magnitude",
            codes::UNSUPPORTED_DORA,
            "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
        ),
        extra("a saved head", codes::UNSUPPORTED_EMBEDDINGS, "base_model.model.lm_head.weight"),
        extra(
            "an embedding adapter",
            codes::UNSUPPORTED_EMBEDDINGS,
            "base_model.model.model.embed_tokens.lora_embedding_A",
        ),
        extra(
            "a saved module",
            codes::UNSUPPORTED_MODULES_TO_SAVE,
            "base_model.model.model.norm.modules_to_save.weight",
        ),
        extra(
            "a bias on B",
            codes::UNSUPPORTED_BIAS,
            "base_model.model.model.layers.0.self_attn.q_proj.lora_B.bias",
        ),
    ]
}

fn places() -> Vec<Bad> {
    vec![
        bad("a module of another family", codes::UNKNOWN_MODULE, "c_attn", |a| a.rename("q_proj", "c_attn")),
        bad("a module in the wrong block", codes::UNKNOWN_MODULE, "mlp.q_proj", |a| {
            a.rename("self_attn.q", "mlp.q")
        }),
        bad("another decoder", codes::UNKNOWN_MODULE, "decoder", |a| {
            a.rename("model.layers", "decoder.layers")
        }),
        bad("layer 01", codes::UNKNOWN_MODULE, "layers.01.", |a| a.rename("layers.1.", "layers.01.")),
        bad("layer +1", codes::TENSOR_NAME_INVALID, "layers.+1.", |a| a.rename("layers.1.", "layers.+1.")),
        bad("a layer too many", codes::LAYER_OUT_OF_RANGE, "layers.3.", |a| {
            a.rename("layers.2.", "layers.3.")
        }),
        bad("layer 99999999999999999999", codes::UNKNOWN_MODULE, "99999999999999999999", |a| {
            a.rename("layers.2.", "layers.99999999999999999999.");
        }),
    ]
}

fn shapes() -> Vec<Bad> {
    vec![
        bad("A of another width", codes::WRONG_SHAPE, "lora_A", |a| {
            a.tensor("q_proj.lora_A").reshape(&[4, 64])
        }),
        bad("B of another width", codes::WRONG_SHAPE, "v_proj.lora_B", |a| {
            a.tensor("v_proj.lora_B").reshape(&[48, 4])
        }),
        bad("A transposed", codes::WRONG_SHAPE, "lora_A", |a| a.tensor("q_proj.lora_A").reshape(&[48, 4])),
        bad("A of another rank", codes::RANK_MISMATCH, "lora_A", |a| {
            a.tensor("q_proj.lora_A").reshape(&[8, 48])
        }),
        bad("B of another rank", codes::RANK_MISMATCH, "lora_B", |a| {
            a.tensor("q_proj.lora_B").reshape(&[48, 3])
        }),
        bad("config of another rank", codes::RANK_MISMATCH, "lora_A", |a| a.set("r", json!(8))),
        bad("pattern of another rank", codes::RANK_MISMATCH, "v_proj", |a| {
            a.set("rank_pattern", json!({"layers.2.self_attn.v_proj": 8}));
        }),
        bad("rank above the limit", codes::RANK_TOO_HIGH, "lora_A", |a| {
            a.set("r", json!(33));
            for tensor in &mut a.tensors {
                let shape: Vec<_> = tensor.shape.iter().map(|&n| if n == 4 { 33 } else { n }).collect();
                tensor.reshape(&shape);
            }
        }),
    ]
}

fn values() -> Vec<Bad> {
    vec![
        bad("NaN", codes::NOT_FINITE, "layers.2.self_attn.v_proj.lora_B", |a| {
            a.tensor("layers.2.self_attn.v_proj.lora_B").set(15, 3, f32::NAN);
        }),
        bad("infinity", codes::NOT_FINITE, "lora_A", |a| a.tensor("q_proj.lora_A").set(0, 0, f32::INFINITY)),
        bad("minus infinity", codes::NOT_FINITE, "lora_A", |a| {
            a.tensor("q_proj.lora_A").set(0, 47, f32::NEG_INFINITY);
        }),
        bad("NaN in f16", codes::NOT_FINITE, "lora_A", |a| halve(a, "F16", 0x7e00)),
        bad("infinity in bf16", codes::NOT_FINITE, "lora_A", |a| halve(a, "BF16", 0xff80)),
        bad(
            "a number that no training leaves",
            codes::VALUES_TOO_LARGE,
            "layers.1.self_attn.v_proj.lora_A",
            |a| {
                a.tensor("layers.1.self_attn.v_proj.lora_A").set(0, 0, 65_536.0);
            },
        ),
        bad("the largest finite number", codes::VALUES_TOO_LARGE, "lora_B", |a| {
            a.tensor("lora_B").set(0, 0, f32::MAX);
        }),
        bad("a pair that is too large together", codes::VALUES_TOO_LARGE, "layers.0.self_attn.q_proj", |a| {
            a.tensor("q_proj.lora_A").set(0, 0, 1e3);
            a.tensor("q_proj.lora_B").set(0, 0, 1e3);
        }),
        bad("a scale that is too large", codes::VALUES_TOO_LARGE, "self_attn", |a| {
            a.set("lora_alpha", json!(1e6))
        }),
        bad("every A zero", codes::DOES_NOTHING, None, |a| {
            a.tensors.iter_mut().filter(|t| t.name.contains("lora_A")).for_each(|t| t.bytes.fill(0));
        }),
        bad("every B zero", codes::DOES_NOTHING, None, |a| {
            a.tensors.iter_mut().filter(|t| t.name.contains("lora_B")).for_each(|t| t.bytes.fill(0));
        }),
        bad("every B minus zero", codes::DOES_NOTHING, None, |a| {
            for tensor in a.tensors.iter_mut().filter(|t| t.name.contains("lora_B")) {
                tensor.bytes = (-0.0f32).to_le_bytes().repeat(tensor.shape.iter().product());
            }
        }),
    ]
}

/// A 16-bit tensor of ones with one bad number.
fn halve(adapter: &mut Adapter, dtype: &'static str, bad: u16) {
    let tensor = adapter.tensor("q_proj.lora_A");
    tensor.dtype = dtype;
    tensor.bytes = 0x3c00u16.to_le_bytes().repeat(tensor.shape.iter().product());
    tensor.bytes[100..102].copy_from_slice(&bad.to_le_bytes());
}
