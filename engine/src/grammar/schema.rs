//! What a schema may hold before it is compiled: bounded in bytes, depth and counts, and no keyword that would go unheeded.
//! And the compiler's complaints in words for the schema's author.

use serde_json::Value;

/// Longest schema, as compact JSON.
pub(super) const MAX_BYTES: usize = 64 << 10;
/// Most objects and arrays within each other.
pub(super) const MAX_DEPTH: usize = 64;
/// Highest count that can be asked for of items, properties or characters.
pub(super) const MAX_COUNT: u64 = 100_000;
/// Most patterns for the names of one object's properties: each pair of them is compared.
pub(super) const MAX_NAME_PATTERNS: usize = 32;
/// Longest piece of a schema or of a complaint that is told.
const MAX_TOLD_CHARS: usize = 200;

/// Keywords that constrain and that the compiler does not know, of any draft.
const UNSUPPORTED: [&str; 19] = [
    "$dynamicAnchor",
    "$dynamicRef",
    "$recursiveAnchor",
    "$recursiveRef",
    "contains",
    "dependencies",
    "dependentRequired",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "not",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "uniqueItems",
    // The compiler's own settings, which are ours to choose.
    "x-guidance",
];

/// Whether a schema is of a kind and size that may be compiled; otherwise what is wrong with it.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    if !schema.is_object() {
        return Err("has a schema that is not an object".to_owned());
    }
    if depth(schema) > MAX_DEPTH {
        return Err(format!("has a schema nested deeper than {MAX_DEPTH} levels; use `$defs` and `$ref`"));
    }
    let bytes = schema.to_string().len();
    if bytes > MAX_BYTES {
        return Err(format!("has a schema of {bytes} bytes, and {MAX_BYTES} are the most"));
    }
    check_keywords(schema, "#")
}

/// Objects and arrays within each other, without following them by recursion.
fn depth(value: &Value) -> usize {
    let mut deepest = 0;
    let mut left = vec![(value, 1)];
    while let Some((value, depth)) = left.pop() {
        deepest = deepest.max(depth);
        match value {
            Value::Array(items) => left.extend(items.iter().map(|item| (item, depth + 1))),
            Value::Object(fields) => left.extend(fields.values().map(|field| (field, depth + 1))),
            _ => {}
        }
    }
    deepest
}

/// Looks at the keywords of a schema, and of those within it. `place` is a JSON pointer.
fn check_keywords(schema: &Value, place: &str) -> Result<(), String> {
    for (keyword, value) in schema.as_object().into_iter().flatten() {
        let here = || format!("{place}/{keyword}");
        match keyword.as_str() {
            unsupported if UNSUPPORTED.contains(&unsupported) => {
                return Err(format!(
                    "uses `{unsupported}` at `{}`, which is not supported; leave it out and check answers for it yourself",
                    told(place)
                ));
            }
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties"
                if value.as_f64().is_some_and(|count| count > MAX_COUNT as f64) =>
            {
                return Err(format!(
                    "has {value} at `{}`, and {MAX_COUNT} is the most; leave out an upper bound that does not matter",
                    told(&here())
                ));
            }
            "$ref" if value.as_str().is_some_and(|target| !target.starts_with('#')) => {
                return Err(format!(
                    "refers to {} at `{}`; only places in the schema itself (`#/$defs/…`) are followed",
                    told(&value.to_string()),
                    told(&here())
                ));
            }
            "items"
            | "additionalItems"
            | "additionalProperties"
            | "prefixItems"
            | "anyOf"
            | "oneOf"
            | "allOf" => match value {
                Value::Array(schemas) => {
                    for (index, schema) in schemas.iter().enumerate() {
                        check_keywords(schema, &format!("{}/{index}", here()))?;
                    }
                }
                schema => check_keywords(schema, &here())?,
            },
            "patternProperties" if value.as_object().is_some_and(|all| all.len() > MAX_NAME_PATTERNS) => {
                return Err(format!("has more than {MAX_NAME_PATTERNS} patterns at `{}`", told(&here())));
            }
            "properties" | "patternProperties" | "$defs" | "definitions" => {
                for (name, schema) in value.as_object().into_iter().flatten() {
                    check_keywords(schema, &format!("{}/{name}", here()))?;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What the compiler complained of in a schema.
pub(super) fn explain_refusal(complaint: &str) -> String {
    let complaint = words(complaint);
    if let Some(why) = complaint.strip_prefix("Unsatisfiable schema: ") {
        return format!("has a schema that nothing conforms to: {}", told(why));
    }
    if complaint.contains("oneOf") {
        return "uses `oneOf` with alternatives that could both hold, which is not supported; use `anyOf`, or give each \
                alternative a required property with a `const` of its own"
            .to_owned();
    }
    if complaint == "NoExtensionBias" {
        return "has a schema that nothing conforms to: no text can be its beginning".to_owned();
    }
    format!("has a schema that cannot be honoured: {}", told(complaint))
}

/// Why a schema that was compiled cannot be followed to its end.
pub(super) fn explain_loss(complaint: &str) -> String {
    format!("became too complex to follow ({}); use a simpler schema", told(words(complaint)))
}

/// A complaint without its appendices. One of a panic is for the log.
fn words(complaint: &str) -> &str {
    let words = complaint.lines().next().unwrap_or_default();
    if words.starts_with("panic") {
        tracing::error!(complaint, "Structured output panicked");
        return "its compiler failed";
    }
    words
}

/// A piece of a client's own text, shortened and safe to print.
fn told(text: &str) -> String {
    let mut told: String =
        text.chars().take(MAX_TOLD_CHARS).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(MAX_TOLD_CHARS).is_some() {
        told.push('…');
    }
    told
}
