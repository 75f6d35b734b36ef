//! `adapter_config.json` as PEFT's `LoraConfig` writes it (fields of PEFT 0.21, src/peft/tuners/lora/config.py). An option
//! is honoured exactly, known to change nothing at inference, or refused by name.

use serde_json::{Map, Value};

use super::{
    codes,
    header::shown,
    json::{self, JsonError},
    targets::{LayerSet, ModuleSet, Patterns, Targets},
};
use crate::error::AdapterRejection;

/// Longest `adapter_config.json`, in bytes.
pub(crate) const MAX_CONFIG_BYTES: usize = 64 << 10;
/// Largest alpha; far above any that trains, and far below what overflows.
const MAX_ALPHA: f64 = 1e6;
/// Objects and lists within each other; PEFT's own files have three.
const MAX_DEPTH: usize = 8;
/// Most entries of a pattern or a list.
const MAX_ENTRIES: usize = 2048;

/// Options that change nothing once an adapter is trained. The settings of an initialiser count only beside
/// `init_lora_weights` with its name, which is judged by itself.
const INERT: [&str; 15] = [
    "auto_mapping",
    "base_model_name_or_path",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "inference_mode",
    "loftq_config",
    "lora_dropout",
    "lora_ga_config",
    "megatron_core",
    "merge_weights",
    "peft_version",
    "qalora_group_size",
    "revision",
    "runtime_config",
];

/// What PEFT targets in every family served here when a config does not say (its src/peft/utils/constants.py).
const DEFAULT_TARGETS: [&str; 2] = ["q_proj", "v_proj"];

/// Options that are read below.
const HONOURED: [&str; 13] = [
    "alpha_pattern",
    "bias",
    "exclude_modules",
    "init_lora_weights",
    "layers_pattern",
    "layers_to_transform",
    "lora_alpha",
    "peft_type",
    "r",
    "rank_pattern",
    "target_modules",
    "task_type",
    "use_rslora",
];

/// Initialisers that leave the base as it is.
const NEUTRAL_INITIALISERS: [&str; 4] = ["eva", "gaussian", "mica", "orthogonal"];

const NO_CONVERSION: &str =
    "train with `init_lora_weights=True`, or save with `path_initial_model_for_weight_conversion`";

/// Options that must be null, false or empty: the field, the code of its refusal, and what to do instead.
const REFUSED: [(&str, &str, &str); 10] = [
    ("use_dora", codes::UNSUPPORTED_DORA, "train with `use_dora=False`"),
    ("modules_to_save", codes::UNSUPPORTED_MODULES_TO_SAVE, "train without `modules_to_save`"),
    ("lora_bias", codes::UNSUPPORTED_BIAS, "train with `lora_bias=False`"),
    ("fan_in_fan_out", codes::UNSUPPORTED_FAN_IN_FAN_OUT, "the served bases have no transposed layers"),
    ("layer_replication", codes::UNSUPPORTED_LAYER_REPLICATION, "train on the base's own layers"),
    ("trainable_token_indices", codes::UNSUPPORTED_TRAINABLE_TOKENS, "train without new token embeddings"),
    ("use_qalora", codes::UNSUPPORTED_QALORA, "train with `use_qalora=False`"),
    ("target_parameters", codes::UNSUPPORTED_TARGET_PARAMETERS, "use `target_modules`"),
    ("megatron_config", codes::UNSUPPORTED_MEGATRON, "train without Megatron's parallel layers"),
    ("alora_invocation_tokens", codes::UNSUPPORTED_ALORA, "train a plain LoRA adapter"),
];

/// A config that can be honoured.
#[derive(Debug)]
pub(super) struct PeftConfig {
    pub(super) rank: usize,
    pub(super) alpha: f64,
    pub(super) rank_stabilised: bool,
    pub(super) rank_pattern: Patterns<usize>,
    pub(super) alpha_pattern: Patterns<f64>,
    pub(super) targets: Targets,
    /// What the adapter was trained on, as far as the config tells: a hub's id, or a path on another machine.
    pub(super) base_model: Option<String>,
}

impl PeftConfig {
    /// Parses and checks everything that needs no base model.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, AdapterRejection> {
        let fields = Fields(parse_object(bytes)?);
        fields.refuse_foreign_kind()?;
        fields.refuse_options()?;
        Ok(Self {
            rank: fields.rank()?,
            alpha: fields.alpha()?,
            rank_stabilised: fields.flag("use_rslora")?,
            rank_pattern: Patterns::new("rank_pattern", fields.pattern("rank_pattern", whole_rank)?)?,
            alpha_pattern: Patterns::new("alpha_pattern", fields.pattern("alpha_pattern", bounded_alpha)?)?,
            targets: fields.targets()?,
            base_model: fields.base_model(),
        })
    }

    /// Rank and scale of a module: `alpha / r`, or `alpha / sqrt(r)` when rank-stabilised (arXiv:2312.03732).
    pub(super) fn rank_and_scale(&self, module: &str) -> Result<(usize, f64), AdapterRejection> {
        let rank = self.rank_pattern.value(module)?.unwrap_or(self.rank);
        let alpha = self.alpha_pattern.value(module)?.unwrap_or(self.alpha);
        let divisor = if self.rank_stabilised { (rank as f64).sqrt() } else { rank as f64 };
        Ok((rank, alpha / divisor))
    }
}

fn parse_object(bytes: &[u8]) -> Result<Map<String, Value>, AdapterRejection> {
    if bytes.len() > MAX_CONFIG_BYTES {
        let message =
            format!("adapter_config.json has {} bytes, and {MAX_CONFIG_BYTES} are the most", bytes.len());
        return Err(AdapterRejection::whole(codes::CONFIG_TOO_LARGE, message));
    }
    let invalid = |problem: &str| {
        let message = format!("adapter_config.json is not a JSON object: {problem}");
        AdapterRejection::whole(codes::CONFIG_INVALID_JSON, message)
    };
    match json::parse(bytes, MAX_DEPTH) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(invalid("it is another JSON value")),
        Err(JsonError::TooDeep) => {
            let message = format!(
                "adapter_config.json has more than {MAX_DEPTH} values within each other; upload the file that PEFT saved"
            );
            Err(AdapterRejection::whole(codes::CONFIG_TOO_DEEP, message))
        }
        Err(JsonError::Invalid(problem)) => Err(invalid(&problem)),
        Err(JsonError::Duplicate(key)) => {
            let message = format!("adapter_config.json names `{}` twice; keep one", shown(&key));
            Err(AdapterRejection::new(codes::CONFIG_DUPLICATE_KEY, shown(&key), message))
        }
    }
}

fn whole_rank(value: &Value) -> Option<usize> {
    value.as_u64().and_then(|v| usize::try_from(v).ok()).filter(|&v| v > 0)
}

fn bounded_alpha(value: &Value) -> Option<f64> {
    value.as_f64().filter(|&v| v > 0.0 && v <= MAX_ALPHA)
}

/// Null, false or empty: what an option is when it is off.
fn is_off(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(entries) => entries.is_empty(),
        Value::Number(_) => false,
    }
}

struct Fields(Map<String, Value>);

impl Fields {
    /// `None` when absent or null.
    fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|v| !v.is_null())
    }

    fn wrong_type(&self, name: &str, wanted: &str) -> AdapterRejection {
        let value = shown(&self.0.get(name).unwrap_or(&Value::Null).to_string());
        let message = format!("`{name}` is {value}, and {wanted} is wanted");
        AdapterRejection::new(codes::CONFIG_WRONG_TYPE, name, message)
    }

    fn missing(&self, name: &str) -> AdapterRejection {
        let message = format!("adapter_config.json has no `{name}`; upload the file that PEFT saved");
        AdapterRejection::new(codes::CONFIG_MISSING_FIELD, name, message)
    }

    fn flag(&self, name: &str) -> Result<bool, AdapterRejection> {
        match self.get(name) {
            None => Ok(false),
            Some(value) => value.as_bool().ok_or_else(|| self.wrong_type(name, "true or false")),
        }
    }

    fn text(&self, name: &str) -> Result<Option<&str>, AdapterRejection> {
        match self.get(name) {
            None => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or_else(|| self.wrong_type(name, "a string")),
        }
    }

    fn refuse_foreign_kind(&self) -> Result<(), AdapterRejection> {
        let kind = self.text("peft_type")?.ok_or_else(|| self.missing("peft_type"))?;
        if kind != "LORA" {
            let message = format!("`peft_type` is `{}`; only LORA adapters are served", shown(kind));
            return Err(AdapterRejection::new(codes::UNSUPPORTED_PEFT_TYPE, "peft_type", message));
        }
        match self.text("task_type")? {
            None | Some("CAUSAL_LM") => Ok(()),
            Some(task) => {
                let message = format!("`task_type` is `{}`; only CAUSAL_LM adapters are served", shown(task));
                Err(AdapterRejection::new(codes::UNSUPPORTED_TASK_TYPE, "task_type", message))
            }
        }
    }

    fn refuse_options(&self) -> Result<(), AdapterRejection> {
        let on = |name: &str| self.get(name).is_some_and(|value| !is_off(value));
        for (name, code, advice) in REFUSED {
            if on(name) {
                return Err(AdapterRejection::new(code, name, format!("`{name}` is not served: {advice}")));
            }
        }
        let bias = self.text("bias")?.unwrap_or("none");
        if bias != "none" {
            let message =
                format!("`bias` is `{}`, which changes the shared base; train with \"none\"", shown(bias));
            return Err(AdapterRejection::new(codes::UNSUPPORTED_BIAS, "bias", message));
        }
        self.refuse_initialiser()?;
        let known = |name: &str| INERT.contains(&name) || HONOURED.contains(&name);
        match self.0.keys().find(|name| !known(name) && on(name)) {
            None => Ok(()),
            Some(name) => {
                let name = shown(name);
                let message =
                    format!("`{name}` is set, and what it does is not served; train a plain LoRA adapter");
                Err(AdapterRejection::new(codes::UNSUPPORTED_OPTION, name, message))
            }
        }
    }

    /// How an adapter that left the base as it was began is history; others were trained against a changed base.
    fn refuse_initialiser(&self) -> Result<(), AdapterRejection> {
        const NAME: &str = "init_lora_weights";
        match self.get(NAME) {
            None | Some(Value::Bool(_)) => Ok(()),
            Some(Value::String(kind)) if NEUTRAL_INITIALISERS.contains(&kind.as_str()) => Ok(()),
            Some(Value::String(kind)) => {
                let kind = shown(kind);
                let message = format!(
                    "`{NAME}` is `{kind}`, which may change the base, and the base is shared: {NO_CONVERSION}"
                );
                Err(AdapterRejection::new(codes::UNSUPPORTED_INITIALIZER, NAME, message))
            }
            Some(_) => Err(self.wrong_type(NAME, "true, false or a name")),
        }
    }

    fn base_model(&self) -> Option<String> {
        let name = self.get("base_model_name_or_path").and_then(Value::as_str);
        name.filter(|name| !name.is_empty()).map(shown)
    }

    fn rank(&self) -> Result<usize, AdapterRejection> {
        let value = self.get("r").ok_or_else(|| self.missing("r"))?;
        if !value.is_number() {
            return Err(self.wrong_type("r", "a whole number"));
        }
        whole_rank(value).ok_or_else(|| {
            let message = format!("`r` is {value}, and a whole number from 1 on is wanted");
            AdapterRejection::new(codes::INVALID_RANK, "r", message)
        })
    }

    fn alpha(&self) -> Result<f64, AdapterRejection> {
        let value = self.get("lora_alpha").ok_or_else(|| self.missing("lora_alpha"))?;
        if !value.is_number() {
            return Err(self.wrong_type("lora_alpha", "a number"));
        }
        bounded_alpha(value).ok_or_else(|| {
            let message =
                format!("`lora_alpha` is {value}, and a number above 0 and up to {MAX_ALPHA} is wanted");
            AdapterRejection::new(codes::INVALID_ALPHA, "lora_alpha", message)
        })
    }

    fn pattern<T>(
        &self,
        name: &'static str,
        read: fn(&Value) -> Option<T>,
    ) -> Result<Vec<(String, T)>, AdapterRejection> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let entries = value.as_object().ok_or_else(|| self.wrong_type(name, "an object"))?;
        self.refuse_long(name, entries.len())?;
        let read = |(key, value): (&String, &Value)| {
            let value = read(value).ok_or_else(|| {
                let message =
                    format!("`{name}` gives `{}` the value {}", shown(key), shown(&value.to_string()));
                let code = if name == "rank_pattern" { codes::INVALID_RANK } else { codes::INVALID_ALPHA };
                AdapterRejection::new(code, name, message + ", and a number above 0 is wanted")
            })?;
            Ok((key.clone(), value))
        };
        entries.iter().map(read).collect()
    }

    fn refuse_long(&self, name: &str, entries: usize) -> Result<(), AdapterRejection> {
        if entries <= MAX_ENTRIES {
            return Ok(());
        }
        let message = format!("`{name}` has {entries} entries, and {MAX_ENTRIES} are the most");
        Err(AdapterRejection::new(codes::INVALID_PATTERN, name, message))
    }

    fn targets(&self) -> Result<Targets, AdapterRejection> {
        let modules = match self.module_set("target_modules")? {
            Some(modules) => modules,
            None if self.get("target_modules").is_none() => {
                ModuleSet::Names(DEFAULT_TARGETS.map(str::to_owned).to_vec())
            }
            None => return Err(self.missing("target_modules")),
        };
        let layers = self.layers()?;
        if layers.is_some() && !matches!(modules, ModuleSet::Names(_)) {
            let message = "`layers_to_transform` needs `target_modules` to be a list of names";
            return Err(AdapterRejection::new(codes::INVALID_PATTERN, "layers_to_transform", message));
        }
        Ok(Targets { modules, excluded: self.module_set("exclude_modules")?, layers })
    }

    fn module_set(&self, name: &'static str) -> Result<Option<ModuleSet>, AdapterRejection> {
        match self.get(name).filter(|value| !is_off(value)) {
            None => Ok(None),
            Some(Value::String(text))
                if name == "target_modules" && text.eq_ignore_ascii_case("all-linear") =>
            {
                Ok(Some(ModuleSet::AllLinear))
            }
            Some(Value::String(text)) => ModuleSet::expression(name, text).map(Some),
            Some(_) => self.names(name).map(|names| Some(ModuleSet::Names(names))),
        }
    }

    fn names(&self, name: &str) -> Result<Vec<String>, AdapterRejection> {
        let wrong = || self.wrong_type(name, "a string or a list of strings");
        let items = self.get(name).and_then(Value::as_array).ok_or_else(wrong)?;
        self.refuse_long(name, items.len())?;
        items.iter().map(|item| item.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
    }

    fn layers(&self) -> Result<Option<LayerSet>, AdapterRejection> {
        const NAME: &str = "layers_to_transform";
        let layer = |value: &Value| value.as_u64().and_then(|v| usize::try_from(v).ok());
        let layers = match self.get(NAME) {
            None => return Ok(None),
            Some(Value::Array(items)) if items.is_empty() => return Ok(None),
            Some(Value::Array(items)) => items.iter().map(layer).collect(),
            Some(one) => layer(one).map(|layer| vec![layer]),
        };
        let layers: Vec<usize> =
            layers.ok_or_else(|| self.wrong_type(NAME, "a layer or a list of layers"))?;
        self.refuse_long(NAME, layers.len())?;
        let patterns = match self.get("layers_pattern").filter(|value| !is_off(value)) {
            None => None,
            Some(Value::String(text)) => Some(vec![LayerSet::pattern(text)?]),
            Some(_) => {
                let names = self.names("layers_pattern")?;
                Some(names.iter().map(|text| LayerSet::pattern(text)).collect::<Result<_, _>>()?)
            }
        };
        Ok(Some(LayerSet { layers, patterns }))
    }
}
