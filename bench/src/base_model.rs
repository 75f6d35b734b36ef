//! A base model's folder in the Hugging Face layout, made once and kept: config, weights, tokenizer.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context;
use serde_json::json;

use crate::{
    progress, prompts,
    shapes::Shape,
    weights::{self, Source},
};

/// The folder of this shape, made if it is not there. Blocks.
pub(crate) fn folder(work_dir: &Path, shape: &Shape, source: Source) -> anyhow::Result<PathBuf> {
    let name = format!("{}-{}-seed{}", shape.name, source.storage.torch_name(), source.seed);
    let (folder, unfinished) = (work_dir.join(&name), work_dir.join(format!("{name}.unfinished")));
    if !folder.exists() {
        make(&unfinished, shape, source).with_context(|| format!("cannot make {}", folder.display()))?;
        fs::rename(&unfinished, &folder)?;
    }
    Ok(folder)
}

fn make(folder: &Path, shape: &Shape, source: Source) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    fs::write(folder.join("config.json"), pretty(&shape.config(source.storage.torch_name()))?)?;
    fs::write(folder.join("tokenizer.json"), prompts::tokenizer(shape.vocabulary).to_string())?;
    let tokenizer = json!({ "tokenizer_class": "PreTrainedTokenizerFast", "unk_token": prompts::UNKNOWN });
    fs::write(folder.join("tokenizer_config.json"), pretty(&tokenizer)?)?;
    let bar = progress::bytes("Making the base model", (shape.parameters() * source.storage.bytes()) as u64);
    let made =
        weights::write(shape.tensors(), source, &folder.join("model.safetensors"), &|bytes| bar.inc(bytes));
    bar.finish_and_clear();
    made
}

fn pretty(value: &serde_json::Value) -> anyhow::Result<String> {
    Ok(serde_json::to_string_pretty(value)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{shapes::ShapeName, weights::Storage};

    #[test]
    fn a_folder_is_made_once() {
        let work = tempfile::tempdir().unwrap();
        let source = Source { seed: 7, file: 0, storage: Storage::F32 };
        let shape = ShapeName::Tiny.shape();
        let made = folder(work.path(), &shape, source).unwrap();
        let weights = made.join("model.safetensors");
        let bytes = fs::metadata(&weights).unwrap().len();
        assert!(bytes > 4 * shape.parameters() as u64);
        let before = fs::metadata(&weights).unwrap().modified().unwrap();
        assert_eq!(folder(work.path(), &shape, source).unwrap(), made);
        assert_eq!(fs::metadata(&weights).unwrap().modified().unwrap(), before);
    }
}
