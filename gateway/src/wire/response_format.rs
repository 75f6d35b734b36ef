//! `response_format`: what an answer's text must be.

use serde::Deserialize;
use serde_json::Value;
use tenora_engine::ResponseFormat;
use utoipa::ToSchema;

use crate::error::ApiError;

/// Longest name of a schema, as OpenAI has it.
const MAX_NAME_CHARS: usize = 64;

/// What the answer must be. An answer that `max_tokens` or a stop string cuts short is only the beginning of it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResponseFormatField {
    /// `text` (anything), `json_object` (a JSON object) or `json_schema` (JSON that the schema describes).
    #[serde(rename = "type")]
    pub kind: String,
    /// The schema, with `json_schema`.
    pub json_schema: Option<JsonSchemaField>,
}

/// A named JSON Schema.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct JsonSchemaField {
    /// What the client calls it: letters, digits, `_` and `-`, at most 64.
    pub name: String,
    /// Accepted and not used.
    pub description: Option<String>,
    /// The schema: at most 64 KiB, 64 levels deep. A keyword that cannot be honoured is refused by its name.
    #[schema(value_type = Object)]
    pub schema: Option<Value>,
    /// Accepted; every schema is followed strictly.
    pub strict: Option<bool>,
}

impl ResponseFormatField {
    /// In the engine's terms; the engine checks the schema.
    pub(crate) fn check(self) -> Result<ResponseFormat, ApiError> {
        let Self { kind, json_schema } = self;
        match (kind.as_str(), json_schema) {
            ("text", None) => Ok(ResponseFormat::Text),
            ("json_object", None) => Ok(ResponseFormat::JsonObject),
            ("json_schema", Some(named)) => named.check(),
            ("json_schema", None) => {
                let message = "`response_format.json_schema` is missing; it must hold `name` and `schema`.";
                Err(ApiError::invalid("response_format.json_schema", message))
            }
            ("text" | "json_object", Some(_)) => {
                let message = format!(
                    "`response_format.json_schema` does not belong to the type `{kind}`; use `json_schema`, or leave it out."
                );
                Err(ApiError::invalid("response_format.json_schema", message))
            }
            (other, _) => {
                let message = format!(
                    "`response_format.type` is `{}`; it must be text, json_object or json_schema.",
                    ApiError::echo(other)
                );
                Err(ApiError::invalid("response_format.type", message))
            }
        }
    }
}

impl JsonSchemaField {
    fn check(self) -> Result<ResponseFormat, ApiError> {
        let named = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        if !(1..=MAX_NAME_CHARS).contains(&self.name.len()) || !self.name.chars().all(named) {
            let message = format!(
                "`response_format.json_schema.name` is `{}`; it must be 1 to {MAX_NAME_CHARS} letters, digits, `_` or `-`.",
                ApiError::echo(&self.name)
            );
            return Err(ApiError::invalid("response_format.json_schema.name", message));
        }
        match self.schema {
            Some(schema @ Value::Object(_)) => Ok(ResponseFormat::JsonSchema(schema)),
            Some(_) | None => {
                let message = "`response_format.json_schema.schema` must be a JSON Schema, an object.";
                Err(ApiError::invalid("response_format.json_schema.schema", message))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(field: Value) -> Result<ResponseFormat, String> {
        let field: ResponseFormatField = serde_json::from_value(field).expect("a format");
        field.check().map_err(|error| error.param().unwrap_or_default())
    }

    #[test]
    fn the_three_formats_are_read() {
        let schema = json!({ "type": "object" });
        let named = json!({ "name": "a_B-1", "schema": schema, "strict": true, "description": "d" });
        assert_eq!(check(json!({ "type": "text" })), Ok(ResponseFormat::Text));
        assert_eq!(
            check(json!({ "type": "json_object", "json_schema": null })),
            Ok(ResponseFormat::JsonObject)
        );
        assert_eq!(
            check(json!({ "type": "json_schema", "json_schema": named })),
            Ok(ResponseFormat::JsonSchema(schema))
        );
    }

    #[test]
    fn what_is_wrong_is_named() {
        let schema = |schema: Value| check(json!({ "type": "json_schema", "json_schema": schema }));
        for (outcome, param) in [
            (check(json!({ "type": "xml" })), "response_format.type"),
            (check(json!({ "type": "json_schema" })), "response_format.json_schema"),
            (check(json!({ "type": "text", "json_schema": { "name": "n" } })), "response_format.json_schema"),
            (schema(json!({ "name": "", "schema": {} })), "response_format.json_schema.name"),
            (schema(json!({ "name": "a b", "schema": {} })), "response_format.json_schema.name"),
            (schema(json!({ "name": "n".repeat(65), "schema": {} })), "response_format.json_schema.name"),
            (schema(json!({ "name": "n" })), "response_format.json_schema.schema"),
            (schema(json!({ "name": "n", "schema": true })), "response_format.json_schema.schema"),
        ] {
            assert_eq!(outcome, Err(param.to_owned()));
        }
    }
}
