//! What an engine is made of behind its queue: something that answers prepared requests, in this process or elsewhere.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use futures_core::Stream;
use tokio::sync::mpsc;

use crate::{
    error::EngineError,
    frontend::Prepared,
    request::{Event, Progress},
    stats::{Capacity, Resident, Stats},
};

/// Answers prepared requests, each with its adapter. The conformance suite holds every implementation to what the shared
/// engine does.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// Queues a generation and returns its events; a caller that drops them has cancelled it.
    ///
    /// # Errors
    /// What is wrong with its answer's format; [`EngineError::QueueFull`] when too many wait already;
    /// [`EngineError::Unavailable`] when nothing could answer it. What goes wrong later, such as the load of its adapter,
    /// comes as the stream's last item.
    async fn submit(&self, prepared: Prepared) -> Result<TokenStream, EngineError>;

    /// The adapters in memory, the last wanted first; none when it has no time to say so.
    async fn residents(&self) -> Vec<Resident>;

    /// What it is doing.
    fn stats(&self) -> Stats;

    /// What it has to give.
    fn capacity(&self) -> Capacity;

    /// Whether it can answer at all just now.
    fn is_ready(&self) -> bool {
        true
    }

    /// Puts an adapter that proved faulty back into service, where it takes them out.
    fn enable_adapter(&self, digest: [u8; 32]) {
        _ = digest;
    }

    /// Ends it; what it still runs ends with [`EngineError::ShuttingDown`].
    fn shutdown(&self);
}

/// The events of one request. Dropping it cancels the request: soon after, everything it held is free.
pub struct TokenStream {
    events: mpsc::Receiver<Result<Event, EngineError>>,
    progress: Arc<Progress>,
}

impl TokenStream {
    /// The reader's end of a request's events.
    pub fn new(events: mpsc::Receiver<Result<Event, EngineError>>, progress: Arc<Progress>) -> Self {
        Self { events, progress }
    }

    /// What the request cost so far; goes on being true when the stream is gone.
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// The next event.
    pub async fn next_event(&mut self) -> Option<Result<Event, EngineError>> {
        self.events.recv().await
    }
}

impl Stream for TokenStream {
    type Item = Result<Event, EngineError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.events.poll_recv(context)
    }
}
