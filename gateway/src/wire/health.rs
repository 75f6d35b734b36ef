//! What probes read.

use serde::Serialize;
use utoipa::ToSchema;

/// The process lives.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    pub status: State,
}

/// Whether the process can serve.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Readiness {
    /// The sum of the checks.
    pub status: State,
    /// The parts.
    pub checks: Checks,
}

/// The parts that a request needs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Checks {
    /// The base model.
    pub model: State,
    /// Where the rows are.
    pub database: State,
    /// Where the adapters' bytes are; without them what is on local disk or in memory is served.
    pub blobs: State,
    /// How limits are enforced: `ok`, or `degraded` to a share of each by this server alone while Redis is away.
    pub limits: State,
    /// Whether usage rows reach the database; `degraded` = they wait in files, `unreachable` = no more may wait.
    pub metering: State,
    /// Where resolutions are cached; `unused` when they are cached in the process.
    pub redis: State,
    /// Whether traces and metrics reach the collector; `unused` when there is none.
    pub telemetry: State,
}

impl Checks {
    /// Every part but the model.
    pub fn all(&self) -> [State; 6] {
        [self.database, self.blobs, self.limits, self.metering, self.redis, self.telemetry]
    }
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Works.
    Ok,
    /// Serves, with something missing.
    Degraded,
    /// Cannot be reached.
    Unreachable,
    /// Not configured.
    Unused,
    /// Finishes what it has begun and takes nothing new.
    Stopping,
}
