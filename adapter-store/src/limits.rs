//! What a tenant or a key may use at most: overrides of the server's defaults, as they are stored and spoken. Enforces
//! nothing.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cap {
    /// No limit, whatever the default is.
    Unlimited,
    /// At most this many.
    At(u64),
}

impl Cap {
    /// As an option: `None` = no limit.
    pub fn most(self) -> Option<u64> {
        match self {
            Self::Unlimited => None,
            Self::At(most) => Some(most),
        }
    }
}

/// Written as a number or as `"unlimited"`.
impl Serialize for Cap {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Unlimited => serializer.serialize_str("unlimited"),
            Self::At(most) => serializer.serialize_u64(*most),
        }
    }
}

impl<'de> Deserialize<'de> for Cap {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Word(String),
        }
        match Written::deserialize(deserializer) {
            // What every database and every client can hold exactly.
            Ok(Written::Number(most)) if most <= 1 << 53 => Ok(Self::At(most)),
            Ok(Written::Word(word)) if word == "unlimited" => Ok(Self::Unlimited),
            _ => Err(de::Error::custom("must be a whole number from 0 to 2^53, or \"unlimited\"")),
        }
    }
}

/// Limits that differ from the server's defaults; what is left out follows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitOverrides {
    /// Generations in any minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<Cap>,
    /// Prompt and output tokens in any minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_per_minute: Option<Cap>,
    /// Generations at the same time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_requests: Option<Cap>,
    /// Prompt and output tokens in a calendar month, UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monthly_tokens: Option<Cap>,
    /// Live adapters; of a tenant only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapters: Option<Cap>,
    /// Bytes of all live versions; of a tenant only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter_bytes: Option<Cap>,
    /// Largest rank of an adapter; of a tenant only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter_rank: Option<Cap>,
}

impl LimitOverrides {
    /// These, and the others where these say nothing.
    #[must_use]
    pub fn or(self, others: Self) -> Self {
        Self {
            requests_per_minute: self.requests_per_minute.or(others.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.or(others.tokens_per_minute),
            concurrent_requests: self.concurrent_requests.or(others.concurrent_requests),
            monthly_tokens: self.monthly_tokens.or(others.monthly_tokens),
            adapters: self.adapters.or(others.adapters),
            adapter_bytes: self.adapter_bytes.or(others.adapter_bytes),
            adapter_rank: self.adapter_rank.or(others.adapter_rank),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cap_is_a_number_or_a_word() {
        let limits: LimitOverrides =
            serde_json::from_str(r#"{"requests_per_minute":60,"monthly_tokens":"unlimited"}"#).unwrap();
        assert_eq!(limits.requests_per_minute, Some(Cap::At(60)));
        assert_eq!(limits.monthly_tokens.unwrap().most(), None);
        assert_eq!(
            serde_json::to_string(&limits).unwrap(),
            r#"{"requests_per_minute":60,"monthly_tokens":"unlimited"}"#
        );
        for wrong in
            [r#"{"adapters":-1}"#, r#"{"adapters":"none"}"#, r#"{"adapter":1}"#, r#"{"adapters":1.5}"#]
        {
            assert!(serde_json::from_str::<LimitOverrides>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_override_wins_and_the_rest_follows_the_defaults() {
        let defaults = LimitOverrides {
            adapters: Some(Cap::At(5)),
            adapter_rank: Some(Cap::At(64)),
            ..Default::default()
        };
        let own = LimitOverrides { adapters: Some(Cap::Unlimited), ..Default::default() };
        let both = own.or(defaults);
        assert_eq!((both.adapters, both.adapter_rank), (Some(Cap::Unlimited), Some(Cap::At(64))));
    }
}
