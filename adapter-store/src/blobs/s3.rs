//! Opening S3: credentials, region and endpoint as they were given, retries with an end, and what to do when it cannot be used.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key};
use object_store::prefix::PrefixStore;
use object_store::{BackoffConfig, ObjectStore, RetryConfig};
use secrecy::ExposeSecret;

use super::ANSWER_TIMEOUT;
use super::http::Connector;
use crate::config::{Bucket, S3Access, S3Credentials};
use crate::error::StoreError;

const MAX_RETRIES: usize = 3;
const FIRST_BACKOFF: Duration = Duration::from_millis(200);
const LONGEST_BACKOFF: Duration = Duration::from_secs(2);
/// How long after its begin a request, or a download, may still be tried again.
const RETRY_TIMEOUT: Duration = Duration::from_secs(180);

/// The bucket, after asking whether it is there and may be listed.
pub(super) async fn open(bucket: &Bucket, access: &S3Access) -> Result<Arc<dyn ObjectStore>, StoreError> {
    let place = Place { bucket, access };
    let built = builder(bucket, access).build();
    let store = within(bucket, built.map_err(|error| place.problem(&chain(&error)))?);
    match tokio::time::timeout(ANSWER_TIMEOUT, store.list(None).next()).await {
        Ok(None | Some(Ok(_))) => Ok(store),
        Ok(Some(Err(error))) => Err(place.problem(&chain(&error))),
        Err(_) => Err(place.problem(&format!("there was no answer within {} s", ANSWER_TIMEOUT.as_secs()))),
    }
}

fn within(bucket: &Bucket, store: AmazonS3) -> Arc<dyn ObjectStore> {
    match bucket.prefix() {
        Some(prefix) => Arc::new(PrefixStore::new(store, prefix)),
        None => Arc::new(store),
    }
}

fn builder(bucket: &Bucket, access: &S3Access) -> AmazonS3Builder {
    let backoff = BackoffConfig { init_backoff: FIRST_BACKOFF, max_backoff: LONGEST_BACKOFF, base: 2.0 };
    let mut builder = AmazonS3Builder::new()
        .with_http_connector(Connector)
        .with_retry(RetryConfig { backoff, max_retries: MAX_RETRIES, retry_timeout: RETRY_TIMEOUT })
        // Not every server that speaks S3 can delete in bulk.
        .with_disable_bulk_delete(true)
        .with_bucket_name(bucket.name())
        .with_region(&access.region);
    if let Some(endpoint) = &access.endpoint {
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    match &access.credentials {
        S3Credentials::Key { id, secret, session_token } => {
            let builder = builder.with_access_key_id(id).with_secret_access_key(secret.expose_secret());
            match session_token {
                Some(token) => builder.with_token(token.expose_secret()),
                None => builder,
            }
        }
        S3Credentials::WebIdentity { token_file, role_arn } => builder
            .with_config(Key::WebIdentityTokenFile, token_file)
            .with_config(Key::RoleArn, role_arn)
            .with_config(Key::RoleSessionName, "tenora"),
        S3Credentials::ContainerPath(path) => builder.with_config(Key::ContainerCredentialsRelativeUri, path),
        S3Credentials::ContainerUrl { url, token_file } => builder
            .with_config(Key::ContainerCredentialsFullUri, url)
            .with_config(Key::ContainerAuthorizationTokenFile, token_file),
        S3Credentials::Instance => builder,
    }
}

/// A bucket that could not be opened.
struct Place<'a> {
    bucket: &'a Bucket,
    access: &'a S3Access,
}

impl Place<'_> {
    /// What is wrong and what would mend it, in an operator's words.
    fn problem(&self, told: &str) -> StoreError {
        let name = self.bucket.name();
        let server = self.access.endpoint.as_deref().unwrap_or("Amazon S3");
        let words = match code(told) {
            Some("NoSuchBucket") => {
                format!("{server} has no bucket {name}; make it, or name another in TENORA_BLOBS_URL")
            }
            Some(
                "PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException",
            ) => {
                format!(
                    "the bucket {name} is not in the region {}; set AWS_REGION to its own",
                    self.access.region
                )
            }
            Some(
                code @ ("AccessDenied"
                | "InvalidAccessKeyId"
                | "SignatureDoesNotMatch"
                | "ExpiredToken"
                | "InvalidToken"
                | "InvalidClientTokenId"
                | "AllAccessDisabled"
                | "RequestTimeTooSkewed"),
            ) => {
                format!(
                    "{server} denies access to the bucket {name} ({code}); check the credentials, and allow them \
                     s3:ListBucket on the bucket and s3:GetObject, s3:PutObject, s3:DeleteObject and \
                     s3:AbortMultipartUpload on what is in it"
                )
            }
            Some(code) => format!("{server} refuses the bucket {name} ({code}): {told}"),
            None => match self.access.credentials {
                S3Credentials::Instance => format!(
                    "the bucket {name} cannot be asked for: {told}; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, \
                     or give this machine a role"
                ),
                _ => format!(
                    "{server} cannot be asked for the bucket {name}: {told}; check AWS_ENDPOINT_URL, AWS_REGION and \
                     the network"
                ),
            },
        };
        StoreError::Setup(words)
    }
}

/// The error code in S3's own answer.
fn code(told: &str) -> Option<&str> {
    Some(told.split_once("<Code>")?.1.split_once("</Code>")?.0)
}

/// An error with what caused it, each once.
fn chain(error: &dyn StdError) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !told.contains(&words) {
            told = format!("{told}: {words}");
        }
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BlobsUrl;

    #[test]
    fn what_is_wrong_with_a_bucket_is_told_with_what_to_do() {
        let BlobsUrl::S3(bucket) = BlobsUrl::parse("s3://adapters").unwrap() else { unreachable!() };
        let key = |id: &str| S3Credentials::Key {
            id: id.to_owned(),
            secret: "hunter2".into(),
            session_token: None,
        };
        let access = S3Access { credentials: key("AKIA"), ..S3Access::default() };
        let problem = |access: &S3Access, told: &str| {
            let StoreError::Setup(words) = (Place { bucket: &bucket, access }).problem(told) else {
                panic!("not about the set-up")
            };
            words
        };
        for (told, words) in [
            ("<Code>NoSuchBucket</Code>", "make it, or name another in TENORA_BLOBS_URL"),
            ("<Code>PermanentRedirect</Code>", "not in the region us-east-1; set AWS_REGION"),
            ("<Code>AccessDenied</Code>", "s3:ListBucket"),
            ("<Code>SignatureDoesNotMatch</Code>", "check the credentials"),
            ("<Code>SlowDown</Code>", "refuses the bucket adapters (SlowDown)"),
            ("connection refused", "check AWS_ENDPOINT_URL"),
        ] {
            let told = problem(&access, told);
            assert!(told.contains(words) && !told.contains("hunter2"), "{told}");
        }
        let told = problem(&S3Access::default(), "http://169.254.169.254 did not answer");
        assert!(told.contains("AWS_ACCESS_KEY_ID"), "{told}");
    }
}
