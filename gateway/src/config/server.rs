//! The server's own settings: address, data folder, secrets, limits, logs.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use secrecy::{ExposeSecret, SecretString};

use crate::{client_address::TrustedProxies, cors::Origins};

use super::{
    Mode, StoreSettings, parse,
    reader::{Reader, Variable},
};

const LISTEN: Variable = Variable::new("TENORA_LISTEN", Some("127.0.0.1:8080"));
const DATA_DIR: Variable = Variable::new("TENORA_DATA_DIR", Some("./.tenora"));
const ADMIN_KEY: Variable = Variable::new("TENORA_ADMIN_KEY", None);
const VIEWER_KEY: Variable = Variable::new("TENORA_VIEWER_KEY", None);
const PEPPER: Variable = Variable::new("TENORA_PEPPER", None);
const TRUSTED_PROXIES: Variable = Variable::new("TENORA_TRUSTED_PROXIES", None);
const CORS_ORIGINS: Variable = Variable::new("TENORA_CORS_ORIGINS", None);
const REQUEST_TIMEOUT_S: Variable = Variable::new("TENORA_REQUEST_TIMEOUT_S", Some("600"));
const DRAIN_TIMEOUT_S: Variable = Variable::new("TENORA_DRAIN_TIMEOUT_S", Some("30"));
const LOG: Variable = Variable::new("TENORA_LOG", Some("info"));
const LOG_FORMAT: Variable = Variable::new("TENORA_LOG_FORMAT", Some("auto"));

pub(super) const VARIABLES: &[&Variable] = &[
    &LISTEN,
    &DATA_DIR,
    &ADMIN_KEY,
    &VIEWER_KEY,
    &PEPPER,
    &TRUSTED_PROXIES,
    &CORS_ORIGINS,
    &REQUEST_TIMEOUT_S,
    &DRAIN_TIMEOUT_S,
    &LOG,
    &LOG_FORMAT,
];

/// Shortest secret that is taken from the environment, in characters.
const MIN_SECRET_CHARS: usize = 32;

/// Address, data folder, secrets, limits and logs.
#[derive(Debug)]
pub struct ServerSettings {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Database, blobs, caches and made secrets, when embedded.
    pub data_dir: PathBuf,
    /// The operator's key; `None` = made at first start and kept in the data folder.
    pub admin_key: Option<SecretString>,
    /// A key for the operator's routes that change nothing; `None` = there is none.
    pub viewer_key: Option<SecretString>,
    /// What API keys are hashed with; `None` = made at first start and kept in the data folder.
    pub pepper: Option<SecretString>,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// Whose pages may read the tenants' API in a browser.
    pub cors_origins: Origins,
    /// How long a generation may take, waiting included.
    pub request_timeout: Duration,
    /// How long requests may go on after a signal to stop.
    pub drain_timeout: Duration,
    /// What to log, and how.
    pub log: LogSettings,
}

/// What to log, and how.
#[derive(Debug, Clone)]
pub struct LogSettings {
    /// `tracing-subscriber` filter directives.
    pub filter: String,
    /// Text or JSON.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    Auto,
    /// For people.
    Text,
    /// For collectors.
    Json,
}

impl ServerSettings {
    pub(super) fn read(reader: &mut Reader, mode: &Mode, store: &StoreSettings) -> Self {
        let shared = store.database_url.is_some() && *mode != Mode::Maintain;
        Self {
            listen: listen(reader, mode),
            data_dir: reader.text(&DATA_DIR).unwrap_or("./.tenora").into(),
            admin_key: secret(reader, &ADMIN_KEY, shared),
            viewer_key: secret(reader, &VIEWER_KEY, false),
            pepper: secret(reader, &PEPPER, shared),
            trusted_proxies: reader.value(&TRUSTED_PROXIES, TrustedProxies::default(), TrustedProxies::parse),
            cors_origins: reader.value(&CORS_ORIGINS, Origins::default(), Origins::parse),
            request_timeout: Duration::from_secs(
                reader.value(&REQUEST_TIMEOUT_S, 600, |text| parse::number(text, 1..=86_400)),
            ),
            drain_timeout: Duration::from_secs(
                reader.value(&DRAIN_TIMEOUT_S, 30, |text| parse::number(text, 0..=3600)),
            ),
            log: LogSettings::read(reader),
        }
    }
}

impl LogSettings {
    fn read(reader: &mut Reader) -> Self {
        let filter = reader.value(&LOG, "info".to_owned(), |text| {
            tracing_subscriber::EnvFilter::try_new(text)
                .map(|_| text.to_owned())
                .map_err(|error| format!("{error}; write a level such as info, or tenora_gateway=debug,info"))
        });
        let format = reader.value(&LOG_FORMAT, LogFormat::Auto, |text| match text {
            "auto" => Ok(LogFormat::Auto),
            "text" => Ok(LogFormat::Text),
            "json" => Ok(LogFormat::Json),
            other => Err(format!("`{other}` is not auto, text or json")),
        });
        Self { filter, format }
    }
}

fn listen(reader: &mut Reader, mode: &Mode) -> SocketAddr {
    let default = SocketAddr::from((Ipv4Addr::LOCALHOST, 8080));
    let listen = reader.value(&LISTEN, default, |text| {
        text.parse().map_err(|_| format!("`{text}` is not an address and port such as 127.0.0.1:8080"))
    });
    if matches!(mode, Mode::Demo(_)) && !listen.ip().is_loopback() {
        reader.mistake(
            &LISTEN,
            &format!(
                "the demo answers on this machine only; use 127.0.0.1:{}, or serve without --demo",
                listen.port()
            ),
        );
    }
    listen
}

/// A secret's mistakes never repeat its value.
fn secret(reader: &mut Reader, variable: &Variable, required: bool) -> Option<SecretString> {
    let secret = reader.secret(variable);
    match &secret {
        Some(given) if given.expose_secret().chars().count() < MIN_SECRET_CHARS => reader.mistake(
            variable,
            &format!("is shorter than {MIN_SECRET_CHARS} characters; `openssl rand -hex 32` makes a good one"),
        ),
        Some(given) if !given.expose_secret().bytes().all(|byte| byte.is_ascii_graphic()) => {
            reader.mistake(variable, "must be printable ASCII without spaces, to travel in a header");
        }
        None if required => reader.mistake(
            variable,
            "must be set with TENORA_DATABASE_URL, the same for every replica; `openssl rand -hex 32` makes a good one",
        ),
        _ => {}
    }
    secret
}
