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
        yield_to_steps();
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

/// Lets whatever computes a step have the processor first, where the system can be told so for one thread.
fn yield_to_steps() {
    #[cfg(target_os = "linux")]
    {
        /// Added to the niceness that the process has, of at most 19: less than the steps get, and enough to be there soon.
        /// Ten would be a tenth of the processor, and requests of many cold adapters waited most of their time for it.
        const NICER: libc::c_int = 3;
        #[expect(
            unsafe_code,
            reason = "system calls without pointers, about the calling thread (id 0) alone"
        )]
        // SAFETY: neither touches memory of ours.
        let refused = unsafe {
            let own = libc::getpriority(libc::PRIO_PROCESS, 0);
            libc::setpriority(libc::PRIO_PROCESS, 0, (own + NICER).min(19)) != 0
        };
        if refused {
            tracing::debug!("A loader's thread keeps the usual priority");
        }
    }
}
