//! What is on disk and not yet in the database: the files in their order, how far each was shipped, and how much is left.
//! Written by the writer, worked off by the shipper, watched by the gate.

use std::{
    collections::VecDeque,
    fs, io,
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use time::OffsetDateTime;
use tokio::sync::Notify;

use super::{
    folder::Folder,
    segment::{self, BATCH_ROWS},
};

/// How far the database is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeterStatus {
    /// Rows that are written and not yet in the database.
    pub pending_rows: u64,
    /// Their bytes.
    pub pending_bytes: u64,
    /// How long the oldest of them has been waiting.
    pub oldest_age: Duration,
    /// Whether new requests are let in: the files can be written, and there is room.
    pub accepting: bool,
    /// Whether everything works: `accepting`, and the last rows that were sent to the database arrived.
    pub healthy: bool,
    /// Lines that could not be read back since the start: damaged on disk, or of another program's making.
    pub unreadable_lines: u64,
}

/// The files and what is left of them.
#[derive(Default)]
pub(super) struct Backlog {
    state: Mutex<State>,
    pending_bytes: AtomicU64,
    write_fails: AtomicBool,
    ship_fails: AtomicBool,
    /// A batch is full.
    full: Notify,
    /// Somebody waits for the end of the backlog.
    hurry: Notify,
}

#[derive(Default)]
struct State {
    /// Oldest first.
    segments: VecDeque<Segment>,
    /// When the oldest waiting row was recorded; `None` = none is waiting.
    oldest: Option<OffsetDateTime>,
    unreadable_lines: u64,
}

struct Segment {
    path: PathBuf,
    /// Bytes of whole lines.
    bytes: u64,
    shipped_bytes: u64,
    /// Lines that are not shipped yet.
    rows: u64,
    /// Nothing will be added to it.
    sealed: bool,
    /// Keeps what was taken over locked until it is worked off.
    _folder: Arc<Folder>,
}

/// The next part of a file to ship.
#[derive(Debug, PartialEq)]
pub(super) struct Work {
    pub(super) path: PathBuf,
    pub(super) from: u64,
    pub(super) to: u64,
    /// Nothing will be added to the file: there is no use in waiting for more.
    pub(super) sealed: bool,
}

impl Backlog {
    /// A new file, which the next rows go to.
    pub(super) fn begin(&self, path: PathBuf, folder: Arc<Folder>) {
        let segment = Segment { path, bytes: 0, shipped_bytes: 0, rows: 0, sealed: false, _folder: folder };
        self.state().segments.push_back(segment);
    }

    /// Rows were written to the file that was begun last.
    pub(super) fn wrote(&self, bytes: u64, rows: u64, oldest: OffsetDateTime) {
        let mut state = self.state();
        if let Some(segment) = state.segments.back_mut() {
            segment.bytes += bytes;
            segment.rows += rows;
        }
        state.oldest.get_or_insert(oldest);
        self.pending_bytes.fetch_add(bytes, Relaxed);
        let pending: u64 = state.segments.iter().map(|segment| segment.rows).sum();
        if pending >= BATCH_ROWS as u64 {
            self.full.notify_one();
        }
    }

    /// The file that was begun last takes nothing more.
    pub(super) fn seal(&self) {
        if let Some(segment) = self.state().segments.back_mut() {
            segment.sealed = true;
        }
    }

    /// Adds the files of a dead process before all others.
    pub(super) fn take_over(&self, folder: Folder) -> io::Result<()> {
        let folder = Arc::new(folder);
        let mut segments = Vec::new();
        for path in segment::paths(folder.path())? {
            let (bytes, rows) = segment::measure(&path)?;
            let _folder = Arc::clone(&folder);
            segments.push(Segment { path, bytes, shipped_bytes: 0, rows, sealed: true, _folder });
        }
        self.pending_bytes.fetch_add(segments.iter().map(|segment| segment.bytes).sum(), Relaxed);
        let mut state = self.state();
        segments.into_iter().rev().for_each(|segment| state.segments.push_front(segment));
        Ok(())
    }

    /// Removes files that are done with, and says where to go on.
    pub(super) fn next(&self) -> io::Result<Option<Work>> {
        loop {
            let done = {
                let mut state = self.state();
                let Some(first) = state.segments.front() else { return Ok(None) };
                if first.shipped_bytes < first.bytes {
                    let (from, to) = (first.shipped_bytes, first.bytes);
                    let (path, sealed) = (first.path.clone(), first.sealed);
                    return Ok(Some(Work { path, from, to, sealed }));
                }
                if !first.sealed {
                    return Ok(None);
                }
                state.segments.pop_front()
            };
            // Outside the lock: the folder may go with its last file.
            if let Some(done) = done {
                remove(&done)?;
            }
        }
    }

    /// A slice was read; `oldest` is when its first row was recorded.
    pub(super) fn reading(&self, oldest: OffsetDateTime) {
        self.state().oldest = Some(oldest);
    }

    /// The file at the front is in the database up to here, so many lines further.
    pub(super) fn shipped(&self, end: u64, lines: u64, unreadable: u64) {
        let mut state = self.state();
        state.unreadable_lines += unreadable;
        if let Some(first) = state.segments.front_mut() {
            let bytes = end.saturating_sub(first.shipped_bytes);
            first.shipped_bytes += bytes;
            first.rows = if end >= first.bytes { 0 } else { first.rows.saturating_sub(lines) };
            self.pending_bytes.fetch_sub(bytes, Relaxed);
        }
        if state.segments.iter().all(|segment| segment.rows == 0) {
            state.oldest = None;
        }
        self.ship_fails.store(false, Relaxed);
    }

    pub(super) fn write_fails(&self, fails: bool) {
        self.write_fails.store(fails, Relaxed);
    }

    pub(super) fn ship_fails(&self) {
        self.ship_fails.store(true, Relaxed);
    }

    /// Whether a new request can be counted.
    pub(super) fn accepts(&self, max_bytes: u64) -> bool {
        !self.write_fails.load(Relaxed) && self.pending_bytes.load(Relaxed) < max_bytes
    }

    pub(super) fn pending_rows(&self) -> u64 {
        self.state().segments.iter().map(|segment| segment.rows).sum()
    }

    /// Ships now rather than in a while.
    pub(super) fn hurry(&self) {
        self.hurry.notify_one();
    }

    /// Waits until [`Backlog::hurry`].
    pub(super) async fn hurried(&self) {
        self.hurry.notified().await;
    }

    /// Waits until a batch is full.
    pub(super) async fn full(&self) {
        self.full.notified().await;
    }

    pub(super) fn status(&self, max_bytes: u64) -> MeterStatus {
        let accepting = self.accepts(max_bytes);
        let pending_rows = self.pending_rows();
        let state = self.state();
        let age = state.oldest.map(|oldest| OffsetDateTime::now_utc() - oldest);
        MeterStatus {
            pending_rows,
            pending_bytes: self.pending_bytes.load(Relaxed),
            oldest_age: age.and_then(|age| age.try_into().ok()).unwrap_or_default(),
            accepting,
            healthy: accepting && !self.ship_fails.load(Relaxed),
            unreadable_lines: state.unreadable_lines,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn remove(segment: &Segment) -> io::Result<()> {
    match fs::remove_file(&segment.path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
