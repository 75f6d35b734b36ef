//! `/v1/models`: the base model and the caller's adapters, as the SDKs list them.

use serde::Serialize;
use utoipa::ToSchema;

use super::list::Listed;

/// Something that answers: the base model, or an adapter on it.
#[derive(Debug, Serialize, ToSchema)]
pub struct Model {
    /// What to send as `model`.
    pub id: String,
    /// Always `model`.
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// The tenant's slug; `tenora` for the base model.
    pub owned_by: String,
    /// The base model that an adapter was trained on; null for the base model.
    #[schema(required)]
    pub parent: Option<String>,
    /// Prompt and answer together, in tokens.
    pub max_model_len: usize,
}

impl Listed for Model {
    fn list_id(&self) -> String {
        self.id.clone()
    }
}
