//! A bucket of a test's own, on an S3 server of its own.

use crate::moto::{BUCKET, Moto};

/// An S3 server with a bucket. It ends with the value.
pub struct Bucket(Moto);

impl Bucket {
    /// Starts it; `None` after saying that the test is skipped.
    pub fn make() -> Option<Self> {
        Moto::start(&[]).map(Self)
    }

    /// What a server is told to keep its adapters there.
    pub fn variables(&self) -> [(&'static str, String); 4] {
        [
            ("TENORA_BLOBS_URL", format!("s3://{BUCKET}/prod")),
            ("AWS_ENDPOINT_URL", self.0.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "a secret that is never shown".to_owned()),
        ]
    }
}
