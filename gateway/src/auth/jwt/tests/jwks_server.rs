//! A server of JWK sets that rotates, stalls, fails and lies on request, and counts who asks.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the next request meets.
#[derive(Clone)]
pub(super) enum Answer {
    /// This set, with these lines of header.
    Set(String, &'static str),
    /// The same, after a while.
    Slowly(String, Duration),
    /// A status line and header.
    Fail(&'static str),
    /// Nothing, ever.
    Stall,
    /// JSON without an end.
    Endless,
}

pub(super) struct JwksServer {
    pub(super) url: String,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
}

impl JwksServer {
    pub(super) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("bound"));
        let (answer, asked) = (Arc::new(Mutex::new(answer)), Arc::new(AtomicUsize::new(0)));
        let (current, count) = (answer.clone(), asked.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let answer = current.lock().expect("whole").clone();
                tokio::spawn(serve(stream, answer));
            }
        });
        Self { url, answer, asked }
    }

    pub(super) fn now_answers(&self, answer: Answer) {
        *self.answer.lock().expect("whole") = answer;
    }

    /// How often it was asked.
    pub(super) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

async fn serve(mut stream: TcpStream, answer: Answer) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => request.push(byte),
            Err(_) => return,
        }
    }
    match answer {
        Answer::Set(set, header) => _ = stream.write_all(ok(&set, header).as_bytes()).await,
        Answer::Slowly(set, wait) => {
            tokio::time::sleep(wait).await;
            _ = stream.write_all(ok(&set, "").as_bytes()).await;
        }
        Answer::Fail(status) => {
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            _ = stream.write_all(head.as_bytes()).await;
        }
        Answer::Stall => std::future::pending().await,
        Answer::Endless => {
            _ = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"keys\":[").await;
            while stream.write_all(&[b' '; 4096]).await.is_ok() {}
        }
    }
}

fn ok(set: &str, header: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n{header}\r\n{set}", set.len())
}
