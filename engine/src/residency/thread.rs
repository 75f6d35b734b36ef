//! One load on a thread of its own, which yields to the engine's and which a panic cannot leave without an outcome.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use super::Outcome;
use crate::{
    error::AdapterRejection,
    lora::codes,
    priority,
    request::AdapterFiles,
    runner::{AdapterLoader, ResidentAdapter},
};

/// Why an adapter is not there.
pub(super) enum Failure {
    /// Its files are not good, or could not be read.
    Refused(AdapterRejection),
    /// We stumbled over them.
    Panicked,
}

/// Loads in the background and sends what became of it, then wakes the engine.
pub(super) fn load<A: ResidentAdapter>(
    files: AdapterFiles,
    loader: &Arc<dyn AdapterLoader<Adapter = A>>,
    outcomes: mpsc::Sender<Outcome<A>>,
    wake: Arc<dyn Fn() + Send + Sync>,
) -> Result<(), AdapterRejection> {
    let loader = Arc::clone(loader);
    let work = move || {
        priority::lower(priority::LOAD);
        let begun = Instant::now();
        let loaded = catch_unwind(AssertUnwindSafe(|| loader.load(&files)));
        let adapter = match loaded {
            Ok(loaded) => loaded.map_err(Failure::Refused),
            Err(_) => Err(Failure::Panicked),
        };
        // The engine may have ended meanwhile: then nobody waits for this.
        _ = outcomes.send(Outcome { digest: files.digest, adapter, took: begun.elapsed() });
        wake();
    };
    let started = thread::Builder::new().name("tenora-load".to_owned()).spawn(work);
    started.map(|_| ()).map_err(|error| {
        tracing::error!(%error, "No thread could be started to load an adapter");
        AdapterRejection::whole(codes::NOT_LOADED, "the adapter could not be loaded; try again")
    })
}
