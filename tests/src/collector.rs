//! A collector that takes OTLP over HTTP as it comes, keeps what it got, and can be in a bad mood.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::any_value,
    trace::v1::{Span, span::SpanKind},
};
use prost::Message;

/// How it treats what it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes it.
    Takes,
    /// Answers 503.
    Refuses,
    /// Reads and never answers.
    Hangs,
}

/// A collector on a port of its own.
pub struct Collector {
    /// What `OTEL_EXPORTER_OTLP_ENDPOINT` is set to.
    pub url: String,
    mood: Arc<AtomicU8>,
    received: Arc<Mutex<Received>>,
}

#[derive(Default)]
struct Received {
    bodies: BTreeMap<String, Vec<Vec<u8>>>,
    headers: Vec<String>,
}

impl Collector {
    /// Listens from now on, for as long as the process runs.
    pub fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let (mood, received) = (Arc::new(AtomicU8::new(mood as u8)), Arc::<Mutex<Received>>::default());
        let shared = (Arc::clone(&mood), Arc::clone(&received));
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (mood, received) = shared.clone();
                std::thread::spawn(move || while take(&connection, &mood, &received).is_some() {});
            }
        });
        Self { url, mood, received }
    }

    /// Changes its mood.
    pub fn becomes(&self, mood: Mood) {
        self.mood.store(mood as u8, Relaxed);
    }

    /// The spans so far.
    pub fn spans(&self) -> Vec<Span> {
        let received = self.received.lock().expect("no panic");
        let requests = received.bodies.get("/v1/traces").into_iter().flatten();
        requests
            .map(|body| ExportTraceServiceRequest::decode(&body[..]).expect("OTLP"))
            .flat_map(|request| request.resource_spans)
            .flat_map(|resource| resource.scope_spans)
            .flat_map(|scope| scope.spans)
            .collect()
    }

    /// The spans of one trace, once that of this name is among them, and no more come.
    pub async fn trace(&self, trace_id: &str, root: &str) -> Trace {
        let started = Instant::now();
        loop {
            let spans = self.spans().into_iter().filter(|span| hex(&span.trace_id) == trace_id);
            let trace = Trace(spans.collect());
            if trace.0.iter().any(|span| span.name == root) {
                return trace;
            }
            assert!(started.elapsed() < Duration::from_secs(30), "no span {root} came");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Everything that was received for a signal's path, as it came.
    pub fn bodies(&self, path: &str) -> Vec<Vec<u8>> {
        self.received.lock().expect("no panic").bodies.get(path).cloned().unwrap_or_default()
    }

    /// Every header line so far.
    pub fn headers(&self) -> Vec<String> {
        self.received.lock().expect("no panic").headers.clone()
    }
}

/// The spans of one trace.
#[derive(Debug)]
pub struct Trace(Vec<Span>);

impl Trace {
    /// The tree below a caller's span, one line each, by name and beginning, indented.
    pub fn tree(&self, parent: &str) -> Vec<String> {
        let mut lines = Vec::new();
        self.below(parent, 0, &mut lines);
        lines
    }

    fn below(&self, parent: &str, depth: usize, lines: &mut Vec<String>) {
        let mut children: Vec<_> = self.0.iter().filter(|span| hex(&span.parent_span_id) == parent).collect();
        children.sort_by_key(|span| (span.start_time_unix_nano, span.end_time_unix_nano));
        for span in children {
            lines.push(format!("{}{}", "  ".repeat(depth), span.name));
            self.below(&hex(&span.span_id), depth + 1, lines);
        }
    }

    /// The one span of this name.
    pub fn span(&self, name: &str) -> &Span {
        let mut named = self.0.iter().filter(|span| span.name == name);
        let span = named.next();
        assert!(span.is_some(), "there is no span {name}");
        assert!(named.next().is_none(), "there are two spans {name}");
        span.expect("it is there")
    }

    /// An attribute of the one span of this name, as text.
    pub fn attribute(&self, name: &str, key: &str) -> Option<String> {
        let attribute = self.span(name).attributes.iter().find(|attribute| attribute.key == key)?;
        let text = |value: &any_value::Value| match value {
            any_value::Value::StringValue(text) => text.clone(),
            any_value::Value::IntValue(number) => number.to_string(),
            any_value::Value::DoubleValue(number) => number.to_string(),
            any_value::Value::BoolValue(truth) => truth.to_string(),
            other => format!("{other:?}"),
        };
        attribute.value.as_ref()?.value.as_ref().map(text)
    }

    /// What kind of span the one of this name is.
    pub fn kind(&self, name: &str) -> SpanKind {
        self.span(name).kind()
    }
}

/// An id as people write it.
pub fn hex(id: &[u8]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One request; `None` when the connection is over.
fn take(connection: &TcpStream, mood: &AtomicU8, received: &Mutex<Received>) -> Option<()> {
    let mut reader = BufReader::new(connection);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
    let path = line.split(' ').nth(1)?.to_owned();
    let (mut length, mut headers) = (0, Vec::new());
    loop {
        let mut header = String::new();
        reader.read_line(&mut header).ok().filter(|read| *read > 0)?;
        if header.trim().is_empty() {
            break;
        }
        if let Some(value) = header.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
        headers.push(header.trim().to_owned());
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let mood = mood.load(Relaxed);
    if mood == Mood::Takes as u8 {
        let mut received = received.lock().expect("no panic");
        received.bodies.entry(path).or_default().push(body);
        received.headers.extend(headers);
    }
    if mood == Mood::Hangs as u8 {
        std::thread::sleep(Duration::from_secs(3600));
    }
    let status = if mood == Mood::Refuses as u8 { "503 Service Unavailable" } else { "200 OK" };
    let mut writer = connection;
    write!(writer, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").ok()
}
