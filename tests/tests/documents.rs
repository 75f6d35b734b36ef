//! Documents that are made from others: `TENORA_TEST_WRITE=1` writes them anew.

use std::{fmt::Write as _, fs};

use tenora_tests::repository;

/// The settings as a table for each group of `.env.example`, which a test of the gateway holds to what is read.
fn configuration(example: &str) -> String {
    let mut page = String::from(
        "# Configuration\n\n\
         Every setting of `tenora serve`, as environment variables. Sizes are bytes, or a number with KiB, MiB or GiB. An empty \
         value counts as unset; a wrong or unknown `TENORA_…` variable stops the start, and every mistake is named at once. \
         `tenora doctor` looks at them, and at what they name, without starting anything.\n\n\
         Made from [.env.example](../.env.example) by `tests/tests/documents.rs`.\n",
    );
    let mut words: Vec<&str> = Vec::new();
    for line in example.lines() {
        let text = line.trim_start_matches('#').trim();
        let setting = text.split_once('=').filter(|(name, _)| is_name(name));
        if let Some(title) = text.strip_prefix("---").and_then(|rest| rest.strip_suffix("---")) {
            _ = write!(page, "\n## {}\n\n| Variable | Default | |\n|---|---|---|\n", title.trim());
            words.clear();
        } else if let Some((name, default)) = setting {
            let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
            // Further variables under one comment share its words.
            let about = if words.is_empty() { "as above".to_owned() } else { words.join(" ") };
            _ = writeln!(page, "| `{name}` | {default} | {} |", about.replace('|', "\\|"));
            words.clear();
        } else if text.is_empty() {
            words.clear();
        } else {
            words.push(text);
        }
    }
    page
}

fn is_name(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

#[test]
fn the_configuration_page_is_made_from_the_example() {
    let example = fs::read_to_string(repository().join(".env.example")).expect("it is there");
    let page = repository().join("docs/configuration.md");
    let made = configuration(&example);
    if std::env::var_os("TENORA_TEST_WRITE").is_some() {
        fs::write(&page, &made).expect("it can be written");
    }
    let kept = fs::read_to_string(&page).unwrap_or_default();
    assert!(kept == made, "docs/configuration.md is out of date; TENORA_TEST_WRITE=1 writes it anew");
}
