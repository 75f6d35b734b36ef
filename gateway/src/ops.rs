//! What only the operator's machines see, on an address of its own: metrics, and whether the process lives and serves. It
//! answers from the first moment, while the base model is still on its way.

use std::{
    net::{SocketAddr, TcpListener},
    sync::{Arc, OnceLock},
};

use actix_web::{
    App as Web, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::header::ContentType,
    web::{self, Data},
};
use anyhow::Context;
use serde_json::json;

use crate::{app::App, error::ApiError, readiness, telemetry::Telemetry};

/// Requests at the same time; each is a scraper's or a probe's.
const MAX_CONNECTIONS: usize = 64;

/// The operator's listener.
pub struct Ops {
    server: ServerHandle,
    address: SocketAddr,
    app: Arc<OnceLock<Data<App>>>,
}

impl Ops {
    /// Answers on this listener from now on.
    pub fn start(listener: TcpListener, telemetry: &Telemetry) -> anyhow::Result<Self> {
        let address = listener.local_addr()?;
        let app = Arc::<OnceLock<Data<App>>>::default();
        let (ready, scrape) = (Data::from(Arc::clone(&app)), telemetry.scrape());
        let server = HttpServer::new(move || {
            let scrape = scrape.clone();
            let metrics = move || {
                let shown = scrape();
                async move {
                    let text = shown.map_err(|error| ApiError::internal(error.to_string()))?;
                    let answer = HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(text);
                    Ok::<_, ApiError>(answer)
                }
            };
            Web::new()
                .app_data(ready.clone())
                .route("/metrics", web::get().to(metrics))
                .route("/healthz", web::get().to(alive))
                .route("/readyz", web::get().to(is_ready))
        });
        let server = server
            .workers(1)
            .max_connections(MAX_CONNECTIONS)
            .disable_signals()
            .shutdown_timeout(0)
            .listen(listener)
            .context("cannot serve on TENORA_OPS_LISTEN")?
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Ok(Self { server: handle, address, app })
    }

    /// Where.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// There is something to serve.
    pub fn ready(&self, app: &Data<App>) {
        _ = self.app.set(app.clone());
    }

    /// Answers no more.
    pub async fn stop(self) {
        self.server.stop(false).await;
    }
}

async fn alive() -> HttpResponse {
    HttpResponse::Ok().insert_header(ContentType::json()).body(r#"{"status":"ok"}"#)
}

async fn is_ready(app: Data<OnceLock<Data<App>>>) -> HttpResponse {
    match app.get() {
        Some(app) => {
            let (code, readiness) = readiness::of(app).await;
            HttpResponse::build(code).json(readiness)
        }
        None => HttpResponse::ServiceUnavailable().json(json!({
            "status": "loading",
            "checks": {"model": "loading"},
        })),
    }
}
