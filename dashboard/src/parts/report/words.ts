// The report's own names in a reader's words.

export const CHECKS: Readonly<Record<string, string>> = {
  config_json: "The config is one JSON object",
  config_options: "Every option that is on is served",
  config_fields: "Rank, alpha and targets have values that can be",
  container: "The weights are a safetensors file",
  header: "Its header is sound",
  tensors: "Names and number formats are served",
  layout: "Tensors fill the file without holes or overlaps",
  names: "Every tensor belongs to a module of the base model",
  targets: "Config and tensors name the same modules",
  shapes: "Every tensor fits the base model",
  values: "All numbers are finite and not too large",
  effect: "The adapter does something",
  memory: "It fits into the memory for adapters",
  canary: "The engine answered a trial prompt with it",
};

/** As titles: the server's own words stand below. */
export const WARNINGS: Readonly<Record<string, string>> = {
  modules_without_effect: "Some modules do nothing",
  large_scale: "Is lora_alpha the one used in training?",
  large_norm: "Was training stable?",
  base_model_differs: "Was it trained on this base model?",
};

/** A projection whose bound is above this is pointed out; the server warns of it as well. */
export const LARGE_NORM = 1000;
