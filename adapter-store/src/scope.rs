//! What a key may do: a closed list of scopes, checked by name when a key is made.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::parse_error::ParseError;

/// One thing that a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// `chat`: generate text.
    Chat,
    /// `models:read`: list models.
    ModelsRead,
    /// `adapters:read`: list and show adapters.
    AdaptersRead,
    /// `adapters:write`: push and delete adapters.
    AdaptersWrite,
    /// `usage:read`: see what was used.
    UsageRead,
    /// `keys:write`: make and revoke the tenant's keys.
    KeysWrite,
}

impl Scope {
    /// Every scope, in the order in which they are written.
    pub const ALL: [Self; 6] = [
        Self::Chat,
        Self::ModelsRead,
        Self::AdaptersRead,
        Self::AdaptersWrite,
        Self::UsageRead,
        Self::KeysWrite,
    ];

    /// What a key may do when nothing else is asked for.
    pub const DEFAULT: ScopeSet = ScopeSet::EMPTY
        .with(Self::Chat)
        .with(Self::ModelsRead)
        .with(Self::AdaptersRead)
        .with(Self::AdaptersWrite);

    /// The scope's name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::ModelsRead => "models:read",
            Self::AdaptersRead => "adapters:read",
            Self::AdaptersWrite => "adapters:write",
            Self::UsageRead => "usage:read",
            Self::KeysWrite => "keys:write",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            ParseError::new("scope", format!("{text:?} is not one of {known}"))
        })
    }
}

/// A set of scopes. Serialised as a list of names; stored as names with spaces between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeSet(u8);

impl ScopeSet {
    /// Nothing at all.
    pub const EMPTY: Self = Self(0);

    /// Reads names; an unknown one is an error that names it.
    pub fn parse<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Self, ParseError> {
        names.into_iter().try_fold(Self::EMPTY, |set, name| Ok(set.with(name.parse()?)))
    }

    /// This set and one scope more.
    #[must_use]
    pub const fn with(self, scope: Scope) -> Self {
        Self(self.0 | 1 << scope as u8)
    }

    /// Whether the scope is in the set.
    pub const fn contains(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }

    /// The scopes of the set, in their order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.contains(*scope))
    }
}

impl FromIterator<Scope> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        scopes.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Scope::as_str).collect::<Vec<_>>().join(" "))
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Scope::as_str))
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let names = Vec::<String>::deserialize(deserializer)?;
        Self::parse(names.iter().map(String::as_str)).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_set_survives_the_database_and_the_wire(scopes in proptest::sample::subsequence(Scope::ALL.to_vec(), 0..=6)) {
            let set: ScopeSet = scopes.iter().copied().collect();
            prop_assert_eq!(set.iter().collect::<Vec<_>>(), scopes);
            prop_assert_eq!(ScopeSet::parse(set.to_string().split_whitespace()).unwrap(), set);
            prop_assert_eq!(serde_json::from_str::<ScopeSet>(&serde_json::to_string(&set).unwrap()).unwrap(), set);
        }
    }

    #[test]
    fn an_unknown_scope_is_named_with_the_known_ones() {
        let error = ScopeSet::parse(["chat", "root"]).unwrap_err().to_string();
        assert!(error.contains("\"root\" is not one of chat, models:read"), "{error}");
        let error = serde_json::from_str::<ScopeSet>(r#"["Chat"]"#).unwrap_err().to_string();
        assert!(error.contains("\"Chat\""), "{error}");
    }

    #[test]
    fn the_default_cannot_make_keys() {
        assert_eq!(Scope::DEFAULT.to_string(), "chat models:read adapters:read adapters:write");
        assert!(!Scope::DEFAULT.contains(Scope::KeysWrite));
    }
}
