//! The tables `usage_hourly` and `usage_events`, as they are read: sums by bucket and group, and a month's tokens.

use serde::Serialize;
use sqlx::FromRow;
use sqlx::types::Json;
use uuid::Uuid;

use crate::database::{Either, Transaction, on};
use crate::error::StoreError;
use crate::ids::{AdapterName, KeyId, TenantId, TenantSlug};
use crate::usage::Spender;
use crate::usage_query::{
    BucketWidth, GroupBy, MAX_USAGE_ROWS, ModelFilter, UsagePage, UsageQuery, UsageSum, UsedModel, Window,
};

/// What `usage_hourly` has for callers without a key.
pub(super) const NO_KEY: Uuid = Uuid::nil();

/// The rows of hours, and those of single requests in the same form.
macro_rules! rows {
    (hours) => {
        "SELECT tenant_id, hour AS starts, key_id, adapter, version, requests, failed, input_tokens, \
         cached_tokens, output_tokens FROM usage_hourly"
    };
    (minutes) => {
        "SELECT tenant_id, minute AS starts, key_id, COALESCE(adapter, '') AS adapter, COALESCE(version, 0) AS version, \
         1 AS requests, CASE WHEN outcome IN ('failed', 'cut_off') THEN 1 ELSE 0 END AS failed, input_tokens, cached_tokens, output_tokens FROM usage_events"
    };
}

/// How a database reads a list out of a parameter that holds JSON.
macro_rules! list {
    (sqlite keys) => {
        "SELECT unhex(value) FROM json_each($5)"
    };
    (postgres keys) => {
        "SELECT CAST(k.value AS uuid) FROM jsonb_array_elements_text($5) AS k (value)"
    };
    (sqlite models) => {
        "SELECT value FROM json_each($6)"
    };
    (postgres models) => {
        "SELECT m.value FROM jsonb_array_elements_text($6) AS m (value)"
    };
}

/// Sums by bucket and group of the rows of one tenant or of some: which ones, the last part says. Only so many groups are told
/// apart, those with the most tokens (`$11`); the rest is one. What is not grouped by has one value for all rows, `$12` for ids.
macro_rules! sums {
    ($database:ident $rows:ident, $tenants:literal) => {
        concat!(
            "WITH used AS (SELECT u.starts - u.starts % $4 AS bucket, ",
            "CASE WHEN $7 THEN u.tenant_id ELSE $12 END AS tenant_id, ",
            "CASE WHEN $8 THEN COALESCE(u.key_id, $12) ELSE $12 END AS key_id, ",
            "CASE WHEN $9 THEN u.adapter ELSE '' END AS adapter, CASE WHEN $9 THEN u.version ELSE 0 END AS version, ",
            "u.requests, u.failed, u.input_tokens, u.cached_tokens, u.output_tokens FROM (",
            rows!($rows),
            ") u WHERE ",
            $tenants,
            " AND u.starts >= $2 AND u.starts < $3 AND ($5 IS NULL OR u.key_id IN (",
            list!($database keys),
            ")) AND ($6 IS NULL OR u.adapter IN (",
            list!($database models),
            ") OR (u.adapter || '@' || u.version) IN (",
            list!($database models),
            "))), ",
            "best AS (SELECT tenant_id, key_id, adapter, version FROM used GROUP BY 1, 2, 3, 4 ",
            "ORDER BY SUM(input_tokens + output_tokens) DESC, 1, 2, 3, 4 LIMIT $11), ",
            "sums AS (SELECT u.bucket, b.tenant_id, b.key_id, b.adapter, b.version, ",
            "CAST(SUM(u.requests) AS bigint) AS requests, CAST(SUM(u.failed) AS bigint) AS failed, ",
            "CAST(SUM(u.input_tokens) AS bigint) AS input_tokens, ",
            "CAST(SUM(u.cached_tokens) AS bigint) AS cached_tokens, ",
            "CAST(SUM(u.output_tokens) AS bigint) AS output_tokens ",
            "FROM used u LEFT JOIN best b ON b.tenant_id = u.tenant_id AND b.key_id = u.key_id ",
            "AND b.adapter = u.adapter AND b.version = u.version GROUP BY 1, 2, 3, 4, 5) ",
            "SELECT s.*, s.tenant_id IS NULL AS others, t.slug AS tenant FROM sums s ",
            "LEFT JOIN tenants t ON t.id = s.tenant_id ",
            "ORDER BY s.bucket, s.tenant_id IS NULL, t.slug, s.key_id, s.adapter, s.version LIMIT $10"
        )
    };
}

#[derive(FromRow)]
struct SumRow {
    bucket: i64,
    tenant: Option<TenantSlug>,
    key_id: Option<KeyId>,
    adapter: Option<String>,
    version: Option<i64>,
    others: bool,
    requests: i64,
    failed: i64,
    input_tokens: i64,
    cached_tokens: i64,
    output_tokens: i64,
}

/// Binds what every statement of sums takes after its first parameter, and reads its rows.
macro_rules! fetch {
    ($database:expr, $statement:expr, $first:expr, $query:expr, $window:expr) => {{
        let keys = json_list($query.keys.iter().map(KeyId::to_string));
        let models = json_list($query.models.iter().map(model_text));
        let by = |group| $query.group_by.contains(&group);
        on!($database, t => sqlx::query_as::<_, SumRow>($statement)
            .bind($first)
            .bind($window.start)
            .bind($window.end)
            .bind($window.width.seconds())
            .bind(keys)
            .bind(models)
            .bind(by(GroupBy::Tenant))
            .bind(by(GroupBy::Key))
            .bind(by(GroupBy::Model))
            .bind(MAX_USAGE_ROWS as i64 + 1)
            .bind($query.top.map_or(i64::MAX, i64::from))
            .bind(NO_KEY)
            .fetch_all(&mut **t))?
    }};
}

/// One tenant's sums.
pub(crate) async fn of_tenant(
    transaction: &mut Transaction,
    tenant_id: TenantId,
    query: &UsageQuery,
) -> Result<UsagePage, StoreError> {
    const SQLITE_HOURS: &str = sums!(sqlite hours, "u.tenant_id = $1");
    const SQLITE_MINUTES: &str = sums!(sqlite minutes, "u.tenant_id = $1");
    const POSTGRES_HOURS: &str = sums!(postgres hours, "u.tenant_id = $1");
    const POSTGRES_MINUTES: &str = sums!(postgres minutes, "u.tenant_id = $1");
    let statement = match (&*transaction, query.width) {
        (Either::Sqlite(_), BucketWidth::Minute) => SQLITE_MINUTES,
        (Either::Sqlite(_), _) => SQLITE_HOURS,
        (Either::Postgres(_), BucketWidth::Minute) => POSTGRES_MINUTES,
        (Either::Postgres(_), _) => POSTGRES_HOURS,
    };
    let window = Window::of(query);
    let rows = fetch!(transaction, statement, tenant_id, query, window);
    page(window, query, rows)
}

/// The sums of all tenants, or of those with these slugs; for whoever runs the server.
pub(crate) async fn of_tenants(
    transaction: &mut Transaction,
    slugs: &[TenantSlug],
    query: &UsageQuery,
) -> Result<UsagePage, StoreError> {
    const SQLITE_HOURS: &str = sums!(sqlite hours,
        "u.tenant_id IS NOT NULL AND ($1 IS NULL OR u.tenant_id IN \
         (SELECT t.id FROM tenants t WHERE t.slug IN (SELECT value FROM json_each($1))))");
    const SQLITE_MINUTES: &str = sums!(sqlite minutes,
        "u.tenant_id IS NOT NULL AND ($1 IS NULL OR u.tenant_id IN \
         (SELECT t.id FROM tenants t WHERE t.slug IN (SELECT value FROM json_each($1))))");
    const POSTGRES_HOURS: &str = sums!(postgres hours,
        "u.tenant_id IS NOT NULL AND ($1 IS NULL OR u.tenant_id IN (SELECT t.id FROM tenants t \
         WHERE t.slug IN (SELECT s.value FROM jsonb_array_elements_text($1) AS s (value))))");
    const POSTGRES_MINUTES: &str = sums!(postgres minutes,
        "u.tenant_id IS NOT NULL AND ($1 IS NULL OR u.tenant_id IN (SELECT t.id FROM tenants t \
         WHERE t.slug IN (SELECT s.value FROM jsonb_array_elements_text($1) AS s (value))))");
    let statement = match (&*transaction, query.width) {
        (Either::Sqlite(_), BucketWidth::Minute) => SQLITE_MINUTES,
        (Either::Sqlite(_), _) => SQLITE_HOURS,
        (Either::Postgres(_), BucketWidth::Minute) => POSTGRES_MINUTES,
        (Either::Postgres(_), _) => POSTGRES_HOURS,
    };
    let window = Window::of(query);
    let slugs = json_list(slugs.iter().map(TenantSlug::to_string));
    let rows = fetch!(transaction, statement, slugs, query, window);
    page(window, query, rows)
}

/// Tokens of prompts and answers of requests that began from `start` to before `end`, both on the edges of hours.
pub(crate) async fn tokens(
    transaction: &mut Transaction,
    spender: Spender,
    start: i64,
    end: i64,
) -> Result<u64, StoreError> {
    const OF_TENANT: &str = "SELECT CAST(COALESCE(SUM(input_tokens + output_tokens), 0) AS bigint) FROM usage_hourly \
                             WHERE tenant_id = $1 AND hour >= $2 AND hour < $3";
    const OF_KEY: &str = "SELECT CAST(COALESCE(SUM(input_tokens + output_tokens), 0) AS bigint) FROM usage_hourly \
                          WHERE tenant_id = $1 AND hour >= $2 AND hour < $3 AND key_id = $4";
    let (sum,): (i64,) = match spender {
        Spender::Tenant(tenant_id) => on!(transaction, t => sqlx::query_as(OF_TENANT)
            .bind(tenant_id)
            .bind(start)
            .bind(end)
            .fetch_one(&mut **t))?,
        Spender::Key(tenant_id, key_id) => on!(transaction, t => sqlx::query_as(OF_KEY)
            .bind(tenant_id)
            .bind(start)
            .bind(end)
            .bind(key_id)
            .fetch_one(&mut **t))?,
    };
    sum.try_into().map_err(StoreError::internal)
}

/// `None`, which asks for everything, when the list is empty.
fn json_list<T: Serialize>(items: impl Iterator<Item = T>) -> Option<Json<Vec<T>>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(Json(items))
}

/// As the statements spell models: `name` for all versions, `name@7` for one, `@0` for the base model.
fn model_text(model: &ModelFilter) -> String {
    match model {
        ModelFilter::Base => "@0".to_owned(),
        ModelFilter::Adapter(name) => name.to_string(),
        ModelFilter::Version(name, number) => format!("{name}@{number}"),
    }
}

fn page(window: Window, query: &UsageQuery, rows: Vec<SumRow>) -> Result<UsagePage, StoreError> {
    window.page(rows.into_iter().map(|row| row.into_sum(query)).collect::<Result<_, _>>()?)
}

impl SumRow {
    fn into_sum(self, query: &UsageQuery) -> Result<(i64, UsageSum), StoreError> {
        let told = |group| query.group_by.contains(&group) && !self.others;
        let count = |column: i64| u64::try_from(column).map_err(StoreError::internal);
        let model = match (self.adapter.as_deref(), self.version) {
            _ if !told(GroupBy::Model) => None,
            (Some(""), _) => Some(UsedModel::Base),
            (Some(name), Some(number)) => {
                let name = AdapterName::parse(name).map_err(StoreError::internal)?;
                Some(UsedModel::Version(name, number.try_into().map_err(StoreError::internal)?))
            }
            _ => None,
        };
        let key = self.key_id.filter(|id| told(GroupBy::Key) && id.as_bytes() != NO_KEY.as_bytes());
        let sum = UsageSum {
            tenant: self.tenant.clone().filter(|_| told(GroupBy::Tenant)),
            key,
            model,
            others: self.others,
            requests: count(self.requests)?,
            failed: count(self.failed)?,
            input_tokens: count(self.input_tokens)?,
            cached_tokens: count(self.cached_tokens)?,
            output_tokens: count(self.output_tokens)?,
        };
        Ok((self.bucket, sum))
    }
}
