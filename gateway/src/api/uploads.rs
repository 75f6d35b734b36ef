//! `/v1/uploads`: files sent in parts, as OpenAI's Uploads are, to become the weights of adapter versions.

mod part;

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    web::{Data, Path, Payload, Query},
};
use tenora_adapter_store::{
    Completion, Digest, NewUpload, PartId, ShortText, UploadError, UploadId, UploadState, UploadStatus,
    UploadStore,
};
use time::OffsetDateTime;

use super::paging::paging;
use crate::{
    app::App,
    auth::Caller,
    body::Json,
    error::{ApiError, ApiResult, ErrorEnvelope},
    scope,
    wire::{
        list::{List, PageQuery},
        uploads::{self, ExpiresAfter, File, PartUpload, Upload, UploadCompletion, UploadParams, UploadPart},
    },
};

/// How long an upload may be asked to live, in seconds.
const LIFETIMES_S: std::ops::RangeInclusive<u64> = 60 * 60..=30 * 24 * 60 * 60;

/// Begins an upload: its bytes are reserved until it is used, cancelled or expired.
#[utoipa::path(post, path = "/v1/uploads", tag = "uploads", security(("api_key" = [])), request_body = uploads::NewUpload,
    responses((status = 200, body = Upload), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn create(
    caller: Caller<scope::AdaptersWrite>,
    body: Json<uploads::NewUpload>,
    app: Data<App>,
) -> ApiResult {
    let limits = app.admission.limits_of(caller.tenant());
    answer(&of(&caller, &app).create(new_upload(body.0)?, &limits).await?)
}

/// The tenant's uploads, newest first.
#[utoipa::path(get, path = "/v1/uploads", tag = "uploads", security(("api_key" = [])), params(UploadParams),
    responses((status = 200, body = List<Upload>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(
    caller: Caller<scope::AdaptersRead>,
    query: Query<UploadParams>,
    app: Data<App>,
) -> ApiResult {
    let UploadParams { status, after, limit } = query.into_inner();
    let status = status.as_deref().map(parse_status).transpose()?;
    let page = of(&caller, &app).list(status, &paging(PageQuery { after, limit })?).await?;
    Ok(HttpResponse::Ok().json(List::page(page.items.iter().map(shape).collect(), page.has_more)))
}

/// One upload.
#[utoipa::path(get, path = "/v1/uploads/{id}", tag = "uploads", security(("api_key" = [])),
    params(("id" = String, Path, description = "The upload's id.")),
    responses((status = 200, body = Upload), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn show(caller: Caller<scope::AdaptersRead>, path: Path<String>, app: Data<App>) -> ApiResult {
    answer(&of(&caller, &app).show(id(&path)?).await?)
}

/// Adds a part to a pending upload. Parts may be sent at the same time and in any order.
#[utoipa::path(post, path = "/v1/uploads/{id}/parts", tag = "uploads", security(("api_key" = [])),
    params(("id" = String, Path, description = "The upload's id.")),
    request_body(content = PartUpload, content_type = "multipart/form-data"),
    responses((status = 200, body = UploadPart), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn add_part(
    caller: Caller<scope::AdaptersWrite>,
    request: HttpRequest,
    path: Path<String>,
    body: Payload,
    app: Data<App>,
) -> ApiResult {
    let id = id(&path)?;
    part::refuse_declared_excess(request.headers())?;
    let incoming = of(&caller, &app).begin_part(id).await?;
    let part = part::receive(request.headers(), body, incoming).await?;
    Ok(HttpResponse::Ok().json(part_shape(id, &part)))
}

/// The parts that have arrived: what a broken upload need not send again.
#[utoipa::path(get, path = "/v1/uploads/{id}/parts", tag = "uploads", security(("api_key" = [])),
    params(("id" = String, Path, description = "The upload's id."), PageQuery),
    responses((status = 200, body = List<UploadPart>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list_parts(
    caller: Caller<scope::AdaptersRead>,
    path: Path<String>,
    page: Query<PageQuery>,
    app: Data<App>,
) -> ApiResult {
    let id = id(&path)?;
    let page = of(&caller, &app).list_parts(id, &paging(page.into_inner())?).await?;
    let data = page.items.iter().map(|part| part_shape(id, part)).collect();
    Ok(HttpResponse::Ok().json(List::page(data, page.has_more)))
}

/// Completes an upload: the named parts, in their order, are its bytes. The same again is the same answer.
#[utoipa::path(post, path = "/v1/uploads/{id}/complete", tag = "uploads", security(("api_key" = [])),
    params(("id" = String, Path, description = "The upload's id.")), request_body = UploadCompletion,
    responses((status = 200, body = Upload), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn complete(
    caller: Caller<scope::AdaptersWrite>,
    path: Path<String>,
    body: Json<UploadCompletion>,
    app: Data<App>,
) -> ApiResult {
    answer(&of(&caller, &app).complete(id(&path)?, &completion(&body.0)?).await?)
}

/// Gives up an upload, pending or completed: its bytes go, and what it had reserved is free.
#[utoipa::path(post, path = "/v1/uploads/{id}/cancel", tag = "uploads", security(("api_key" = [])),
    params(("id" = String, Path, description = "The upload's id.")),
    responses((status = 200, body = Upload), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn cancel(caller: Caller<scope::AdaptersWrite>, path: Path<String>, app: Data<App>) -> ApiResult {
    answer(&of(&caller, &app).cancel(id(&path)?).await?)
}

fn of<S>(caller: &Caller<S>, app: &App) -> UploadStore {
    app.store.tenant(caller.tenant().id).uploads(caller.actor())
}

fn answer(upload: &tenora_adapter_store::Upload) -> ApiResult {
    Ok(HttpResponse::Ok().json(shape(upload)))
}

/// An id that cannot exist is answered like one that does not.
fn id(text: &str) -> Result<UploadId, ApiError> {
    UploadId::parse(text).map_err(|_| UploadError::NotFound.into())
}

fn new_upload(new: uploads::NewUpload) -> Result<NewUpload, ApiError> {
    let text = |field, text: Option<String>, default: &str| {
        let text = ShortText::parse(text.as_deref().unwrap_or(default));
        text.map_err(|error| ApiError::unparsable(field, &error))
    };
    if new.bytes == 0 {
        return Err(ApiError::invalid("bytes", "`bytes` must be at least 1."));
    }
    Ok(NewUpload {
        filename: text("filename", Some(new.filename), "")?,
        purpose: text("purpose", new.purpose, "adapter")?,
        mime_type: text("mime_type", new.mime_type, "application/octet-stream")?,
        bytes: new.bytes,
        sha256: sha256(new.sha256.as_deref())?,
        lifetime: new.expires_after.map(lifetime).transpose()?,
    })
}

fn lifetime(after: ExpiresAfter) -> Result<Duration, ApiError> {
    if after.anchor != "created_at" {
        return Err(ApiError::invalid(
            "expires_after.anchor",
            "`expires_after.anchor` must be `created_at`.",
        ));
    }
    if !LIFETIMES_S.contains(&after.seconds) {
        let message = format!(
            "`expires_after.seconds` must be from {} to {}: an hour to 30 days.",
            LIFETIMES_S.start(),
            LIFETIMES_S.end()
        );
        return Err(ApiError::invalid("expires_after.seconds", message));
    }
    Ok(Duration::from_secs(after.seconds))
}

fn completion(sent: &UploadCompletion) -> Result<Completion, ApiError> {
    let part = |(index, text): (usize, &String)| {
        PartId::parse(text).map_err(|error| {
            ApiError::invalid(
                format!("part_ids[{index}]"),
                format!("{}.", ApiError::echo(&error.to_string())),
            )
        })
    };
    Ok(Completion {
        part_ids: sent.part_ids.iter().enumerate().map(part).collect::<Result<_, _>>()?,
        md5: md5(sent.md5.as_deref())?,
        sha256: sha256(sent.sha256.as_deref())?,
    })
}

fn sha256(text: Option<&str>) -> Result<Option<Digest>, ApiError> {
    let parse = |text: &str| Digest::parse_hex(&text.to_ascii_lowercase());
    text.map(parse).transpose().map_err(|_| ApiError::invalid("sha256", "`sha256` must be 64 hex digits."))
}

fn md5(text: Option<&str>) -> Result<Option<[u8; 16]>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let mut md5 = [0; 16];
    hex::decode_to_slice(text, &mut md5)
        .map_err(|_| ApiError::invalid("md5", "`md5` must be 32 hex digits."))?;
    Ok(Some(md5))
}

fn parse_status(text: &str) -> Result<UploadStatus, ApiError> {
    UploadStatus::ALL.into_iter().find(|status| status.as_str() == text).ok_or_else(|| {
        ApiError::invalid("status", "`status` must be `pending`, `completed`, `cancelled` or `expired`.")
    })
}

fn shape(upload: &tenora_adapter_store::Upload) -> Upload {
    let status = upload.state.status();
    let file = upload.completed_at.filter(|_| status == UploadStatus::Completed).map(|completed_at| File {
        id: upload.id.file_id(),
        object: "file",
        bytes: upload.bytes,
        created_at: completed_at.unix_timestamp(),
        expires_at: upload.expires_at.unix_timestamp(),
        filename: upload.filename.to_string(),
        purpose: upload.purpose.to_string(),
        status: "processed",
    });
    Upload {
        id: upload.id.to_string(),
        object: "upload",
        bytes: upload.bytes,
        created_at: upload.created_at.unix_timestamp(),
        expires_at: upload.expires_at.unix_timestamp(),
        filename: upload.filename.to_string(),
        purpose: upload.purpose.to_string(),
        status: status.as_str(),
        file,
        mime_type: upload.mime_type.to_string(),
        sha256: upload.sha256.map(|digest| digest.to_hex()),
        completed_at: upload.completed_at.map(OffsetDateTime::unix_timestamp),
        used: upload.state == UploadState::Used,
        created_by: upload.created_by.map(|key| key.to_string()),
    }
}

fn part_shape(upload: UploadId, part: &tenora_adapter_store::UploadPart) -> UploadPart {
    UploadPart {
        id: part.id.to_string(),
        object: "upload.part",
        created_at: part.created_at.unix_timestamp(),
        upload_id: upload.to_string(),
        part_number: part.number,
        bytes: part.bytes,
        sha256: part.sha256.to_hex(),
    }
}
