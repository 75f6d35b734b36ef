//! Where the blobs are, as one URL says it, and what opens S3. Pure.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use secrecy::SecretString;

use crate::parse_error::ParseError;

/// Where the blobs are: `file:///path` or `s3://bucket[/prefix]`. Replicas share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BlobsUrl {
    /// A local directory, made when it is missing.
    Local(PathBuf),
    /// A bucket of Amazon S3, or of a server that speaks its protocol.
    S3(Bucket),
}

/// A bucket, and the folder in it that is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    name: String,
    prefix: Option<String>,
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.name)?;
        self.prefix.iter().try_for_each(|prefix| write!(f, "/{prefix}"))
    }
}

impl Bucket {
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn prefix(&self) -> Option<&str> {
        self.prefix.as_deref()
    }
}

/// How S3 is reached. A credential's `Debug` shows nothing of it.
#[derive(Debug, Clone)]
pub struct S3Access {
    /// The bucket's region; servers other than Amazon's mostly take any.
    pub region: String,
    /// `http://` or `https://` and the server; `None` = Amazon's own.
    pub endpoint: Option<String>,
    /// Whom it is asked as.
    pub credentials: S3Credentials,
}

/// Whom S3 is asked as.
#[derive(Debug, Clone)]
pub enum S3Credentials {
    /// An access key.
    Key {
        /// Its public half.
        id: String,
        /// Its secret half.
        secret: SecretString,
        /// Of a key that was lent for a while.
        session_token: Option<SecretString>,
    },
    /// A role, in exchange for a token that the platform keeps fresh in a file.
    WebIdentity {
        /// The file.
        token_file: String,
        /// The role's ARN.
        role_arn: String,
    },
    /// What a container's platform answers at this path of its own address.
    ContainerPath(String),
    /// What a container's platform answers at this URL.
    ContainerUrl {
        /// The URL.
        url: String,
        /// The file with what to show there.
        token_file: String,
    },
    /// The role of the machine itself.
    Instance,
}

impl Default for S3Access {
    fn default() -> Self {
        Self { region: "us-east-1".to_owned(), endpoint: None, credentials: S3Credentials::Instance }
    }
}

/// Longest prefix within a bucket, in bytes; S3's keys have at most 1024.
const MAX_PREFIX_BYTES: usize = 512;

impl BlobsUrl {
    /// Reads the URL; the error says what it should be.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        let invalid = |problem: &str| ParseError::new("blobs URL", problem);
        if let Some(path) = text.strip_prefix("file://") {
            if !path.starts_with('/') {
                return Err(invalid("a directory needs its whole path, such as file:///srv/tenora/blobs"));
            }
            if path.contains(['%', '?', '#']) {
                return Err(invalid("a directory's path is taken as it stands, without %, ? and #"));
            }
            return Ok(Self::Local(path.into()));
        }
        let Some(place) = text.strip_prefix("s3://") else {
            return Err(invalid("expected file:///path or s3://bucket or s3://bucket/prefix"));
        };
        let (name, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        if !is_bucket(name) {
            return Err(invalid(
                "a bucket's name has 3 to 63 lower-case letters, digits, dots and dashes, with a letter or digit at both ends",
            ));
        }
        if !prefix.is_empty() && !is_prefix(prefix) {
            return Err(invalid(
                "a prefix is words of letters, digits, dots, dashes and underscores with / between, at most 512 bytes",
            ));
        }
        let prefix = (!prefix.is_empty()).then(|| prefix.to_owned());
        Ok(Self::S3(Bucket { name: name.to_owned(), prefix }))
    }
}

fn is_bucket(name: &str) -> bool {
    let end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    (3..=63).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
        && end(name.as_bytes().first())
        && end(name.as_bytes().last())
}

fn is_prefix(prefix: &str) -> bool {
    let word = |word: &str| {
        !matches!(word, "" | "." | "..")
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
    };
    prefix.len() <= MAX_PREFIX_BYTES && prefix.split('/').all(word)
}

impl FromStr for BlobsUrl {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl fmt::Display for BlobsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(dir) => write!(f, "the folder {}", dir.display()),
            Self::S3(Bucket { name, prefix: None }) => write!(f, "s3://{name}"),
            Self::S3(Bucket { name, prefix: Some(prefix) }) => write!(f, "s3://{name}/{prefix}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_place_is_read_as_it_is_written() {
        for (text, shown) in [
            ("file:///srv/blobs", "the folder /srv/blobs"),
            ("file:///", "the folder /"),
            ("s3://adapters", "s3://adapters"),
            ("s3://adapters/", "s3://adapters"),
            ("s3://my.bucket-1/prod/eu_1/", "s3://my.bucket-1/prod/eu_1"),
        ] {
            assert_eq!(BlobsUrl::parse(text).unwrap().to_string(), shown);
        }
        assert_eq!(BlobsUrl::parse("file:///srv/blobs").unwrap(), BlobsUrl::Local("/srv/blobs".into()));
    }

    #[test]
    fn anything_else_is_refused_with_what_would_be_right() {
        for (text, words) in [
            ("", "expected file:///path"),
            ("/srv/blobs", "expected file:///path"),
            ("gs://bucket", "expected file:///path"),
            ("S3://bucket", "expected file:///path"),
            ("file://srv/blobs", "whole path"),
            ("file:srv", "expected"),
            ("file:///a%20b", "as it stands"),
            ("s3://", "bucket's name"),
            ("s3://ab", "bucket's name"),
            ("s3://Upper", "bucket's name"),
            ("s3://-abc", "bucket's name"),
            ("s3://user:secret@bucket", "bucket's name"),
            ("s3://bucket//a", "prefix"),
            ("s3://bucket/a/../b", "prefix"),
            ("s3://bucket/a b", "prefix"),
            ("s3://bucket/a?region=x", "prefix"),
        ] {
            let refused = BlobsUrl::parse(text).unwrap_err().to_string();
            assert!(refused.contains(words), "{text}: {refused}");
        }
    }

    #[test]
    fn a_secret_is_not_shown() {
        let credentials = S3Credentials::Key {
            id: "AKIA".to_owned(),
            secret: "hunter2".into(),
            session_token: Some("hunter3".into()),
        };
        let shown = format!("{:?}", S3Access { credentials, ..S3Access::default() });
        assert!(shown.contains("AKIA") && !shown.contains("hunter"), "{shown}");
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic_and_no_place_leaves_its_prefix(text in "(s3://abc/)?[a-z./-]{0,20}") {
            if let Ok(BlobsUrl::S3(bucket)) = BlobsUrl::parse(&text) {
                let words = bucket.prefix().unwrap_or("x").split('/').collect::<Vec<_>>();
                prop_assert!(words.iter().all(|word| !matches!(*word, "" | "." | "..")));
            }
        }
    }
}
