//! Metering: every request that is let through is counted once, with the tokens it really used.
//!
//! The way of an event: *tab → bounded channel → write-ahead file → database → file removed*. The request waits for none
//! of it. A [`Tab`] holds a place in the channel from admission on, so that its event always finds one: what could not be
//! counted is refused before it costs anything, and nothing that was served goes uncounted.
//!
//! What can be lost, and when:
//! - The process is killed (`kill -9`): the tabs that were open, and what sat in the channel, less than a millisecond's worth
//!   while the disk keeps up. Whatever was written is kept by the operating system and replayed at the next start.
//! - The machine loses power: besides, what was written within the last [`SYNC_EVERY`], as the files are synced that often.
//! - The database is away: nothing. Rows wait in the files and are refused nowhere until [`MeterSettings::max_bytes`] wait;
//!   then, and while the files cannot be written, new requests are answered 503.
//!
//! Replaying is idempotent: an event has its request's id, and the database takes each id once. What is so old that the
//! database may have deleted it (`retention`) is not replayed.

mod backlog;
mod folder;
mod line;
mod retention;
mod segment;
mod shipper;
mod syncer;
mod tab;
mod writer;

#[cfg(test)]
mod tests;

use std::{io, path::PathBuf, sync::Arc, time::Duration};

use tenora_adapter_store::{Credential, TenantId, UsageEvent};
use tokio::{
    sync::{mpsc, oneshot},
    task::AbortHandle,
    time::{Instant, sleep, timeout_at},
};

use self::{backlog::Backlog, folder::Folder, shipper::Shipper, syncer::Unsynced, writer::Writer};
pub use self::{
    backlog::MeterStatus,
    retention::{REPLAYED, delete_old_events},
    shipper::Sink,
    tab::Tab,
};
use crate::error::ApiError;

/// Requests that are open or whose event is not written yet.
pub const MAX_OPEN: usize = 16_384;
/// How often the files are synced to the disk while they are written.
pub const SYNC_EVERY: Duration = Duration::from_millis(200);
/// How long a row waits for others before they go to the database together.
pub const SHIP_EVERY: Duration = Duration::from_secs(1);
/// Unshipped bytes unless told otherwise: about three million requests.
pub const DEFAULT_MAX_BYTES: u64 = 1 << 30;

const FLUSH_POLL: Duration = Duration::from_millis(10);
/// A flush presses a database that is away this many polls apart.
const HURRY_POLLS: u32 = 25;

/// Where the write-ahead files are, and how much may wait in them.
#[derive(Debug, Clone)]
pub struct MeterSettings {
    /// On the data volume; several processes may share it. Each has a folder of its own in it, and takes over those of
    /// dead ones.
    pub dir: PathBuf,
    /// Bytes that may wait for the database before requests are refused. The files are at most this large, plus two
    /// segments (1 MiB each) and 4 KiB for each of [`MAX_OPEN`] requests.
    pub max_bytes: u64,
}

impl MeterSettings {
    /// Files in this folder, with the usual limit.
    pub fn within(dir: PathBuf) -> Self {
        Self { dir, max_bytes: DEFAULT_MAX_BYTES }
    }
}

/// Counts what requests use. Cheap to clone.
#[derive(Clone)]
pub struct Meter(Arc<Inner>);

struct Inner {
    messages: mpsc::Sender<Message>,
    backlog: Arc<Backlog>,
    max_bytes: u64,
    tasks: [AbortHandle; 2],
}

/// What the writer is told.
enum Message {
    /// To be written.
    Event(UsageEvent),
    /// To be answered when everything before it is on the disk.
    Flush(oneshot::Sender<()>),
}

impl Meter {
    /// Takes a folder, takes over what dead processes left, and begins to bring it to the database.
    pub async fn start(sink: impl Sink, settings: MeterSettings) -> io::Result<Self> {
        let backlog = Arc::new(Backlog::default());
        let unsynced = Arc::new(Unsynced::default());
        let (messages, receiver) = mpsc::channel(MAX_OPEN);
        let dir = settings.dir.clone();
        let folder = tokio::task::spawn_blocking(move || Folder::make(&dir)).await??;
        let writer = Writer::new(receiver, folder, Arc::clone(&backlog), Arc::clone(&unsynced));
        std::thread::Builder::new().name("usage-writer".to_owned()).spawn(move || writer.run())?;
        let shipper = Shipper::new(sink, settings.dir, Arc::clone(&backlog));
        let tasks = [tokio::spawn(shipper.run()), tokio::spawn(syncer::run(unsynced))];
        let tasks = tasks.map(|task| task.abort_handle());
        Ok(Self(Arc::new(Inner { messages, backlog, max_bytes: settings.max_bytes, tasks })))
    }

    /// Opens the tab of a request that was let through. Refused when what it uses could not be counted.
    pub fn open_tab(&self, tenant: TenantId, credential: Credential) -> Result<Tab, ApiError> {
        Ok(Tab::open(self.place()?, tenant, credential))
    }

    /// Counts a request that has ended. Never waits; refused when there is no room for it, which a [`Tab`] makes sure of
    /// beforehand.
    pub fn record(&self, event: UsageEvent) -> Result<(), ApiError> {
        self.place()?.send(Message::Event(event));
        Ok(())
    }

    fn place(&self) -> Result<mpsc::OwnedPermit<Message>, ApiError> {
        if !self.0.backlog.accepts(self.0.max_bytes) {
            return Err(ApiError::MeteringUnavailable);
        }
        self.0.messages.clone().try_reserve_owned().map_err(|_| ApiError::MeteringUnavailable)
    }

    /// How far the database is behind.
    pub fn status(&self) -> MeterStatus {
        self.0.backlog.status(self.0.max_bytes)
    }

    /// Brings everything recorded so far to the disk and then to the database, at most this long. Returns how many rows
    /// the database still lacks: those on the disk are safe, and the next start brings them. What a disk that takes nothing
    /// keeps in the channel is counted too, and told in the log.
    pub async fn flush(&self, timeout: Duration) -> u64 {
        let deadline = Instant::now() + timeout;
        let (done, written) = oneshot::channel();
        let write = async {
            if self.0.messages.send(Message::Flush(done)).await.is_ok() {
                _ = written.await;
            }
        };
        let ship = async {
            for poll in 0.. {
                if self.0.backlog.pending_rows() == 0 {
                    break;
                }
                if poll % HURRY_POLLS == 0 {
                    self.0.backlog.hurry();
                }
                sleep(FLUSH_POLL).await;
            }
        };
        if timeout_at(deadline, write).await.is_err() {
            let unwritten = self.0.messages.max_capacity() - self.0.messages.capacity();
            tracing::error!(
                rows = unwritten,
                "Usage is not on the disk yet, and LOST if the process ends now"
            );
            return self.0.backlog.pending_rows() + unwritten as u64;
        }
        if timeout_at(deadline, ship).await.is_err() {
            let rows = self.0.backlog.pending_rows();
            tracing::warn!(rows, "Usage waits on disk for the next start");
        }
        self.0.backlog.pending_rows()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}
