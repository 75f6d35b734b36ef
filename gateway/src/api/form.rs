//! What handlers of multipart forms share: bounded fields, and words for what is wrong with a form.

use actix_multipart::{Field, MultipartError};
use actix_web::http::header::{CONTENT_LENGTH, HeaderMap};
use bytes::{Bytes, BytesMut};

use crate::{body::next_chunk, error::ApiError};

/// Boundaries and the fields' headers.
pub(super) const MAX_FRAMING_BYTES: u64 = 64 << 10;

/// The length of the body, where it was declared.
pub(super) fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a whole field of a bounded length.
pub(super) async fn read_bytes(
    field: &mut Field,
    what: &'static str,
    limit: usize,
) -> Result<Bytes, ApiError> {
    let mut bytes = BytesMut::new();
    while let Some(chunk) = next_chunk(field).await? {
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

pub(super) fn sent_twice(field: &'static str) -> ApiError {
    ApiError::invalid(field, format!("The form has the part `{field}` more than once."))
}

/// `takes` names what the form may have.
pub(super) fn unknown_field(field: &str, takes: &str) -> ApiError {
    let field = ApiError::echo(field);
    let message = format!("The form has an unknown part `{field}`; it takes {takes}.");
    ApiError::invalid(field, message)
}

pub(super) fn broken(error: MultipartError) -> ApiError {
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
