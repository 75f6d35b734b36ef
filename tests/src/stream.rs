//! A stream of server-sent events, read as SDKs read it.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde_json::{Value, json};

type Chunks = futures_util::stream::BoxStream<'static, reqwest::Result<Vec<u8>>>;

/// An open stream. Dropping it hangs up.
pub struct Stream {
    chunks: Chunks,
    buffer: String,
    last: Instant,
    /// The longest silence between two events.
    pub longest_gap: Duration,
}

impl Stream {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        let chunks = response.bytes_stream().map(|chunk| chunk.map(|bytes| bytes.to_vec())).boxed();
        Self { chunks, buffer: String::new(), last: Instant::now(), longest_gap: Duration::ZERO }
    }

    /// The next event; `None` after `[DONE]`, which must come before the end.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            while let Some((event, rest)) = self.buffer.split_once("\n\n") {
                let event = event.to_owned();
                self.buffer = rest.to_owned();
                let Some(data) = event.strip_prefix("data: ") else { continue };
                self.longest_gap = self.longest_gap.max(self.last.elapsed());
                self.last = Instant::now();
                if data == "[DONE]" {
                    return None;
                }
                return Some(serde_json::from_str(data).expect("every event is JSON"));
            }
            let chunk = self.chunks.next().await.expect("a stream ends with [DONE]");
            self.buffer += &String::from_utf8(chunk.expect("unbroken")).expect("chunks are whole events");
        }
    }

    /// Every event that is left.
    pub async fn rest(&mut self) -> Vec<Value> {
        let mut events = Vec::new();
        while let Some(event) = self.next().await {
            events.push(event);
        }
        events
    }

    /// The text that is left of a chat's first choice.
    pub async fn text(&mut self) -> String {
        let content = |event: &Value| event["choices"][0]["delta"]["content"].as_str().map(str::to_owned);
        self.rest().await.iter().filter_map(content).collect()
    }
}

/// A greedy question of one message.
pub fn chat(model: &str, text: &str) -> Value {
    json!({
        "model": model,
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "max_tokens": 80,
    })
}
