//! `GET /docs`: the API document for people. Three files in the binary, and no request to anybody else.

use actix_web::{
    HttpResponse,
    http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE},
};

use crate::{error::ApiResult, guard::Unproven};

/// Nothing but what comes from here.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The page.
#[utoipa::path(get, path = "/docs", tag = "server", responses((status = 200, description = "This document, for people.", content_type = "text/html")))]
pub async fn page(_: Unproven) -> ApiResult {
    Ok(file("text/html; charset=utf-8", include_str!("docs.html")))
}

/// The page's looks.
#[utoipa::path(get, path = "/docs/style.css", tag = "server", responses((status = 200, description = "The looks of /docs.", content_type = "text/css")))]
pub async fn style(_: Unproven) -> ApiResult {
    Ok(file("text/css; charset=utf-8", include_str!("docs.css")))
}

/// The page's work.
#[utoipa::path(get, path = "/docs/script.js", tag = "server", responses((status = 200, description = "The script of /docs.", content_type = "text/javascript")))]
pub async fn script(_: Unproven) -> ApiResult {
    Ok(file("text/javascript; charset=utf-8", include_str!("docs.js")))
}

fn file(kind: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, kind))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .body(text)
}
