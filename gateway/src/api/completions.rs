//! `POST /v1/completions`.

use actix_web::HttpResponse;

use crate::{auth::Caller, error::ApiResult, scope};

/// Generates.
#[utoipa::path(post, path = "/v1/completions", tag = "generation", security(("api_key" = [])),
    responses((status = 200, description = "Not there yet.")))]
pub async fn create(_caller: Caller<scope::Chat>) -> ApiResult {
    Ok(HttpResponse::NotImplemented().finish())
}
