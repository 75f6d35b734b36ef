//! `/v1/usage` and `/admin/v1/usage`: what was used, in buckets of time.

use std::time::Duration;

use actix_web::{
    HttpResponse,
    web::{Data, Query},
};
use tenora_adapter_store::{
    AdapterName, BucketWidth, GroupBy, KeyId, ModelFilter, TenantSlug, UsageQuery, UsageSum, UsedModel,
    VersionNumber,
};
use time::OffsetDateTime;

use crate::{
    app::App,
    auth::{Caller, Viewer},
    error::{ApiError, ApiResult, ErrorEnvelope},
    scope,
    wire::usage::{self, UsageBucket, UsagePage, UsageResult},
};

type Pairs = Query<Vec<(String, String)>>;

/// What the caller's tenant used.
#[utoipa::path(get, path = "/v1/usage", tag = "usage", security(("api_key" = [])), params(usage::UsageQuery),
    responses((status = 200, body = UsagePage), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn own(caller: Caller<scope::UsageRead>, pairs: Pairs, app: Data<App>) -> ApiResult {
    let asked = usage::UsageQuery::read(&pairs)?;
    only_for_the_operator(&asked)?;
    let query = query(&asked, &app.base().id)?;
    still_there(&query, app.usage_events_kept)?;
    let page = app.store.tenant(caller.tenant().id).usage(&query).await?;
    Ok(HttpResponse::Ok().json(shape(page, &app.base().id)))
}

/// What all tenants used, or some of them.
#[utoipa::path(get, path = "/admin/v1/usage", tag = "admin", security(("admin_key" = [])), params(usage::UsageQuery),
    responses((status = 200, body = UsagePage), (status = "4XX", body = ErrorEnvelope), (status = "5XX", body = ErrorEnvelope)))]
pub async fn all(viewer: Viewer, pairs: Pairs, app: Data<App>) -> ApiResult {
    let asked = usage::UsageQuery::read(&pairs)?;
    let slugs = each("project_ids", &asked.project_ids, |text| {
        TenantSlug::parse(text).map_err(|_| "a tenant's slug")
    })?;
    let query = query(&asked, &app.base().id)?;
    still_there(&query, app.usage_events_kept)?;
    let page = app.store.operator(viewer.actor()).usage(&slugs, &query).await?;
    Ok(HttpResponse::Ok().json(shape(page, &app.base().id)))
}

fn only_for_the_operator(asked: &usage::UsageQuery) -> Result<(), ApiError> {
    if asked.group_by.contains(&usage::GroupBy::ProjectId) {
        let message = "`group_by` can be `project_id` for the operator only; use `api_key_id` or `model`.";
        return Err(ApiError::invalid("group_by", message));
    }
    if !asked.project_ids.is_empty() {
        let message =
            "`project_ids` is for the operator only; leave it out, as a key sees its own tenant alone.";
        return Err(ApiError::invalid("project_ids", message));
    }
    Ok(())
}

/// The question in the store's words.
fn query(asked: &usage::UsageQuery, base: &str) -> Result<UsageQuery, ApiError> {
    let (width, usual) = match asked.bucket_width {
        usage::Width::Minute => (BucketWidth::Minute, 60),
        usage::Width::Hour => (BucketWidth::Hour, 24),
        usage::Width::Day => (BucketWidth::Day, 7),
    };
    let end = asked.end_time.unwrap_or_else(|| OffsetDateTime::now_utc().unix_timestamp() + 1);
    if end <= asked.start_time {
        let message = "`start_time` must lie before `end_time`, which is now when it is left out.";
        return Err(ApiError::invalid("start_time", message));
    }
    let group_by = asked.group_by.iter().map(|group| match group {
        usage::GroupBy::ApiKeyId => GroupBy::Key,
        usage::GroupBy::Model => GroupBy::Model,
        usage::GroupBy::ProjectId => GroupBy::Tenant,
    });
    Ok(UsageQuery {
        start: start(asked, width, end)?,
        end,
        width,
        group_by: group_by.collect(),
        keys: each("api_key_ids", &asked.api_key_ids, |text| {
            KeyId::parse(text).map_err(|_| "an API key's id: 32 lower-case hex digits")
        })?,
        models: each("models", &asked.models, |text| model(text, base))?,
        top: asked.top,
        limit: limit(asked.limit.unwrap_or(usual), width)?,
    })
}

fn start(asked: &usage::UsageQuery, width: BucketWidth, end: i64) -> Result<i64, ApiError> {
    let Some(page) = asked.page else { return Ok(asked.start_time) };
    let right = page > asked.start_time && page < end && width.floor(page) == page;
    if right { Ok(page) } else { Err(usage::wrong_page()) }
}

/// Minutes are summed from single requests: a minute that is told as empty must not be one that was deleted.
fn still_there(query: &UsageQuery, kept: Duration) -> Result<(), ApiError> {
    let oldest = (OffsetDateTime::now_utc() - kept).unix_timestamp();
    if query.width != BucketWidth::Minute || query.start >= oldest {
        return Ok(());
    }
    let message = format!(
        "`start_time` lies before {oldest}: usage by the minute is kept for {} days. Ask for `bucket_width=1h`.",
        kept.as_secs() / 86_400
    );
    Err(ApiError::invalid("start_time", message))
}

fn limit(limit: u32, width: BucketWidth) -> Result<u32, ApiError> {
    let most = width.max_buckets();
    if !(1..=most).contains(&limit) {
        let message = format!("`limit` must be from 1 to {most} with buckets of this width.");
        return Err(ApiError::invalid("limit", message));
    }
    Ok(limit)
}

fn model(text: &str, base: &str) -> Result<ModelFilter, &'static str> {
    let parse = || {
        let Some((name, version)) = text.split_once('@') else {
            return AdapterName::parse(text).map(ModelFilter::Adapter);
        };
        Ok(ModelFilter::Version(AdapterName::parse(name)?, VersionNumber::parse(version)?))
    };
    if text == base {
        return Ok(ModelFilter::Base);
    }
    parse().map_err(|_| "the base model's id, an adapter's name, or a version such as `name@7`")
}

/// Every entry of a list, or which one is wrong and what it should be.
fn each<T>(
    param: &'static str,
    texts: &[String],
    parse: impl Fn(&str) -> Result<T, &'static str>,
) -> Result<Vec<T>, ApiError> {
    let entry = |(index, text): (usize, &String)| {
        parse(text).map_err(|expected| {
            ApiError::invalid(format!("{param}[{index}]"), format!("`{param}[{index}]` must be {expected}."))
        })
    };
    texts.iter().enumerate().map(entry).collect()
}

fn shape(page: tenora_adapter_store::UsagePage, base: &str) -> UsagePage {
    let bucket = |bucket: tenora_adapter_store::UsageBucket| UsageBucket {
        object: "bucket",
        start_time: bucket.start,
        end_time: bucket.end,
        results: bucket.sums.into_iter().map(|sum| result(sum, base)).collect(),
    };
    UsagePage {
        object: "page",
        data: page.buckets.into_iter().map(bucket).collect(),
        has_more: page.next.is_some(),
        next_page: page.next.map(usage::page_text),
    }
}

fn result(sum: UsageSum, base: &str) -> UsageResult {
    UsageResult {
        object: "organization.usage.completions.result",
        input_tokens: sum.input_tokens,
        input_cached_tokens: sum.cached_tokens,
        output_tokens: sum.output_tokens,
        num_model_requests: sum.requests,
        num_failed_requests: sum.failed,
        others: sum.others,
        project_id: sum.tenant.map(|slug| slug.to_string()),
        api_key_id: sum.key.map(|id| id.to_string()),
        model: sum.model.map(|model| match model {
            UsedModel::Base => base.to_owned(),
            UsedModel::Version(name, number) => format!("{name}@{number}"),
        }),
    }
}

#[cfg(test)]
mod tests;
