//! A push: staged files → *check → canary → commit*, on record from its beginning to its end. It runs on when whoever asked for it
//! hangs up: its bytes are here, and its push says what became of them.

use std::{
    pin::pin,
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::json;
use tenora_adapter_store::{
    Actor, AdapterName, Cap, Checked, Ending, Push, PushId, Refusal, Staged, Tenant, UploadId, VersionRecord,
};
use tokio::{sync::OwnedSemaphorePermit, task::JoinHandle, time::timeout};
use tracing::{Instrument, info_span};

use crate::{
    admission::InFlight,
    app::{App, pinned},
    error::ApiError,
};

/// How often the record of a push says that somebody is at work on it.
const TOUCH: Duration = Duration::from_secs(10);

/// What is to become a version.
pub struct Candidate {
    /// Whose.
    pub owner: Tenant,
    /// Who pushes it.
    pub actor: Actor,
    /// The adapter's name.
    pub name: AdapterName,
    /// Its files.
    pub staged: Arc<Staged>,
    /// The resumable upload that the weights came from, which is of no more use once there is a version.
    pub upload: Option<UploadId>,
    /// Whether the alias `latest` is to move to it.
    pub moves_latest: bool,
}

/// A push in the making.
pub struct Pushing {
    /// Its record, as it was at the beginning.
    pub push: Push,
    task: JoinHandle<Result<VersionRecord, ApiError>>,
}

impl Pushing {
    /// Puts the push on record and begins to validate it.
    pub async fn begin(
        app: Arc<App>,
        candidate: Candidate,
        place: OwnedSemaphorePermit,
    ) -> Result<Self, ApiError> {
        let in_flight = app.admission.enter()?;
        if candidate.name.as_str() == app.base().id {
            let message = format!("`{}` is the base model's own id; choose another name.", candidate.name);
            return Err(ApiError::invalid("name", message));
        }
        let pushes = app.store.tenant(candidate.owner.id).pushes();
        let push = pushes.begin(&candidate.name, &candidate.staged).await?;
        let work = Work { app, candidate, id: push.id, report: None, _held: (in_flight, place) };
        let span = info_span!("push", id = %push.id);
        Ok(Self { push, task: tokio::spawn(work.run().instrument(span)) })
    }

    /// The version, or why there is none.
    pub async fn end(self) -> Result<VersionRecord, ApiError> {
        let ended = self.task.await.map_err(ApiError::internal)?;
        ended.map_err(|cause| ApiError::PushRefused { push: self.push.id, cause: Box::new(cause) })
    }
}

struct Work {
    app: Arc<App>,
    candidate: Candidate,
    id: PushId,
    /// What the checks found, once they are done.
    report: Option<serde_json::Value>,
    _held: (InFlight, OwnedSemaphorePermit),
}

impl Work {
    async fn run(mut self) -> Result<VersionRecord, ApiError> {
        let pushes = self.app.store.tenant(self.candidate.owner.id).pushes();
        let (id, began) = (self.id, Instant::now());
        let ended = {
            let mut validated = pin!(self.validate());
            loop {
                match timeout(TOUCH, &mut validated).await {
                    Ok(ended) => break ended,
                    Err(_) => told("touched", pushes.touch(id).await),
                }
            }
        };
        self.app.metrics().pushed(ended.is_ok(), began.elapsed());
        match &ended {
            Ok(VersionRecord { version, .. }) => {
                if let Some(upload) = self.candidate.upload {
                    let Candidate { owner, actor, .. } = &self.candidate;
                    self.app.store.tenant(owner.id).uploads(actor.clone()).consume(upload).await;
                }
                tracing::info!(adapter = pinned(version), digest = %version.digest, "Adapter version is routable");
            }
            Err(error) => {
                let ending = ending(error, self.report.take());
                tracing::info!(code = ending.refusal.code, "The push made no version");
                told("ended", pushes.end(id, &ending).await);
            }
        }
        ended
    }

    async fn validate(&mut self) -> Result<VersionRecord, ApiError> {
        let Candidate { owner, actor, name, staged, moves_latest, .. } = &self.candidate;
        let began = Instant::now();
        let found = self.app.check(staged).instrument(info_span!("check")).await?;
        let rank = found.rank as u64;
        let mut report = serde_json::to_value(found).map_err(ApiError::internal)?;
        report["check_ms"] = ms(began.elapsed());
        self.report = Some(report.clone());
        let limits = self.app.admission.limits_of(owner);
        if let Some(limit) = limits.adapter_rank.and_then(Cap::most).filter(|most| rank > *most) {
            return Err(ApiError::OverQuota { what: "for an adapter's rank", limit });
        }
        let canary = self.app.canary(owner, name, staged).instrument(info_span!("canary")).await?;
        if let Some(checks) = report["checks"].as_array_mut() {
            checks.push("canary".into());
        }
        report["canary"] = json!({
            "effect": canary.effect,
            "load_ms": ms(canary.load),
            "run_ms": ms(canary.run),
            "resident_bytes": canary.resident_bytes,
        });
        let checked = Checked {
            report,
            base_fingerprint: self.app.base().fingerprint.clone(),
            limits,
            moves_latest: *moves_latest,
            push: Some(self.id),
        };
        let store = self.app.store.tenant(owner.id);
        Ok(store.commit(name, staged, checked, actor).instrument(info_span!("commit")).await?)
    }
}

/// Milliseconds with a decimal.
fn ms(time: Duration) -> serde_json::Value {
    json!((time.as_secs_f64() * 1e4).round() / 10.0)
}

/// The record's own troubles stop no push: it is found abandoned later.
fn told(what: &'static str, outcome: Result<(), tenora_adapter_store::StoreError>) {
    if let Err(error) = outcome {
        let error = &error as &dyn std::error::Error;
        tracing::warn!(error, what, "The record of a push could not be kept");
    }
}

fn ending(error: &ApiError, report: Option<serde_json::Value>) -> Ending {
    let entry = error.entry();
    let refusal = Refusal { code: entry.code.to_owned(), param: error.param(), message: error.to_string() };
    Ending { worth_another_try: entry.status.is_server_error(), refusal, report }
}
