//! The grammar of every name a person chooses, and the tenant's id.

use std::fmt;

use uuid::Uuid;

use super::text_form;
use crate::parse_error::ParseError;

/// A tenant, for ever: slugs and names are words for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct TenantId(Uuid);

impl TenantId {
    /// A new id; ids sort by the time they were made.
    pub(crate) fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads the hyphenated form.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Uuid::try_parse(text).map(Self).map_err(|_| ParseError::new("tenant id", "expected a UUID"))
    }

    /// The id's 128 bits, to bind something to the tenant.
    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_form!(TenantId);

/// A name with a grammar: the newtype, its parser and its text form.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $problem:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
        #[sqlx(transparent)]
        pub struct $type(String);

        impl $type {
            /// Accepts exactly the grammar above; the error says what is wrong.
            pub fn parse(text: &str) -> Result<Self, ParseError> {
                match $problem(text) {
                    None => Ok(Self(text.to_owned())),
                    Some(problem) => Err(ParseError::new($what, problem)),
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        text_form!($type);
    };
}

name! {
    /// An adapter's name within its tenant: `^[a-z0-9][a-z0-9._-]{0,63}$`.
    AdapterName, "adapter name", |text| slug_problem(text, 64, "._-")
}

name! {
    /// A name that moves between an adapter's versions: `^[a-z][a-z0-9._-]{0,31}$`, so that it is never a number.
    AliasName, "alias", alias_problem
}

impl AliasName {
    /// The alias that every adapter has, and that its plain name means.
    pub fn latest() -> Self {
        Self("latest".to_owned())
    }

    /// Whether it is the one that every adapter has.
    pub fn is_latest(&self) -> bool {
        self.0 == "latest"
    }
}

name! {
    /// A tenant's name in URLs: `^[a-z0-9][a-z0-9-]{0,62}$`.
    TenantSlug, "tenant slug", |text| slug_problem(text, 63, "-")
}

name! {
    /// What people call a tenant or a key: 1 to 100 characters, none of them a control character.
    DisplayName, "name", |text| text_problem(text, 100)
}

name! {
    /// Why something was done: 1 to 200 characters, none of them a control character.
    Reason, "reason", |text| text_problem(text, 200)
}

name! {
    /// What a client says of a file of its own: 1 to 255 characters, none of them a control character.
    ShortText, "text", |text| text_problem(text, 255)
}

name! {
    /// A role of a Postgres server: `^[a-z_][a-z0-9_]{0,62}$`.
    RoleName, "role", role_problem
}

fn alias_problem(text: &str) -> Option<String> {
    let valid = slug_problem(text, 32, "._-").is_none() && text.starts_with(|c: char| c.is_ascii_lowercase());
    (!valid).then(|| {
        "use 1 to 32 characters of a-z, 0-9, \".\", \"_\" and \"-\", beginning with a letter".to_owned()
    })
}

fn role_problem(text: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c == '_';
    let valid =
        text.len() <= 63 && text.starts_with(plain) && text.chars().all(|c| plain(c) || c.is_ascii_digit());
    (!valid).then(|| "use 1 to 63 characters of a-z, 0-9 and \"_\", beginning with no digit".to_owned())
}

fn slug_problem(text: &str, max: usize, marks: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let valid =
        text.len() <= max && text.starts_with(plain) && text.chars().all(|c| plain(c) || marks.contains(c));
    let spelled = marks.chars().map(|mark| format!("\"{mark}\"")).collect::<Vec<_>>().join(", ");
    (!valid).then(|| {
        format!("use 1 to {max} characters of a-z, 0-9 and {spelled}, beginning with a letter or digit")
    })
}

fn text_problem(text: &str, max: usize) -> Option<String> {
    let valid = !text.trim().is_empty() && text.chars().count() <= max && !text.chars().any(char::is_control);
    (!valid).then(|| format!("use 1 to {max} characters, not only spaces and no control characters"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_name_of_the_grammar_parses_and_keeps_its_text(text in "[a-z0-9][a-z0-9._-]{0,63}") {
            prop_assert_eq!(AdapterName::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn every_slug_of_the_grammar_parses_and_keeps_its_text(text in "[a-z0-9][a-z0-9-]{0,62}") {
            prop_assert_eq!(TenantSlug::parse(&text).unwrap().to_string(), text);
        }

        #[test]
        fn whatever_parses_cannot_be_a_path_or_a_reference(text in any::<String>()) {
            if let Ok(name) = AdapterName::parse(&text) {
                let name = name.as_str();
                prop_assert!(!name.starts_with('.') && name.len() <= 64);
                let hostile = ['/', '\\', '@', ':', ' ', '%', '\0', '*', '{'];
                prop_assert!(!name.contains(hostile));
            }
        }

        #[test]
        fn serde_reads_back_what_it_wrote_and_refuses_the_rest(text in "[a-zA-Z0-9._@-]{0,70}") {
            let json = serde_json::to_string(&text).unwrap();
            let read = serde_json::from_str::<AdapterName>(&json);
            prop_assert_eq!(read.is_ok(), AdapterName::parse(&text).is_ok());
            if let Ok(name) = read {
                prop_assert_eq!(serde_json::to_string(&name).unwrap(), json);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for text in ["", ".hidden", "-x", "Upper", "a b", "a/b", "a@1", &"a".repeat(65)] {
            let error = AdapterName::parse(text).unwrap_err();
            assert!(error.to_string().starts_with("invalid adapter name: use 1 to 64 characters"), "{error}");
        }
        for text in ["", "-a", "a.b", "a_b", &"a".repeat(64)] {
            assert!(TenantSlug::parse(text).is_err(), "{text:?}");
        }
        for text in ["", "  ", "a\nb", &"ä".repeat(101)] {
            assert!(DisplayName::parse(text).is_err(), "{text:?}");
        }
        assert!(DisplayName::parse(&"ä".repeat(100)).is_ok());
        assert!(TenantId::parse("../../etc").is_err());
        for text in ["", "7", "7b", ".a", "Prod", "a@b", &"a".repeat(33)] {
            assert!(AliasName::parse(text).is_err(), "{text:?}");
        }
        assert!(AliasName::parse("canary-7b").is_ok_and(|alias| !alias.is_latest()));
    }
}
