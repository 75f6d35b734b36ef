//! Where traces and metrics go; the names are OpenTelemetry's own where it has one.

use std::{net::SocketAddr, time::Duration};

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::SecretString;

use super::{
    parse,
    reader::{Reader, Variable},
};

const OPS_LISTEN: Variable = Variable::new("TENORA_OPS_LISTEN", None);
const ENDPOINT: Variable = Variable::new("OTEL_EXPORTER_OTLP_ENDPOINT", None);
const HEADERS: Variable = Variable::new("OTEL_EXPORTER_OTLP_HEADERS", None);
const PROTOCOL: Variable = Variable::new("OTEL_EXPORTER_OTLP_PROTOCOL", Some("http/protobuf"));
const SERVICE_NAME: Variable = Variable::new("OTEL_SERVICE_NAME", Some("tenora"));
const RESOURCE_ATTRIBUTES: Variable = Variable::new("OTEL_RESOURCE_ATTRIBUTES", None);
const SAMPLER_ARG: Variable = Variable::new("OTEL_TRACES_SAMPLER_ARG", Some("1.0"));
const METRIC_INTERVAL_MS: Variable = Variable::new("OTEL_METRIC_EXPORT_INTERVAL", Some("60000"));
const TRACE_CONTENT: Variable = Variable::new("TENORA_TRACE_CONTENT", Some("false"));

pub(super) const VARIABLES: &[&Variable] = &[
    &OPS_LISTEN,
    &ENDPOINT,
    &HEADERS,
    &PROTOCOL,
    &SERVICE_NAME,
    &RESOURCE_ATTRIBUTES,
    &SAMPLER_ARG,
    &METRIC_INTERVAL_MS,
    &TRACE_CONTENT,
];

/// Where the operator's numbers are served, and where traces and metrics are sent.
#[derive(Debug)]
pub struct TelemetrySettings {
    /// Address of `/metrics`, `/healthz` and `/readyz` without authentication; `None` = nowhere.
    pub ops_listen: Option<SocketAddr>,
    /// A collector; `None` = nothing is sent.
    pub otlp: Option<OtlpSettings>,
    /// Whether spans hold prompts and answers.
    pub content: bool,
}

/// A collector that speaks OTLP over HTTP, and what it is told about this process.
#[derive(Debug)]
pub struct OtlpSettings {
    /// Its base URL: `/v1/traces` and `/v1/metrics` are added.
    pub endpoint: Url,
    /// Headers of every request to it; their values are secrets.
    pub headers: Vec<(String, SecretString)>,
    /// `service.name`.
    pub service_name: String,
    /// Further resource attributes.
    pub resource: Vec<(String, String)>,
    /// Share of the traces that are kept where the caller has not decided.
    pub sampled: f64,
    /// How often metrics are sent.
    pub metric_interval: Duration,
}

impl TelemetrySettings {
    pub(super) fn read(reader: &mut Reader) -> Self {
        let ops_listen = reader.optional(&OPS_LISTEN, |text| {
            text.parse().map_err(|_| format!("`{text}` is not an address and port such as 127.0.0.1:9090"))
        });
        let content = reader.value(&TRACE_CONTENT, false, |text| {
            text.parse().map_err(|_| format!("`{text}` is not true or false"))
        });
        Self { ops_listen, otlp: OtlpSettings::read(reader), content }
    }
}

impl OtlpSettings {
    fn read(reader: &mut Reader) -> Option<Self> {
        let endpoint = reader.optional(&ENDPOINT, base_url);
        // Its values are never repeated.
        let headers = reader.optional(&HEADERS, |text| {
            pairs(text).ok_or_else(|| "must be name=value pairs with commas between".to_owned())
        });
        reader.optional(&PROTOCOL, |text| match text {
            "http/protobuf" => Ok(()),
            other => Err(format!(
                "`{other}` is not spoken here; use http/protobuf, which collectors take on port 4318"
            )),
        });
        let service_name =
            reader.value(&SERVICE_NAME, "tenora".to_owned(), |text| Ok::<_, String>(text.to_owned()));
        let resource = reader.value(&RESOURCE_ATTRIBUTES, Vec::new(), |text| {
            pairs(text).ok_or_else(|| format!("`{text}` is not name=value pairs with commas between"))
        });
        let sampled = reader.value(&SAMPLER_ARG, 1.0, |text| match text.parse::<f64>() {
            Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
            _ => Err(format!("`{text}` is not a number from 0 to 1")),
        });
        let interval_ms =
            reader.value(&METRIC_INTERVAL_MS, 60_000, |text| parse::number(text, 1_000..=3_600_000));
        let secret = |(name, value): (String, String)| (name, SecretString::from(value));
        Some(Self {
            endpoint: endpoint?,
            headers: headers.unwrap_or_default().into_iter().map(secret).collect(),
            service_name,
            resource,
            sampled,
            metric_interval: Duration::from_millis(interval_ms),
        })
    }
}

/// An address to which paths can be added.
fn base_url(text: &str) -> Result<Url, String> {
    let wrong = || format!("`{text}` is not a URL such as http://collector:4318");
    let mut url = Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
        return Err(wrong());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("must not hold a password; put it into {}", HEADERS.name));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// `name=value,name=value`, the values percent-encoded, as OpenTelemetry writes lists.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let pair = |part: &str| {
        let (name, value) = part.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        (!name.trim().is_empty()).then(|| (name.trim().to_owned(), value.into_owned()))
    };
    text.split(',').filter(|part| !part.trim().is_empty()).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_opentelemetry_writes_them() {
        let read = pairs("a=1, b = x%3D%2Cy ,").expect("well-formed");
        assert_eq!(read, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "x=,y".to_owned())]);
        for broken in ["a", "=1", "a=%ff"] {
            assert_eq!(pairs(broken), None, "{broken}");
        }
    }

    #[test]
    fn a_collector_is_a_plain_base_url() {
        assert_eq!(base_url("http://c:4318").expect("a URL").as_str(), "http://c:4318/");
        assert_eq!(base_url("https://c/otlp").expect("a URL").as_str(), "https://c/otlp/");
        for wrong in ["collector:4318", "grpc://c:4317", "nonsense"] {
            assert!(base_url(wrong).is_err(), "{wrong}");
        }
        let secret = base_url("http://user:hunter2@c:4318").expect_err("a password");
        assert!(!secret.contains("hunter2"), "{secret}");
    }
}
