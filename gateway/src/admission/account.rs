//! What one request took and used: reserved at its limits and opened as a tab when it is let through, settled and recorded
//! with the truth when it ends, however it ends.

use std::{sync::Arc, time::Instant};

use tenora_adapter_store::Outcome;
use tenora_engine::{Event, Progress};

use crate::{
    error::ApiError,
    limits::{Reservation, Standing},
    metering::Tab,
    telemetry::generation::Tracked,
};

/// One request's account. Dropped without an end, its client has hung up.
pub(super) struct Account(Option<Open>);

/// An account that has not ended.
struct Open {
    reservation: Reservation,
    tab: Tab,
    progress: Option<Arc<Progress>>,
    tracked: Tracked,
}

impl Account {
    pub(super) fn open(reservation: Reservation, tab: Tab, mut tracked: Tracked) -> Self {
        tracked.admitted();
        Self(Some(Open { reservation, tab, progress: None, tracked }))
    }

    /// Follows what the engine does for it from now on.
    pub(super) fn follow(&mut self, progress: Arc<Progress>) {
        if let Some(open) = &mut self.0 {
            open.tracked.submitted(Arc::clone(&progress));
            open.progress = Some(progress);
        }
    }

    /// What was left of the limits when it was let through.
    pub(super) fn standing(&self) -> Option<&Standing> {
        self.0.as_ref().map(|open| open.reservation.standing())
    }

    /// Notes what is new, the first token's time, and the tokens so far.
    pub(super) fn note(&mut self, event: &Event) {
        let Some(open) = &mut self.0 else { return };
        match event {
            Event::Text { choice, text, .. } => open.tracked.text(*choice, text),
            Event::Finished { reason, .. } => open.tracked.finished(*reason),
            Event::Done(_) => {}
        }
        open.count();
    }

    /// Settles and records, once.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if let Some(open) = self.0.take() {
            open.end(outcome);
        }
    }

    /// Ends with an error.
    pub(super) fn fail(&mut self, error: &ApiError) {
        let Some(mut open) = self.0.take() else { return };
        open.tracked.failed(error.entry().code);
        open.end(match error {
            ApiError::RequestTimeout | ApiError::ShuttingDown | ApiError::CredentialRevoked => {
                Outcome::CutOff
            }
            _ => Outcome::Failed,
        });
    }
}

impl Open {
    fn count(&mut self) {
        if let Some(progress) = &self.progress {
            let [input, cached, output] = progress.tokens();
            self.tab.tokens(input, cached, output);
            self.tracked.tokens(input, output);
        }
    }

    fn end(mut self, outcome: Outcome) {
        self.count();
        let [input, _, output] = self.progress.as_ref().map_or([0; 3], |progress| progress.tokens());
        let began = Instant::now();
        self.reservation.settle(u64::from(input) + u64::from(output));
        self.tab.close(outcome);
        self.tracked.end(outcome, began.elapsed());
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.end(Outcome::Cancelled);
    }
}
