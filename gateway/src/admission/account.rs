//! What one request took and used: reserved at its limits and opened as a tab when it is let through, settled and recorded
//! with the truth when it ends, however it ends.

use std::sync::Arc;

use tenora_adapter_store::Outcome;
use tenora_engine::{Event, Progress};
use tracing::info_span;

use crate::{
    error::ApiError,
    limits::{Reservation, Standing},
    metering::Tab,
    telemetry::generation::Tracked,
};

/// One request's account. Dropped without an end, its client has hung up.
pub(super) struct Account {
    reservation: Option<Reservation>,
    tab: Tab,
    progress: Option<Arc<Progress>>,
    tracked: Tracked,
}

impl Account {
    pub(super) fn open(reservation: Reservation, tab: Tab, mut tracked: Tracked) -> Self {
        tracked.admitted();
        Self { reservation: Some(reservation), tab, progress: None, tracked }
    }

    /// Follows what the engine does for it from now on.
    pub(super) fn follow(&mut self, progress: Arc<Progress>) {
        self.tracked.submitted(Arc::clone(&progress));
        self.progress = Some(progress);
    }

    /// What was left of the limits when it was let through.
    pub(super) fn standing(&self) -> Option<&Standing> {
        self.reservation.as_ref().map(Reservation::standing)
    }

    /// Notes what is new, the first token's time, and the tokens so far.
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::Text { choice, text, .. } => self.tracked.text(*choice, text),
            Event::Finished { reason, .. } => self.tracked.finished(*reason),
            Event::Done(_) => {}
        }
        self.count();
    }

    fn count(&mut self) {
        if let Some(progress) = &self.progress {
            let [input, cached, output] = progress.tokens();
            self.tab.tokens(input, cached, output);
            self.tracked.tokens(input, output);
        }
    }

    /// Settles and records, once.
    pub(super) fn end(&mut self, outcome: Outcome) {
        let Some(reservation) = self.reservation.take() else { return };
        self.count();
        let [input, _, output] = self.progress.as_ref().map_or([0; 3], |progress| progress.tokens());
        info_span!(parent: self.tracked.span(), "settle").in_scope(|| {
            reservation.settle(u64::from(input) + u64::from(output));
            self.tab.close(outcome);
        });
        self.tracked.end(outcome);
    }

    /// Ends with an error.
    pub(super) fn fail(&mut self, error: &ApiError) {
        self.tracked.failed(error.entry().code);
        self.end(match error {
            ApiError::RequestTimeout | ApiError::ShuttingDown | ApiError::CredentialRevoked => {
                Outcome::CutOff
            }
            _ => Outcome::Failed,
        });
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}
