//! The query of a usage request. Lists come as OpenAI's SDKs send them (`group_by[]=…`, repeated) or with commas.

use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::error::ApiError;

/// The last second of the year 9999.
const MAX_TIME: i64 = 253_402_300_799;
/// Most entries of one list.
const MAX_ENTRIES: usize = 100;
/// Most groups that are told apart when the others are summed.
const MAX_TOP: u32 = 100;

/// What to sum, of which time.
#[derive(Debug, Clone, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct UsageQuery {
    /// The first second, in Unix seconds; the answer begins with the bucket that it lies in.
    pub start_time: i64,
    /// The second after the last, in Unix seconds; left out: now.
    pub end_time: Option<i64>,
    /// How long a bucket is, on the edges of UTC's minutes, hours or days; left out: `1d`. Minutes are kept for 90 days, unless
    /// the operator says otherwise, hours and days for ever.
    #[param(inline, required = false)]
    pub bucket_width: Width,
    /// What to tell apart. `project_id`, the tenant, is for the operator.
    #[param(inline, required = false)]
    pub group_by: Vec<GroupBy>,
    /// Only requests with these API keys.
    #[param(required = false)]
    pub api_key_ids: Vec<String>,
    /// Only requests that these answered: the base model's id, `name` (all its versions) or `name@7`.
    #[param(required = false)]
    pub models: Vec<String>,
    /// Only requests of these tenants, by slug; for the operator.
    #[param(required = false)]
    pub project_ids: Vec<String>,
    /// Tell only so many groups apart on a page, those with the most tokens, from 1 to 100; what the others used is one more
    /// result of each bucket.
    #[param(minimum = 1, maximum = 100)]
    pub top: Option<u32>,
    /// How many buckets: `1d` 7 (at most 31), `1h` 24 (168), `1m` 60 (1440).
    pub limit: Option<u32>,
    /// Continue here: the `next_page` of an earlier answer.
    #[param(value_type = Option<String>)]
    pub page: Option<i64>,
}

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
pub enum Width {
    /// A minute.
    #[serde(rename = "1m")]
    Minute,
    /// An hour.
    #[serde(rename = "1h")]
    Hour,
    /// A day.
    #[serde(rename = "1d")]
    Day,
}

/// What results are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GroupBy {
    /// The API key.
    ApiKeyId,
    /// The adapter version, or the base model.
    Model,
    /// The tenant.
    ProjectId,
}

impl UsageQuery {
    /// Reads the pairs of a query string; an error names the parameter and what would be right.
    pub fn read(pairs: &[(String, String)]) -> Result<Self, ApiError> {
        let mut start_time = None;
        let mut query = Self {
            start_time: 0,
            end_time: None,
            bucket_width: Width::Day,
            group_by: Vec::new(),
            api_key_ids: Vec::new(),
            models: Vec::new(),
            project_ids: Vec::new(),
            top: None,
            limit: None,
            page: None,
        };
        for (name, value) in pairs {
            match name.strip_suffix("[]").unwrap_or(name) {
                "start_time" => start_time = Some(time("start_time", value)?),
                "end_time" => query.end_time = Some(time("end_time", value)?),
                "bucket_width" => query.bucket_width = width(value)?,
                "group_by" => {
                    for word in value.split(',') {
                        query.group_by.push(group(word)?);
                    }
                }
                "api_key_ids" => add("api_key_ids", value, &mut query.api_key_ids)?,
                "models" => add("models", value, &mut query.models)?,
                "project_ids" => add("project_ids", value, &mut query.project_ids)?,
                "top" => query.top = Some(top(value)?),
                "limit" => query.limit = Some(value.parse().map_err(|_| whole_number("limit"))?),
                "page" => query.page = Some(page(value)?),
                unknown => return Err(unknown_parameter(unknown)),
            }
        }
        query.start_time = start_time.ok_or_else(|| {
            let message = "`start_time` is missing; give the first second, in Unix seconds.";
            ApiError::invalid("start_time", message)
        })?;
        Ok(query)
    }
}

/// How a page's cursor is written.
pub(crate) fn page_text(start: i64) -> String {
    format!("page_{start}")
}

fn page(text: &str) -> Result<i64, ApiError> {
    text.strip_prefix("page_").and_then(|start| start.parse().ok()).ok_or_else(wrong_page)
}

pub(crate) fn wrong_page() -> ApiError {
    ApiError::invalid("page", "`page` must be the `next_page` of an earlier answer to the same question.")
}

fn time(param: &'static str, text: &str) -> Result<i64, ApiError> {
    text.parse().ok().filter(|time| (0..=MAX_TIME).contains(time)).ok_or_else(|| {
        let message = format!("`{param}` must be a time in Unix seconds (not milliseconds, no fraction).");
        ApiError::invalid(param, message)
    })
}

fn top(text: &str) -> Result<u32, ApiError> {
    text.parse()
        .ok()
        .filter(|top| (1..=MAX_TOP).contains(top))
        .ok_or_else(|| ApiError::invalid("top", format!("`top` must be a whole number from 1 to {MAX_TOP}.")))
}

fn width(text: &str) -> Result<Width, ApiError> {
    match text {
        "1m" => Ok(Width::Minute),
        "1h" => Ok(Width::Hour),
        "1d" => Ok(Width::Day),
        _ => Err(ApiError::invalid("bucket_width", "`bucket_width` must be `1m`, `1h` or `1d`.")),
    }
}

/// Also by the words that this API has elsewhere.
fn group(text: &str) -> Result<GroupBy, ApiError> {
    match text {
        "api_key_id" | "api_key" => Ok(GroupBy::ApiKeyId),
        "model" => Ok(GroupBy::Model),
        "project_id" | "tenant" => Ok(GroupBy::ProjectId),
        _ => {
            let message = format!(
                "`group_by` cannot be `{}`; use `api_key_id`, `model` or, as the operator, `project_id`.",
                ApiError::echo(text)
            );
            Err(ApiError::invalid("group_by", message))
        }
    }
}

fn add(param: &'static str, value: &str, list: &mut Vec<String>) -> Result<(), ApiError> {
    list.extend(value.split(',').map(str::to_owned));
    if list.len() > MAX_ENTRIES {
        let message = format!("`{param}` must have at most {MAX_ENTRIES} entries; ask several times.");
        return Err(ApiError::invalid(param, message));
    }
    Ok(())
}

fn whole_number(param: &'static str) -> ApiError {
    ApiError::invalid(param, format!("`{param}` must be a whole number."))
}

fn unknown_parameter(name: &str) -> ApiError {
    let name = ApiError::echo(name);
    let message = format!(
        "`{name}` is not a parameter here; use start_time, end_time, bucket_width, group_by, api_key_ids, models, \
         project_ids, top, limit and page."
    );
    ApiError::invalid(name, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<UsageQuery, String> {
        let pairs = actix_web::web::Query::<Vec<(String, String)>>::from_query(query).expect("pairs");
        UsageQuery::read(&pairs).map_err(|error| format!("{:?}: {error}", error.param().unwrap_or_default()))
    }

    #[test]
    fn lists_come_with_commas_or_repeated_with_brackets_or_without() {
        let expected = [GroupBy::ApiKeyId, GroupBy::Model];
        for groups in [
            "group_by=api_key_id,model",
            "group_by=api_key&group_by=model",
            "group_by[]=api_key_id&group_by[]=model",
            "group_by%5B%5D=api_key_id&group_by%5B%5D=model",
        ] {
            assert_eq!(read(&format!("start_time=1&{groups}")).expect(groups).group_by, expected, "{groups}");
        }
        let query = read("start_time=7&end_time=9&bucket_width=1h&models=a,b@1&limit=3&top=5&page=page_7");
        let query = query.expect("right");
        assert_eq!((query.start_time, query.end_time, query.bucket_width), (7, Some(9), Width::Hour));
        assert_eq!((query.models.as_slice(), query.limit), (["a".into(), "b@1".into()].as_slice(), Some(3)));
        assert_eq!(query.top, Some(5));
        assert_eq!((query.page, page_text(7).as_str()), (Some(7), "page_7"));
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        let many = format!("start_time=1&models={}", ["a"; 101].join(","));
        let wrong = [
            "",
            "start_time=",
            "start_time=-1",
            "start_time=1735689600000000",
            "start_time=1&end_time=soon",
            "start_time=1&bucket_width=1w",
            "start_time=1&group_by=user_id",
            "start_time=1&limit=-1",
            "start_time=1&top=0",
            "start_time=1&top=101",
            "start_time=1&page=2",
            "start_time=1&colour=red",
            &many,
        ];
        let told: Vec<String> = wrong.iter().map(|query| read(query).expect_err(query)).collect();
        insta::assert_snapshot!(told.join("\n"));
    }
}
