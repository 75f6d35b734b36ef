//! A base model from the model hub: its files are fetched once into the data folder. After that, no network is needed.

use std::{
    io::{IsTerminal, stderr},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use hf_hub::api::tokio::{ApiBuilder, ApiRepo};
use secrecy::ExposeSecret;

use crate::config::{EngineSettings, HubSettings, ModelSource};

/// The files of a model folder, besides its weights.
const SMALL_FILES: [&str; 6] = [
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "chat_template.jinja",
];

/// The base model's folder, fetched from the hub where that is asked for.
pub async fn folder(settings: &EngineSettings, data_dir: &Path) -> anyhow::Result<PathBuf> {
    match &settings.model {
        ModelSource::Folder(folder) => Ok(folder.clone()),
        ModelSource::Hub(id) => fetched(id, &settings.hub, data_dir)
            .await
            .with_context(|| format!("cannot fetch TENORA_MODEL={id} from {}", settings.hub.endpoint)),
    }
}

/// A folder that is there is complete: it appears under its name only with all its files.
async fn fetched(id: &str, hub: &HubSettings, data_dir: &Path) -> anyhow::Result<PathBuf> {
    let folder = data_dir.join("models").join(id);
    if folder.is_dir() {
        return Ok(folder);
    }
    let api = ApiBuilder::new()
        .with_endpoint(hub.endpoint.trim_end_matches('/').to_owned())
        .with_token(hub.token.as_ref().map(|token| token.expose_secret().to_owned()))
        .with_cache_dir(data_dir.join("hub"))
        .with_progress(stderr().is_terminal())
        .build()?;
    let repo = api.model(id.to_owned());
    let names = wanted(&repo).await?;
    let draft = folder.with_extension("partial");
    std::fs::create_dir_all(&draft)?;
    for name in names {
        tracing::info!(file = name, "Fetching the base model");
        let file = repo.get(&name).await.with_context(|| format!("cannot fetch {name}"))?;
        link(&file, &draft.join(&name))?;
    }
    std::fs::rename(&draft, &folder)?;
    Ok(folder)
}

/// The files of the model that we read: never code, never pickles, never a path.
async fn wanted(repo: &ApiRepo) -> anyhow::Result<Vec<String>> {
    let listed =
        repo.info().await.context("the hub does not know this model, or HF_TOKEN may not read it")?;
    let names: Vec<String> =
        listed.siblings.into_iter().map(|file| file.rfilename).filter(|name| is_wanted(name)).collect();
    if !names.iter().any(|name| name.ends_with(".safetensors")) {
        bail!("the model has no .safetensors weights; other formats are not read");
    }
    Ok(names)
}

fn is_wanted(name: &str) -> bool {
    let weights = name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json");
    !name.starts_with('.') && !name.contains(['/', '\\']) && (weights || SMALL_FILES.contains(&name))
}

fn link(file: &Path, name: &Path) -> anyhow::Result<()> {
    let file = std::fs::canonicalize(file)?;
    _ = std::fs::remove_file(name);
    std::os::unix::fs::symlink(&file, name).with_context(|| format!("cannot link {}", name.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_data_files_of_the_top_folder_are_wanted() {
        for name in [
            "config.json",
            "model.safetensors",
            "model-00001-of-00002.safetensors",
            "model.safetensors.index.json",
        ] {
            assert!(is_wanted(name), "{name}");
        }
        for name in [
            "modeling.py",
            "pytorch_model.bin",
            "../config.json",
            "sub/model.safetensors",
            ".safetensors",
            "a\\b.safetensors",
        ] {
            assert!(!is_wanted(name), "{name}");
        }
    }
}
