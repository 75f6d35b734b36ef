//! Steps of the cuda runner on the first GPU, on random bf16 weights of real shapes: decoding and prefill without adapters,
//! with one, and with many of mixed ranks; where a step's time goes; how near it is to what the memory gives; how long
//! adapters take to come, and what steps notice of it. Prints tables in Markdown.
//!
//! `cargo bench --features tenora-engine/cuda --bench gpu -- [llama-3.2-1b] [llama-3.1-8b] [tiny]`; a shape's files are made
//! once, in the folder `TENORA_BENCH_DIR` or the target folder, and need 3 and 17 GB there.
#![expect(unsafe_code, reason = "a GPU is asked through addresses")]
#![expect(clippy::unwrap_used, reason = "a benchmark without its device has nothing to measure")]
#![expect(clippy::print_stdout, reason = "tables are what a benchmark is for")]

#[path = "../tests/support/files.rs"]
mod files;
#[path = "support/synthetic.rs"]
mod synthetic;
#[path = "support/timed.rs"]
mod timed;

use std::{
    env, hint,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tenora_engine::{
    batch::Batch,
    config::{DeviceChoice, EngineConfig},
    model::{ModelConfig, Projection},
    runner::{
        ResidentAdapter, Runner,
        cuda::{CudaAdapter, CudaRunner, DeviceMemory, Gpu, driver::Device},
    },
};
use tenora_kernels::abi::{Element, GatherRowsParams, launch};

use self::{
    synthetic::{Stored, adapter, base, batch},
    timed::Timed,
};

type Adapter = Arc<CudaAdapter<Timed>>;

const STREAMS: [usize; 6] = [1, 4, 16, 32, 64, 256];
const RANKS: [usize; 4] = [8, 16, 32, 64];
/// Adapters in memory; more streams share them.
const MOST_ADAPTERS: usize = 64;
/// Tokens that are behind every decoding stream.
const PAST: usize = 512;
const MOST_ROWS: usize = 2048;
/// How long one number is measured.
const PATIENCE: Duration = Duration::from_millis(400);

const SHAPES: [(&str, &str); 3] = [
    (
        "llama-3.2-1b",
        r#"{"architectures":["LlamaForCausalLM"],"hidden_size":2048,"intermediate_size":8192,
        "num_hidden_layers":16,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":64,"vocab_size":128256,
        "max_position_embeddings":4096,"rms_norm_eps":1e-5,"rope_theta":500000.0,"tie_word_embeddings":true}"#,
    ),
    (
        "llama-3.1-8b",
        r#"{"architectures":["LlamaForCausalLM"],"hidden_size":4096,"intermediate_size":14336,
        "num_hidden_layers":32,"num_attention_heads":32,"num_key_value_heads":8,"head_dim":128,"vocab_size":128256,
        "max_position_embeddings":4096,"rms_norm_eps":1e-5,"rope_theta":500000.0,"tie_word_embeddings":false}"#,
    ),
    (
        "tiny",
        r#"{"architectures":["LlamaForCausalLM"],"hidden_size":256,"intermediate_size":512,
        "num_hidden_layers":2,"num_attention_heads":4,"num_key_value_heads":2,"head_dim":64,"vocab_size":32000,
        "max_position_embeddings":4096,"rms_norm_eps":1e-5,"rope_theta":500000.0,"tie_word_embeddings":true}"#,
    ),
];

/// What one shape is measured with.
struct Ground {
    runner: CudaRunner<Timed>,
    model: Arc<ModelConfig>,
    folder: PathBuf,
    /// Ranks in turn.
    adapters: Vec<Adapter>,
    /// GB/s that a kernel copies with, reads and writes counted.
    bandwidth: f64,
}

fn main() {
    let wanted: Vec<String> = env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let is_wanted =
        |name: &str| wanted.iter().any(|own| own == name) || (wanted.is_empty() && name != "tiny");
    for (name, config) in SHAPES.into_iter().filter(|(name, _)| is_wanted(name)) {
        let mut ground = Ground::new(name, config);
        ground.own_adapters();
        ground.cold_loads();
        ground.decoding();
        ground.ranks();
        ground.prefill();
        ground.breakdown();
        ground.loads_beside_steps();
    }
}

/// The median time of a step.
fn median(step: impl FnMut()) -> Duration {
    percentile(&times(step), 50)
}

/// Of sorted times.
fn percentile(times: &[Duration], percent: usize) -> Duration {
    times[(times.len() * percent / 100).min(times.len() - 1)]
}

/// Times of a step, after some to warm up, sorted.
fn times(mut step: impl FnMut()) -> Vec<Duration> {
    (0..3).for_each(|_| step());
    let (begun, mut times) = (Instant::now(), Vec::new());
    while times.len() < 5 || begun.elapsed() < PATIENCE {
        let step_begun = Instant::now();
        step();
        times.push(step_begun.elapsed());
    }
    times.sort();
    times
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// GB/s of a copy that is much larger than caches.
fn bandwidth(gpu: &Timed) -> f64 {
    const ROWS: usize = 1 << 16;
    const WIDTH: usize = 8192;
    let bytes = ROWS * WIDTH * Element::Bf16.bytes();
    let (from, to, index) =
        (gpu.allocate(bytes).unwrap(), gpu.allocate(bytes).unwrap(), gpu.allocate(4 * ROWS).unwrap());
    let numbers: Vec<u8> = (0..ROWS as u32).flat_map(u32::to_le_bytes).collect();
    // SAFETY: the index has this size.
    unsafe { gpu.upload(&numbers, index.address()) }.unwrap();
    let params = GatherRowsParams {
        table: from.address(),
        index: index.address(),
        out: to.address(),
        rows: ROWS as u32,
        width: WIDTH as u32,
    };
    let time = median(|| {
        // SAFETY: the three have these sizes.
        unsafe { gpu.launch(&launch::gather_rows(&params, Element::Bf16), &params) }.unwrap();
        gpu.wait().unwrap();
    });
    2.0 * bytes as f64 / time.as_secs_f64() / 1e9
}

impl Ground {
    fn new(name: &str, shape: &str) -> Self {
        let root = env::var_os("TENORA_BENCH_DIR").unwrap_or(env!("CARGO_TARGET_TMPDIR").into());
        let folder = base(PathBuf::from(root).join(format!("gpu-{name}")), shape, Stored::Bf16);
        let mut config = EngineConfig::new(&folder);
        (config.max_batch_rows, config.max_batch_sequences, config.max_rank) = (MOST_ROWS, 256, 64);
        let device = Device::open(DeviceChoice::Cuda(0)).unwrap();
        let name_of_device = device.name().unwrap();
        let gpu = Timed::new(device);
        let bandwidth = bandwidth(&gpu);
        let begun = Instant::now();
        let runner = CudaRunner::load(gpu, None, &config, &|_| ()).unwrap();
        println!(
            "\n# {name} on {name_of_device}\n\n{} weights in {:.1} GB, loaded in {:.1} s; room for {} tokens; a kernel \
             copies {bandwidth:.0} GB/s (reads and writes)\n",
            runner.base().parameters,
            runner.base().weight_bytes as f64 / 1e9,
            begun.elapsed().as_secs_f64(),
            runner.kv_blocks() * runner.block_tokens()
        );
        let model = Arc::clone(&runner.base().model);
        Self { runner, model, folder, adapters: Vec::new(), bandwidth }
    }

    fn load(&self, rank: usize) -> Adapter {
        self.load_of(rank, &Projection::ALL)
    }

    fn load_of(&self, rank: usize, projections: &[Projection]) -> Adapter {
        let files = adapter(&self.model, &self.folder, (rank, projections), Stored::Bf16);
        Arc::new(self.runner.loader().load(&files).unwrap())
    }

    fn time(&mut self, batch: &Batch<CudaAdapter<Timed>>) -> Duration {
        percentile(&self.times(batch), 50)
    }

    fn times(&mut self, batch: &Batch<CudaAdapter<Timed>>) -> Vec<Duration> {
        times(|| _ = hint::black_box(self.runner.run(batch).unwrap().len()))
    }

    /// As many streams as adapters, which nobody uses at first. The memory has none before.
    fn own_adapters(&mut self) {
        const STREAMS: usize = 32;
        const RANK: usize = 16;
        println!(
            "| {STREAMS} streams behind {PAST} tokens, rank {RANK} | ms a step | of base only | GB/s needed at least | of \
             the copy's |\n|---|--:|--:|--:|--:|"
        );
        let mut base = None;
        let mut row = |ground: &mut Self, name: &str, adapters: &[Option<&Adapter>]| {
            let time = ground.time(&batch(STREAMS, (1, PAST), adapters));
            let speed = ground.least_bytes(STREAMS, adapters) / time.as_secs_f64() / 1e9;
            let of_base = base.get_or_insert(time).as_secs_f64() / time.as_secs_f64();
            let of_copy = speed / ground.bandwidth;
            println!("| {name} | {:.3} | {of_base:.3} | {speed:.0} | {of_copy:.2} |", ms(time));
        };
        row(self, "base only", &[None]);
        for (name, projections) in [
            ("an adapter each, all projections", &Projection::ALL[..]),
            ("an adapter each, queries and values", &[Projection::QProj, Projection::VProj]),
        ] {
            let own: Vec<Adapter> = (0..STREAMS).map(|_| self.load_of(RANK, projections)).collect();
            row(self, "base only, beside adapters in memory", &[None]);
            row(self, name, &own.iter().map(Some).collect::<Vec<_>>());
        }
    }

    /// Fills the memory with adapters; each is its own copy of its rank's file.
    fn cold_loads(&mut self) {
        println!("| adapter | MB | load p50 (file in the page cache) | MB/s |\n|---|--:|--:|--:|");
        for rank in RANKS {
            let mut one = self.load(rank);
            let time = median(|| one = self.load(rank));
            let megabytes = one.bytes() as f64 / 1e6;
            let speed = megabytes / time.as_secs_f64();
            println!("| rank {rank} | {megabytes:.1} | {:.1} ms | {speed:.0} |", ms(time));
        }
        self.adapters = (0..MOST_ADAPTERS).map(|number| self.load(RANKS[number % RANKS.len()])).collect();
    }

    /// Which adapter each stream has, by the mixes of Punica, sorted.
    fn mix(&self, name: &str, streams: usize) -> Vec<Option<&Adapter>> {
        let mut random = ChaCha8Rng::seed_from_u64(streams as u64);
        let count = self.adapters.len();
        let zipf = |share: f64| ((count as f64).powf(share) as usize).saturating_sub(1).min(count - 1);
        let mut numbers: Vec<usize> = (0..streams)
            .map(|stream| match name {
                "identical" => 1,
                "distinct" => stream % count,
                "uniform" => random.random_range(0..count),
                _ => zipf(random.random()),
            })
            .collect();
        numbers.sort_unstable();
        numbers.into_iter().map(|number| (name != "base only").then(|| &self.adapters[number])).collect()
    }

    /// Bytes that a step has to read at least: weights once, adapters once, keys and values.
    fn least_bytes(&self, streams: usize, adapters: &[Option<&Adapter>]) -> f64 {
        let mut distinct: Vec<_> = adapters.iter().flatten().copied().collect();
        distinct.dedup_by_key(|adapter| Arc::as_ptr(adapter));
        let adapter_bytes: usize = distinct.iter().map(|adapter| adapter.bytes()).sum();
        let of_token = 2 * self.model.layers * self.model.kv_heads * self.model.head_dim * 2;
        self.runner.base().weight_bytes as f64 + adapter_bytes as f64 + (streams * PAST * of_token) as f64
    }

    fn decoding(&mut self) {
        println!(
            "\nDecoding behind {PAST} tokens; ranks {RANKS:?} in turn; distinct: {MOST_ADAPTERS} adapters at most.\n\n\
             | streams | mix | ms a step | tokens/s | of base only | GB/s needed at least | of the copy's |\n\
             |--:|---|--:|--:|--:|--:|--:|"
        );
        for streams in STREAMS {
            let mut base = Duration::ZERO;
            for name in ["base only", "identical", "distinct", "uniform", "skewed"] {
                if streams == 1 && !matches!(name, "base only" | "identical") {
                    continue;
                }
                let adapters = self.mix(name, streams);
                let (bytes, batch) =
                    (self.least_bytes(streams, &adapters), batch(streams, (1, PAST), &adapters));
                let time = self.time(&batch);
                base = if name == "base only" { time } else { base };
                let speed = bytes / time.as_secs_f64() / 1e9;
                println!(
                    "| {streams} | {name} | {:.2} | {:.0} | {:.2} | {speed:.0} | {:.2} |",
                    ms(time),
                    streams as f64 / time.as_secs_f64(),
                    base.as_secs_f64() / time.as_secs_f64(),
                    speed / self.bandwidth
                );
            }
        }
    }

    /// Every stream with an adapter of its own, all of one rank.
    fn ranks(&mut self) {
        println!("\n| streams, distinct | rank | ms a step | of base only |\n|--:|--:|--:|--:|");
        for streams in [1, 16] {
            let alone = self.time(&batch(streams, (1, PAST), &[None]));
            for rank in RANKS {
                let own: Vec<Adapter> = (0..streams).map(|_| self.load(rank)).collect();
                let adapters: Vec<_> = own.iter().map(Some).collect();
                let time = self.time(&batch(streams, (1, PAST), &adapters));
                println!(
                    "| {streams} | {rank} | {:.2} | {:.2} |",
                    ms(time),
                    alone.as_secs_f64() / time.as_secs_f64()
                );
            }
        }
    }

    fn prefill(&mut self) {
        println!(
            "\n| prompts | tokens of each | mix | ms (TTFT without queue) | tokens/s |\n|--:|--:|---|--:|--:|"
        );
        for (prompts, tokens) in [(1, 128), (1, 512), (1, MOST_ROWS), (8, 256)] {
            for name in ["base only", "distinct"] {
                let batch = batch(prompts, (tokens, 0), &self.mix(name, prompts));
                let time = self.time(&batch);
                let speed = (prompts * tokens) as f64 / time.as_secs_f64();
                println!("| {prompts} | {tokens} | {name} | {:.2} | {speed:.0} |", ms(time));
            }
        }
    }

    /// Each kernel waited for by itself: the sum is longer than the step, in which they follow each other at once.
    fn breakdown(&mut self) {
        for (streams, rows, past) in [(1, 1, PAST), (16, 1, PAST), (64, 1, PAST), (1, 512, 0)] {
            let batch = batch(streams, (rows, past), &self.mix("distinct", streams));
            let whole = self.time(&batch);
            self.runner.gpu().begin();
            self.runner.run(&batch).unwrap();
            let times = self.runner.gpu().end();
            println!(
                "\n{streams} streams, {rows} rows each, distinct adapters: {:.2} ms together; each kernel by itself:\n\n\
                 | kernel | launches | µs each | ms |\n|---|--:|--:|--:|",
                ms(whole)
            );
            for (kernel, (launches, time)) in times {
                let each = time.as_secs_f64() * 1e6 / launches as f64;
                println!("| {kernel} | {launches} | {each:.1} | {:.2} |", ms(time));
            }
        }
    }

    /// Loads of rank 64 one after the other on a thread, while steps run.
    fn loads_beside_steps(&mut self) {
        let batch = batch(16, (1, PAST), &self.mix("distinct", 16));
        let alone = self.times(&batch);
        let files = adapter(&self.model, &self.folder, (64, &Projection::ALL), Stored::Bf16);
        let (loader, ended) = (self.runner.loader(), AtomicBool::new(false));
        let beside = thread::scope(|scope| {
            let loads = scope.spawn(|| {
                let mut loads = 0;
                while !ended.load(Relaxed) {
                    drop(loader.load(&files).unwrap());
                    loads += 1;
                }
                loads
            });
            let times = self.times(&batch);
            ended.store(true, Relaxed);
            (times, loads.join().unwrap())
        });
        println!(
            "\n16 streams, ms a step, p50 and p99: {:.2} and {:.2} alone, {:.2} and {:.2} beside {} loads of rank 64",
            ms(percentile(&alone, 50)),
            ms(percentile(&alone, 99)),
            ms(percentile(&beside.0, 50)),
            ms(percentile(&beside.0, 99)),
            beside.1
        );
    }
}
