//! Brings the rows of the write-ahead files to the database, in batches, for as long as that takes.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures_util::future::BoxFuture;
use tenora_adapter_store::{AdapterStore, StoreError, UsageEvent};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use super::{
    REPLAYED, SHIP_EVERY,
    backlog::{Backlog, Work},
    folder::Folder,
    retention::take_out_old,
    segment::{self, BATCH_ROWS, Slice},
    writer::ended_at,
};

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// How often dead processes are looked for: one of several that share a data volume may never be started again.
const TAKE_OVER_EVERY: Duration = Duration::from_secs(60);

/// Where batches of events go.
pub trait Sink: Send + Sync + 'static {
    /// Records all of the events, each once however often it is recorded, or none of them.
    fn record<'a>(&'a self, events: &'a [UsageEvent]) -> BoxFuture<'a, Result<(), StoreError>>;
}

impl Sink for AdapterStore {
    fn record<'a>(&'a self, events: &'a [UsageEvent]) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(self.record_usage(events))
    }
}

/// Why a batch did not arrive. It stays where it is.
#[derive(Debug, Error)]
enum Failure {
    #[error("the usage files cannot be read")]
    Disk(#[from] io::Error),
    #[error("the database does not take usage")]
    Store(#[from] StoreError),
}

/// What to do after a slice.
#[derive(Debug, PartialEq)]
enum Then {
    /// The next one is worth its own batch.
    GoOn,
    /// More rows may come to share a batch.
    Wait,
}

/// The task that ships.
pub(super) struct Shipper<S> {
    sink: S,
    dir: PathBuf,
    backlog: Arc<Backlog>,
}

impl<S: Sink> Shipper<S> {
    pub(super) fn new(sink: S, dir: PathBuf, backlog: Arc<Backlog>) -> Self {
        Self { sink, dir, backlog }
    }

    /// Never ends on its own.
    pub(super) async fn run(self) {
        let mut retry = FIRST_RETRY;
        let mut looked = None;
        loop {
            if looked.is_none_or(|at: Instant| at.elapsed() >= TAKE_OVER_EVERY) {
                self.take_over().await;
                looked = Some(Instant::now());
            }
            match self.ship().await {
                Ok(then) => {
                    retry = FIRST_RETRY;
                    if then == Then::Wait {
                        self.wait().await;
                    }
                }
                Err(error) => {
                    self.backlog.ship_fails();
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        rows = self.backlog.pending_rows(),
                        retry_ms = retry.as_millis() as u64,
                        "Usage waits on disk"
                    );
                    // Full batches are no reason to press a database that is away.
                    tokio::select! {
                        () = sleep(retry) => {}
                        () = self.backlog.hurried() => {}
                    }
                    retry = (retry * 2).min(LAST_RETRY);
                }
            }
        }
    }

    async fn wait(&self) {
        tokio::select! {
            () = sleep(SHIP_EVERY) => {}
            () = self.backlog.full() => {}
            () = self.backlog.hurried() => {}
        }
    }

    /// Ships the next slice.
    async fn ship(&self) -> Result<Then, Failure> {
        let backlog = Arc::clone(&self.backlog);
        let read = move || {
            let Some(work) = backlog.next()? else { return Ok(None) };
            segment::read(&work.path, work.from, work.to).map(|slice| Some((work, slice)))
        };
        let Some((work, mut slice)) = blocking(read).await? else { return Ok(Then::Wait) };
        let full = slice.events.len() == BATCH_ROWS;
        let old = take_out_old(&mut slice.events);
        if let Some(first) = slice.events.first() {
            self.backlog.reading(ended_at(first));
            self.sink.record(&slice.events).await?;
        }
        let unreadable = slice.damaged + slice.foreign;
        report(&work, &slice, old);
        for (lines, kept) in [(unreadable, "unreadable"), (old as u64, "old")] {
            let path = work.path.clone();
            if lines > 0 {
                blocking(move || keep(&path, kept)).await?;
            }
        }
        self.backlog.shipped(slice.end, slice.lines, unreadable);
        Ok(if work.sealed || full { Then::GoOn } else { Then::Wait })
    }

    async fn take_over(&self) {
        let (dir, backlog) = (self.dir.clone(), Arc::clone(&self.backlog));
        let taken = blocking(move || {
            let folders = Folder::take_over(&dir)?;
            let taken = folders.len();
            folders.into_iter().rev().try_for_each(|folder| backlog.take_over(folder))?;
            Ok(taken)
        });
        match taken.await {
            Ok(0) => {}
            Ok(folders) => {
                let rows = self.backlog.pending_rows();
                tracing::info!(folders, rows, "Usage of processes that are gone is taken over");
            }
            Err(error) => tracing::warn!(%error, "Usage of processes that are gone cannot be taken over"),
        }
    }
}

/// Copies a file with lines that were not recorded aside, once, for whoever wants to look.
fn keep(path: &Path, why: &str) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent().and_then(Path::parent), path.file_name()) else {
        return Ok(());
    };
    let process = path.parent().and_then(Path::file_name).unwrap_or_default();
    let kept = folder.join(format!("{}-{}.{why}", process.display(), name.display()));
    if kept.exists() { Ok(()) } else { std::fs::copy(path, kept).map(drop) }
}

fn report(work: &Work, slice: &Slice, old: usize) {
    let path = work.path.display();
    if slice.torn_bytes > 0 {
        tracing::warn!(%path, bytes = slice.torn_bytes, "A usage file ends within a line; the piece is cut off");
    }
    if slice.damaged + slice.foreign > 0 {
        tracing::error!(%path, damaged = slice.damaged, foreign = slice.foreign,
            "A usage file has lines that cannot be read; a copy is kept beside it as *.unreadable");
    }
    if old > 0 {
        tracing::error!(%path, rows = old, days = REPLAYED.as_secs() / 86_400,
            "Usage rows are NOT counted: they waited so long that the database cannot tell any more whether it had them; \
             a copy is kept beside the file as *.old");
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
