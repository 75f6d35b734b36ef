//! Who is told what the engine does, as it happens: what has a distribution, and so does not fit into [`Stats`](crate::Stats).

use std::time::Duration;

/// Hears of every step and every load. Called on the engine's thread and on loaders' threads: it must be quick.
pub trait Observer: Send + Sync + 'static {
    /// A batch ran, and its tokens were chosen.
    fn stepped(&self, step: &Step<'_>);

    /// An adapter came from its local files into memory.
    fn loaded(&self, took: Duration);
}

/// One step.
#[derive(Debug)]
pub struct Step<'a> {
    /// Rows of the batch: one for each decoding sequence, and those of prompts.
    pub rows: usize,
    /// Different adapters in it; the base model alone counts as one.
    pub adapters: usize,
    /// From its beginning until its tokens were chosen.
    pub took: Duration,
    /// For every token that was chosen, but an answer's first: the time since the one before it.
    pub token_gaps: &'a [Duration],
}

/// Nobody listens.
impl Observer for () {
    fn stepped(&self, _: &Step<'_>) {}

    fn loaded(&self, _: Duration) {}
}
