//! A page query, checked, as the store takes it.

use std::str::FromStr;

use tenora_adapter_store::Paging;

use crate::{error::ApiError, wire::list::PageQuery};

/// Items of a page when the query does not say.
const DEFAULT_LIMIT: u32 = 20;

/// The page that a query asks for; `after` is an earlier page's `last_id`.
pub(super) fn paging<K: FromStr>(query: PageQuery) -> Result<Paging<K>, ApiError> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    let most = Paging::<K>::MAX_LIMIT;
    if !(1..=most).contains(&limit) {
        return Err(ApiError::invalid("limit", format!("`limit` must be from 1 to {most}.")));
    }
    let after = query.after.as_deref().map(str::parse).transpose();
    let after =
        after.map_err(|_| ApiError::invalid("after", "`after` must be the `last_id` of an earlier page."))?;
    Ok(Paging { after, limit })
}
