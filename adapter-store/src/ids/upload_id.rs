//! The ids of resumable uploads and of their parts, in the forms that OpenAI's clients know.

use std::fmt;

use uuid::Uuid;

use super::text_form;
use crate::parse_error::ParseError;

/// Names an upload, `upload_<32 lower-case hex digits>`, and the file that it becomes, `file-<the same digits>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct UploadId(Uuid);

/// Names a part of an upload: `part_<32 lower-case hex digits>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct PartId(Uuid);

const UPLOAD: &str = "upload_";
const FILE: &str = "file-";
const PART: &str = "part_";

impl UploadId {
    /// A new id; ids sort by the time they were made.
    pub(crate) fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads `upload_` and 32 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        digits(text, UPLOAD).map(Self).ok_or_else(|| problem("upload id", UPLOAD))
    }

    /// Reads either name of a completed upload: its own, or that of its file.
    pub fn parse_either(text: &str) -> Result<Self, ParseError> {
        digits(text, FILE).map(Self).map_or_else(|| Self::parse(text), Ok)
    }

    /// The name of the file that the upload becomes when it is completed.
    pub fn file_id(&self) -> String {
        format!("{FILE}{}", self.0.as_simple())
    }

    /// The digits alone, for object names.
    pub(crate) fn to_hex(self) -> String {
        self.0.as_simple().to_string()
    }
}

impl PartId {
    /// A new id; ids sort by the time they were made.
    pub(crate) fn generate() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads `part_` and 32 lower-case hex digits.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        digits(text, PART).map(Self).ok_or_else(|| problem("part id", PART))
    }

    /// The digits alone, for object names.
    pub(crate) fn to_hex(self) -> String {
        self.0.as_simple().to_string()
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{UPLOAD}{}", self.0.as_simple())
    }
}

impl fmt::Display for PartId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PART}{}", self.0.as_simple())
    }
}

text_form!(UploadId);
text_form!(PartId);

/// One id has one spelling: upper-case digits and hyphens are none of it.
fn digits(text: &str, prefix: &str) -> Option<Uuid> {
    let digits = text.strip_prefix(prefix)?;
    let valid = digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    valid.then(|| Uuid::try_parse(digits).ok()).flatten()
}

fn problem(what: &'static str, prefix: &str) -> ParseError {
    ParseError::new(what, format!("expected \"{prefix}\" and 32 lower-case hex digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upload_has_two_names_and_a_part_one() {
        let upload = UploadId::generate();
        assert_eq!(UploadId::parse(&upload.to_string()).unwrap(), upload);
        assert_eq!(UploadId::parse_either(&upload.to_string()).unwrap(), upload);
        assert_eq!(UploadId::parse_either(&upload.file_id()).unwrap(), upload);
        let part = PartId::generate();
        assert_eq!(PartId::parse(&part.to_string()).unwrap(), part);
        let hex = upload.to_hex();
        for wrong in [
            hex.clone(),
            format!("upload_{}", hex.to_uppercase()),
            format!("upload_{hex}0"),
            format!("upload_../{}", &hex[3..]),
            format!("part_{hex}"),
            format!("file_{hex}"),
        ] {
            assert!(UploadId::parse_either(&wrong).is_err(), "{wrong}");
        }
        assert!(UploadId::parse(&upload.file_id()).is_err());
    }
}
