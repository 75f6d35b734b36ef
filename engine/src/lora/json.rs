//! JSON that says everything once: duplicate keys, which parsers resolve differently, are reported.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why bytes are not acceptable JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JsonError {
    /// A key stands twice in one object.
    Duplicate(String),
    /// Not JSON, not UTF-8, too deep, or a number out of range.
    Invalid(String),
}

/// Parses one JSON value, nested at most as deep as `serde_json` allows (128).
pub(super) fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let duplicate = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = Strict { duplicate: &duplicate }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match duplicate.into_inner() {
        Some(key) => Err(JsonError::Duplicate(key)),
        None => parsed.map_err(|e| JsonError::Invalid(e.to_string())),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    duplicate: &'a RefCell<Option<String>>,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, v: bool) -> Result<Value, E> {
        Ok(Value::Bool(v))
    }

    fn visit_u64<E>(self, v: u64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_i64<E>(self, v: i64) -> Result<Value, E> {
        Ok(Value::Number(v.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, v: f64) -> Result<Value, E> {
        Number::from_f64(v).map(Value::Number).ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, v: &str) -> Result<Value, E> {
        Ok(Value::String(v.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(self)?;
            if object.contains_key(&key) {
                *self.duplicate.borrow_mut() = Some(key.clone());
                return Err(serde::de::Error::custom("duplicate key"));
            }
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_what_serde_json_reads() {
        let text = br#" {"a": [1, -2, 2.5, null, true, "x"], "b": {"c": {}}} "#;
        let expected = json!({"a": [1, -2, 2.5, null, true, "x"], "b": {"c": {}}});
        assert_eq!(parse(text), Ok(expected));
    }

    #[test]
    fn names_a_duplicate_at_any_depth() {
        assert_eq!(parse(br#"{"r": 8, "r": 4}"#), Err(JsonError::Duplicate("r".into())));
        assert_eq!(parse(br#"{"a": [{"x": 1, "x": 1}]}"#), Err(JsonError::Duplicate("x".into())));
        assert_eq!(parse(br#"{"a": {"x": 1}, "b": {"x": 1}}"#), Ok(json!({"a": {"x": 1}, "b": {"x": 1}})));
    }

    #[test]
    fn refuses_depth_trailing_text_and_python_numbers() {
        for bad in [&b"["[..], b"{} {}", b"NaN", b"1e999", b"\xff", "[".repeat(100_000).as_bytes()] {
            assert!(matches!(parse(bad), Err(JsonError::Invalid(_))), "{:?}", &bad[..bad.len().min(20)]);
        }
    }
}
