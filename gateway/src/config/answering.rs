//! Which engine answers: the shared one in this process, vLLM servers, or mistral.rs in this process.

use std::{path::PathBuf, time::Duration};

use secrecy::SecretString;
use tenora_fleet::ServerUrl;

use super::{
    parse,
    reader::{Reader, Variable},
};

const ENGINE: Variable = Variable::new("TENORA_ENGINE", Some("shared"));
const SERVERS: Variable = Variable::new("TENORA_VLLM_SERVERS", None);
const API_KEY: Variable = Variable::new("TENORA_VLLM_API_KEY", None);
const MODEL: Variable = Variable::new("TENORA_VLLM_MODEL", None);
const FOLDER: Variable = Variable::new("TENORA_VLLM_ADAPTER_DIR", None);
const FOLDER_THERE: Variable = Variable::new("TENORA_VLLM_ADAPTER_DIR_THERE", None);
const FOLDER_BYTES: Variable = Variable::new("TENORA_VLLM_ADAPTER_DIR_BYTES", Some("100GiB"));
const ADAPTERS: Variable = Variable::new("TENORA_VLLM_ADAPTERS", Some("16"));
const LOAD_TIMEOUT_S: Variable = Variable::new("TENORA_VLLM_LOAD_TIMEOUT_S", Some("60"));
const MODELS: Variable = Variable::new("TENORA_MISTRALRS_MODELS", Some("2"));

pub(super) const VARIABLES: &[&Variable] = &[
    &ENGINE,
    &SERVERS,
    &API_KEY,
    &MODEL,
    &FOLDER,
    &FOLDER_THERE,
    &FOLDER_BYTES,
    &ADAPTERS,
    &LOAD_TIMEOUT_S,
    &MODELS,
];

/// What answers requests.
#[derive(Debug, Default)]
pub enum Answering {
    /// The shared engine: one base model and many adapters in this process.
    #[default]
    Shared,
    /// vLLM servers.
    Vllm(Box<VllmSettings>),
    /// mistral.rs in this process.
    Mistralrs {
        /// Models in memory; the base is one, and each adapter that is merged into it is one.
        models: usize,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Shared,
    Vllm,
    Mistralrs,
}

impl Answering {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let kind = reader.value(&ENGINE, Kind::Shared, |text| match text {
            "shared" => Ok(Kind::Shared),
            "vllm" => Ok(Kind::Vllm),
            "mistralrs" if cfg!(feature = "mistralrs") => Ok(Kind::Mistralrs),
            "mistralrs" => {
                Err("this binary was built without mistral.rs; build it with `cargo build --release \
                                --features mistralrs` (docs/mistralrs.md)"
                    .to_owned())
            }
            other => Err(format!("`{other}` is not shared, vllm or mistralrs")),
        });
        let models = reader.value(&MODELS, 2, |text| parse::count(text, 1..=64));
        let vllm = VllmSettings::read(reader, kind == Kind::Vllm);
        match kind {
            Kind::Shared => Self::Shared,
            Kind::Vllm => Self::Vllm(Box::new(vllm)),
            Kind::Mistralrs => Self::Mistralrs { models },
        }
    }
}

/// vLLM servers that answer instead of an engine in this process.
#[derive(Debug)]
pub struct VllmSettings {
    /// Their addresses.
    pub servers: Vec<ServerUrl>,
    /// What they want as a bearer token.
    pub api_key: Option<SecretString>,
    /// What they call the base model; `None` = as clients call it here.
    pub model: Option<String>,
    /// The folder that they share with this process.
    pub folder: PathBuf,
    /// The same folder as they see it.
    pub folder_there: PathBuf,
    /// Bytes of adapters in it.
    pub folder_bytes: u64,
    /// Adapters that each of them holds.
    pub adapters_per_server: usize,
    /// How long a load may take.
    pub load_timeout: Duration,
}

impl VllmSettings {
    fn read(reader: &mut Reader, wanted: bool) -> Self {
        let servers = reader.value(&SERVERS, Vec::new(), |text| {
            text.split(',').map(|url| ServerUrl::parse(url.trim())).collect()
        });
        let folder = reader.text(&FOLDER).map(PathBuf::from);
        let folder_there = reader.text(&FOLDER_THERE).map(PathBuf::from);
        let settings = Self {
            api_key: reader.secret(&API_KEY),
            model: reader.text(&MODEL).map(str::to_owned),
            folder_there: folder_there.or_else(|| folder.clone()).unwrap_or_default(),
            folder_bytes: reader.value(&FOLDER_BYTES, 100 << 30, parse::bytes),
            adapters_per_server: reader.value(&ADAPTERS, 16, |text| parse::count(text, 1..=1 << 16)),
            load_timeout: reader.value(&LOAD_TIMEOUT_S, Duration::from_secs(60), |text| {
                parse::number(text, 1..=3_600).map(Duration::from_secs)
            }),
            servers,
            folder: folder.unwrap_or_default(),
        };
        if !wanted {
            if !settings.servers.is_empty() {
                reader.mistake(&SERVERS, "is for `TENORA_ENGINE=vllm`; set that, or leave this out");
            }
            return settings;
        }
        if settings.servers.is_empty() {
            reader
                .mistake(&SERVERS, "must name the vLLM servers, such as http://gpu-1:8000,http://gpu-2:8000");
        }
        if settings.folder.as_os_str().is_empty() {
            reader.mistake(
                &FOLDER,
                "must name a folder that this process writes and every vLLM server reads: adapters are loaded from it",
            );
        }
        if !settings.folder_there.as_os_str().is_empty() && !settings.folder_there.is_absolute() {
            reader.mistake(&FOLDER_THERE, "must be an absolute path, as the vLLM servers see the folder");
        }
        settings
    }
}
