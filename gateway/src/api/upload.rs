//! Reads the multipart form of an upload as a stream: the weights go to the staging area while they arrive.
//! Whatever ends it early drops the staging area, and with it every byte.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::{
    http::header::{CONTENT_LENGTH, HeaderMap},
    web::Payload,
};
use bytes::{Bytes, BytesMut};
use tenora_adapter_store::{AdapterName, Staged, Staging};

use crate::{body::next_chunk, error::ApiError};

const NAME: &str = "name";
const CONFIG: &str = "adapter_config.json";
const WEIGHTS: &str = "adapter_model.safetensors";

/// A name is at most 64 characters; what is longer is only read to be refused.
const MAX_NAME_BYTES: usize = 1 << 10;
/// PEFT writes about one kilobyte; long target lists take some more.
const MAX_CONFIG_BYTES: usize = 256 << 10;
/// Boundaries and part headers.
const MAX_FRAMING_BYTES: u64 = 64 << 10;

/// A complete form.
pub(super) struct Form {
    pub(super) name: AdapterName,
    pub(super) staged: Staged,
}

/// Receives a form; its parts may come in any order, each once.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: Payload,
    mut staging: Staging,
) -> Result<Form, ApiError> {
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
            other => return Err(unknown_part(other)),
        }
    }
    let name = name.ok_or_else(|| missing(NAME))?;
    staging.write_config(config.ok_or_else(|| missing(CONFIG))?).await?;
    if !weights {
        return Err(missing(WEIGHTS));
    }
    Ok(Form { name, staged: staging.finish().await? })
}

/// A declared length that is too long is refused before the first byte of the body.
fn refuse_declared_excess(headers: &HeaderMap, max_bytes: u64) -> Result<(), ApiError> {
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let most = max_bytes.saturating_add(MAX_CONFIG_BYTES as u64).saturating_add(MAX_FRAMING_BYTES);
    if declared.is_some_and(|bytes| bytes > most) {
        return Err(ApiError::TooLarge { what: "The adapter", param: Some(WEIGHTS), limit_bytes: max_bytes });
    }
    Ok(())
}

async fn read_name(part: &mut Field) -> Result<AdapterName, ApiError> {
    let bytes = read_bytes(part, NAME, MAX_NAME_BYTES).await?;
    let text = String::from_utf8_lossy(&bytes);
    AdapterName::parse(&text).map_err(|error| ApiError::unparsable(NAME, &error))
}

async fn read_bytes(part: &mut Field, what: &'static str, limit: usize) -> Result<Bytes, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = next_chunk(part).await? {
        let chunk = chunk.map_err(broken)?;
        if bytes.len() + chunk.len() > limit {
            return Err(ApiError::TooLarge {
                what: "A part of the form",
                param: Some(what),
                limit_bytes: limit as u64,
            });
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes.freeze())
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

fn sent_twice(part: &'static str) -> ApiError {
    ApiError::invalid(part, format!("The form has the part `{part}` more than once."))
}

fn unknown_part(part: &str) -> ApiError {
    let part = ApiError::echo(part);
    let message =
        format!("The form has an unknown part `{part}`; it takes `{NAME}`, `{CONFIG}` and `{WEIGHTS}`.");
    ApiError::invalid(part, message)
}

fn broken(error: MultipartError) -> ApiError {
    match error {
        MultipartError::ContentTypeMissing
        | MultipartError::ContentTypeParse
        | MultipartError::ContentTypeIncompatible
        | MultipartError::BoundaryMissing => {
            ApiError::UnsupportedMediaType { expected: "multipart/form-data" }
        }
        other => ApiError::InvalidMultipart { problem: ApiError::echo(&other.to_string()) },
    }
}
