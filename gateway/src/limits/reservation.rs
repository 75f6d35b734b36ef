//! A request's place in all of its limits, for as long as it runs.

use std::sync::Arc;

use super::{book::Charge, memory::Memory, redis::Hold, standing::Standing};

/// A request that may run. Dropping it gives the place back and refunds the tokens; only the request itself, as one of
/// so many in a minute, stays counted.
#[must_use = "dropping it ends the reservation"]
pub struct Reservation {
    held: Option<Held>,
    standing: Standing,
}

/// Where it is to be settled.
pub(super) enum Held {
    Memory(Arc<Memory>, Charge),
    Redis(Hold),
}

impl Reservation {
    pub(super) fn new(held: Held, standing: Standing) -> Self {
        Self { held: Some(held), standing }
    }

    /// Of a request that nothing limits.
    pub(super) fn free() -> Self {
        Self { held: None, standing: Standing::default() }
    }

    /// What the tightest of the subjects have left after it.
    pub fn standing(&self) -> &Standing {
        &self.standing
    }

    /// The request has ended and has used this many tokens, of prompt and answer together. Never waits.
    pub fn settle(mut self, tokens: u64) {
        self.end(tokens);
    }

    fn end(&mut self, tokens: u64) {
        match self.held.take() {
            None => {}
            Some(Held::Memory(memory, charge)) => memory.book.settle(&charge, tokens),
            Some(Held::Redis(hold)) => hold.settle(tokens),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.end(0);
    }
}
