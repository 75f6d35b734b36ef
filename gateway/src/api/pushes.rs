//! `/v1/pushes`: what became of each try to make a version, asked for or told as it happens.

use std::time::{Duration, Instant};

use actix_web::{
    HttpResponse,
    web::{Data, Path, Query},
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use tenora_adapter_store::{PushId, PushState, PushStore, StoreError};
use tokio::time::sleep;

use super::paging::paging;
use crate::{
    app::App,
    auth::Caller,
    error::{ApiError, ApiResult, ErrorEnvelope},
    scope,
    wire::{
        generation::StreamEvent,
        list::{List, PageQuery},
        pushes::{Push, PushError},
    },
};

/// How often a push that is followed is looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Looks between two comments that keep the connection open.
const LOOKS_PER_COMMENT: u32 = 40;
/// How long one request follows a push; nothing is validated for longer.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The tenant's pushes, newest first; they are kept for a month.
#[utoipa::path(get, path = "/v1/pushes", tag = "adapters", security(("api_key" = [])), params(PageQuery),
    responses((status = 200, body = List<Push>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(caller: Caller<scope::AdaptersRead>, page: Query<PageQuery>, app: Data<App>) -> ApiResult {
    let page = store(&caller, &app).list(&paging(page.into_inner())?).await?;
    let visible = page.items.iter().filter(|push| caller.identity().may_use(&push.adapter));
    Ok(HttpResponse::Ok().json(List::page(visible.map(shape).collect(), page.has_more)))
}

/// One push.
#[utoipa::path(get, path = "/v1/pushes/{id}", tag = "adapters", security(("api_key" = [])),
    params(("id" = String, Path, description = "The push's id.")),
    responses((status = 200, body = Push), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(caller: Caller<scope::AdaptersRead>, path: Path<String>, app: Data<App>) -> ApiResult {
    Ok(HttpResponse::Ok().json(shape(&find(&caller, &path, &app).await?)))
}

/// One push as server-sent events: what it is now, and what it becomes. The stream ends with the push.
#[utoipa::path(get, path = "/v1/pushes/{id}/events", tag = "adapters", security(("api_key" = [])),
    params(("id" = String, Path, description = "The push's id.")),
    responses((status = 200, body = StreamEvent, content_type = "text/event-stream"), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn events(caller: Caller<scope::AdaptersRead>, path: Path<String>, app: Data<App>) -> ApiResult {
    let push = find(&caller, &path, &app).await?;
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header(("cache-control", "no-cache"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(followed(store(&caller, &app), push)))
}

/// The push in words for its owner.
pub(super) fn shape(push: &tenora_adapter_store::Push) -> Push {
    Push {
        id: push.id.to_string(),
        object: "adapter.push",
        name: push.adapter.to_string(),
        status: push.state.as_str(),
        digest: push.digest.to_string(),
        bytes: push.bytes,
        model: push.version.map(|version| format!("{}@{version}", push.adapter)),
        error: push.refusal.clone().map(|refusal| PushError {
            code: refusal.code,
            param: refusal.param,
            message: refusal.message,
        }),
        report: push.report.clone(),
        created_at: push.created_at.unix_timestamp(),
        finished_at: push.finished_at.map(time::OffsetDateTime::unix_timestamp),
    }
}

fn store<S>(caller: &Caller<S>, app: &App) -> PushStore {
    app.store.tenant(caller.tenant().id).pushes()
}

async fn find<S>(caller: &Caller<S>, id: &str, app: &App) -> Result<tenora_adapter_store::Push, ApiError> {
    let id = PushId::parse(id).map_err(|_| ApiError::PushNotFound)?;
    let push = store(caller, app).show(id).await?;
    if caller.identity().may_use(&push.adapter) { Ok(push) } else { Err(ApiError::PushNotFound) }
}

/// The push now, and again when it has ended.
fn followed(
    pushes: PushStore,
    push: tenora_adapter_store::Push,
) -> impl Stream<Item = Result<Bytes, ApiError>> {
    let until = Instant::now() + LONGEST;
    stream::unfold(Some((pushes, Next::Tell(Box::new(push)))), move |state| async move {
        let (pushes, next) = state?;
        match next {
            Next::Tell(push) if push.state == PushState::Validating => {
                Some((Ok(event(&push)), Some((pushes, Next::Look(push.id)))))
            }
            Next::Tell(push) => Some((Ok(event(&push)), None)),
            Next::Look(id) => match look(&pushes, id, until).await {
                Ok(Some(push)) => Some((Ok(event(&push)), None)),
                Ok(None) if Instant::now() < until => {
                    Some((Ok(Bytes::from_static(b": keep-alive\n\n")), Some((pushes, Next::Look(id)))))
                }
                Ok(None) => None,
                Err(error) => Some((Err(error.into()), None)),
            },
        }
    })
}

enum Next {
    Tell(Box<tenora_adapter_store::Push>),
    Look(PushId),
}

/// The push once it has ended, or `None` after a while.
async fn look(
    pushes: &PushStore,
    id: PushId,
    until: Instant,
) -> Result<Option<tenora_adapter_store::Push>, StoreError> {
    for _ in 0..LOOKS_PER_COMMENT {
        sleep(LOOK).await;
        let push = pushes.show(id).await?;
        if push.state != PushState::Validating {
            return Ok(Some(push));
        }
        if Instant::now() >= until {
            break;
        }
    }
    Ok(None)
}

fn event(push: &tenora_adapter_store::Push) -> Bytes {
    let json = serde_json::to_string(&shape(push)).unwrap_or_default();
    format!("data: {json}\n\n").into()
}
