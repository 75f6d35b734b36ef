//! How S3 is reached: the variables that Amazon's own tools read. They count only when the blobs are in S3.

use secrecy::SecretString;
use tenora_adapter_store::{BlobsUrl, S3Access, S3Credentials};

use super::reader::{Reader, Variable};

const ACCESS_KEY_ID: Variable = Variable::new("AWS_ACCESS_KEY_ID", None);
const SECRET_ACCESS_KEY: Variable = Variable::new("AWS_SECRET_ACCESS_KEY", None);
const SESSION_TOKEN: Variable = Variable::new("AWS_SESSION_TOKEN", None);
const REGION: Variable = Variable::new("AWS_REGION", Some("us-east-1"));
const ENDPOINT_URL: Variable = Variable::new("AWS_ENDPOINT_URL", None);
const WEB_IDENTITY_TOKEN_FILE: Variable = Variable::new("AWS_WEB_IDENTITY_TOKEN_FILE", None);
const ROLE_ARN: Variable = Variable::new("AWS_ROLE_ARN", None);
const CONTAINER_PATH: Variable = Variable::new("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", None);
const CONTAINER_URL: Variable = Variable::new("AWS_CONTAINER_CREDENTIALS_FULL_URI", None);
const CONTAINER_TOKEN_FILE: Variable = Variable::new("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", None);

pub(super) const VARIABLES: &[&Variable] = &[
    &ACCESS_KEY_ID,
    &SECRET_ACCESS_KEY,
    &SESSION_TOKEN,
    &REGION,
    &ENDPOINT_URL,
    &WEB_IDENTITY_TOKEN_FILE,
    &ROLE_ARN,
    &CONTAINER_PATH,
    &CONTAINER_URL,
    &CONTAINER_TOKEN_FILE,
];

/// What is set for S3, when that is where the blobs are; what somebody else needs it for is no business of ours.
pub(super) fn read(reader: &mut Reader, blobs: Option<&BlobsUrl>) -> S3Access {
    let Some(BlobsUrl::S3(_)) = blobs else { return S3Access::default() };
    S3Access {
        region: reader.value(&REGION, S3Access::default().region, region),
        endpoint: reader.optional(&ENDPOINT_URL, endpoint),
        credentials: credentials(reader),
    }
}

/// The first that is whole, in the order of Amazon's own tools.
fn credentials(reader: &mut Reader) -> S3Credentials {
    let text = |reader: &Reader, variable| reader.text(variable).map(str::to_owned);
    match (text(reader, &ACCESS_KEY_ID), reader.secret(&SECRET_ACCESS_KEY)) {
        (Some(id), Some(secret)) => return key(reader, id, secret),
        (Some(_), None) => reader.mistake(&SECRET_ACCESS_KEY, "must be set with AWS_ACCESS_KEY_ID"),
        (None, Some(_)) => reader.mistake(&ACCESS_KEY_ID, "must be set with AWS_SECRET_ACCESS_KEY"),
        (None, None) => {}
    }
    if let (Some(token_file), Some(role_arn)) =
        (text(reader, &WEB_IDENTITY_TOKEN_FILE), text(reader, &ROLE_ARN))
    {
        return S3Credentials::WebIdentity { token_file, role_arn };
    }
    if let Some(path) = text(reader, &CONTAINER_PATH) {
        return S3Credentials::ContainerPath(path);
    }
    if let (Some(url), Some(token_file)) = (text(reader, &CONTAINER_URL), text(reader, &CONTAINER_TOKEN_FILE))
    {
        return S3Credentials::ContainerUrl { url, token_file };
    }
    S3Credentials::Instance
}

fn key(reader: &Reader, id: String, secret: SecretString) -> S3Credentials {
    S3Credentials::Key { id, secret, session_token: reader.secret(&SESSION_TOKEN) }
}

fn region(text: &str) -> Result<String, String> {
    let right = text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if right { Ok(text.to_owned()) } else { Err(format!("`{text}` is not a region such as eu-central-1")) }
}

/// Plain HTTP only where the endpoint itself says so.
fn endpoint(text: &str) -> Result<String, String> {
    let wrong =
        || Err("is not http:// or https:// and a server, such as https://minio.example:9000".to_owned());
    match text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) {
        // A password in it would be shown in messages, and signs nothing.
        Some(server) if !server.is_empty() && !server.contains(['@', '?', '#', ' ']) => {
            Ok(text.trim_end_matches('/').to_owned())
        }
        _ => wrong(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Config, Mistakes, Mode};
    use super::*;

    fn access(vars: &[(&str, &str)]) -> Result<S3Access, Mistakes> {
        let base = [("TENORA_MODEL", "/models/base"), ("TENORA_BLOBS_URL", "s3://adapters/prod")];
        let vars = base.iter().chain(vars).map(|(name, value)| (name.to_string(), value.to_string()));
        Config::from_vars(vars, &Mode::Serve).map(|config| config.store.s3)
    }

    #[test]
    fn credentials_are_taken_in_the_order_of_amazons_tools() {
        let key = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
        let role =
            [("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"), ("AWS_ROLE_ARN", "arn:aws:iam::1:role/tenora")];
        let container = [("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials")];
        let pod = [
            ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
            ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/token"),
        ];
        let taken = |vars: &[(&str, &str)]| access(vars).expect("valid").credentials;
        let shown = format!("{:?}", taken(&[&key[..], &role].concat()));
        assert!(shown.starts_with("Key") && shown.contains("AKIA") && !shown.contains("hunter2"), "{shown}");
        assert!(matches!(taken(&[&role[..], &container].concat()), S3Credentials::WebIdentity { .. }));
        assert!(matches!(taken(&[&container[..], &pod].concat()), S3Credentials::ContainerPath(_)));
        assert!(matches!(taken(&pod), S3Credentials::ContainerUrl { .. }));
        assert!(matches!(taken(&role[..1]), S3Credentials::Instance));
    }

    #[test]
    fn mistakes_are_named_without_their_secrets() {
        for (vars, words) in [
            (&[("AWS_ACCESS_KEY_ID", "AKIA")][..], "AWS_SECRET_ACCESS_KEY: must be set with"),
            (&[("AWS_SECRET_ACCESS_KEY", "hunter2")], "AWS_ACCESS_KEY_ID: must be set with"),
            (&[("AWS_REGION", "eu/../x")], "AWS_REGION: `eu/../x` is not a region"),
            (&[("AWS_ENDPOINT_URL", "minio:9000")], "AWS_ENDPOINT_URL: is not http://"),
            (&[("AWS_ENDPOINT_URL", "https://user:hunter2@minio")], "AWS_ENDPOINT_URL: is not http://"),
        ] {
            let told = access(vars).expect_err("a mistake").to_string();
            assert!(told.contains(words) && !told.contains("hunter2"), "{told}");
        }
        let local = access(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:9000/")]).expect("valid");
        assert_eq!(local.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
    }

    #[test]
    fn without_s3_they_do_not_count() {
        let vars = [("TENORA_MODEL", "/models/base"), ("AWS_REGION", "!"), ("AWS_ACCESS_KEY_ID", "AKIA")];
        let vars = vars.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert!(Config::from_vars(vars, &Mode::Serve).is_ok());
    }
}
