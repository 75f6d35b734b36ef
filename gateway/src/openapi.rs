//! The API document, made from the handlers and the wire shapes.

use actix_web::HttpResponse;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::{
    api::{
        adapters, aliases, audit, chat, completions, dashboard, docs, health, keys, limits, live, me, models,
        pushes, servers, session, tenants, uploads, usage, versions,
    },
    error::ApiResult,
    guard::Unproven,
    wire::{adapters::AdaptersOrder, tenants::TenantsOrder},
};

/// The document.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tenora",
        description = "Many tenants' LoRA adapters on one resident base model, behind the OpenAI API.",
    ),
    paths(
        chat::create, completions::create,
        models::list, models::show,
        adapters::create, adapters::list, adapters::show, adapters::delete,
        versions::list, versions::show, versions::update, versions::delete,
        aliases::list, aliases::show, aliases::put, aliases::roll_back, aliases::delete,
        pushes::list, pushes::show, pushes::events,
        uploads::create, uploads::list, uploads::show, uploads::add_part, uploads::list_parts,
        uploads::complete, uploads::cancel,
        me::show, limits::show, keys::list, keys::create, keys::revoke, keys::rotate,
        tenants::create, tenants::list, tenants::show, tenants::update, tenants::delete,
        keys::create_for, keys::list_of, keys::revoke_of, keys::rotate_of,
        audit::list, limits::defaults, servers::list, servers::update,
        usage::own, usage::all,
        health::about, health::alive, health::ready, document,
        docs::page, docs::style, docs::script,
        dashboard::page, dashboard::file, session::create, session::show, session::delete,
        live::own, live::all, adapters::list_of, versions::list_of, aliases::list_of,
    ),
    components(schemas(TenantsOrder, AdaptersOrder)),
    modifiers(&Credentials, &Names),
)]
pub struct Document;

struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = |words: &str| {
            SecurityScheme::Http(
                HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(words)).build(),
            )
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("api_key", bearer("A tenant's API key."));
        components
            .add_security_scheme("admin_key", bearer("The operator's key: another class of credentials."));
    }
}

/// Every operation has a name of its own, by its method and path: handlers in different modules share theirs.
struct Names;

impl Modify for Names {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            let words: Vec<_> =
                path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
            let operations = [
                ("get", &mut item.get),
                ("put", &mut item.put),
                ("post", &mut item.post),
                ("delete", &mut item.delete),
                ("patch", &mut item.patch),
            ];
            for (method, operation) in operations {
                if let Some(operation) = operation {
                    operation.operation_id = Some([&[method], &words[..]].concat().join("_"));
                }
            }
        }
    }
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "server", responses((status = 200, description = "This document.")))]
pub async fn document(_: Unproven) -> ApiResult {
    Ok(HttpResponse::Ok().json(Document::openapi()))
}
