//! The benchmark behind `tenora bench`: it makes a base model and adapters of a named shape with random weights, starts
//! the given `tenora` binary on them, and measures it as clients see it, through HTTP. It knows the API and the settings
//! of the server and nothing else of it. The method and the meaning of each number: `bench/README.md`.

// In reading order: a module imports only those below it.
mod scenarios;

mod report;

mod lab;
mod world;

mod load;
mod server;

mod client;

mod bare;
mod options;

mod base_model;

mod adapter;
mod prompts;
mod shapes;
mod weights;

mod machine;
mod progress;
mod stats;

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail, ensure};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::spawn_blocking,
};

pub use bare::serve as serve_bare;
pub use options::{Options, Scenario};
pub use shapes::ShapeName;
pub use weights::Storage;

use crate::{lab::Lab, machine::Machine, weights::Source, world::Ground};

/// Measures with servers of the given binary until all is done or it is asked to stop; its servers end with it.
///
/// # Errors
/// What cannot be measured, a server that does not start, and, after the report, requests that failed.
pub async fn run(options: Options, binary: PathBuf) -> anyhow::Result<()> {
    options.check()?;
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        done = measure(options, binary) => done,
        _ = terminate.recv() => bail!("stopped"),
        _ = interrupt.recv() => bail!("stopped"),
    }
}

async fn measure(options: Options, binary: PathBuf) -> anyhow::Result<()> {
    let work_dir = prepare(&options.work_dir)?;
    let _lock = lock(&work_dir)?;
    let (json, shape) = (options.json.clone(), options.shape.shape());
    let source = Source { seed: options.seed, file: 0, storage: options.weights };
    let model = {
        let (work_dir, shape) = (work_dir.clone(), shape.clone());
        spawn_blocking(move || base_model::folder(&work_dir, &shape, source)).await??
    };
    progress::say("Measuring how fast this machine reads its memory");
    let machine = spawn_blocking(Machine::look).await?;
    let mut lab = Lab::new(Ground { options, shape, binary, model, data: work_dir.join("server") });
    report::print_head(&lab.ground, &machine)?;
    let mut sections = Vec::new();
    let mut finished = |section| {
        report::print(&section)?;
        sections.push(section);
        Ok(())
    };
    scenarios::run(&mut lab, &machine, &mut finished).await?;
    if let Some(file) = json {
        report::write(&file, &lab.ground, &machine, &sections)?;
    }
    let failures = &lab.failures;
    ensure!(failures.is_empty(), "{} requests failed, one of them so: {}", failures.len(), failures[0]);
    Ok(())
}

fn prepare(work_dir: &Path) -> anyhow::Result<PathBuf> {
    let made = fs::create_dir_all(work_dir).and_then(|()| work_dir.canonicalize());
    made.with_context(|| format!("cannot use {}; choose another folder with --work-dir", work_dir.display()))
}

/// Two benchmarks at once would share a server's data, and measure each other.
fn lock(work_dir: &Path) -> anyhow::Result<File> {
    let file = File::create(work_dir.join("lock"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!("another benchmark runs in {}", work_dir.display()),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}
