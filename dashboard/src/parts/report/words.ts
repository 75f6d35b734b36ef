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

export const WARNINGS: Readonly<Record<string, string>> = {
  modules_without_effect: "Some modules were not trained, or saved before training.",
  large_scale: "lora_alpha over the rank is above 32: is it the one used in training?",
  large_norm: "A projection changes its input more than 1,000-fold: was training stable?",
  base_model_differs:
    "The config names another base model. The shapes fit; on other weights it would answer badly.",
};

/** A projection whose bound is above this is pointed out; the server warns of it as well. */
export const LARGE_NORM = 1000;
