//! What a test needs and a machine may lack.

use std::io::Write;

/// Whether the test can go on; without what it needs it says loudly that it is skipped, or fails where everything is asked
/// for.
#[expect(clippy::disallowed_methods, reason = "tests are configured by the environment alone")]
pub fn required(there: bool, otherwise: &str) -> bool {
    if !there {
        assert!(
            std::env::var("TENORA_TEST_REQUIRE_SERVICES").as_deref() != Ok("1"),
            "{otherwise}, and TENORA_TEST_REQUIRE_SERVICES=1 asks for everything"
        );
        let test = std::thread::current();
        _ = writeln!(std::io::stderr(), "SKIPPED: {}: {otherwise}", test.name().unwrap_or("a test"));
    }
    there
}
