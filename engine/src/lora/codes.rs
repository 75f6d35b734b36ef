//! The stable codes of every refusal, in one place, and the checks that give them, in order. Clients match on both: neither
//! is ever renamed.

/// `adapter_config.json` is longer than the limit.
pub const CONFIG_TOO_LARGE: &str = "adapter_config_too_large";
/// `adapter_config.json` is not one JSON object.
pub const CONFIG_INVALID_JSON: &str = "adapter_config_invalid_json";
/// `adapter_config.json` has more values within each other than any config needs.
pub const CONFIG_TOO_DEEP: &str = "adapter_config_too_deep";
/// `adapter_config.json` names a key twice.
pub const CONFIG_DUPLICATE_KEY: &str = "adapter_config_duplicate_key";
/// A field of `adapter_config.json` has the wrong type.
pub const CONFIG_WRONG_TYPE: &str = "adapter_config_wrong_type";
/// `adapter_config.json` lacks a field.
pub const CONFIG_MISSING_FIELD: &str = "adapter_config_missing_field";
/// A regular expression or pattern of `adapter_config.json` cannot be used.
pub const INVALID_PATTERN: &str = "adapter_invalid_pattern";
/// Two patterns give one module different values.
pub const AMBIGUOUS_PATTERN: &str = "adapter_ambiguous_pattern";
/// A rank that is not a whole number from 1 on.
pub const INVALID_RANK: &str = "adapter_invalid_rank";
/// A rank above the server's limit.
pub const RANK_TOO_HIGH: &str = "adapter_rank_too_high";
/// An alpha that is not a positive number within bounds.
pub const INVALID_ALPHA: &str = "adapter_invalid_alpha";

/// Not LoRA.
pub const UNSUPPORTED_PEFT_TYPE: &str = "adapter_unsupported_peft_type";
/// Not for causal language modelling.
pub const UNSUPPORTED_TASK_TYPE: &str = "adapter_unsupported_task_type";
/// DoRA.
pub const UNSUPPORTED_DORA: &str = "adapter_unsupported_dora";
/// Fully trained modules beside the adapter.
pub const UNSUPPORTED_MODULES_TO_SAVE: &str = "adapter_unsupported_modules_to_save";
/// Trained biases of the base, or biases on B.
pub const UNSUPPORTED_BIAS: &str = "adapter_unsupported_bias";
/// Transposed base weights.
pub const UNSUPPORTED_FAN_IN_FAN_OUT: &str = "adapter_unsupported_fan_in_fan_out";
/// Repeated base layers.
pub const UNSUPPORTED_LAYER_REPLICATION: &str = "adapter_unsupported_layer_replication";
/// Trained rows of the embedding.
pub const UNSUPPORTED_TRAINABLE_TOKENS: &str = "adapter_unsupported_trainable_tokens";
/// QALoRA.
pub const UNSUPPORTED_QALORA: &str = "adapter_unsupported_qalora";
/// LoRA on bare parameters.
pub const UNSUPPORTED_TARGET_PARAMETERS: &str = "adapter_unsupported_target_parameters";
/// An initialiser that changes the base weights.
pub const UNSUPPORTED_INITIALIZER: &str = "adapter_unsupported_initializer";
/// LoRA on, or copies of, the embedding or the output layer.
pub const UNSUPPORTED_EMBEDDINGS: &str = "adapter_unsupported_embeddings";
/// Megatron's parallel layers.
pub const UNSUPPORTED_MEGATRON: &str = "adapter_unsupported_megatron";
/// Activated LoRA.
pub const UNSUPPORTED_ALORA: &str = "adapter_unsupported_alora";
/// Any other option with an effect that is not known here.
pub const UNSUPPORTED_OPTION: &str = "adapter_unsupported_option";

/// The weights file is another format: pickle, zip, gzip, HTML, …
pub const NOT_SAFETENSORS: &str = "adapter_not_safetensors";
/// The weights file ends too early.
pub const TRUNCATED: &str = "adapter_truncated";
/// The weights file goes on after its last tensor.
pub const TRAILING_BYTES: &str = "adapter_trailing_bytes";
/// The weights file's header is longer than the limit.
pub const HEADER_TOO_LARGE: &str = "adapter_header_too_large";
/// The weights file's header is not what safetensors asks for.
pub const HEADER_INVALID: &str = "adapter_header_invalid";
/// The weights file's header names a key twice.
pub const HEADER_DUPLICATE_KEY: &str = "adapter_header_duplicate_key";
/// The text in `__metadata__` is longer than the limit.
pub const METADATA_TOO_LARGE: &str = "adapter_metadata_too_large";
/// Tensor offsets overlap, leave holes or disagree with shapes.
pub const OFFSETS_INVALID: &str = "adapter_offsets_invalid";
/// More tensors than any adapter has.
pub const TOO_MANY_TENSORS: &str = "adapter_too_many_tensors";
/// A tensor name that is too long or has strange characters.
pub const TENSOR_NAME_INVALID: &str = "adapter_tensor_name_invalid";
/// A tensor type other than F32, F16 and BF16.
pub const UNSUPPORTED_DTYPE: &str = "adapter_unsupported_dtype";
/// A tensor without numbers, or no tensor at all: the weights were not gathered before they were saved.
pub const EMPTY_TENSOR: &str = "adapter_empty_tensor";
/// A model's own weights, with or without an adapter in them.
pub const WHOLE_MODEL: &str = "adapter_whole_model";

/// A tensor's shape does not fit the base model.
pub const WRONG_SHAPE: &str = "adapter_wrong_shape";
/// Tensors and config disagree about the rank.
pub const RANK_MISMATCH: &str = "adapter_rank_mismatch";
/// A module that the base model does not have.
pub const UNKNOWN_MODULE: &str = "adapter_unknown_module";
/// A layer that the base model does not have.
pub const LAYER_OUT_OF_RANGE: &str = "adapter_layer_out_of_range";
/// A tensor that is no LoRA weight.
pub const UNEXPECTED_TENSOR: &str = "adapter_unexpected_tensor";
/// Weights of more than one adapter in one file.
pub const SEVERAL_ADAPTERS: &str = "adapter_several_adapters";
/// An A without its B, or a B without its A.
pub const MISSING_PAIR: &str = "adapter_missing_pair";
/// Tensors and config disagree about the targets.
pub const TARGETS_DISAGREE: &str = "adapter_targets_disagree";
/// NaN or infinity in a tensor, or in the model's answer with the adapter.
pub const NOT_FINITE: &str = "adapter_not_finite";
/// Numbers so large that the model's own could overflow.
pub const VALUES_TOO_LARGE: &str = "adapter_values_too_large";
/// With the adapter the model answers as without it.
pub const DOES_NOTHING: &str = "adapter_does_nothing";

/// The files are not those that the digest names.
pub const DIGEST_MISMATCH: &str = "adapter_digest_mismatch";
/// The files could not be read.
pub const UNREADABLE: &str = "adapter_unreadable";
/// The device could not take the adapter.
pub const NOT_LOADED: &str = "adapter_not_loaded";
/// A remote engine does not take the adapter; the message has its words.
pub const ENGINE_REFUSED: &str = "adapter_engine_refused";
/// This engine has taken the adapter out of service; the message says why.
pub const DISABLED: &str = "adapter_disabled";
/// The adapter takes more memory than all adapters together may.
pub const TOO_LARGE_FOR_MEMORY: &str = "adapter_too_large_for_memory";

/// The checks of an upload in the order in which they are made, and the codes that each refuses with. A report names those
/// that its adapter passed.
pub const CHECKS: [(&str, &[&str]); 13] = [
    ("config_json", &[CONFIG_TOO_LARGE, CONFIG_INVALID_JSON, CONFIG_TOO_DEEP, CONFIG_DUPLICATE_KEY]),
    (
        "config_options",
        &[
            UNSUPPORTED_PEFT_TYPE,
            UNSUPPORTED_TASK_TYPE,
            UNSUPPORTED_DORA,
            UNSUPPORTED_MODULES_TO_SAVE,
            UNSUPPORTED_BIAS,
            UNSUPPORTED_FAN_IN_FAN_OUT,
            UNSUPPORTED_LAYER_REPLICATION,
            UNSUPPORTED_TRAINABLE_TOKENS,
            UNSUPPORTED_QALORA,
            UNSUPPORTED_TARGET_PARAMETERS,
            UNSUPPORTED_INITIALIZER,
            UNSUPPORTED_MEGATRON,
            UNSUPPORTED_ALORA,
            UNSUPPORTED_OPTION,
        ],
    ),
    (
        "config_fields",
        &[CONFIG_WRONG_TYPE, CONFIG_MISSING_FIELD, INVALID_RANK, INVALID_ALPHA, INVALID_PATTERN],
    ),
    ("container", &[UNREADABLE, NOT_SAFETENSORS, HEADER_TOO_LARGE]),
    ("header", &[HEADER_INVALID, HEADER_DUPLICATE_KEY, METADATA_TOO_LARGE, TOO_MANY_TENSORS, WHOLE_MODEL]),
    ("tensors", &[TENSOR_NAME_INVALID, UNSUPPORTED_DTYPE, EMPTY_TENSOR]),
    ("layout", &[OFFSETS_INVALID, TRUNCATED, TRAILING_BYTES]),
    ("names", &[UNEXPECTED_TENSOR, SEVERAL_ADAPTERS, UNKNOWN_MODULE, LAYER_OUT_OF_RANGE, MISSING_PAIR]),
    ("targets", &[UNSUPPORTED_EMBEDDINGS, TARGETS_DISAGREE, AMBIGUOUS_PATTERN]),
    ("shapes", &[WRONG_SHAPE, RANK_MISMATCH, RANK_TOO_HIGH]),
    ("values", &[NOT_FINITE, VALUES_TOO_LARGE]),
    ("effect", &[DOES_NOTHING]),
    ("memory", &[TOO_LARGE_FOR_MEMORY]),
];

/// What can become of an adapter that passed them, when it is to be used.
pub const IN_USE: [&str; 4] = [DIGEST_MISMATCH, NOT_LOADED, ENGINE_REFUSED, DISABLED];
