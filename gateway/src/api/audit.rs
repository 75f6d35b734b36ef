//! `GET /admin/v1/audit`.

use actix_web::{
    HttpResponse,
    web::{Data, Query},
};
use tenora_adapter_store::{AuditQuery, AuditRecord, StoreError, TenantSlug};
use time::OffsetDateTime;

use super::{paging::paging, tenants::slug};
use crate::{
    app::App,
    auth::Viewer,
    error::{ApiError, ApiResult, ErrorEnvelope},
    wire::{
        audit::{AuditActor, AuditEvent, AuditParams},
        list::{List, PageQuery},
    },
};

/// Who changed what, newest first.
#[utoipa::path(get, path = "/admin/v1/audit", tag = "admin", security(("admin_key" = [])), params(AuditParams),
    responses((status = 200, body = List<AuditEvent>), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn list(viewer: Viewer, query: Query<AuditParams>, app: Data<App>) -> ApiResult {
    let AuditParams { tenant, kind, since, until, after, limit } = query.into_inner();
    let tenant: Option<TenantSlug> = tenant.as_deref().map(slug).transpose()?;
    let query = AuditQuery {
        action: kind,
        since: since.map(|at| moment("since", at)).transpose()?,
        until: until.map(|at| moment("until", at)).transpose()?,
        paging: paging(PageQuery { after, limit })?,
    };
    let page = app.store.operator(viewer.actor()).audit(tenant.as_ref(), &query).await;
    let page = page.map_err(|error| match (error, &tenant) {
        (StoreError::TenantNotFound, Some(slug)) => ApiError::TenantNotFound { slug: slug.to_string() },
        (other, _) => other.into(),
    })?;
    let has_more = page.has_more;
    Ok(HttpResponse::Ok().json(List::page(page.items.into_iter().map(shape).collect(), has_more)))
}

fn moment(field: &'static str, unix_s: i64) -> Result<OffsetDateTime, ApiError> {
    OffsetDateTime::from_unix_timestamp(unix_s)
        .map_err(|_| ApiError::invalid(field, format!("`{field}` must be a time in Unix seconds.")))
}

fn shape(record: AuditRecord) -> AuditEvent {
    AuditEvent {
        id: record.id.to_string(),
        object: "audit_event",
        kind: record.action,
        effective_at: record.created_at.unix_timestamp(),
        tenant: record.tenant.to_string(),
        actor: AuditActor {
            kind: record.actor,
            key_id: record.actor_key.map(|id| id.to_string()),
            subject: record.actor_subject,
            ip_address: record.actor_ip,
        },
        subject: record.subject,
        detail: record.detail,
    }
}
