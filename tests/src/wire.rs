//! A wire to a server that breaks when so many bytes have gone to it, and can be mended.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// A proxy that counts what clients send.
pub struct BreakingWire {
    /// Where clients find the server through it.
    pub url: String,
    state: Arc<State>,
}

struct State {
    broken: watch::Sender<bool>,
    carried: AtomicU64,
    most: AtomicU64,
}

impl BreakingWire {
    /// A wire to the server at this URL that breaks after so many bytes.
    pub async fn to(server: &str, most: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("bound"));
        let target = server.trim_start_matches("http://").to_owned();
        let state = Arc::new(State {
            broken: watch::Sender::new(false),
            carried: AtomicU64::new(0),
            most: AtomicU64::new(most),
        });
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, target.clone(), Arc::clone(&shared)));
            }
        });
        Self { url, state }
    }

    /// Waits until it is broken.
    pub async fn breaks(&self) {
        self.state.broken.subscribe().wait_for(|broken| *broken).await.expect("it has an owner");
    }

    /// Lets everything pass from now on, and counts from the start.
    pub fn mend(&self) {
        self.state.carried.store(0, Ordering::Relaxed);
        self.state.most.store(u64::MAX, Ordering::Relaxed);
        self.state.broken.send_replace(false);
    }

    /// Bytes that clients sent since it was made, or mended.
    pub fn carried(&self) -> u64 {
        self.state.carried.load(Ordering::Relaxed)
    }
}

async fn carry(client: TcpStream, target: String, state: Arc<State>) {
    let mut broken = state.broken.subscribe();
    if *broken.borrow() {
        return;
    }
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (client_reads, client_writes) = client.into_split();
    let (server_reads, server_writes) = server.into_split();
    tokio::select! {
        () = pump(client_reads, server_writes, Some(&state)) => {}
        () = pump(server_reads, client_writes, None) => {}
        _ = broken.wait_for(|broken| *broken) => {}
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: Option<&State>) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if let Some(state) = count {
            let bytes = u64::try_from(read).expect("small");
            let carried = state.carried.fetch_add(bytes, Ordering::Relaxed) + bytes;
            if carried > state.most.load(Ordering::Relaxed) {
                state.broken.send_replace(true);
                return;
            }
        }
        if to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
