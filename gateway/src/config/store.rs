//! Where rows, blobs and cached resolutions are.

use std::time::Duration;

use secrecy::SecretString;
use tenora_adapter_store::{BlobsUrl, S3Access};

use super::{
    parse,
    reader::{Reader, Variable},
    s3,
};

pub(super) const DATABASE_URL: Variable = Variable::new("TENORA_DATABASE_URL", None);
pub(super) const REDIS_URL: Variable = Variable::new("TENORA_REDIS_URL", None);
const REDIS_PREFIX: Variable = Variable::new("TENORA_REDIS_PREFIX", Some("tenora:"));
pub(super) const BLOBS_URL: Variable = Variable::new("TENORA_BLOBS_URL", None);
const SWEEP_GRACE_S: Variable = Variable::new("TENORA_SWEEP_GRACE_S", Some("3600"));
const ADAPTER_CACHE_BYTES: Variable = Variable::new("TENORA_ADAPTER_CACHE_BYTES", Some("10GiB"));
const MAX_ADAPTER_BYTES: Variable = Variable::new("TENORA_MAX_ADAPTER_BYTES", Some("1GiB"));
const USAGE_EVENTS_DAYS: Variable = Variable::new("TENORA_USAGE_EVENTS_DAYS", Some("90"));
const OUTAGE_GRACE_S: Variable = Variable::new("TENORA_OUTAGE_GRACE_S", Some("300"));

pub(super) const VARIABLES: &[&Variable] = &[
    &DATABASE_URL,
    &REDIS_URL,
    &REDIS_PREFIX,
    &BLOBS_URL,
    &SWEEP_GRACE_S,
    &ADAPTER_CACHE_BYTES,
    &MAX_ADAPTER_BYTES,
    &OUTAGE_GRACE_S,
    &USAGE_EVENTS_DAYS,
];

/// The shortest time for which single usage events may be kept: longer than a month, and longer than any of them may wait
/// for the database and still be counted.
pub const MIN_USAGE_EVENTS_DAYS: u64 = 35;
const MAX_USAGE_EVENTS_DAYS: u64 = 36_500;

/// Where rows, blobs and cached resolutions are.
#[derive(Debug)]
pub struct StoreSettings {
    /// Postgres; `None` = SQLite in the data folder.
    pub database_url: Option<SecretString>,
    /// Redis; `None` = resolutions are cached in the process.
    pub redis_url: Option<SecretString>,
    /// What every key in Redis begins with.
    pub redis_prefix: String,
    /// Where the blobs are; `None` = in the data folder.
    pub blobs_url: Option<BlobsUrl>,
    /// How S3 is reached, where the blobs are in it.
    pub s3: S3Access,
    /// How old bytes that nothing needs must be before they are removed.
    pub sweep_grace: Duration,
    /// Local disk for verified adapter files.
    pub adapter_cache_bytes: u64,
    /// Largest adapter that is accepted.
    pub max_adapter_bytes: u64,
    /// How long known keys and adapters go on working while the database does not answer.
    pub outage_grace: Duration,
    /// How long single usage events are kept.
    pub usage_events_kept: Duration,
}

impl StoreSettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let blobs_url =
            reader.optional(&BLOBS_URL, |text| BlobsUrl::parse(text).map_err(|error| error.problem));
        Self {
            s3: s3::read(reader, blobs_url.as_ref()),
            blobs_url,
            sweep_grace: Duration::from_secs(
                reader.value(&SWEEP_GRACE_S, 3600, |text| parse::number(text, 60..=2_592_000)),
            ),
            database_url: url(reader, &DATABASE_URL, &["postgres://", "postgresql://"]),
            redis_url: url(reader, &REDIS_URL, &["redis://", "rediss://", "redis+unix://", "unix://"]),
            redis_prefix: reader.text(&REDIS_PREFIX).unwrap_or("tenora:").to_owned(),
            adapter_cache_bytes: reader.value(&ADAPTER_CACHE_BYTES, 10 << 30, parse::bytes),
            max_adapter_bytes: reader.value(&MAX_ADAPTER_BYTES, 1 << 30, parse::bytes),
            outage_grace: Duration::from_secs(
                reader.value(&OUTAGE_GRACE_S, 300, |text| parse::number(text, 1..=86_400)),
            ),
            usage_events_kept: reader.value(&USAGE_EVENTS_DAYS, days(90), |text| {
                parse::number(text, MIN_USAGE_EVENTS_DAYS..=MAX_USAGE_EVENTS_DAYS).map(days)
            }),
        }
    }
}

fn days(days: u64) -> Duration {
    Duration::from_secs(days * 24 * 60 * 60)
}

/// A URL may hold a password: a mistake repeats only what was expected.
fn url(reader: &mut Reader, variable: &Variable, schemes: &[&str]) -> Option<SecretString> {
    let secret = reader.secret(variable);
    let right =
        reader.text(variable).is_none_or(|text| schemes.iter().any(|scheme| text.starts_with(scheme)));
    if !right {
        reader.mistake(variable, &format!("must begin with {}", schemes.join(" or ")));
    }
    secret
}
