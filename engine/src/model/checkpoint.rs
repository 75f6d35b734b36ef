//! The weights of a base model: found, mapped into memory, compared with what the model must have, and fingerprinted.
//! A loader that met a missing tensor could leave a hole in the model without a word; after this check none can.

use std::{
    collections::{BTreeMap, HashSet},
    path::{Component, Path, PathBuf},
};

use candle_core::{DType, Device};
use mistralrs_quant::{ShardedSafeTensors, ShardedVarBuilder, safetensors::MmapedSafetensors};
use safetensors::{Dtype, tensor::TensorView};
use sha2::{Digest, Sha256};

use super::{
    config::ModelConfig,
    fields::{Fields, fault},
};
use crate::{config::LoadProgress, error::EngineError};

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
const TIED_HEAD: &str = "lm_head.weight";
const EMBEDDING: &str = "model.embed_tokens.weight";

/// Tensor bytes hashed between two reports of progress.
const PROGRESS_BYTES: usize = 8 << 20;

/// The mapped weights of one base model: every tensor is there, has its shape, and is used.
pub struct Checkpoint {
    dir: PathBuf,
    files: MmapedSafetensors,
    used: Vec<String>,
    bytes: u64,
    parameters: u64,
    sixteen_bit: bool,
}

impl Checkpoint {
    /// Maps the weights in a folder and compares them with the model's shape.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`] names the file or the tensor at fault.
    pub fn open(dir: &Path, model: &ModelConfig) -> Result<Self, EngineError> {
        let paths = weight_files(dir)?;
        let files = map(dir, &paths)?;
        let found = by_name(dir, &files)?;
        let used = compare(dir, model, &found)?;
        let views = || used.iter().filter_map(|name| found.get(name));
        let checkpoint = Self {
            dir: dir.to_owned(),
            bytes: views().map(|v| v.data().len() as u64).sum(),
            parameters: views().map(|v| v.shape().iter().product::<usize>() as u64).sum(),
            sixteen_bit: views().all(|v| v.dtype() != Dtype::F32),
            used: used.clone(),
            files,
        };
        Ok(checkpoint)
    }

    /// Whether a folder has weights.
    pub fn is_in(dir: &Path) -> bool {
        [SINGLE, INDEX].iter().any(|file| dir.join(file).exists())
    }

    /// Bytes of the tensors in the file.
    pub fn weight_bytes(&self) -> u64 {
        self.bytes
    }

    /// Numbers in the tensors.
    pub fn parameters(&self) -> u64 {
        self.parameters
    }

    /// Whether every tensor is stored in 16 bits.
    pub fn is_sixteen_bit(&self) -> bool {
        self.sixteen_bit
    }

    /// SHA-256, in hex, over the architecture's arithmetic and every used tensor's name, type, shape and bytes, by name.
    /// Two folders with the same fingerprint give the same answers. Reads every byte once.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`] when a file can no longer be read.
    pub fn fingerprint(
        &self,
        model: &ModelConfig,
        progress: &dyn Fn(LoadProgress),
    ) -> Result<String, EngineError> {
        let mut hash = Sha256::new();
        hash_field(&mut hash, model.arithmetic().as_bytes());
        let mut done = 0;
        for name in &self.used {
            let view = self.files.get(name).map_err(|e| fault(&self.dir, e.to_string()))?;
            hash_field(&mut hash, name.as_bytes());
            hash_field(&mut hash, format!("{:?} {:?}", view.dtype(), view.shape()).as_bytes());
            for chunk in view.data().chunks(PROGRESS_BYTES) {
                hash.update(chunk);
                done += chunk.len() as u64;
                progress(LoadProgress { done, total: self.bytes });
            }
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// One tensor, in the mapped file.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: the checkpoint has no such tensor.
    pub fn tensor(&self, name: &str) -> Result<TensorView<'_>, EngineError> {
        self.files.get(name).map_err(|error| self.fault(format!("tensor `{name}`: {error}")))
    }

    /// Something is wrong with these weights.
    pub fn fault(&self, problem: String) -> EngineError {
        fault(&self.dir, problem)
    }

    /// Hands the tensors to the loaders of `mistralrs-quant`, converted to `dtype` on `device`.
    pub fn into_var_builder(self, dtype: DType, device: &Device) -> ShardedVarBuilder {
        ShardedSafeTensors::wrap(Box::new(self.files), dtype, device.clone())
    }
}

fn hash_field(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_le_bytes());
    hash.update(bytes);
}

/// The one file, or the shards that the index names.
pub(super) fn weight_files(dir: &Path) -> Result<Vec<PathBuf>, EngineError> {
    let index = dir.join(INDEX);
    if !index.exists() {
        let single = dir.join(SINGLE);
        if single.exists() {
            return Ok(vec![single]);
        }
        let problem = format!(
            "has neither {SINGLE} nor {INDEX}; save the model with `save_pretrained(…, safe_serialization=True)`"
        );
        return Err(fault(dir, problem));
    }
    let fields = Fields::read(&index)?;
    let map = fields.object("weight_map")?.ok_or_else(|| fields.problem("weight_map", "is missing"))?;
    let mut names = HashSet::new();
    for (tensor, file) in map.entries() {
        let file = file.as_str().filter(|file| is_plain_name(file)).ok_or_else(|| {
            map.problem(tensor, &format!("is {file}, and the name of a file in the same folder is wanted"))
        })?;
        names.insert(file.to_owned());
    }
    let mut paths: Vec<_> = names.into_iter().map(|name| dir.join(name)).collect();
    paths.sort();
    match paths.iter().find(|path| !path.is_file()) {
        Some(missing) => Err(fault(missing, format!("is missing; {INDEX} names it"))),
        None => Ok(paths),
    }
}

fn is_plain_name(file: &str) -> bool {
    let mut parts = Path::new(file).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
        && file.ends_with(".safetensors")
}

pub(super) fn map(dir: &Path, paths: &[PathBuf]) -> Result<MmapedSafetensors, EngineError> {
    #[expect(
        unsafe_code,
        reason = "weights are mapped, not copied; the operator's model folder does not change under us"
    )]
    let mapped = unsafe { MmapedSafetensors::multi(paths) };
    mapped.map_err(|e| fault(dir, format!("a weights file is damaged or cannot be read: {e}")))
}

fn by_name<'a>(
    dir: &Path,
    files: &'a MmapedSafetensors,
) -> Result<BTreeMap<String, TensorView<'a>>, EngineError> {
    let mut found = BTreeMap::new();
    for (name, view) in files.tensors() {
        if !matches!(view.dtype(), Dtype::F32 | Dtype::F16 | Dtype::BF16) {
            let problem = format!("tensor `{name}` is {:?}; f32, bf16 and f16 are supported", view.dtype());
            return Err(fault(dir, problem));
        }
        if found.contains_key(&name) {
            return Err(fault(dir, format!("tensor `{name}` is in two weights files")));
        }
        found.insert(name, view);
    }
    Ok(found)
}

/// The names of the tensors used, sorted; an error when one is missing, misshapen or unused.
fn compare(
    dir: &Path,
    model: &ModelConfig,
    found: &BTreeMap<String, TensorView<'_>>,
) -> Result<Vec<String>, EngineError> {
    let expected = model.expected_tensors();
    let missing: Vec<_> =
        expected.iter().map(|t| &t.name).filter(|name| !found.contains_key(*name)).collect();
    if let [first, ..] = missing[..] {
        let hint = if missing == [TIED_HEAD] { " (or set `tie_word_embeddings` in config.json)" } else { "" };
        let problem =
            format!("{} of {} tensors are missing, `{first}` first{hint}", missing.len(), expected.len());
        return Err(fault(dir, problem));
    }
    for tensor in &expected {
        if let Some(view) = found.get(&tensor.name)
            && view.shape() != tensor.shape
        {
            let problem = format!(
                "tensor `{}` has shape {:?}, and config.json asks for {:?}",
                tensor.name,
                view.shape(),
                tensor.shape
            );
            return Err(fault(dir, problem));
        }
    }
    let mut used: Vec<_> = expected.into_iter().map(|t| t.name).collect();
    used.sort();
    for (name, view) in found.iter().filter(|(name, _)| used.binary_search(name).is_err()) {
        if !is_inert(model, name, view, found) {
            let problem =
                format!("tensor `{name}` is in the weights, and a {} has no use for it", model.architecture);
            return Err(fault(dir, problem));
        }
    }
    Ok(used)
}

/// Known leftovers: rotary tables of old exports, and an output layer that repeats the embedding it is tied to.
fn is_inert(
    model: &ModelConfig,
    name: &str,
    view: &TensorView<'_>,
    found: &BTreeMap<String, TensorView<'_>>,
) -> bool {
    let repeats_embedding =
        || found.get(EMBEDDING).is_some_and(|e| e.dtype() == view.dtype() && e.data() == view.data());
    name.ends_with("rotary_emb.inv_freq")
        || (model.tied_embeddings && name == TIED_HEAD && repeats_embedding())
}
