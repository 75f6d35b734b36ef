//! Whose tokens are believed beside our own keys. The file itself is read where tokens are understood.

use std::path::PathBuf;

use super::reader::{Reader, Variable};

/// Names the file of issuers; its mistakes are told under this name.
pub const ISSUERS_FILE: Variable = Variable::new("TENORA_JWT_ISSUERS_FILE", None);

pub(super) const VARIABLES: &[&Variable] = &[&ISSUERS_FILE];

/// Whose tokens are believed.
#[derive(Debug)]
pub struct JwtSettings {
    /// A JSON list of issuers; `None` = nobody's.
    pub issuers_file: Option<PathBuf>,
}

impl JwtSettings {
    pub(super) fn read(reader: &Reader) -> Self {
        Self { issuers_file: reader.text(&ISSUERS_FILE).map(PathBuf::from) }
    }
}
