//! JSON that says everything once: duplicate keys, which parsers resolve differently, are reported.

use std::{cell::RefCell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Why bytes are not acceptable JSON.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum JsonError {
    /// A key stands twice in one object.
    Duplicate(String),
    /// More objects and lists within each other than are allowed.
    TooDeep,
    /// Not JSON, not UTF-8, or a number out of range.
    Invalid(String),
}

/// Parses one JSON value, in which at most `depth` objects and lists are within each other.
pub(super) fn parse(bytes: &[u8], depth: usize) -> Result<Value, JsonError> {
    let fault = RefCell::new(None);
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = Strict { fault: &fault, depth }
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value));
    match fault.into_inner() {
        Some(fault) => Err(fault),
        None => parsed.map_err(|e| JsonError::Invalid(e.to_string())),
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    /// What is wrong with the value, where that is not its syntax.
    fault: &'a RefCell<Option<JsonError>>,
    /// How many more may be within each other.
    depth: usize,
}

impl Strict<'_> {
    fn refuse<E: serde::de::Error>(self, fault: JsonError) -> E {
        *self.fault.borrow_mut() = Some(fault);
        E::custom("refused")
    }

    /// One level further in.
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| self.refuse::<E>(JsonError::TooDeep))?;
        Ok(Self { depth, ..self })
    }
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
        let inner = self.inner::<A::Error>()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inner = self.inner::<A::Error>()?;
        let mut object = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if object.contains_key(&key) {
                return Err(self.refuse(JsonError::Duplicate(key)));
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

    /// Deep enough for whatever these tests hold.
    const DEEP: usize = 4;

    #[test]
    fn reads_what_serde_json_reads() {
        let text = br#" {"a": [1, -2, 2.5, null, true, "x"], "b": {"c": {}}} "#;
        let expected = json!({"a": [1, -2, 2.5, null, true, "x"], "b": {"c": {}}});
        assert_eq!(parse(text, DEEP), Ok(expected));
    }

    #[test]
    fn names_a_duplicate_at_any_depth() {
        assert_eq!(parse(br#"{"r": 8, "r": 4}"#, DEEP), Err(JsonError::Duplicate("r".into())));
        assert_eq!(parse(br#"{"a": [{"x": 1, "x": 1}]}"#, DEEP), Err(JsonError::Duplicate("x".into())));
        let twice = json!({"a": {"x": 1}, "b": {"x": 1}});
        assert_eq!(parse(br#"{"a": {"x": 1}, "b": {"x": 1}}"#, DEEP), Ok(twice));
    }

    #[test]
    fn refuses_trailing_text_and_python_numbers() {
        for bad in [&b"["[..], b"{} {}", b"NaN", b"1e999", b"\xff"] {
            assert!(
                matches!(parse(bad, DEEP), Err(JsonError::Invalid(_))),
                "{:?}",
                &bad[..bad.len().min(20)]
            );
        }
    }

    #[test]
    fn counts_how_deep_it_goes() {
        assert_eq!(parse(b"7", 0), Ok(json!(7)));
        assert_eq!(parse(b"[{\"a\": []}]", 3), Ok(json!([{"a": []}])));
        assert_eq!(parse(b"[{\"a\": []}]", 2), Err(JsonError::TooDeep));
        for open in ["[", "{\"a\":", "[{\"a\":"] {
            assert_eq!(parse(open.repeat(100_000).as_bytes(), DEEP), Err(JsonError::TooDeep));
        }
    }
}
