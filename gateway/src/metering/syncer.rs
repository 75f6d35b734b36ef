//! Brings what was written to the disk itself, some times a second: one `fsync` for all that came meanwhile.

use std::{
    fs::File,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::Notify, time::sleep};

use super::SYNC_EVERY;

/// Files with bytes that only the operating system has.
#[derive(Default)]
pub(super) struct Unsynced {
    files: Mutex<Vec<Arc<File>>>,
    added: Notify,
}

impl Unsynced {
    /// The file has new bytes.
    pub(super) fn add(&self, file: &Arc<File>) {
        let mut files = self.files();
        if !files.last().is_some_and(|last| Arc::ptr_eq(last, file)) {
            files.push(Arc::clone(file));
            self.added.notify_one();
        }
    }

    /// Syncs now; blocks meanwhile.
    pub(super) fn sync(&self) {
        let files = mem::take(&mut *self.files());
        for file in files {
            if let Err(error) = file.sync_data() {
                tracing::error!(%error, "Usage could not be synced to the disk; a loss of power could lose it");
            }
        }
    }

    fn files(&self) -> MutexGuard<'_, Vec<Arc<File>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Syncs for as long as the meter lives.
pub(super) async fn run(unsynced: Arc<Unsynced>) {
    loop {
        unsynced.added.notified().await;
        sleep(SYNC_EVERY).await;
        let unsynced = Arc::clone(&unsynced);
        if let Err(error) = tokio::task::spawn_blocking(move || unsynced.sync()).await {
            tracing::error!(%error, "The syncing of usage broke off");
        }
    }
}
