//! A blob store for tests that counts, is slow, or fails at a chosen operation; a wrapper around any other.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use object_store::path::Path as ObjectPath;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// Never.
const NONE: usize = usize::MAX;

#[derive(Debug)]
pub(crate) struct Faults {
    store: Arc<dyn ObjectStore>,
    state: Arc<State>,
}

#[derive(Debug)]
struct State {
    /// Operations begun.
    operations: AtomicUsize,
    /// The first operation that fails, and all after it.
    failing_from: AtomicUsize,
    /// How long each operation takes longer, in milliseconds.
    delay_ms: AtomicU64,
    /// Reads of whole files.
    gets: AtomicUsize,
    /// Parts, and bytes of parts, that were handed over and are not stored yet; and the most there were.
    parts: AtomicUsize,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
}

impl Faults {
    pub(crate) fn around(store: Arc<dyn ObjectStore>) -> Arc<Self> {
        let state = State {
            operations: AtomicUsize::new(0),
            failing_from: AtomicUsize::new(NONE),
            delay_ms: AtomicU64::new(0),
            gets: AtomicUsize::new(0),
            parts: AtomicUsize::new(0),
            in_flight: AtomicUsize::new(0),
            most_in_flight: AtomicUsize::new(0),
        };
        Arc::new(Self { store, state: Arc::new(state) })
    }

    /// Lets so many operations pass, and none after them.
    pub(crate) fn fail_after(&self, operations: usize) {
        self.state
            .failing_from
            .store(self.state.operations.load(Relaxed).saturating_add(operations), Relaxed);
    }

    /// Lets every operation pass again.
    pub(crate) fn mend(&self) {
        self.state.failing_from.store(NONE, Relaxed);
        self.slow_down(Duration::ZERO);
    }

    /// Makes every operation take longer.
    pub(crate) fn slow_down(&self, delay: Duration) {
        self.state.delay_ms.store(delay.as_millis() as u64, Relaxed);
    }

    /// Whole files that were read since this was last asked.
    pub(crate) fn gets(&self) -> usize {
        self.state.gets.swap(0, Relaxed)
    }

    /// Parts that were uploaded, and the most bytes of them in memory at a time.
    pub(crate) fn parts(&self) -> (usize, usize) {
        (self.state.parts.load(Relaxed), self.state.most_in_flight.load(Relaxed))
    }
}

impl State {
    async fn step(&self) -> Result<()> {
        let operation = self.operations.fetch_add(1, Relaxed);
        let delay = self.delay_ms.load(Relaxed);
        if delay > 0 {
            tokio::time::sleep(Duration::from_millis(delay)).await;
        }
        if operation < self.failing_from.load(Relaxed) {
            return Ok(());
        }
        Err(Error::Generic { store: "faults", source: format!("operation {operation} fails").into() })
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "faults around {}", self.store)
    }
}

#[async_trait::async_trait]
impl ObjectStore for Faults {
    async fn put_opts(&self, at: &ObjectPath, bytes: PutPayload, options: PutOptions) -> Result<PutResult> {
        self.state.step().await?;
        self.store.put_opts(at, bytes, options).await
    }

    async fn put_multipart_opts(
        &self,
        at: &ObjectPath,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.state.step().await?;
        let upload = self.store.put_multipart_opts(at, options).await?;
        Ok(Box::new(FaultyUpload { upload, state: self.state.clone() }))
    }

    async fn get_opts(&self, at: &ObjectPath, options: GetOptions) -> Result<GetResult> {
        self.state.step().await?;
        if !options.head {
            self.state.gets.fetch_add(1, Relaxed);
        }
        self.store.get_opts(at, options).await
    }

    fn delete_stream(
        &self,
        at: BoxStream<'static, Result<ObjectPath>>,
    ) -> BoxStream<'static, Result<ObjectPath>> {
        let state = self.state.clone();
        let steps = at.and_then(move |path| {
            let state = state.clone();
            async move { state.step().await.map(|()| path) }
        });
        self.store.delete_stream(steps.boxed())
    }

    fn list(&self, prefix: Option<&ObjectPath>) -> BoxStream<'static, Result<ObjectMeta>> {
        let (state, objects) = (self.state.clone(), self.store.list(prefix));
        let begin = async move { state.step().await.map(|()| objects) };
        begin.into_stream().try_flatten().boxed()
    }

    async fn list_with_delimiter(&self, prefix: Option<&ObjectPath>) -> Result<ListResult> {
        self.state.step().await?;
        self.store.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &ObjectPath, to: &ObjectPath, options: CopyOptions) -> Result<()> {
        self.state.step().await?;
        self.store.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct FaultyUpload {
    upload: Box<dyn MultipartUpload>,
    state: Arc<State>,
}

#[async_trait::async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (state, bytes) = (self.state.clone(), data.content_length());
        let in_flight = state.in_flight.fetch_add(bytes, Relaxed) + bytes;
        state.most_in_flight.fetch_max(in_flight, Relaxed);
        state.parts.fetch_add(1, Relaxed);
        let part = self.upload.put_part(data);
        async move {
            state.step().await?;
            part.await?;
            state.in_flight.fetch_sub(bytes, Relaxed);
            Ok(())
        }
        .boxed()
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.state.step().await?;
        self.upload.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        self.state.step().await?;
        self.upload.abort().await
    }
}
