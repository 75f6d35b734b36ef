//! The environment as text, and the list of what is wrong with it. Knows no setting's meaning.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::Mistakes;

/// One setting: its name and the words of `.env.example`.
#[derive(Debug)]
pub struct Variable {
    /// The environment variable.
    pub name: &'static str,
    /// Its default, as one would write it; `None` = unset.
    pub default: Option<&'static str>,
}

impl Variable {
    pub(super) const fn new(name: &'static str, default: Option<&'static str>) -> Self {
        Self { name, default }
    }
}

/// The variables that were set, and the mistakes found so far.
pub(super) struct Reader {
    set: BTreeMap<&'static str, String>,
    mistakes: Vec<String>,
}

/// What the command line reads as a client of a server: harmless where a server starts.
const CLIENT_VARIABLES: [&str; 2] = ["TENORA_URL", "TENORA_API_KEY"];

impl Reader {
    /// Keeps the known variables that are not empty; a `TENORA_…` that nothing reads is a mistake.
    /// `TENORA_TEST_…` belongs to the test suites.
    pub(super) fn new(
        vars: impl IntoIterator<Item = (String, String)>,
        known: impl Iterator<Item = &'static Variable> + Clone,
    ) -> Self {
        let mut reader = Self { set: BTreeMap::new(), mistakes: Vec::new() };
        for (name, value) in vars {
            match known.clone().find(|variable| variable.name == name) {
                Some(variable) if !value.trim().is_empty() => {
                    reader.set.insert(variable.name, value.trim().to_owned());
                }
                None if CLIENT_VARIABLES.contains(&name.as_str()) || is_service_link(&name) => {}
                None if name.starts_with("TENORA_") && !name.starts_with("TENORA_TEST_") => {
                    let hint = nearest(&name, known.clone().map(|variable| variable.name));
                    reader.mistakes.push(format!("{name}: no such setting; did you mean {hint}?"));
                }
                _ => {}
            }
        }
        reader
    }

    /// Treats a variable as unset; true when it was set.
    pub(super) fn forget(&mut self, variable: &Variable) -> bool {
        self.set.remove(variable.name).is_some()
    }

    /// The text, when set.
    pub(super) fn text(&self, variable: &Variable) -> Option<&str> {
        self.set.get(variable.name).map(String::as_str)
    }

    /// A secret, when set.
    pub(super) fn secret(&self, variable: &Variable) -> Option<SecretString> {
        self.text(variable).map(SecretString::from)
    }

    /// The parsed value, when set and right.
    pub(super) fn optional<T>(
        &mut self,
        variable: &Variable,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        match parse(self.text(variable)?) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.mistake(variable, &problem);
                None
            }
        }
    }

    /// The parsed value, or the default when unset. A mistake is noted and never lets the server start.
    pub(super) fn value<T>(
        &mut self,
        variable: &Variable,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> T {
        self.optional(variable, parse).unwrap_or(default)
    }

    pub(super) fn mistake(&mut self, variable: &Variable, problem: &str) {
        self.mistakes.push(format!("{}: {problem}", variable.name));
    }

    pub(super) fn finish(self) -> Mistakes {
        Mistakes(self.mistakes)
    }
}

/// What Kubernetes puts into every container's environment where a Service is called `tenora`.
fn is_service_link(name: &str) -> bool {
    let ends = ["_SERVICE_HOST", "_SERVICE_PORT", "_PORT", "_TCP", "_TCP_PROTO", "_TCP_PORT", "_TCP_ADDR"];
    name.contains("_SERVICE_PORT_") || ends.iter().any(|end| name.ends_with(end))
}

/// The known name that differs least, by the length of the common start and end.
fn nearest(name: &str, known: impl Iterator<Item = &'static str>) -> &'static str {
    let likeness = |other: &&str| {
        let start = name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        let end = name.bytes().rev().zip(other.bytes().rev()).take_while(|(a, b)| a == b).count();
        start + end
    };
    known.max_by_key(likeness).unwrap_or("one of those in .env.example")
}
