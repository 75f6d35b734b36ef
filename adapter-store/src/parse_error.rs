//! What is wrong with a text that should have been a name, an id, a digest or a scope.

use thiserror::Error;

/// A text that is not a name, id, digest or scope. Safe for the client.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("invalid {what}: {problem}")]
pub struct ParseError {
    /// What was expected, such as `adapter name`.
    pub what: &'static str,
    /// What is wrong and what is allowed.
    pub problem: String,
}

impl ParseError {
    pub(crate) fn new(what: &'static str, problem: impl Into<String>) -> Self {
        Self { what, problem: problem.into() }
    }
}
