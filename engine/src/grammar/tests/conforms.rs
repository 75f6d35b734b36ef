//! A small judge of JSON Schema for tests: the keywords that they use, and a panic at any other.

use regex::Regex;
use serde_json::Value;

/// Whether a value conforms to a schema of a document, whose `$ref`s it follows.
pub(crate) fn conforms(value: &Value, schema: &Value, document: &Value) -> bool {
    let Value::Object(fields) = schema else { return schema != &Value::Bool(false) };
    fields.iter().all(|(keyword, wanted)| holds(value, keyword, wanted, (schema, document)))
}

fn holds(value: &Value, keyword: &str, wanted: &Value, (schema, document): (&Value, &Value)) -> bool {
    let every = |wanted: &Value| match wanted.as_array() {
        Some(all) => all.clone(),
        None => vec![wanted.clone()],
    };
    let at_least =
        |actual: Option<usize>| actual.is_none_or(|actual| actual as f64 >= wanted.as_f64().unwrap());
    let at_most =
        |actual: Option<usize>| actual.is_none_or(|actual| actual as f64 <= wanted.as_f64().unwrap());
    let characters = value.as_str().map(|text| text.chars().count());
    let items = value.as_array().map(Vec::len);
    let properties = value.as_object().map(serde_json::Map::len);
    let number =
        |holds: fn(f64, f64) -> bool| value.as_f64().is_none_or(|n| holds(n, wanted.as_f64().unwrap()));
    match keyword {
        "$defs" | "title" | "description" | "$schema" => true,
        "type" => every(wanted).iter().any(|kind| is_of(value, kind.as_str().unwrap())),
        "const" => value == wanted,
        "enum" => every(wanted).contains(value),
        "anyOf" => every(wanted).iter().any(|option| conforms(value, option, document)),
        "allOf" => every(wanted).iter().all(|option| conforms(value, option, document)),
        "$ref" => {
            let target = document.pointer(wanted.as_str().unwrap().trim_start_matches('#')).unwrap();
            conforms(value, target, document)
        }
        "minLength" => at_least(characters),
        "maxLength" => at_most(characters),
        "minItems" => at_least(items),
        "maxItems" => at_most(items),
        "minProperties" => at_least(properties),
        "maxProperties" => at_most(properties),
        "pattern" => {
            value.as_str().is_none_or(|text| Regex::new(wanted.as_str().unwrap()).unwrap().is_match(text))
        }
        "minimum" => number(|n, bound| n >= bound),
        "maximum" => number(|n, bound| n <= bound),
        "exclusiveMinimum" => number(|n, bound| n > bound),
        "exclusiveMaximum" => number(|n, bound| n < bound),
        "multipleOf" => number(|n, bound| (n / bound).fract() == 0.0),
        "items" => {
            let before = schema["prefixItems"].as_array().map_or(0, Vec::len);
            value.as_array().into_iter().flatten().skip(before).all(|item| conforms(item, wanted, document))
        }
        "prefixItems" => {
            let pairs = value.as_array().into_iter().flatten().zip(wanted.as_array().unwrap());
            pairs.into_iter().all(|(item, schema)| conforms(item, schema, document))
        }
        "required" => every(wanted)
            .iter()
            .all(|name| value.as_object().is_none_or(|o| o.contains_key(name.as_str().unwrap()))),
        "properties" => value
            .as_object()
            .into_iter()
            .flatten()
            .all(|(name, field)| wanted.get(name).is_none_or(|schema| conforms(field, schema, document))),
        "additionalProperties" => value.as_object().into_iter().flatten().all(|(name, field)| {
            schema["properties"].get(name).is_some() || conforms(field, wanted, document)
        }),
        unknown => panic!("the judge does not know `{unknown}`"),
    }
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|n| n.fract() == 0.0),
        unknown => panic!("the judge does not know the type `{unknown}`"),
    }
}
