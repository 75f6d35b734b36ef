//! The tab of one request: opened when it is let through, told of tokens, closed once, whatever happens to the request.

use std::time::Instant;

use tenora_adapter_store::{AdapterName, Credential, Outcome, TenantId, UsageEvent, VersionNumber};
use time::OffsetDateTime;
use tokio::sync::mpsc::OwnedPermit;
use uuid::Uuid;

use super::Message;

/// What one request has used so far. It lives inside the answer's stream and is recorded exactly once: when it is closed,
/// or when it is dropped, which without an outcome means that the client hung up.
///
/// A tab never waits and never fails: its place in the writer's channel was taken when it was opened.
pub struct Tab {
    opened: Instant,
    event: UsageEvent,
    place: Option<OwnedPermit<Message>>,
}

impl Tab {
    pub(super) fn open(place: OwnedPermit<Message>, tenant: TenantId, credential: Credential) -> Self {
        let event = UsageEvent {
            id: Uuid::now_v7(),
            tenant,
            credential,
            adapter: None,
            outcome: Outcome::Cancelled,
            started_at: OffsetDateTime::now_utc(),
            input_tokens: 0,
            cached_tokens: 0,
            output_tokens: 0,
            ttft_ms: None,
            duration_ms: 0,
        };
        Self { opened: Instant::now(), event, place: Some(place) }
    }

    /// The id under which the request is recorded.
    pub fn id(&self) -> Uuid {
        self.event.id
    }

    /// Which adapter version answers; not told = the base model.
    pub fn answered_by(&mut self, adapter: AdapterName, version: VersionNumber) {
        self.event.adapter = Some((adapter, version));
    }

    /// The tokens so far: of the prompt, the reused part of these, and generated over all choices. The last word counts.
    /// The first word of a generated token is when the time to the first token ends.
    pub fn tokens(&mut self, input: u32, cached: u32, output: u32) {
        self.event.input_tokens = input;
        self.event.cached_tokens = cached;
        self.event.output_tokens = output;
        if output > 0 {
            self.first_token();
        }
    }

    /// The first token is there; only the first call counts.
    pub fn first_token(&mut self) {
        let elapsed = self.elapsed_ms();
        self.event.ttft_ms.get_or_insert(elapsed);
    }

    /// Records how the request ended. Only the first call counts.
    pub fn close(&mut self, outcome: Outcome) {
        if let Some(place) = self.place.take() {
            self.event.outcome = outcome;
            self.event.duration_ms = self.elapsed_ms();
            place.send(Message::Event(self.event.clone()));
        }
    }

    fn elapsed_ms(&self) -> u32 {
        u32::try_from(self.opened.elapsed().as_millis()).unwrap_or(u32::MAX)
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.close(Outcome::Cancelled);
    }
}
