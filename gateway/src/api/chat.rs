//! `POST /v1/chat/completions`.

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
        chat::{Chat, ChatCompletion, ChatRequest},
        generation::StreamEvent,
    },
};

/// Continues a conversation with the base model or one of the caller's adapters; with `stream`, as server-sent events
/// of `chat.completion.chunk` and a last `[DONE]`.
#[utoipa::path(post, path = "/v1/chat/completions", tag = "generation", security(("api_key" = [])),
    request_body(content = ChatRequest, example = json!({
        "model": "ticket-triage",
        "messages": [{"role": "user", "content": "I was charged twice for my order."}],
        "temperature": 0,
        "max_tokens": 80,
    })),
    responses((status = 200, content((ChatCompletion = "application/json"), (StreamEvent = "text/event-stream"))), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create(caller: Caller<scope::Chat>, body: Json<ChatRequest>, app: Data<App>) -> ApiResult {
    let Json(request) = body;
    let (telling, model, key) = (request.telling(), request.model.clone(), request.sticky_key());
    let (prompt, sampling) = request.check()?;
    let model = app.resolve_model(&caller, &model, key.as_deref()).await?;
    let tracked = app.track(Operation::Chat, &caller, &model, (&prompt, &sampling));
    let prepared = app.prepare(model.request(&caller, prompt, sampling)).await?;
    let permit = app.admission.admit(&caller, model.demand(&prepared, tracked)).await?;
    let generation = app.generate(permit, prepared).await?;
    generation::respond::<Chat>(generation, generation::Heading::new(&app, model, telling)).await
}
