//! The listener, its workers and their limits, and the way to stop: nothing new, what runs may finish, then the end.

use std::{
    io::ErrorKind,
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use actix_web::{App as Web, HttpServer, dev::ServerHandle, middleware::from_fn, web::Data};
use anyhow::{Context, anyhow};
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    app::App, auth::Authenticator, cors::Origins, front::front, live::Live, router,
    telemetry::metrics::Metrics,
};

/// How long a client may take to send the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// How long connections may linger when nothing is in flight any more.
const LINGER_S: u64 = 2;
/// Connections of one worker at most.
const MAX_CONNECTIONS: usize = 10_000;

/// Takes the address, before anything slow is done.
pub fn bind(address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!(
            "port {} on {} is in use by another program; choose another with TENORA_LISTEN, such as TENORA_LISTEN={}",
            address.port(),
            address.ip(),
            SocketAddr::new(address.ip(), address.port().checked_add(1).unwrap_or(8080)),
        ),
        ErrorKind::PermissionDenied => anyhow!(
            "port {} needs more rights than this user has; choose one above 1023 with TENORA_LISTEN",
            address.port()
        ),
        _ => anyhow!("cannot listen on {address}: {error}; choose another address with TENORA_LISTEN"),
    })
}

/// What requests are answered with.
#[derive(Clone)]
pub struct Parts {
    /// Everything that does the work.
    pub app: Data<App>,
    /// Who is who.
    pub authenticator: Data<Authenticator>,
    /// Whose pages may read answers.
    pub origins: Data<Origins>,
    /// Where requests are counted.
    pub metrics: Data<Metrics>,
    /// What happens just now.
    pub live: Data<Live>,
}

/// Serves until the process is asked to stop, then drains.
pub async fn serve(listener: TcpListener, parts: Parts, drain_timeout: Duration) -> anyhow::Result<()> {
    let mut stop = StopSignals::listen()?;
    let app = parts.app.clone();
    let server = start(listener, parts)?;
    let handle = server.handle();
    let mut running = std::pin::pin!(server);
    tokio::select! {
        ended = &mut running => return ended.context("the server stopped by itself"),
        () = stop.next() => {}
    }
    tokio::select! {
        ended = &mut running => ended.context("the server failed while it stopped"),
        () = drain(&app, &handle, &mut stop, drain_timeout) => Ok(()),
    }
}

/// Starts the workers; the server runs when it is awaited.
pub fn start(listener: TcpListener, parts: Parts) -> anyhow::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || {
        Web::new()
            .app_data(parts.app.clone())
            .app_data(parts.authenticator.clone())
            .app_data(parts.origins.clone())
            .app_data(parts.metrics.clone())
            .app_data(parts.live.clone())
            .configure(router::mount)
            .wrap(from_fn(front))
    });
    let server = server
        .client_request_timeout(HEAD_TIMEOUT)
        .keep_alive(KEEP_ALIVE)
        // A client that hangs up ends its request, also where nothing was written yet that could fail.
        .h1_allow_half_closed(false)
        // Else a token waits in the kernel until the client's side has acknowledged the one before: 40 ms on Linux.
        .tcp_nodelay(true)
        .max_connections(MAX_CONNECTIONS)
        .shutdown_timeout(LINGER_S)
        .disable_signals()
        .listen(listener)
        .context("cannot serve on the listener")?;
    Ok(server.run())
}

/// The listener stays open while requests finish, so that new ones are told to come back. A second signal ends it.
async fn drain(app: &App, server: &ServerHandle, stop: &mut StopSignals, timeout: Duration) {
    tracing::info!(timeout_s = timeout.as_secs(), "Stopping: requests in flight may finish");
    let left = tokio::select! {
        left = app.admission.drain(timeout) => left,
        () = stop.next() => {
            tracing::warn!("Asked again: stopping at once");
            server.stop(false).await;
            return;
        }
    };
    if left > 0 {
        tracing::warn!(left, "Requests were still in flight when the time to drain was over");
    }
    server.stop(left == 0).await;
    tracing::info!("Stopped");
}

/// The two ways of asking a process to stop.
struct StopSignals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl StopSignals {
    fn listen() -> anyhow::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_port_is_named_with_the_way_out() {
        let first = bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let address = first.local_addr().expect("bound");
        let error = bind(address).expect_err("busy").to_string();
        assert!(error.contains(&address.port().to_string()) && error.contains("TENORA_LISTEN"), "{error}");
    }
}
