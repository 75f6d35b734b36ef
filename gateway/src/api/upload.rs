//! Receives a new version of an adapter: as a multipart form, read as a stream, so that the weights go to the staging area
//! while they arrive; or as JSON that names a completed resumable upload.
//! Whatever ends it early drops the staging area, and with it every byte.

use actix_multipart::{Field, Multipart};
use actix_web::{FromRequest, HttpRequest, http::header::HeaderMap, web::Payload};
use bytes::Bytes;
use tenora_adapter_store::{AdapterName, Staged, Staging, TenantStore, UploadId};

use super::form::{MAX_FRAMING_BYTES, broken, declared_length, read_bytes, sent_twice, unknown_field};
use crate::{
    body::{Json, is_json, next_chunk},
    error::ApiError,
    wire::adapters::AdapterFromUpload,
};

const NAME: &str = "name";
const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// A name is at most 64 characters; what is longer is only read to be refused.
const MAX_NAME_BYTES: usize = 1 << 10;
/// PEFT writes about one kilobyte; long target lists take some more.
const MAX_CONFIG_BYTES: usize = 256 << 10;

/// A complete form.
pub(super) struct Form {
    pub(super) name: AdapterName,
    pub(super) staged: Staged,
    /// The resumable upload that the weights came from.
    pub(super) upload: Option<UploadId>,
}

/// Receives an adapter in either way.
pub(super) async fn receive(
    request: &HttpRequest,
    body: Payload,
    tenant: &TenantStore,
) -> Result<Form, ApiError> {
    if is_json(request.headers()) {
        let Json(sent) = Json::from_request(request, &mut body.into_inner()).await?;
        return from_upload(sent, tenant).await;
    }
    from_form(request.headers(), body, tenant.stage().await?).await
}

/// The weights are here already.
async fn from_upload(sent: AdapterFromUpload, tenant: &TenantStore) -> Result<Form, ApiError> {
    let name = parse_name(&sent.name)?;
    let upload = UploadId::parse_either(&sent.weights_upload_id)
        .map_err(|error| ApiError::unparsable("weights_upload_id", &error))?;
    let config = String::from(Box::<str>::from(sent.config)).into();
    let staged = tenant.stage_upload(upload, config).await?;
    Ok(Form { name, staged, upload: Some(upload) })
}

/// Receives a form; its parts may come in any order, each once.
async fn from_form(headers: &HeaderMap, body: Payload, mut staging: Staging) -> Result<Form, ApiError> {
    refuse_declared_excess(headers, staging.max_bytes())?;
    let mut parts = Multipart::new(headers, body);
    let (mut name, mut config, mut weights) = (None, None, false);
    while let Some(part) = next_chunk(&mut parts).await? {
        let mut part = part.map_err(broken)?;
        match part.name().unwrap_or_default() {
            NAME if name.is_none() => name = Some(read_name(&mut part).await?),
            CONFIG if config.is_none() => {
                config = Some(read_bytes(&mut part, CONFIG, MAX_CONFIG_BYTES).await?)
            }
            WEIGHTS if !weights => {
                weights = true;
                write_weights(&mut part, &mut staging).await?;
            }
            NAME => return Err(sent_twice(NAME)),
            CONFIG => return Err(sent_twice(CONFIG)),
            WEIGHTS => return Err(sent_twice(WEIGHTS)),
            other => return Err(unknown_field(other, &format!("`{NAME}`, `{CONFIG}` and `{WEIGHTS}`"))),
        }
    }
    let name = name.ok_or_else(|| missing(NAME))?;
    staging.write_config(config.ok_or_else(|| missing(CONFIG))?).await?;
    if !weights {
        return Err(missing(WEIGHTS));
    }
    Ok(Form { name, staged: staging.finish().await?, upload: None })
}

/// A declared length that is too long is refused before the first byte of the body.
fn refuse_declared_excess(headers: &HeaderMap, max_bytes: u64) -> Result<(), ApiError> {
    let most = max_bytes.saturating_add(MAX_CONFIG_BYTES as u64).saturating_add(MAX_FRAMING_BYTES);
    if declared_length(headers).is_some_and(|bytes| bytes > most) {
        return Err(ApiError::TooLarge { what: "The adapter", param: Some(WEIGHTS), limit_bytes: max_bytes });
    }
    Ok(())
}

async fn read_name(part: &mut Field) -> Result<AdapterName, ApiError> {
    let bytes: Bytes = read_bytes(part, NAME, MAX_NAME_BYTES).await?;
    parse_name(&String::from_utf8_lossy(&bytes))
}

fn parse_name(text: &str) -> Result<AdapterName, ApiError> {
    AdapterName::parse(text).map_err(|error| ApiError::unparsable(NAME, &error))
}

async fn write_weights(part: &mut Field, staging: &mut Staging) -> Result<(), ApiError> {
    while let Some(chunk) = next_chunk(part).await? {
        staging.write_weights(chunk.map_err(broken)?).await?;
    }
    Ok(())
}

fn missing(part: &'static str) -> ApiError {
    ApiError::invalid(
        part,
        format!("The form has no part `{part}`; it needs `{NAME}`, `{CONFIG}` and `{WEIGHTS}`."),
    )
}
