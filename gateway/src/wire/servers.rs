//! `/admin/v1/servers`: the vLLM servers that answer.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::list::Listed;

/// A vLLM server, as this gateway sees it.
#[derive(Debug, Serialize, ToSchema)]
pub struct EngineServer {
    /// Always `server`.
    pub object: &'static str,
    /// Its address.
    pub url: String,
    /// How it is.
    pub state: EngineServerState,
    /// Requests of this gateway that it answers.
    pub in_flight: u64,
    /// Requests that it runs, of everybody.
    pub running: u64,
    /// Requests that wait there, of everybody.
    pub waiting: u64,
    /// Part of its KV blocks that are in use, from 0 to 1.
    pub kv_used: f64,
    /// Adapters that this gateway knows to be there.
    pub adapters: u64,
}

/// How a vLLM server is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EngineServerState {
    /// It is asked.
    Ok,
    /// It ends what it has and gets no more.
    Draining,
    /// It does not answer.
    Unreachable,
    /// It has failed several times, and is left out for a while.
    Failing,
    /// It does not serve the base model.
    OtherModel,
}

/// What to change of a vLLM server.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EngineServerUpdate {
    /// Its address, as the list has it.
    pub url: String,
    /// Whether it gets no more requests from this gateway. Until the gateway is started again.
    pub draining: bool,
}

impl Listed for EngineServer {
    fn list_id(&self) -> String {
        self.url.clone()
    }
}
