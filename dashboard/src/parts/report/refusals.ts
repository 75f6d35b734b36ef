// Why the server refuses an adapter, in a reader's words: the table "Refusals" of docs/adapters.md. The server's own message is
// shown beside it and knows the field or tensor; an unknown code has the message alone.

export interface Refusal {
  means: string;
  todo: string;
}

export const REFUSALS: Readonly<Record<string, Refusal>> = {
  adapter_config_too_large: {
    means: "The config is longer than 64 KiB.",
    todo: "Upload the file that PEFT saved.",
  },
  adapter_config_invalid_json: {
    means: "The config is not one JSON object.",
    todo: "Upload the file that PEFT saved.",
  },
  adapter_config_too_deep: {
    means: "More than 8 values within each other.",
    todo: "Upload the file that PEFT saved.",
  },
  adapter_config_duplicate_key: {
    means: "The config has one key twice.",
    todo: "Keep one.",
  },
  adapter_config_wrong_type: {
    means: "A field has another type than PEFT writes.",
    todo: "Correct the field that is named here.",
  },
  adapter_config_missing_field: {
    means: "The field peft_type, r, lora_alpha or a target is missing.",
    todo: "Upload the file that PEFT saved.",
  },
  adapter_invalid_pattern: {
    means:
      "An expression that cannot be used: too long, look-aheads, more than 2,048 entries, or layers_to_transform beside an expression.",
    todo: "Name the modules in a list.",
  },
  adapter_ambiguous_pattern: {
    means: "Two patterns give one module different values.",
    todo: "Make one of them more exact.",
  },
  adapter_invalid_rank: {
    means: "Not a whole number from 1 on.",
    todo: "Correct r or rank_pattern.",
  },
  adapter_rank_too_high: {
    means: "The rank is above the server's TENORA_MAX_RANK.",
    todo: "Train with a smaller r, or ask the operator.",
  },
  adapter_invalid_alpha: {
    means: "Not a number above 0 and up to 1,000,000.",
    todo: "Correct lora_alpha or alpha_pattern.",
  },
  adapter_unsupported_peft_type: {
    means: "Its kind is not LoRA.",
    todo: "Train LoRA.",
  },
  adapter_unsupported_task_type: {
    means: "Its task is not causal language modelling.",
    todo: "Train for causal language modelling.",
  },
  adapter_unsupported_dora: {
    means: "Not served: DoRA.",
    todo: "Train with use_dora=False.",
  },
  adapter_unsupported_modules_to_save: {
    means: "Not served: fully trained modules beside the adapter.",
    todo: "Train without modules_to_save.",
  },
  adapter_unsupported_bias: {
    means: "Not served: trained biases.",
    todo: 'Train with bias="none", lora_bias=False.',
  },
  adapter_unsupported_fan_in_fan_out: {
    means: "Not served: transposed base weights.",
    todo: "The served bases have none: leave it out.",
  },
  adapter_unsupported_layer_replication: {
    means: "Not served: repeated layers.",
    todo: "Train on the base's own layers.",
  },
  adapter_unsupported_trainable_tokens: {
    means: "Not served: trained rows of the embedding.",
    todo: "Train without new tokens.",
  },
  adapter_unsupported_qalora: {
    means: "Not served: QALoRA.",
    todo: "Train with use_qalora=False.",
  },
  adapter_unsupported_target_parameters: {
    means: "Not served: LoRA on bare parameters.",
    todo: "Use target_modules.",
  },
  adapter_unsupported_initializer: {
    means: "Not served: an initialiser that changes the base.",
    todo: "Train with init_lora_weights=True, or convert when saving.",
  },
  adapter_unsupported_embeddings: {
    means: "Not served: LoRA on, or copies of, the embedding or output layer.",
    todo: "Leave embed_tokens and lm_head out.",
  },
  adapter_unsupported_megatron: {
    means: "Not served: Megatron's parallel layers.",
    todo: "Train without them.",
  },
  adapter_unsupported_alora: {
    means: "Not served: activated LoRA.",
    todo: "Train a plain LoRA adapter.",
  },
  adapter_unsupported_option: {
    means: "An option that is not known is on.",
    todo: "Turn off the option that is named here.",
  },
  adapter_not_safetensors: {
    means: "A pickle, a zip, GGUF, a Git LFS pointer, a web page ….",
    todo: "Save with safetensors; for a pointer, git lfs pull.",
  },
  adapter_truncated: {
    means: "The file ends too early.",
    todo: "Upload it again.",
  },
  adapter_trailing_bytes: {
    means: "Goes on after its last tensor.",
    todo: "Save it again.",
  },
  adapter_header_too_large: {
    means: "A header above 4 MiB.",
    todo: "Save it again.",
  },
  adapter_header_invalid: {
    means: "Not the header of safetensors.",
    todo: "Save it again.",
  },
  adapter_header_duplicate_key: {
    means: "A tensor named twice.",
    todo: "Save it again.",
  },
  adapter_metadata_too_large: {
    means: "More than 64 KiB of text in __metadata__.",
    todo: "Save without it.",
  },
  adapter_offsets_invalid: {
    means: "Tensors overlap, leave holes or disagree with their shapes.",
    todo: "Save it again.",
  },
  adapter_too_many_tensors: {
    means: "More than 16,384.",
    todo: "Save the adapter alone.",
  },
  adapter_tensor_name_invalid: {
    means: "A name above 256 bytes, or with strange characters.",
    todo: "Save it again.",
  },
  adapter_unsupported_dtype: {
    means: "Other numbers than F32, F16 and BF16.",
    todo: "Convert it.",
  },
  adapter_empty_tensor: {
    means: "Tensors without numbers, or none: ZeRO-3 or FSDP did not gather them.",
    todo: "Gather the weights before saving.",
  },
  adapter_whole_model: {
    means: "A model's own weights.",
    todo: "Save the adapter, not the model (save_pretrained, not merged).",
  },
  adapter_wrong_shape: {
    means: "A tensor does not fit the base.",
    todo: "It was trained on another base.",
  },
  adapter_rank_mismatch: {
    means: "Tensors and config disagree about the rank.",
    todo: "Upload the two files of one save.",
  },
  adapter_unknown_module: {
    means: "A module that the base does not have.",
    todo: "It was trained on another base, or a typing error in target_modules.",
  },
  adapter_layer_out_of_range: {
    means: "A layer that the base does not have.",
    todo: "It was trained on a larger base.",
  },
  adapter_unexpected_tensor: {
    means: "A tensor that is no LoRA weight, or the same weight twice.",
    todo: "Remove it; from torchtune save with FullModelHFCheckpointer.",
  },
  adapter_several_adapters: {
    means: "Weights of more than one adapter.",
    todo: "Save with selected_adapters=[…].",
  },
  adapter_missing_pair: {
    means: "An A without its B, or a B without its A.",
    todo: "Save it again.",
  },
  adapter_targets_disagree: {
    means: "Config and tensors name different modules.",
    todo: "Upload the two files of one save.",
  },
  adapter_not_finite: {
    means: "NaN or infinity, in a tensor or in the trial's answer.",
    todo: "Train or export it again.",
  },
  adapter_values_too_large: {
    means: "Numbers that could make the model's own overflow.",
    todo: "Was training unstable, or is lora_alpha wrong?",
  },
  adapter_does_nothing: {
    means: "It answers like the base: lora_B is zero everywhere.",
    todo: "Was it trained, and saved after that?",
  },
  adapter_too_large_for_memory: {
    means: "Larger than all the memory for adapters.",
    todo: "Smaller rank or 16 bits, or the operator raises TENORA_ADAPTER_MEMORY_BYTES.",
  },
  adapter_digest_mismatch: {
    means:
      "Files on disk are not what the digest names; clients see 500 internal_error, the log has the reason.",
    todo: "The operator looks at the disk: tenora store verify.",
  },
  adapter_unreadable: {
    means: "Files could not be read; 500 as well.",
    todo: "The operator looks at the disk: tenora store verify.",
  },
  adapter_not_loaded: {
    means: "The device could not take it; 500 as well.",
    todo: "Try again; else the operator looks at the log.",
  },
  adapter_engine_refused: {
    means: "With vLLM servers: none of them takes it; the message has their words.",
    todo: "The operator looks at their limits: --max-lora-rank, --max-loras.",
  },
  adapter_disabled: {
    means: "The engine has found it faulty and taken it out of service (409).",
    todo: "The message says why; push a better version.",
  },
};
