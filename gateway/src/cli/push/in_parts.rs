//! Weights in parts: hash → find what is there → send what is missing → complete → make the version. What has arrived stays on
//! the server, which is asked for it; nothing is kept here.

use std::{
    io::SeekFrom,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, anyhow, bail};
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use reqwest::{
    Body, Method, RequestBuilder,
    multipart::{Form, Part},
};
use serde::Serialize;
use serde_json::{Value, json, value::RawValue};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tokio_util::io::ReaderStream;

use super::{CONFIG, WEIGHTS};
use crate::{
    cli::{
        client::{Client, Failure, Retry},
        table,
    },
    progress,
};

/// Parts that are sent at the same time.
const AT_ONCE: usize = 4;
/// How often a request is sent before the server counts as away: for about half a minute.
const ATTEMPTS: u32 = 8;
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);
const LONGEST_ASKED: Duration = Duration::from_secs(120);
/// How long one part may take.
const PART_TIMEOUT: Duration = Duration::from_secs(15 * 60);
const READ_BYTES: usize = 1 << 20;

/// Weights that are sent in parts.
pub(super) struct InParts {
    pub(super) client: Client,
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) part_bytes: u64,
    pub(super) resume: bool,
}

/// What makes a version of weights that are on the server.
#[derive(Serialize)]
struct Adapter<'a> {
    name: &'a str,
    /// As the file has it, to the byte.
    config: &'a RawValue,
    weights_upload_id: &'a Value,
}

/// An upload, with the ids of the parts that have arrived in their places.
struct Session {
    upload: Value,
    parts: Vec<Option<String>>,
}

impl Session {
    fn id(&self) -> &str {
        self.upload["id"].as_str().unwrap_or_default()
    }

    fn there(&self) -> usize {
        self.parts.iter().flatten().count()
    }
}

impl InParts {
    /// The version that was made. Interrupted, it can go on later.
    pub(super) async fn push(
        &self,
        make: RequestBuilder,
        name: &str,
        config: Vec<u8>,
    ) -> anyhow::Result<Value> {
        let config = String::from_utf8(config).ok().and_then(|text| RawValue::from_string(text).ok());
        let config = config.ok_or_else(|| anyhow!("{CONFIG} is not valid JSON; nothing was sent"))?;
        tokio::select! {
            version = self.send_all(make, name, &config) => version,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                bail!("interrupted; parts that have arrived stay on the server for a day: push again to send the rest")
            }
        }
    }

    async fn send_all(&self, make: RequestBuilder, name: &str, config: &RawValue) -> anyhow::Result<Value> {
        let sha256 = self.hash().await?;
        let upload = match self.completed(&sha256).await? {
            Some(upload) => upload,
            None => self.complete(&sha256).await?,
        };
        let body = Adapter { name, config, weights_upload_id: &upload["id"] };
        let made = self.client.send(make.json(&body)).await;
        made.with_context(|| {
            let until = table::moment(&upload["expires_at"]);
            format!(
                "the weights stay on the server until {until}, and pushing the same ones again sends nothing"
            )
        })
    }

    /// Sends what is missing and completes the upload.
    async fn complete(&self, sha256: &str) -> anyhow::Result<Value> {
        let mut session = self.session(sha256).await?;
        self.send_missing(&mut session).await?;
        let path = ["v1", "uploads", session.id(), "complete"];
        let body = json!({ "part_ids": session.parts, "sha256": sha256 });
        let completed = retried(async || {
            self.client.attempt(self.client.request(Method::POST, &path)?.json(&body)).await
        });
        match completed.await {
            Err(failure) if failure.code == "digest_mismatch" => {
                self.client.post(&["v1", "uploads", session.id(), "cancel"], &json!({})).await?;
                Err(failure.error.context(format!(
                    "what arrived is not what {WEIGHTS} has; the upload was given up: push again, and leave the file alone meanwhile"
                )))
            }
            other => Ok(other?),
        }
    }

    /// Reads the whole file once.
    async fn hash(&self) -> anyhow::Result<String> {
        let bar = progress::bytes("Hashing");
        bar.set_length(self.bytes);
        let mut file = tokio::fs::File::open(&self.path).await?;
        let mut hasher = ring::digest::Context::new(&ring::digest::SHA256);
        let mut buffer = vec![0; READ_BYTES];
        loop {
            match file.read(&mut buffer).await? {
                0 => break,
                read => {
                    hasher.update(&buffer[..read]);
                    bar.inc(read as u64);
                }
            }
        }
        bar.finish_and_clear();
        Ok(hex::encode(hasher.finish()))
    }

    /// An upload of the same bytes that was completed, and not used since.
    async fn completed(&self, sha256: &str) -> anyhow::Result<Option<Value>> {
        let upload = self.find("completed", sha256).await?;
        if upload.is_some() {
            table::aside("The weights are on the server already.")?;
        }
        Ok(upload)
    }

    /// An upload of the same bytes that broke off, with what has arrived of it, or a new one.
    async fn session(&self, sha256: &str) -> anyhow::Result<Session> {
        let count = usize::try_from(self.bytes.div_ceil(self.part_bytes))?;
        if let Some(upload) = self.find("pending", sha256).await? {
            let id = upload["id"].as_str().unwrap_or_default().to_owned();
            let arrived = self.client.all(&["v1", "uploads", &id, "parts"]).await?;
            if let Some(parts) = self.places(count, &arrived) {
                let session = Session { upload, parts };
                table::aside(&format!("Resuming: {} of {count} parts are on the server.", session.there()))?;
                return Ok(session);
            }
            table::aside(
                "An earlier push sent parts of another size; it is given up, and all parts are sent.",
            )?;
            self.client.post(&["v1", "uploads", &id, "cancel"], &json!({})).await?;
        }
        let body = json!({ "filename": WEIGHTS, "bytes": self.bytes, "sha256": sha256 });
        let upload = self.client.post(&["v1", "uploads"], &body).await?;
        Ok(Session { upload, parts: vec![None; count] })
    }

    /// The caller's own upload with these bytes and this status. A key that may not look has none.
    async fn find(&self, status: &str, sha256: &str) -> anyhow::Result<Option<Value>> {
        if !self.resume {
            return Ok(None);
        }
        let query = [("status", status), ("limit", "100")];
        let request = self.client.request(Method::GET, &["v1", "uploads"])?.query(&query);
        let mut page = match self.client.attempt(request).await {
            Err(refused) if refused.code == "insufficient_scope" => return Ok(None),
            page => page?,
        };
        let same = |upload: &&mut Value| {
            upload["sha256"] == sha256 && upload["bytes"] == self.bytes && upload["used"] == false
        };
        let uploads = page["data"].as_array_mut().map(Vec::as_mut_slice).unwrap_or_default();
        Ok(uploads.iter_mut().find(same).map(Value::take))
    }

    /// The arrived parts' ids in their places; `None` when they were cut in another way.
    fn places(&self, count: usize, arrived: &[Value]) -> Option<Vec<Option<String>>> {
        let mut places = vec![None; count];
        for part in arrived {
            let index = usize::try_from(part["part_number"].as_u64()?).ok()?.checked_sub(1)?;
            let place = places.get_mut(index)?;
            if part["bytes"] != self.range(index).1 {
                return None;
            }
            *place = Some(part["id"].as_str()?.to_owned());
        }
        Some(places)
    }

    /// Where the part with this index begins, and how long it is.
    fn range(&self, index: usize) -> (u64, u64) {
        let start = index as u64 * self.part_bytes;
        (start, self.part_bytes.min(self.bytes.saturating_sub(start)))
    }

    async fn send_missing(&self, session: &mut Session) -> anyhow::Result<()> {
        let missing: Vec<usize> = session
            .parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.is_none())
            .map(|(index, _)| index)
            .collect();
        let bar = progress::bytes("Uploading");
        bar.set_length(self.bytes);
        bar.set_position(self.bytes - missing.iter().map(|index| self.range(*index).1).sum::<u64>());
        bar.reset_eta();
        let id = session.id().to_owned();
        let sent = stream::iter(missing)
            .map(|index| self.send_part(&id, index, &bar))
            .buffer_unordered(AT_ONCE)
            .try_for_each(|(index, part)| {
                session.parts[index] = Some(part);
                std::future::ready(Ok(()))
            })
            .await;
        bar.finish_and_clear();
        sent.with_context(|| {
            let (there, of) = (session.there(), session.parts.len());
            let until = table::moment(&session.upload["expires_at"]);
            format!("{there} of {of} parts are on the server until {until}: push again to send the rest")
        })
    }

    async fn send_part(
        &self,
        upload: &str,
        index: usize,
        bar: &ProgressBar,
    ) -> anyhow::Result<(usize, String)> {
        let part = retried(async || self.attempt_part(upload, index, bar).await).await?;
        let id = part["id"].as_str().context("the server's answer has no part id; is it Tenora?")?;
        Ok((index, id.to_owned()))
    }

    async fn open_at(&self, start: u64) -> anyhow::Result<tokio::fs::File> {
        let mut file = tokio::fs::File::open(&self.path).await?;
        file.seek(SeekFrom::Start(start)).await?;
        Ok(file)
    }

    async fn attempt_part(&self, upload: &str, index: usize, bar: &ProgressBar) -> Result<Value, Failure> {
        let (start, length) = self.range(index);
        let file = self.open_at(start).await?;
        let sent = Arc::new(AtomicU64::new(0));
        let (counted, advanced) = (Arc::clone(&sent), bar.clone());
        let stream = ReaderStream::new(file.take(length)).inspect_ok(move |chunk| {
            counted.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            advanced.inc(chunk.len() as u64);
        });
        let form = Form::new()
            .text("part_number", (index + 1).to_string())
            .part("data", Part::stream_with_length(Body::wrap_stream(stream), length).file_name("data"));
        let request = self.client.request(Method::POST, &["v1", "uploads", upload, "parts"])?;
        let answer = self.client.attempt(request.multipart(form).timeout(PART_TIMEOUT)).await;
        if answer.is_err() {
            bar.dec(sent.load(Ordering::Relaxed));
        }
        answer
    }
}

/// Sends a request that may be sent twice until it succeeds, or cannot, or has failed too often.
async fn retried(attempt: impl AsyncFn() -> Result<Value, Failure>) -> Result<Value, Failure> {
    let mut wait = FIRST_WAIT;
    for left in (0..ATTEMPTS).rev() {
        let failure = match attempt().await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        match failure.retry {
            Retry::Never => return Err(failure),
            _ if left == 0 => return Err(failure),
            Retry::Soon => tokio::time::sleep(wait).await,
            Retry::After(asked) => tokio::time::sleep(asked.min(LONGEST_ASKED)).await,
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
    Err(anyhow!("nothing was sent").into())
}
