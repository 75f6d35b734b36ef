//! Finds the servers that some tests need. Without them a test says loudly that it is skipped, or fails where that was asked for.

use std::io::Write;

/// The server's URL, or `None` after saying that the test is skipped.
#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment alone")]
pub(crate) fn url(variable: &str) -> Option<String> {
    if let Ok(url) = std::env::var(variable)
        && !url.is_empty()
    {
        return Some(url);
    }
    assert!(
        std::env::var("TENORA_TEST_REQUIRE_SERVICES").as_deref() != Ok("1"),
        "{variable} is not set, and TENORA_TEST_REQUIRE_SERVICES=1 asks for every service"
    );
    let test = std::thread::current();
    _ = writeln!(std::io::stderr(), "SKIPPED: {} needs {variable}", test.name().unwrap_or("a test"));
    None
}

/// The Redis server for tests.
pub(crate) const REDIS: &str = "TENORA_TEST_REDIS_URL";
