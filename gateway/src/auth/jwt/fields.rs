//! One object of the issuers' file, read field by field, so that every mistake in it is named at once.

use std::fmt::Display;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::claims::UniqueNames;

/// The fields of one object that were not read yet, and the mistakes found so far.
pub(super) struct Fields<'a> {
    place: String,
    left: Map<String, Value>,
    mistakes: &'a mut Vec<String>,
}

impl<'a> Fields<'a> {
    /// The object at this place of the file; anything else is a mistake.
    pub(super) fn of(value: Value, place: String, mistakes: &'a mut Vec<String>) -> Self {
        let left = match value {
            Value::Object(left) => left,
            _ => {
                mistakes.push(format!("{place} must be an object"));
                Map::new()
            }
        };
        Self { place, left, mistakes }
    }

    /// The list that is the file; a name that occurs twice in one of its objects is a mistake.
    pub(super) fn list(text: &[u8]) -> Result<Vec<Value>, String> {
        let list: Vec<UniqueNames> = serde_json::from_slice(text)
            .map_err(|error| format!("is not a JSON list of issuers: {error}"))?;
        Ok(list.into_iter().map(|UniqueNames(map)| Value::Object(map)).collect())
    }

    /// The field's value, when it is there and of the right type.
    pub(super) fn optional<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        match serde_json::from_value(self.left.shift_remove(name)?) {
            Ok(value) => Some(value),
            Err(error) => {
                self.mistake(name, error);
                None
            }
        }
    }

    /// The same; its absence is a mistake.
    pub(super) fn required<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        if !self.left.contains_key(name) {
            self.mistake(name, "is missing");
        }
        self.optional(name)
    }

    /// An object within this one, when the field is there.
    pub(super) fn nested(&mut self, name: &str) -> Option<Fields<'_>> {
        let value = self.left.shift_remove(name)?;
        Some(Fields::of(value, format!("{}.{name}", self.place), self.mistakes))
    }

    /// A field's untyped value, left in its place.
    pub(super) fn peek(&self, name: &str) -> Option<&Value> {
        self.left.get(name)
    }

    pub(super) fn mistake(&mut self, name: &str, problem: impl Display) {
        self.mistakes.push(format!("{}.{name}: {problem}", self.place));
    }

    /// Names what nothing has read.
    pub(super) fn finish(self) {
        let unknown = self.left.keys().map(|name| format!("{}.{name}: no such field", self.place));
        self.mistakes.extend(unknown);
    }
}
