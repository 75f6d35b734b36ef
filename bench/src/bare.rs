//! A server that answers every request at once, with an answer that it was given: what an engine that takes no time
//! would be, asked directly. It has the HTTP stack, the workers and the process of its own that the real server has, so
//! that what a client waits for it is the floor of every wait.

use std::io::{Write, read_to_string, stdin, stdout};

use actix_web::{
    App, HttpResponse, HttpServer,
    http::header::{CONNECTION, CONTENT_LENGTH, DATE, HeaderName, HeaderValue, TRANSFER_ENCODING},
    web::{self, Data},
};
use anyhow::Context;
use serde::{Deserialize, Serialize};

/// What a server writes of its own.
const OWN: [HeaderName; 4] = [CONNECTION, CONTENT_LENGTH, DATE, TRANSFER_ENCODING];

/// An answer: its headers by name, and its body.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

/// The answer as it is sent, again and again.
struct Ready {
    headers: Vec<(HeaderName, HeaderValue)>,
    body: web::Bytes,
}

/// Reads an answer in JSON from standard input, says where it listens, and serves until it is killed.
///
/// # Errors
/// What is no answer, and no free port.
pub async fn serve() -> anyhow::Result<()> {
    let answer: Answer =
        serde_json::from_str(&read_to_string(stdin())?).context("standard input has no answer in JSON")?;
    let answer = Data::new(answer.ready()?);
    let server =
        HttpServer::new(move || App::new().app_data(answer.clone()).default_service(web::to(at_once)));
    let server = server.tcp_nodelay(true).bind(("127.0.0.1", 0))?;
    let address = server.addrs().first().copied().context("no address")?;
    writeln!(stdout(), "A bare server at http://{address}")?;
    Ok(server.run().await?)
}

/// Reads the request to its end, as an engine would have to.
async fn at_once(_: web::Bytes, answer: Data<Ready>) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    for header in &answer.headers {
        response.insert_header(header.clone());
    }
    response.body(answer.body.clone())
}

impl Answer {
    fn ready(self) -> anyhow::Result<Ready> {
        let pair = |(name, value): (String, String)| anyhow::Ok((name.parse()?, value.parse()?));
        let mut headers =
            self.headers.into_iter().map(pair).collect::<anyhow::Result<Vec<(HeaderName, _)>>>()?;
        headers.retain(|(name, _)| !OWN.contains(name));
        Ok(Ready { headers, body: self.body.into() })
    }
}
