//! `tenora adapter push`: a folder that PEFT saved becomes an adapter's next version: in one request or, where the weights
//! are large, in parts that outlive a broken connection.

mod in_parts;

use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;
use futures_util::TryStreamExt;
use reqwest::{
    Body, Method, RequestBuilder,
    multipart::{Form, Part},
};
use serde_json::Value;
use tokio_util::io::ReaderStream;

use self::in_parts::InParts;
use super::client::{Client, TenantKey};
use crate::{config, progress};

const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// Weights up to this go in one request.
const ONE_SHOT_BYTES: u64 = 32 << 20;
/// What larger ones are sent in when nothing else is asked for.
const PART_BYTES: u64 = 16 << 20;

/// Which folder, and how.
#[derive(Debug, Args)]
pub(super) struct Push {
    /// The folder with adapter_config.json and adapter_model.safetensors.
    dir: PathBuf,
    /// The adapter's name: what to send as `model`.
    #[arg(long)]
    name: String,
    /// Send weights larger than this in parts of this size, at most 64MiB; else those above 32MiB go in parts of 16MiB.
    #[arg(long, value_name = "SIZE", value_parser = part_bytes)]
    part_size: Option<u64>,
    /// Send every part, also where an earlier push of the same weights broke off.
    #[arg(long)]
    no_resume: bool,
    /// Leave the alias `latest`, and with it what the plain name means, where it is.
    #[arg(long)]
    no_latest: bool,
    #[command(flatten)]
    pub(super) key: TenantKey,
}

impl Push {
    /// The version that was made.
    pub(super) async fn run(&self) -> anyhow::Result<Value> {
        let client = self.key.client()?;
        let config =
            tokio::fs::read(self.dir.join(CONFIG)).await.with_context(|| unreadable(&self.dir, CONFIG))?;
        let weights = self.dir.join(WEIGHTS);
        let bytes =
            tokio::fs::metadata(&weights).await.with_context(|| unreadable(&self.dir, WEIGHTS))?.len();
        if bytes <= self.part_size.unwrap_or(ONE_SHOT_BYTES) {
            return in_one(&client, self.new_version(&client)?, (&self.name, config, &weights)).await;
        }
        let part_bytes = self.part_size.unwrap_or(PART_BYTES);
        let make = self.new_version(&client)?;
        InParts { client, path: weights, bytes, part_bytes, resume: !self.no_resume }
            .push(make, &self.name, config)
            .await
    }

    /// What makes the version, once its body is there.
    fn new_version(&self, client: &Client) -> anyhow::Result<RequestBuilder> {
        Ok(client.request(Method::POST, &["v1", "adapters"])?.query(&[("latest", !self.no_latest)]))
    }
}

fn unreadable(dir: &Path, file: &str) -> String {
    format!("cannot read {}; name a folder that PEFT saved", dir.join(file).display())
}

fn part_bytes(text: &str) -> Result<u64, String> {
    let bytes = config::bytes(text)?;
    if bytes <= tenora_adapter_store::MAX_PART_BYTES {
        Ok(bytes)
    } else {
        Err("must be at most 64MiB".to_owned())
    }
}

/// Streams both files; the bar counts what has left.
async fn in_one(
    client: &Client,
    make: RequestBuilder,
    (name, config, weights): (&str, Vec<u8>, &Path),
) -> anyhow::Result<Value> {
    let file = tokio::fs::File::open(weights).await?;
    let length = file.metadata().await?.len();
    let bar = progress::bytes("Uploading");
    bar.set_length(length);
    let sent = bar.clone();
    let stream = ReaderStream::new(file).inspect_ok(move |chunk| sent.inc(chunk.len() as u64));
    let form = Form::new()
        .text("name", name.to_owned())
        .part(CONFIG, Part::bytes(config).file_name(CONFIG))
        .part(WEIGHTS, Part::stream_with_length(Body::wrap_stream(stream), length).file_name(WEIGHTS));
    let answer = client.send(make.multipart(form)).await;
    bar.finish_and_clear();
    answer
}
