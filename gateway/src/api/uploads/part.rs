//! Reads the multipart form of a part as a stream: its bytes go to local disk while they arrive.

use actix_multipart::{Field, Multipart};
use actix_web::{http::header::HeaderMap, web::Payload};
use tenora_adapter_store::{IncomingPart, MAX_PART_BYTES, MAX_PARTS, UploadError, UploadPart};

use crate::{
    api::form::{MAX_FRAMING_BYTES, broken, declared_length, read_bytes, sent_twice, unknown_field},
    body::next_chunk,
    error::ApiError,
};

const DATA: &str = "data";
const NUMBER: &str = "part_number";

/// A number has at most 5 digits; what is longer is only read to be refused.
const MAX_NUMBER_BYTES: usize = 64;

/// A declared length that is too long is refused before the first byte of the body.
pub(super) fn refuse_declared_excess(headers: &HeaderMap) -> Result<(), ApiError> {
    if declared_length(headers).is_some_and(|bytes| bytes > MAX_PART_BYTES + MAX_FRAMING_BYTES) {
        return Err(UploadError::PartTooLarge { limit: MAX_PART_BYTES }.into());
    }
    Ok(())
}

/// Receives the form; its fields may come in any order, each once.
pub(super) async fn receive(
    headers: &HeaderMap,
    body: Payload,
    mut part: IncomingPart,
) -> Result<UploadPart, ApiError> {
    let mut fields = Multipart::new(headers, body);
    let (mut number, mut data) = (None, false);
    while let Some(field) = next_chunk(&mut fields).await? {
        let mut field = field.map_err(broken)?;
        match field.name().unwrap_or_default() {
            DATA if !data => {
                data = true;
                while let Some(chunk) = next_chunk(&mut field).await? {
                    part.write(&chunk.map_err(broken)?).await?;
                }
            }
            NUMBER if number.is_none() => number = Some(read_number(&mut field).await?),
            DATA => return Err(sent_twice(DATA)),
            NUMBER => return Err(sent_twice(NUMBER)),
            other => return Err(unknown_field(other, &format!("`{DATA}` and `{NUMBER}`"))),
        }
    }
    if !data {
        return Err(ApiError::invalid(DATA, format!("The form has no part `{DATA}`.")));
    }
    Ok(part.finish(number).await?)
}

async fn read_number(field: &mut Field) -> Result<u32, ApiError> {
    let bytes = read_bytes(field, NUMBER, MAX_NUMBER_BYTES).await?;
    let number = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok());
    number.filter(|number| (1..=MAX_PARTS).contains(number)).ok_or_else(|| {
        ApiError::invalid(NUMBER, format!("`{NUMBER}` must be a whole number from 1 to {MAX_PARTS}."))
    })
}
