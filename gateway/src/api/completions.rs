//! `POST /v1/completions`.

use actix_web::web::Data;

use super::generation;
use crate::{
    app::App,
    auth::Caller,
    body::Json,
    error::{ApiResult, ErrorEnvelope},
    scope,
    telemetry::record::Operation,
    wire::{
        completions::{Completion, CompletionRequest, Text},
        generation::StreamEvent,
    },
};

/// Continues a text with the base model or one of the caller's adapters; with `stream`, as server-sent events of
/// `text_completion` and a last `[DONE]`.
#[utoipa::path(post, path = "/v1/completions", tag = "generation", security(("api_key" = [])),
    request_body(content = CompletionRequest, example = json!({
        "model": "ticket-triage",
        "prompt": "I was charged twice for my order.",
        "temperature": 0,
        "max_tokens": 80,
    })),
    responses((status = 200, content((Completion = "application/json"), (StreamEvent = "text/event-stream"))), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create(caller: Caller<scope::Chat>, body: Json<CompletionRequest>, app: Data<App>) -> ApiResult {
    let Json(request) = body;
    let (telling, model, key) = (request.telling(), request.model.clone(), request.sticky_key());
    let (prompt, sampling) = request.check()?;
    let model = app.resolve_model(&caller, &model, key.as_deref()).await?;
    let tracked = app.track(Operation::TextCompletion, &caller, &model, (&prompt, &sampling));
    let prepared = app.prepare(model.request(&caller, prompt, sampling)).await?;
    let permit = app.admission.admit(&caller, model.demand(&prepared, tracked)).await?;
    let generation = app.generate(permit, prepared).await?;
    generation::respond::<Text>(generation, generation::Heading::new(&app, model, telling)).await
}
