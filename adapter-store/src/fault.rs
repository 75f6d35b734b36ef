//! Named points at which tests end the process, as `kill -9` would: what is half done there must be whole or gone after a
//! restart. Built with the feature `fault-points` alone, which only the tests' package asks for.

/// Ends the process if this is the point that `TENORA_TEST_CRASH_AT` names.
#[cfg(feature = "fault-points")]
#[expect(clippy::disallowed_methods, reason = "no setting: only tests build this, and they alone set it")]
pub(crate) fn point(name: &str) {
    if std::env::var("TENORA_TEST_CRASH_AT").as_deref() == Ok(name) {
        std::process::abort();
    }
}

/// Nothing.
#[cfg(not(feature = "fault-points"))]
pub(crate) fn point(_name: &str) {}
