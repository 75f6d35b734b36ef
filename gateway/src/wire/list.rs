//! Pages in the form that OpenAI's SDKs iterate: `data`, `has_more`, `first_id`, `last_id`, `after`, `limit`.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One page of things.
#[derive(Debug, Serialize, ToSchema)]
pub struct List<T> {
    /// Always `list`.
    pub object: &'static str,
    /// The things.
    pub data: Vec<T>,
    /// Where this page begins.
    #[schema(required)]
    pub first_id: Option<String>,
    /// Where this page ends: the next page's `after`.
    #[schema(required)]
    pub last_id: Option<String>,
    /// Whether there are more.
    pub has_more: bool,
}

/// A thing in a page.
pub trait Listed {
    /// What the next page's `after` would be.
    fn list_id(&self) -> String;
}

impl<T: Listed> List<T> {
    /// A page; `has_more` says that more follow.
    pub fn page(data: Vec<T>, has_more: bool) -> Self {
        Self {
            object: "list",
            first_id: data.first().map(Listed::list_id),
            last_id: data.last().map(Listed::list_id),
            data,
            has_more,
        }
    }

    /// Everything there is.
    pub fn all(data: Vec<T>) -> Self {
        Self::page(data, false)
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Continue after this id: the last page's `last_id`.
    pub after: Option<String>,
    /// How many, from 1 to 100; 20 when left out.
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
}
