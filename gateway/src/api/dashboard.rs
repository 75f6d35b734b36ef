//! `/dashboard`: the operators' and tenants' page, from the binary alone. Built by `make dashboard`; without that it says how.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
    },
};

use crate::{
    error::{ApiError, ApiResult},
    guard::Unproven,
};

include!(concat!(env!("OUT_DIR"), "/dashboard.rs"));

/// Nothing but what comes from here. The component library sets styles on elements, so that these are allowed in the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// What a file is called when its content is in its name.
const ASSETS: &str = "assets/";

/// A file of the page.
struct File {
    path: &'static str,
    bytes: &'static [u8],
    gzip: Option<&'static [u8]>,
}

/// The page, and whatever address within it: it finds its way by itself.
#[utoipa::path(get, path = "/dashboard", tag = "server", responses((status = 200, description = "The dashboard.", content_type = "text/html")))]
pub async fn page(_: Unproven, request: HttpRequest) -> ApiResult {
    Ok(match find("index.html") {
        Some(page) => answer(&request, page),
        None => page_without(),
    })
}

/// A file of the page, or the page.
#[utoipa::path(get, path = "/dashboard/{path}", tag = "server",
    params(("path" = String, Path, description = "A file of the page, or an address within it.")),
    responses((status = 200, description = "The file, or the dashboard.", content_type = "text/html"), (status = "4XX", body = crate::error::ErrorEnvelope)))]
pub async fn file(unproven: Unproven, request: HttpRequest) -> ApiResult {
    let path = request.match_info().query("path");
    match find(path) {
        Some(file) => Ok(answer(&request, file)),
        None if path.starts_with(ASSETS) => {
            Err(ApiError::RouteNotFound { path: ApiError::echo(request.path()) })
        }
        None => page(unproven, request).await,
    }
}

fn find(path: &str) -> Option<&'static File> {
    FILES.iter().find(|file| file.path == path)
}

fn answer(request: &HttpRequest, file: &'static File) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, kind(file.path))).insert_header((CONTENT_SECURITY_POLICY, POLICY));
    let cache =
        if file.path.starts_with(ASSETS) { "public, max-age=31536000, immutable" } else { "no-cache" };
    response.insert_header((CACHE_CONTROL, cache)).insert_header((VARY, "accept-encoding"));
    let accepts =
        request.headers().get(ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let takes_gzip =
        accepts.split(',').any(|coding| coding.split(';').next().is_some_and(|name| name.trim() == "gzip"));
    match file.gzip.filter(|_| takes_gzip) {
        Some(gzip) => response.insert_header((CONTENT_ENCODING, "gzip")).body(gzip),
        None => response.body(file.bytes),
    }
}

fn kind(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "json" => "application/json",
        "png" => "image/png",
        "woff2" => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// What is there when the page was not built.
fn page_without() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(
            "<!doctype html><html lang=en><meta charset=utf-8><title>Tenora</title>\
             <body style=\"font:16px/1.5 system-ui;max-width:40em;margin:4em auto;padding:0 1em\">\
             <h1>The dashboard was not built</h1>\
             <p>This binary was built on a machine without Node. Install Node 20 or newer, and in the source folder run</p>\
             <pre>make dashboard\nmake run</pre>\
             <p>The API is there all the same: <a href=/docs>/docs</a>, and <code>tenora --help</code> speaks all of it.</p>",
        )
}
