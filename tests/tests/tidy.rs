//! The tree checks itself: what every file begins with, how long it may be, which way imports point, and that the
//! paths named in documents exist.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tenora_tests::repository;

/// Lines of code of one file outside tests.
const MAX_CODE_LINES: usize = 400;
const CRATES: [&str; 7] = ["gateway", "adapter-store", "fleet", "engine", "engine/kernels", "bench", "tests"];

fn files_under(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            if path.file_name().is_none_or(|name| name != "node_modules" && name != "target") {
                files_under(&path, extension, found);
            }
        } else if path.extension().is_some_and(|own| own == extension) {
            found.push(path);
        }
    }
}

fn rust_files(folders: &[&str]) -> Vec<(String, String)> {
    let root = repository();
    let mut found = Vec::new();
    folders.iter().for_each(|folder| files_under(&root.join(folder), "rs", &mut found));
    assert!(!found.is_empty(), "no files in {folders:?}");
    found.sort();
    found
        .iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("inside").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("readable"))
        })
        .collect()
}

fn code_lines(text: &str) -> usize {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().filter(|line| !line.trim().is_empty() && !line.trim_start().starts_with("//")).count()
}

fn fail_on(problems: &[String]) {
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = |(name, text): (String, String)| {
        let told = text.starts_with("//! ") || text.starts_with("#![doc = include_str!(");
        (!told).then(|| format!("{name} does not begin with `//! ` and its sentence"))
    };
    fail_on(&rust_files(&CRATES).into_iter().filter_map(silent).collect::<Vec<_>>());
}

#[test]
fn files_are_small_rooms() {
    let large = |(name, text): (String, String)| {
        let lines = code_lines(&text);
        (lines > MAX_CODE_LINES)
            .then(|| format!("{name} has {lines} lines of code; {MAX_CODE_LINES} are enough"))
    };
    fail_on(&rust_files(&CRATES).into_iter().filter_map(large).collect::<Vec<_>>());
}

#[test]
fn nothing_is_left_over() {
    // Spelled in two pieces, so that this file does not find itself.
    let marks = [["to", "do!("], ["dbg", "!("], ["FIX", "ME"], ["XX", "X"], ["unimplement", "ed!("]]
        .map(|mark| mark.concat());
    let mut problems = Vec::new();
    for (name, text) in rust_files(&CRATES) {
        for (number, line) in text.lines().enumerate() {
            for mark in marks.iter().filter(|mark| line.contains(mark.as_str())) {
                problems.push(format!("{name}:{}: {mark}", number + 1));
            }
        }
    }
    fail_on(&problems);
}

/// The modules in the order of `lib.rs`.
fn reading_order(lib: &str) -> Vec<String> {
    let module = |line: &str| {
        let line = line.strip_prefix("pub ").unwrap_or(line);
        line.strip_prefix("mod ").and_then(|rest| rest.strip_suffix(';')).map(str::to_owned)
    };
    lib.lines().filter_map(module).collect()
}

/// What a file imports from its own crate, by the imports' first names.
fn imports(text: &str) -> Vec<String> {
    let code = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
    let mut found = Vec::new();
    for after in code.split("use crate::").skip(1) {
        let statement = after.split(';').next().unwrap_or_default();
        let Some(list) = statement.strip_prefix('{') else {
            found.extend(statement.split("::").next().map(str::to_owned));
            continue;
        };
        let (mut depth, mut word, mut first) = (0, String::new(), true);
        for c in list.chars() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => (first, word) = (true, String::new()),
                ':' if depth == 0 && first => {
                    found.push(word.trim().to_owned());
                    first = false;
                }
                c => word.push(c),
            }
        }
    }
    found
}

#[test]
fn imports_point_downward() {
    let mut problems = Vec::new();
    for member in CRATES {
        let lib = fs::read_to_string(repository().join(member).join("src/lib.rs")).expect("a library");
        let order = reading_order(&lib);
        let place = |module: &str| order.iter().position(|own| own == module);
        for (name, text) in rust_files(&[&format!("{member}/src")]) {
            let within = name.split("/src/").nth(1).unwrap_or_default();
            let own = within.split(['/', '.']).next().unwrap_or_default();
            let Some(here) = place(own) else { continue };
            if within.contains("tests") || within.ends_with("contract.rs") {
                continue;
            }
            for import in imports(&text) {
                if place(&import).is_some_and(|there| there < here) {
                    problems.push(format!("{name} imports `{import}`, which stands above `{own}` in lib.rs"));
                }
            }
        }
    }
    fail_on(&problems);
}

#[test]
fn imports_are_read_as_they_are_written() {
    let text = "use crate::one::Two;\nuse crate::{\n    a::{self, b::C},\n    d::E,\n};\n";
    assert_eq!(imports(text), ["one", "a", "d"]);
}

#[test]
fn only_the_gateway_knows_http() {
    let web = |(name, text): (String, String)| {
        // The way to S3, which tells nobody else that it is one.
        if name == "adapter-store/src/blobs/http.rs" {
            return None;
        }
        let word = ["StatusCode", "actix", "reqwest", "axum"].into_iter().find(|word| text.contains(word));
        word.map(|word| format!("{name} knows `{word}`"))
    };
    fail_on(
        &rust_files(&["adapter-store/src", "engine/src"]).into_iter().filter_map(web).collect::<Vec<_>>(),
    );
}

#[test]
fn the_environment_is_read_in_one_place() {
    let reads = |(name, text): (String, String)| {
        // The fault points are tests' own: no build that serves has them.
        let may = name.starts_with("gateway/src/config") || name == "adapter-store/src/fault.rs";
        let reads = text.contains("env::var") && !may;
        reads.then(|| format!("{name} reads the environment"))
    };
    let sources = ["gateway/src", "adapter-store/src", "fleet/src", "engine/src", "bench/src"];
    fail_on(&rust_files(&sources).into_iter().filter_map(reads).collect::<Vec<_>>());
}

/// Backticked words of a document that look like paths of this repository.
fn paths(document: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut found = Vec::new();
    for line in document.lines() {
        fenced ^= line.starts_with("```");
        if fenced {
            continue;
        }
        let words = line.split('`').skip(1).step_by(2);
        found.extend(words.filter(|word| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
            word.contains('/')
                && word.chars().all(plain)
                && !word.starts_with('/')
                && !["target/", "http/"].iter().any(|elsewhere| word.starts_with(elsewhere))
        }));
    }
    found
}

#[test]
fn paths_in_documents_exist() {
    let root = repository();
    let mut problems = Vec::new();
    let named = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "bench/README.md", "deploy/README.md"];
    let guides =
        fs::read_dir(root.join("docs")).expect("a folder").map(|entry| entry.expect("readable").path());
    let guides = guides.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    for document in named.into_iter().map(|name| root.join(name)).chain(guides) {
        let text = fs::read_to_string(&document).expect("it is there");
        let document = document.display();
        let missing =
            |path: &&str| !root.join(path).exists() && !path.trim_start_matches("./").starts_with(".tenora");
        problems.extend(
            paths(&text).into_iter().filter(missing).map(|path| format!("{document} names `{path}`")),
        );
    }
    fail_on(&problems);
}

#[test]
fn the_architecture_lists_its_invariants() {
    let text = fs::read_to_string(repository().join("ARCHITECTURE.md")).expect("it is there");
    assert!(text.lines().filter(|line| line.starts_with("Invariant: ")).count() >= 6);
}
