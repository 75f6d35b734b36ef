//! The server's settings, in two stages: the environment as text, then one validated [`Config`].
//! The only reader of the environment. Every mistake is named at once, so that one restart fixes all of them.

mod answering;
mod engine;
mod jwt;
mod limits;
mod parse;
mod reader;
mod s3;
mod server;
mod store;
mod telemetry;

use std::{fmt, path::PathBuf};

use reader::Reader;
use tenora_adapter_store::LimitOverrides;

pub(crate) use self::parse::bytes;
pub use self::{
    answering::{Answering, VllmSettings},
    engine::{EngineSettings, HubSettings, ModelSource},
    jwt::{ISSUERS_FILE as JWT_ISSUERS_FILE, JwtSettings},
    reader::Variable,
    server::{LogFormat, LogSettings, ServerSettings},
    store::{MIN_USAGE_EVENTS_DAYS, StoreSettings},
    telemetry::{OtlpSettings, TelemetrySettings},
};

/// What the process was started for; it decides which settings apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// `tenora serve`.
    Serve,
    /// `tenora serve --demo DIR`: embedded defaults, the demo's base model, loopback only.
    Demo(PathBuf),
    /// `tenora migrate` and `tenora store`: need what is stored, and neither a model nor secrets.
    Maintain,
}

/// Everything the server needs to know, checked.
#[derive(Debug)]
pub struct Config {
    /// Address, limits, secrets and logs.
    pub server: ServerSettings,
    /// Where traces and metrics go.
    pub telemetry: TelemetrySettings,
    /// Whose tokens are believed.
    pub jwt: JwtSettings,
    /// Where rows and blobs are.
    pub store: StoreSettings,
    /// The base model and how it is served.
    pub engine: EngineSettings,
    /// What answers requests.
    pub answering: Answering,
    /// What tenants may use at most when nothing else is said of them.
    pub default_limits: LimitOverrides,
    /// What an operator should be told about these settings.
    pub notices: Vec<String>,
}

impl Config {
    /// Reads the process's environment.
    pub fn from_env(mode: &Mode) -> Result<Self, Mistakes> {
        Self::from_vars(environment(), mode)
    }

    /// Reads the given variables, as `std::env::vars` would give them.
    pub fn from_vars(
        vars: impl IntoIterator<Item = (String, String)>,
        mode: &Mode,
    ) -> Result<Self, Mistakes> {
        let mut reader = Reader::new(vars, variables());
        let mut notices = Vec::new();
        if let Mode::Demo(_) = mode {
            for variable in [&store::DATABASE_URL, &store::REDIS_URL, &store::BLOBS_URL, &engine::MODEL] {
                if reader.forget(variable) {
                    notices
                        .push(format!("{} is set, and ignored: the demo is self-contained.", variable.name));
                }
            }
        }
        let store = StoreSettings::read(&mut reader);
        let server = ServerSettings::read(&mut reader, mode, &store);
        let telemetry = TelemetrySettings::read(&mut reader);
        let jwt = JwtSettings::read(&reader);
        let engine = EngineSettings::read(&mut reader, mode);
        let answering = Answering::read(&mut reader);
        let default_limits = limits::read(&mut reader);
        match reader.finish() {
            Mistakes(none) if none.is_empty() => {
                Ok(Self { server, telemetry, jwt, store, engine, answering, default_limits, notices })
            }
            mistakes => Err(mistakes),
        }
    }
}

/// Every variable the server reads, in the order of `.env.example`.
pub fn variables() -> impl Iterator<Item = &'static Variable> + Clone {
    let groups = [
        server::VARIABLES,
        telemetry::VARIABLES,
        jwt::VARIABLES,
        store::VARIABLES,
        s3::VARIABLES,
        engine::VARIABLES,
        answering::VARIABLES,
        limits::VARIABLES,
    ];
    groups.into_iter().flatten().copied()
}

/// All that is wrong with the settings, one line each, naming the variable and the fix.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "these settings are wrong (see .env.example):")?;
        self.0.iter().try_for_each(|mistake| write!(f, "\n  {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

/// The environment; a value that is not UTF-8 is kept, lossily, so that its variable can be named.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)], mode: &Mode) -> Result<Config, Mistakes> {
        Config::from_vars(vars.iter().map(|(name, value)| (name.to_string(), value.to_string())), mode)
    }

    const MODEL: (&str, &str) = ("TENORA_MODEL", "/models/base");

    #[test]
    fn a_model_alone_is_enough() {
        let config =
            read(&[MODEL, ("HOME", "/root"), ("TENORA_TEST_REDIS_URL", "redis://elsewhere")], &Mode::Serve);
        let config = config.expect("valid");
        assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.server.data_dir, PathBuf::from("./.tenora"));
        assert_eq!(config.engine.model, ModelSource::Folder("/models/base".into()));
        assert!(config.server.admin_key.is_none(), "made at first start");
        assert!(config.store.database_url.is_none());
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let mistakes = read(
            &[
                ("TENORA_LISTEN", "8080"),
                ("TENORA_ADMIN_KEY", "hunter2"),
                ("TENORA_LISTENER", "127.0.0.1:80"),
                ("TENORA_KV_CACHE_BYTES", "2 gigs"),
                ("TENORA_MAX_RANK", "0"),
                ("TENORA_CORS_ORIGINS", "*"),
                ("TENORA_USAGE_EVENTS_DAYS", "34"),
            ],
            &Mode::Serve,
        )
        .expect_err("seven mistakes and no model");
        let text = mistakes.to_string();
        for name in [
            "LISTEN:",
            "ADMIN_KEY:",
            "LISTENER:",
            "KV_CACHE_BYTES:",
            "MAX_RANK:",
            "CORS_ORIGINS:",
            "TENORA_MODEL:",
        ] {
            assert!(text.contains(name), "{name} is not named in:\n{text}");
        }
        assert_eq!(mistakes.0.len(), 8, "{text}");
        assert!(!text.contains("hunter2"), "a secret's value is never repeated");
    }

    #[test]
    fn a_typo_is_told_the_nearest_name() {
        let mistakes = read(&[MODEL, ("TENORA_DATABSE_URL", "x")], &Mode::Serve).expect_err("unknown");
        assert_eq!(mistakes.0, ["TENORA_DATABSE_URL: no such setting; did you mean TENORA_DATABASE_URL?"]);
    }

    #[test]
    fn a_service_called_tenora_is_no_setting() {
        let links =
            ["TENORA_PORT", "TENORA_SERVICE_HOST", "TENORA_SERVICE_PORT_HTTP", "TENORA_PORT_8080_TCP_ADDR"];
        let all: Vec<_> = links.iter().map(|name| (*name, "tcp://10.0.0.1:8080")).chain([MODEL]).collect();
        read(&all, &Mode::Serve).expect("Kubernetes set them, not an operator");
    }

    #[test]
    fn a_shared_database_needs_shared_secrets() {
        let url = ("TENORA_DATABASE_URL", "postgres://u:p@db/tenora");
        let mistakes = read(&[MODEL, url], &Mode::Serve).expect_err("no secrets");
        assert_eq!(mistakes.0.len(), 2, "{mistakes}");
        let long = "0123456789abcdef0123456789abcdef";
        let config = read(&[MODEL, url, ("TENORA_ADMIN_KEY", long), ("TENORA_PEPPER", long)], &Mode::Serve);
        let config = config.expect("valid");
        let shown = format!("{config:?}");
        assert!(!shown.contains(long) && !shown.contains("u:p@"), "Debug shows a secret: {shown}");
    }

    #[test]
    fn the_demo_is_embedded_and_local() {
        let demo = Mode::Demo("demo".into());
        let elsewhere = [
            ("TENORA_DATABASE_URL", "postgres://somebody/else"),
            ("TENORA_REDIS_URL", "redis://somebody"),
            MODEL,
        ];
        let config = read(&elsewhere, &demo).expect("ignored");
        assert!(config.store.database_url.is_none() && config.store.redis_url.is_none());
        assert_eq!(config.engine.model, ModelSource::Folder("demo/base".into()));
        assert_eq!(config.notices.len(), 3);
        let mistakes = read(&[("TENORA_LISTEN", "0.0.0.0:8080")], &demo).expect_err("not loopback");
        assert!(mistakes.0[0].contains("127.0.0.1"), "{mistakes}");
    }

    #[test]
    fn the_example_file_lists_exactly_what_is_read_with_its_defaults() {
        let example = include_str!("../../.env.example");
        let listed: Vec<(&str, &str)> = example
            .lines()
            .filter_map(|line| line.trim_start_matches("# ").split_once('='))
            .filter(|(name, _)| {
                name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_' || b.is_ascii_digit())
            })
            .collect();
        let expected: Vec<(&str, &str)> = variables().map(|v| (v.name, v.default.unwrap_or(""))).collect();
        assert_eq!(listed, expected);
        let defaults = read(&[&listed[..], &[MODEL]].concat(), &Mode::Serve).expect("the defaults are valid");
        let nothing = read(&[MODEL], &Mode::Serve).expect("valid");
        assert_eq!(format!("{defaults:?}"), format!("{nothing:?}"), "documented defaults are the real ones");
    }
}
