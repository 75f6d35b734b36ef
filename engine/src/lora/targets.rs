//! Which modules a PEFT config means: `target_modules`, `exclude_modules`, `layers_to_transform` and the patterns for rank
//! and alpha, by PEFT's own rules, with a regular-expression engine that takes linear time.

use regex::{Regex, RegexBuilder};

use super::{codes, header::shown};
use crate::{
    error::AdapterRejection,
    model::{ModelConfig, Projection},
};

/// Modules of the base beside the projections that LoRA can target, and that are not served.
const EMBEDDINGS: [&str; 2] = ["lm_head", "model.embed_tokens"];
/// Look-aheads that Unsloth writes into expressions for every family. They keep out experts and audio codecs, of which the
/// bases served here have none, so leaving them out matches the same modules.
const VACUOUS: [&str; 2] = [
    r"(?!.*\.experts\.\d)",
    r"(?!(?:.*\.)?(?:codec_model|audio_tokenizer|acoustic_tokenizer|semantic_tokenizer)\.)",
];
/// Longest regular expression, in bytes.
const MAX_REGEX_BYTES: usize = 4096;
/// Memory of one compiled expression, in bytes.
const MAX_REGEX_MEMORY_BYTES: usize = 1 << 20;

/// One projection of one layer.
pub(super) type Place = (usize, Projection);

/// Names or an expression, as `target_modules` and `exclude_modules` hold them.
#[derive(Debug)]
pub(super) enum ModuleSet {
    /// Each a whole module name or the end of one after a dot.
    Names(Vec<String>),
    /// Every linear map but the output layer.
    AllLinear,
    /// Must match a whole module name.
    Expression(Regex),
}

impl ModuleSet {
    /// An expression that must match whole names.
    pub(super) fn expression(field: &'static str, text: &str) -> Result<Self, AdapterRejection> {
        let needed = VACUOUS.iter().fold(text.to_owned(), |text, vacuous| text.replace(vacuous, ""));
        compile(field, text, &format!("^(?:{needed})$")).map(Self::Expression)
    }

    fn contains(&self, module: &str) -> bool {
        match self {
            Self::Names(names) => names.iter().any(|name| is_or_ends_with(module, name)),
            Self::AllLinear => !EMBEDDINGS.contains(&module),
            Self::Expression(expression) => expression.is_match(module),
        }
    }

    fn names_exactly(&self, module: &str) -> bool {
        matches!(self, Self::Names(names) if names.iter().any(|name| name == module))
    }
}

fn is_or_ends_with(module: &str, name: &str) -> bool {
    module.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// `layers_to_transform` and `layers_pattern`.
#[derive(Debug)]
pub(super) struct LayerSet {
    pub(super) layers: Vec<usize>,
    /// `None`: any module list counts, and a decoder has one.
    pub(super) patterns: Option<Vec<Regex>>,
}

impl LayerSet {
    /// An expression for the name of a module list that holds the layers.
    pub(super) fn pattern(text: &str) -> Result<Regex, AdapterRejection> {
        compile("layers_pattern", text, &format!(r"^(?:.*?\.)?(?:{text})\.(?<layer>\d+)\."))
    }

    fn contains(&self, module: &str, layer: usize) -> bool {
        let found = match &self.patterns {
            None => Some(layer),
            Some(patterns) => patterns
                .iter()
                .find_map(|p| p.captures(module))
                .and_then(|captures| captures["layer"].parse().ok()),
        };
        found.is_some_and(|layer| self.layers.contains(&layer))
    }
}

/// What a config targets.
#[derive(Debug)]
pub(super) struct Targets {
    pub(super) modules: ModuleSet,
    pub(super) excluded: Option<ModuleSet>,
    pub(super) layers: Option<LayerSet>,
}

impl Targets {
    /// The targeted projections of a base model, by layer.
    pub(super) fn resolve(&self, model: &ModelConfig) -> Result<Vec<Place>, AdapterRejection> {
        let excluded = |module: &str| self.excluded.as_ref().is_some_and(|set| set.contains(module));
        if let Some(module) = EMBEDDINGS.iter().find(|m| self.modules.contains(m) && !excluded(m)) {
            return Err(embeddings_refused("target_modules", module));
        }
        self.refuse_unknown(model)?;
        let places: Vec<Place> = all_places(model)
            .filter(|&(layer, projection)| {
                let module = projection.path(layer);
                let in_layers = || match &self.layers {
                    // PEFT lets a whole name stand whatever `layers_to_transform` says.
                    Some(set) => self.modules.names_exactly(&module) || set.contains(&module, layer),
                    None => true,
                };
                !excluded(&module) && self.modules.contains(&module) && in_layers()
            })
            .collect();
        match places.is_empty() {
            true => Err(no_target("target_modules", "matches no module of the base model")),
            false => Ok(places),
        }
    }

    fn refuse_unknown(&self, model: &ModelConfig) -> Result<(), AdapterRejection> {
        if let ModuleSet::Names(names) = &self.modules {
            let known = |name: &str| all_places(model).any(|(l, p)| is_or_ends_with(&p.path(l), name));
            if let Some(name) = names.iter().find(|name| !known(name)) {
                let problem = format!("names `{}`, and the base model has no such module", shown(name));
                return Err(no_target("target_modules", &problem));
            }
        }
        let layers = self.layers.iter().flat_map(|set| &set.layers);
        match layers.max() {
            Some(&highest) if highest >= model.layers => {
                let message = format!(
                    "`layers_to_transform` names layer {highest}, and the base model has {} (from 0); was the \
                     adapter trained on another base?",
                    model.layers
                );
                Err(AdapterRejection::new(codes::LAYER_OUT_OF_RANGE, "layers_to_transform", message))
            }
            _ => Ok(()),
        }
    }
}

fn no_target(field: &str, problem: &str) -> AdapterRejection {
    let known = Projection::ALL.map(Projection::name).join(", ");
    let message = format!("`{field}` {problem}; adapters for {known} are served");
    AdapterRejection::new(codes::UNKNOWN_MODULE, field, message)
}

/// A refusal of adapters on the embedding or the output layer.
pub(super) fn embeddings_refused(param: &str, module: &str) -> AdapterRejection {
    let message = format!(
        "`{param}`: adapters and copies of `{module}` are not served; train without it, and save with \
         `save_embedding_layers=False`"
    );
    AdapterRejection::new(codes::UNSUPPORTED_EMBEDDINGS, param, message)
}

fn all_places(model: &ModelConfig) -> impl Iterator<Item = Place> {
    (0..model.layers).flat_map(|layer| Projection::ALL.map(|projection| (layer, projection)))
}

/// `rank_pattern` or `alpha_pattern`: values for modules whose name, or end of a name after a dot, an expression matches.
#[derive(Debug)]
pub(super) struct Patterns<T> {
    field: &'static str,
    entries: Vec<(Regex, T)>,
}

impl<T: Copy + PartialEq> Patterns<T> {
    pub(super) fn new(field: &'static str, entries: Vec<(String, T)>) -> Result<Self, AdapterRejection> {
        let compiled = entries
            .into_iter()
            .map(|(text, value)| Ok((compile(field, &text, &format!(r"^(?:.*\.)?(?:{text})$"))?, value)))
            .collect::<Result<_, AdapterRejection>>()?;
        Ok(Self { field, entries: compiled })
    }

    /// A module's own value. PEFT takes the first match in the order of the file; a config whose answer depends on that
    /// order is refused, because stored configs have sorted keys.
    pub(super) fn value(&self, module: &str) -> Result<Option<T>, AdapterRejection> {
        let mut matches = self.entries.iter().filter(|(expression, _)| expression.is_match(module));
        let Some(&(_, value)) = matches.next() else { return Ok(None) };
        if matches.any(|&(_, other)| other != value) {
            let message = format!(
                "`{}` has two patterns with different values for `{module}`; write patterns that do not overlap",
                self.field
            );
            return Err(AdapterRejection::new(codes::AMBIGUOUS_PATTERN, self.field, message));
        }
        Ok(Some(value))
    }
}

fn compile(field: &'static str, text: &str, wrapped: &str) -> Result<Regex, AdapterRejection> {
    let refuse = |problem: &str| {
        let message = format!("`{field}`: the expression `{}` {problem}", shown(text));
        AdapterRejection::new(codes::INVALID_PATTERN, field, message)
    };
    if text.len() > MAX_REGEX_BYTES {
        return Err(refuse(&format!("is longer than {MAX_REGEX_BYTES} bytes; list the modules by name")));
    }
    RegexBuilder::new(wrapped)
        .size_limit(MAX_REGEX_MEMORY_BYTES)
        .dfa_size_limit(MAX_REGEX_MEMORY_BYTES)
        .build()
        .map_err(|_| {
            refuse(
                "cannot be used (look-around and back-references are not served); list the modules by name",
            )
        })
}
