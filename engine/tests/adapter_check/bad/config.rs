//! Configs that are malformed, or ask for what is not served.

use serde_json::json;
use tenora_engine::lora::codes;

use super::{Bad, bad, config, field};
use crate::adapter::Adapter;

pub(super) fn all() -> Vec<Bad> {
    [configs(), options(), targets()].into_iter().flatten().collect()
}

fn configs() -> Vec<Bad> {
    let good = || Adapter::good("llama/rank4").config.to_string();
    vec![
        config("config is no JSON", codes::CONFIG_INVALID_JSON, None, "r = 8"),
        config("config is a list", codes::CONFIG_INVALID_JSON, None, "[]"),
        config("config is empty", codes::CONFIG_INVALID_JSON, None, ""),
        config("config is not UTF-8", codes::CONFIG_INVALID_JSON, None, b"{\"r\": \"\xff\"}".to_vec()),
        config("config is nested deeply", codes::CONFIG_TOO_DEEP, None, "{\"r\":".repeat(5000)),
        bad("config has nine levels", codes::CONFIG_TOO_DEEP, None, |a| {
            a.set("auto_mapping", (0..8).fold(json!("x"), |inner, _| json!([inner])));
        }),
        config("config with NaN", codes::CONFIG_INVALID_JSON, None, good().replace("\"r\":4", "\"r\":NaN")),
        config("config too large", codes::CONFIG_TOO_LARGE, None, good() + &" ".repeat(64 << 10)),
        config(
            "r twice",
            codes::CONFIG_DUPLICATE_KEY,
            Some("r"),
            good().replace("\"r\":4", "\"r\":4,\"r\":8"),
        ),
        bad("no r", codes::CONFIG_MISSING_FIELD, "r", |a| a.set("r", json!(null))),
        bad("no target modules", codes::CONFIG_MISSING_FIELD, "target_modules", |a| {
            a.set("target_modules", json!([]));
        }),
        bad("no peft_type", codes::CONFIG_MISSING_FIELD, "peft_type", |a| {
            a.config.as_object_mut().unwrap().remove("peft_type");
        }),
        bad("no alpha", codes::CONFIG_MISSING_FIELD, "lora_alpha", |a| a.set("lora_alpha", json!(null))),
        field("r", codes::CONFIG_WRONG_TYPE, json!("8")),
        field("r", codes::INVALID_RANK, json!(0)),
        field("r", codes::INVALID_RANK, json!(-4)),
        field("r", codes::INVALID_RANK, json!(4.5)),
        field("lora_alpha", codes::CONFIG_WRONG_TYPE, json!("16")),
        field("lora_alpha", codes::INVALID_ALPHA, json!(0)),
        field("lora_alpha", codes::INVALID_ALPHA, json!(-1.5)),
        field("lora_alpha", codes::INVALID_ALPHA, json!(1e300)),
        field("use_rslora", codes::CONFIG_WRONG_TYPE, json!("yes")),
        field("target_modules", codes::CONFIG_WRONG_TYPE, json!({"q_proj": 1})),
        field("target_modules", codes::CONFIG_WRONG_TYPE, json!(["q_proj", 7])),
        field("rank_pattern", codes::CONFIG_WRONG_TYPE, json!([4])),
        field("rank_pattern", codes::INVALID_RANK, json!({"q_proj": 0})),
        field("alpha_pattern", codes::INVALID_ALPHA, json!({"q_proj": "8"})),
        field("rank_pattern", codes::INVALID_PATTERN, json!({"(q_proj": 4})),
        field("alpha_pattern", codes::AMBIGUOUS_PATTERN, json!({"q_proj": 4, "self_attn.q_proj": 8})),
        field("layers_to_transform", codes::CONFIG_WRONG_TYPE, json!("0")),
        field("layers_to_transform", codes::CONFIG_WRONG_TYPE, json!([-1])),
    ]
}

fn options() -> Vec<Bad> {
    vec![
        field("peft_type", codes::UNSUPPORTED_PEFT_TYPE, json!("LOHA")),
        field("task_type", codes::UNSUPPORTED_TASK_TYPE, json!("SEQ_CLS")),
        field("use_dora", codes::UNSUPPORTED_DORA, json!(true)),
        field("modules_to_save", codes::UNSUPPORTED_MODULES_TO_SAVE, json!(["lm_head"])),
        field("bias", codes::UNSUPPORTED_BIAS, json!("lora_only")),
        field("lora_bias", codes::UNSUPPORTED_BIAS, json!(true)),
        field("fan_in_fan_out", codes::UNSUPPORTED_FAN_IN_FAN_OUT, json!(true)),
        field("layer_replication", codes::UNSUPPORTED_LAYER_REPLICATION, json!([[0, 2], [1, 3]])),
        field("trainable_token_indices", codes::UNSUPPORTED_TRAINABLE_TOKENS, json!([5])),
        field("use_qalora", codes::UNSUPPORTED_QALORA, json!(true)),
        field("target_parameters", codes::UNSUPPORTED_TARGET_PARAMETERS, json!(["mlp.gate"])),
        field("init_lora_weights", codes::UNSUPPORTED_INITIALIZER, json!("pissa_niter_16")),
        field("init_lora_weights", codes::UNSUPPORTED_INITIALIZER, json!("olora")),
        field("init_lora_weights", codes::CONFIG_WRONG_TYPE, json!(3)),
        field("init_lora_weights", codes::UNSUPPORTED_INITIALIZER, json!("loftq")),
        field("init_lora_weights", codes::UNSUPPORTED_INITIALIZER, json!("corda")),
        field("init_lora_weights", codes::UNSUPPORTED_INITIALIZER, json!("lora_ga")),
        field("auto_map", codes::UNSUPPORTED_OPTION, json!({"AutoModel": "evil.Model"})),
        field("use_bdlora", codes::UNSUPPORTED_OPTION, json!({"nblocks": 2})),
        field("megatron_config", codes::UNSUPPORTED_MEGATRON, json!({"tp": 2})),
        field("alora_invocation_tokens", codes::UNSUPPORTED_ALORA, json!([1, 2])),
        field("arrow_config", codes::UNSUPPORTED_OPTION, json!({"top_k": 3})),
        field("kasa_config", codes::UNSUPPORTED_OPTION, json!({"beta": 0.1})),
        field("option_of_next_year", codes::UNSUPPORTED_OPTION, json!(0.5)),
    ]
}

fn targets() -> Vec<Bad> {
    let modules = "target_modules";
    vec![
        field(modules, codes::UNKNOWN_MODULE, json!(["q_proj", "v_proj", "c_attn"])),
        field(modules, codes::UNKNOWN_MODULE, json!(["q_proj", ""])),
        field(modules, codes::UNKNOWN_MODULE, json!(".*query_key_value")),
        field(modules, codes::UNSUPPORTED_EMBEDDINGS, json!(["q_proj", "v_proj", "lm_head"])),
        field(modules, codes::UNSUPPORTED_EMBEDDINGS, json!(".*(q_proj|v_proj|embed_tokens)")),
        field(modules, codes::INVALID_PATTERN, json!("(?=model).*q_proj")),
        field(modules, codes::INVALID_PATTERN, json!(r"(?!.*\.experts\.\d)(?!.*k_proj).*(q|v)_proj")),
        field(modules, codes::INVALID_PATTERN, json!("((((a{99}){99}){99}){99}){99}")),
        field(modules, codes::INVALID_PATTERN, json!("q".repeat(5000))),
        field("exclude_modules", codes::INVALID_PATTERN, json!("*q")),
        bad("config targets more than the file", codes::TARGETS_DISAGREE, "k_proj", |a| {
            a.set("target_modules", json!(["q_proj", "k_proj", "v_proj"]));
        }),
        bad("config targets less than the file", codes::TARGETS_DISAGREE, "v_proj", |a| {
            a.set("target_modules", json!(["q_proj"]));
        }),
        bad("all-linear, and the file has two", codes::TARGETS_DISAGREE, "k_proj", |a| {
            a.set("target_modules", json!("all-linear"));
        }),
        bad("config excludes what the file has", codes::TARGETS_DISAGREE, "v_proj", |a| {
            a.set("exclude_modules", json!(["v_proj"]));
        }),
        bad("config leaves out a layer of the file", codes::TARGETS_DISAGREE, "layers.1", |a| {
            a.set("layers_to_transform", json!([0, 2]));
        }),
        bad("file leaves out a layer", codes::TARGETS_DISAGREE, "layers.2", |a| a.remove("layers.2.")),
        field("layers_to_transform", codes::LAYER_OUT_OF_RANGE, json!([0, 1, 2, 3])),
        bad("layers with an expression", codes::INVALID_PATTERN, "layers_to_transform", |a| {
            a.set("target_modules", json!(".*(q|v)_proj"));
            a.set("layers_to_transform", json!([0, 1, 2]));
        }),
    ]
}
