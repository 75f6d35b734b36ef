//! A generation's answer, at once or as server-sent events. The permit travels in the stream: whoever drops the response
//! ends the generation and gives everything back.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    time::Duration,
};

use actix_web::{HttpResponse, HttpResponseBuilder};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream};
use serde::Serialize;
use tenora_engine::{Event, Timing};
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    admission::AdmittedStream,
    app::{App, ResolvedModel},
    error::{ApiError, ApiResult},
    limits::Standing,
    wire::generation::{Answer, Head, Piece, Shape, Telling, Usage},
};

/// Silence after which a comment is sent, so that no proxy takes the connection for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Characters of the base model's fingerprint that answers show.
const FINGERPRINT_CHARS: usize = 12;

/// What is known of an answer before it begins.
pub(super) struct Heading {
    model: String,
    digest: Option<String>,
    system_fingerprint: String,
    telling: Telling,
}

impl Heading {
    pub(super) fn new(app: &App, model: ResolvedModel, telling: Telling) -> Self {
        let fingerprint: String = app.base().fingerprint.chars().take(FINGERPRINT_CHARS).collect();
        let system_fingerprint = format!("fp_{fingerprint}");
        Self { model: model.echo, digest: model.digest, system_fingerprint, telling }
    }

    fn head<S: Shape>(&self) -> Head {
        Head {
            id: format!("{}-{}", S::ID_PREFIX, Uuid::now_v7().simple()),
            created: time::OffsetDateTime::now_utc().unix_timestamp(),
            model: self.model.clone(),
            system_fingerprint: self.system_fingerprint.clone(),
        }
    }

    fn response(&self) -> HttpResponseBuilder {
        let mut response = HttpResponse::Ok();
        if let Some(digest) = &self.digest {
            response.insert_header(("x-tenora-adapter-digest", digest.as_str()));
        }
        response
    }
}

/// Answers once the first event is there: what fails before it has a status of its own.
pub(super) async fn respond<S: Shape>(mut events: AdmittedStream, heading: Heading) -> ApiResult {
    let left: Vec<_> = events.standing().into_iter().flat_map(Standing::headers).collect();
    let Some(first) = events.next().await else { return Err(ApiError::ShuttingDown) };
    let first = first?;
    let events = stream::once(std::future::ready(Ok(first))).chain(events);
    let mut response = heading.response();
    left.into_iter().for_each(|header| _ = response.insert_header(header));
    if heading.telling.stream {
        return Ok(response
            .content_type("text/event-stream")
            .insert_header(("cache-control", "no-cache"))
            .insert_header(("x-accel-buffering", "no"))
            .streaming(sse::<S, _>(events, &heading)));
    }
    let (answers, usage) = collect(events).await?;
    let head = heading.head::<S>();
    response.insert_header(("server-timing", server_timing(&usage.timing)));
    Ok(response.json(S::whole(head, answers, usage.into())))
}

/// Every choice, whole.
async fn collect(
    events: impl Stream<Item = Result<Event, ApiError>>,
) -> Result<(Vec<Answer>, tenora_engine::Usage), ApiError> {
    let mut events = std::pin::pin!(events);
    let mut answers: Vec<Answer> = Vec::new();
    while let Some(event) = events.next().await {
        match event? {
            Event::Text { choice, text, logprobs } => {
                let answer = answer(&mut answers, choice);
                answer.text += &text;
                if !logprobs.is_empty() {
                    answer.logprobs.get_or_insert_default().extend(logprobs);
                }
            }
            Event::Finished { choice, reason } => answer(&mut answers, choice).reason = Some(reason),
            Event::Done(usage) => return Ok((answers, usage)),
        }
    }
    Err(ApiError::ShuttingDown)
}

fn answer(answers: &mut Vec<Answer>, choice: u32) -> &mut Answer {
    let index = choice as usize;
    if answers.len() <= index {
        answers.resize_with(index + 1, Answer::default);
    }
    &mut answers[index]
}

/// Where the time went, for browsers' and proxies' tools: milliseconds.
fn server_timing(timing: &Timing) -> String {
    let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
    format!(
        "queue;dur={:.3}, load;dur={:.3}, prefill;dur={:.3}, decode;dur={:.3}",
        ms(timing.queue),
        ms(timing.load),
        ms(timing.prefill),
        ms(timing.decode)
    )
}

/// A response's events, while they come.
struct Telegraph<S: Shape> {
    head: Head,
    include_usage: bool,
    /// Choices that were opened, and how many characters were told of each.
    told: BTreeMap<u32, usize>,
    shape: std::marker::PhantomData<S>,
}

/// The engine's events as server-sent ones; an error is the last of them.
fn sse<S: Shape, E: Stream<Item = Result<Event, ApiError>> + 'static>(
    events: E,
    heading: &Heading,
) -> impl Stream<Item = Result<Bytes, ApiError>> + use<S, E> {
    let telegraph = Telegraph::<S> {
        head: heading.head::<S>(),
        include_usage: heading.telling.include_usage,
        told: BTreeMap::new(),
        shape: std::marker::PhantomData,
    };
    stream::unfold(Some((Box::pin(events), telegraph)), |state| async {
        let (mut events, mut telegraph) = state?;
        match timeout(KEEP_ALIVE, events.next()).await {
            Err(_) => Some((Ok(Bytes::from_static(b": keep-alive\n\n")), Some((events, telegraph)))),
            Ok(Some(Ok(Event::Done(usage)))) => Some((Ok(telegraph.done(usage.into())), None)),
            Ok(Some(Ok(event))) => Some((Ok(telegraph.tell(event)), Some((events, telegraph)))),
            Ok(Some(Err(error))) => Some((Ok(broken(&error)), None)),
            Ok(None) => Some((Ok(broken(&ApiError::ShuttingDown)), None)),
        }
    })
}

impl<S: Shape> Telegraph<S> {
    fn tell(&mut self, event: Event) -> Bytes {
        let mut out = String::new();
        let choice = match &event {
            Event::Text { choice, .. } | Event::Finished { choice, .. } => *choice,
            Event::Done(_) => return Bytes::new(),
        };
        if let Entry::Vacant(unopened) = self.told.entry(choice) {
            unopened.insert(0);
            S::opening(&self.head, choice).iter().for_each(|chunk| write(&mut out, chunk));
        }
        let chunk = match event {
            Event::Text { choice, text, logprobs } => {
                let logprobs = (!logprobs.is_empty()).then_some(logprobs);
                let told = self.told.entry(choice).or_default();
                let offset = std::mem::replace(told, *told + text.chars().count());
                S::piece(&self.head, Piece { choice, text, logprobs, offset })
            }
            Event::Finished { choice, reason } => S::ending(&self.head, choice, reason),
            Event::Done(usage) => S::sum(&self.head, usage.into()),
        };
        write(&mut out, &chunk);
        out.into()
    }

    fn done(&self, usage: Usage) -> Bytes {
        let mut out = String::new();
        if self.include_usage {
            write(&mut out, &S::sum(&self.head, usage));
        }
        out.push_str("data: [DONE]\n\n");
        out.into()
    }
}

fn broken(error: &ApiError) -> Bytes {
    error.log();
    let mut out = String::new();
    write(&mut out, &error.envelope());
    out.into()
}

/// One event. JSON text has no line breaks of its own.
fn write(out: &mut String, value: &impl Serialize) {
    match serde_json::to_string(value) {
        Ok(json) => {
            out.push_str("data: ");
            out.push_str(&json);
            out.push_str("\n\n");
        }
        Err(error) => tracing::error!(%error, "An event could not be written"),
    }
}

#[cfg(test)]
mod tests;
