//! What the field `model` may say: `name` (the latest version), `name@7` (a version) or `name@prod` (an alias).

use std::fmt;

use super::{AdapterName, AliasName, text_form};
use crate::parse_error::ParseError;

/// A version's number within its adapter: 1, 2, 3 …, given at commit and never again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VersionNumber(u32);

impl VersionNumber {
    /// Reads a positive decimal number without leading zeros or signs.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
        let number = plain.then(|| text.parse().ok()).flatten();
        number.map(Self).ok_or_else(|| {
            ParseError::new("version", format!("expected a number from 1 to {}, such as name@1", u32::MAX))
        })
    }

    /// The number.
    pub fn get(self) -> u32 {
        self.0
    }
}

impl std::str::FromStr for VersionNumber {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl TryFrom<i64> for VersionNumber {
    type Error = ParseError;

    /// Reads a database column.
    fn try_from(number: i64) -> Result<Self, ParseError> {
        let number = u32::try_from(number).ok().filter(|number| *number > 0);
        number.map(Self).ok_or_else(|| ParseError::new("version", "the number is out of range"))
    }
}

impl fmt::Display for VersionNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl serde::Serialize for VersionNumber {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de> serde::Deserialize<'de> for VersionNumber {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::try_from(i64::from(u32::deserialize(deserializer)?)).map_err(serde::de::Error::custom)
    }
}

/// Which version of an adapter is meant.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The one, or one of those, that the alias names now.
    Alias(AliasName),
    /// Exactly this one.
    Version(VersionNumber),
}

/// A reference to an adapter as a caller writes it: a name, and perhaps a version or an alias.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelRef {
    name: AdapterName,
    selector: Selector,
}

impl ModelRef {
    /// Reads `name`, `name@7` or `name@prod`.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let (name, selector) = match text.split_once('@') {
            None => (text, Selector::Alias(AliasName::latest())),
            Some((name, alias)) if alias.starts_with(|c: char| c.is_ascii_lowercase()) => {
                (name, Selector::Alias(AliasName::parse(alias)?))
            }
            Some((name, version)) => (name, Selector::Version(VersionNumber::parse(version)?)),
        };
        Ok(Self { name: AdapterName::parse(name)?, selector })
    }

    /// This version of this adapter, or whatever this alias of it names.
    pub fn new(name: AdapterName, selector: Selector) -> Self {
        Self { name, selector }
    }

    /// The adapter's name.
    pub fn name(&self) -> &AdapterName {
        &self.name
    }

    /// Which of its versions.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }
}

impl From<AdapterName> for ModelRef {
    /// The adapter's latest version.
    fn from(name: AdapterName) -> Self {
        Self { name, selector: Selector::Alias(AliasName::latest()) }
    }
}

impl fmt::Display for ModelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Selector::Alias(alias) if alias.is_latest() => self.name.fmt(f),
            Selector::Alias(alias) => write!(f, "{}@{alias}", self.name),
            Selector::Version(number) => write!(f, "{}@{number}", self.name),
        }
    }
}

text_form!(ModelRef);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_reference_has_one_spelling(text in "[a-z0-9@.+-]{0,12}|[a-z0-9][a-z0-9._-]{0,63}(@([0-9]{1,11}|[a-z0-9._-]{0,33}))?") {
            if let Ok(reference) = ModelRef::parse(&text) {
                prop_assert_eq!(reference.to_string(), text.trim_end_matches("@latest"));
            }
        }

        #[test]
        fn every_number_can_be_pinned(name in "[a-z0-9][a-z0-9._-]{0,63}", number in 1..=u32::MAX) {
            let reference = ModelRef::parse(&format!("{name}@{number}")).unwrap();
            prop_assert_eq!(reference.name().as_str(), name);
            prop_assert_eq!(reference.selector(), &Selector::Version(VersionNumber(number)));
        }

        #[test]
        fn nothing_makes_the_parser_fall_over(text in any::<String>()) {
            let _ = (ModelRef::parse(&text), VersionNumber::parse(&text));
        }
    }

    #[test]
    fn odd_versions_are_refused() {
        for text in [
            "a@",
            "a@0",
            "a@01",
            "a@-1",
            "a@+1",
            "a@1 ",
            "a@4294967296",
            "a@1@2",
            "@1",
            "@prod",
            "a@Prod",
            "a@7b",
            "a@prod@1",
            "a@١",
        ] {
            assert!(ModelRef::parse(text).is_err(), "{text:?}");
        }
        let latest = ModelRef::parse("triage").unwrap();
        assert_eq!(latest.selector(), &Selector::Alias(AliasName::latest()));
        assert_eq!(ModelRef::parse("triage@latest").unwrap(), latest);
    }
}
