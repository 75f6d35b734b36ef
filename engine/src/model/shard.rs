//! One weights file of a base model, mapped into memory, whatever family it is of.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
};

use mistralrs_quant::safetensors::MmapedSafetensors;
use safetensors::tensor::TensorView;

use super::{
    checkpoint::{map, weight_files},
    fields::fault,
};
use crate::error::EngineError;

/// A weights file.
pub(crate) struct Shard {
    path: PathBuf,
    tensors: MmapedSafetensors,
}

impl Shard {
    /// The one file of a model folder, or those that its index names, by name.
    ///
    /// # Errors
    /// [`EngineError::BaseModel`]: there is none, or one is missing or damaged.
    pub(crate) fn all_of(dir: &Path) -> Result<Vec<Self>, EngineError> {
        let open = |path: PathBuf| {
            let tensors = map(dir, std::slice::from_ref(&path))?;
            Ok(Self { path, tensors })
        };
        weight_files(dir)?.into_iter().map(open).collect()
    }

    pub(crate) fn file_name(&self) -> &OsStr {
        self.path.file_name().unwrap_or_default()
    }

    /// Its tensors, by name.
    pub(crate) fn tensors(&self) -> Vec<(String, TensorView<'_>)> {
        let mut tensors = self.tensors.tensors();
        tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
        tensors
    }

    /// Bytes of its tensors.
    pub(crate) fn bytes(&self) -> u64 {
        self.tensors.tensors().iter().map(|(_, view)| view.data().len() as u64).sum()
    }

    /// Something is wrong with one of its tensors.
    pub(crate) fn fault(&self, name: &str, problem: &str) -> EngineError {
        fault(&self.path, format!("tensor `{name}` {problem}"))
    }
}
