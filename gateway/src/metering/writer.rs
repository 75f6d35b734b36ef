//! The thread that writes events to the write-ahead file: what waits in the channel becomes one `write`.

use std::{
    fs::File,
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use tenora_adapter_store::UsageEvent;
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};

use super::{
    Message,
    backlog::Backlog,
    folder::Folder,
    line,
    segment::{self, SEGMENT_BYTES},
    syncer::Unsynced,
};

/// Events that one `write` takes at most.
const WRITE_ROWS: u64 = 1_024;
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(2);
/// Attempts for a batch after everybody who could record is gone.
const LAST_ATTEMPTS: u32 = 5;

/// Writes until nobody can record any more.
pub(super) struct Writer {
    receiver: mpsc::Receiver<Message>,
    folder: Arc<Folder>,
    backlog: Arc<Backlog>,
    unsynced: Arc<Unsynced>,
    file: Option<Open>,
    last_number: u64,
}

struct Open {
    file: Arc<File>,
    bytes: u64,
}

#[derive(Default)]
struct Batch {
    lines: Vec<u8>,
    rows: u64,
    oldest: Option<OffsetDateTime>,
    flushes: Vec<oneshot::Sender<()>>,
}

impl Writer {
    pub(super) fn new(
        receiver: mpsc::Receiver<Message>,
        folder: Folder,
        backlog: Arc<Backlog>,
        unsynced: Arc<Unsynced>,
    ) -> Self {
        Self { receiver, folder: Arc::new(folder), backlog, unsynced, file: None, last_number: 0 }
    }

    pub(super) fn run(mut self) {
        while let Some(first) = self.receiver.blocking_recv() {
            let mut batch = Batch::default();
            batch.take(first);
            while batch.rows < WRITE_ROWS
                && let Ok(message) = self.receiver.try_recv()
            {
                batch.take(message);
            }
            self.persist(&batch);
            if !batch.flushes.is_empty() {
                self.seal();
                self.unsynced.sync();
                batch.flushes.into_iter().for_each(|done| _ = done.send(()));
            }
        }
        self.seal();
        self.unsynced.sync();
    }

    /// Writes the batch, however long the disk needs; the gate is closed meanwhile.
    fn persist(&mut self, batch: &Batch) {
        let Some(oldest) = batch.oldest else { return };
        let mut retry = FIRST_RETRY;
        let mut attempts = 0;
        while let Err(error) = self.append(&batch.lines) {
            self.backlog.write_fails(true);
            attempts += 1;
            if attempts == 1 {
                tracing::error!(%error, path = %self.folder.path().display(),
                    "Usage cannot be written; new requests are refused until it can");
            }
            if attempts >= LAST_ATTEMPTS && self.receiver.is_closed() {
                tracing::error!(%error, rows = batch.rows, "Usage rows are LOST: they could not be written");
                return;
            }
            std::thread::sleep(retry);
            retry = (retry * 2).min(LAST_RETRY);
        }
        self.backlog.write_fails(false);
        self.backlog.wrote(batch.lines.len() as u64, batch.rows, oldest);
        if self.file.as_ref().is_some_and(|open| open.bytes >= SEGMENT_BYTES) {
            self.seal();
        }
    }

    fn append(&mut self, lines: &[u8]) -> io::Result<()> {
        if self.file.is_none() {
            self.file = Some(self.begin()?);
        }
        let Some(open) = &mut self.file else { return Ok(()) };
        let mut file: &File = &open.file;
        if let Err(error) = file.write_all(lines) {
            // What was written of the batch is no part of the file any more: it goes, whole, into the next one.
            self.seal();
            return Err(error);
        }
        open.bytes += lines.len() as u64;
        self.unsynced.add(&open.file);
        Ok(())
    }

    fn begin(&mut self) -> io::Result<Open> {
        self.last_number += 1;
        let path = segment::path(self.folder.path(), self.last_number);
        let file = File::options().append(true).create_new(true).open(&path)?;
        // The file's name must be on the disk before its first row counts as written.
        if let Err(error) = File::open(self.folder.path()).and_then(|folder| folder.sync_all()) {
            _ = std::fs::remove_file(&path);
            return Err(error);
        }
        self.backlog.begin(path, Arc::clone(&self.folder));
        Ok(Open { file: Arc::new(file), bytes: 0 })
    }

    fn seal(&mut self) {
        if self.file.take().is_some() {
            self.backlog.seal();
        }
    }
}

impl Batch {
    fn take(&mut self, message: Message) {
        match message {
            Message::Flush(done) => self.flushes.push(done),
            Message::Event(event) => match line::write(&mut self.lines, &event) {
                Ok(()) => {
                    self.rows += 1;
                    self.oldest.get_or_insert_with(|| ended_at(&event));
                }
                Err(error) => tracing::error!(%error, id = %event.id, "A usage row is LOST: it is not JSON"),
            },
        }
    }
}

/// When an event was recorded, as far as it tells.
pub(super) fn ended_at(event: &UsageEvent) -> OffsetDateTime {
    event.started_at.saturating_add(time::Duration::milliseconds(i64::from(event.duration_ms)))
}
