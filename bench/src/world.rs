//! A server with tenants and adapters in it, made through its own API, and the settings that give it room or too little.

use std::path::PathBuf;

use anyhow::Context;
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::{
    adapter,
    client::{Client, Job},
    options::Options,
    progress,
    server::{Launch, Server},
    shapes::Shape,
    weights::Source,
};

/// Uploads at the same time; the server checks two.
const CONCURRENT_UPLOADS: usize = 2;
/// At least the server's own defaults.
const LEAST_KV_BYTES: usize = 512 << 20;
const LEAST_CACHE_BYTES: usize = 10 << 30;
const LEAST_CONTEXT: usize = 1024;

/// What every server of a benchmark has in common.
pub(crate) struct Ground {
    pub(crate) options: Options,
    pub(crate) shape: Shape,
    pub(crate) binary: PathBuf,
    /// The base model's folder.
    pub(crate) model: PathBuf,
    /// The server's data.
    pub(crate) data: PathBuf,
}

/// Which adapters a server has, and how many of them fit into its memory.
pub(crate) struct Stock {
    /// Each adapter's rank.
    pub(crate) ranks: Vec<usize>,
    /// How many fit.
    pub(crate) resident: usize,
}

/// A server with adapters of one tenant.
pub(crate) struct World {
    pub(crate) server: Server,
    pub(crate) tenant: Client,
    /// What clients call the base model.
    pub(crate) base: String,
    /// The adapters' names.
    pub(crate) adapters: Vec<String>,
}

impl Ground {
    /// Starts a server, makes the tenant `bench` and uploads the stock.
    pub(crate) async fn open(&self, stock: &Stock) -> anyhow::Result<World> {
        let launch = Launch {
            binary: self.binary.clone(),
            model: self.model.clone(),
            settings: [self.room_for(stock), self.options.settings()?].concat(),
        };
        let data = self.data.clone();
        progress::say("Starting a server");
        let server = tokio::task::spawn_blocking(move || Server::start(&launch, &data)).await??;
        let tenant = server.operator.create_tenant("bench").await?;
        let numbers: Vec<usize> = (0..stock.ranks.len()).collect();
        self.upload(&tenant, &numbers, &stock.ranks).await?;
        let base = self.model.file_name().context("the base model has a folder")?;
        Ok(World {
            server,
            tenant,
            base: base.to_string_lossy().into_owned(),
            adapters: numbers.into_iter().map(adapter::name).collect(),
        })
    }

    /// Uploads adapters by their numbers.
    pub(crate) async fn upload(
        &self,
        tenant: &Client,
        numbers: &[usize],
        ranks: &[usize],
    ) -> anyhow::Result<()> {
        let bar = progress::things("Uploading adapters", numbers.len());
        let upload = |(number, rank): (usize, usize)| {
            let bar = &bar;
            async move {
                let file = u32::try_from(number + 1).context("too many adapters")?;
                let made = adapter::make(&self.shape, rank, self.source(file))?;
                let name = adapter::name(number);
                tenant.upload(&name, made).await.with_context(|| format!("cannot upload {name}"))?;
                bar.inc(1);
                anyhow::Ok(())
            }
        };
        let each = numbers.iter().copied().zip(ranks.iter().copied());
        stream::iter(each).map(upload).buffer_unordered(CONCURRENT_UPLOADS).try_collect::<Vec<()>>().await?;
        bar.finish_and_clear();
        Ok(())
    }

    /// Bytes of an adapter's numbers as its file has them.
    pub(crate) fn adapter_bytes(&self, rank: usize) -> usize {
        adapter::numbers(&self.shape, rank) * self.options.adapter_weights.bytes()
    }

    pub(crate) fn source(&self, file: u32) -> Source {
        Source { seed: self.options.seed, file, storage: self.options.adapter_weights }
    }

    /// Keys and values of every stream fit. Of the adapters as many as were asked for: with one more on its way in, where
    /// not all do.
    fn room_for(&self, stock: &Stock) -> Vec<(String, String)> {
        let bytes: Vec<usize> = stock.ranks.iter().map(|rank| self.adapter_bytes(*rank)).collect();
        let (all, largest) = (bytes.iter().sum::<usize>(), bytes.iter().copied().max().unwrap_or(0));
        let memory = if stock.resident >= bytes.len() {
            // 16-bit numbers may be widened; headers take a little.
            2 * all + 2 * largest + (64 << 20)
        } else {
            let some = bytes.iter().take(stock.resident).sum::<usize>() + largest;
            some + some / 64
        };
        // A server wants room for one whole context: long ones are cut to what is asked here.
        let context = self.options.longest_request().max(LEAST_CONTEXT).min(self.shape.context);
        let tokens = (self.options.most_streams() * self.options.longest_request()).max(context);
        let kv = 2 * tokens * self.shape.kv_bytes_per_token();
        let pair = |name: &str, value: usize| (name.to_owned(), value.to_string());
        vec![
            pair("TENORA_ADAPTER_MEMORY_BYTES", memory),
            pair("TENORA_CONTEXT_LENGTH", context),
            pair("TENORA_KV_CACHE_BYTES", kv.max(LEAST_KV_BYTES)),
            pair("TENORA_ADAPTER_CACHE_BYTES", (2 * all).max(LEAST_CACHE_BYTES)),
        ]
    }
}

impl World {
    /// A request of the tenant `bench`.
    pub(crate) fn job(&self, model: &str, prompt: String, output_tokens: usize) -> Job {
        Job { client: self.tenant.clone(), model: model.to_owned(), prompt, output_tokens }
    }
}
