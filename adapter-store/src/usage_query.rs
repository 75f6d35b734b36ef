//! A question about usage and its answer: buckets of time, and within each the sums by group. Buckets are cut in UTC.

use crate::error::StoreError;
use crate::ids::{AdapterName, KeyId, TenantSlug, VersionNumber};

/// The most sums that one answer holds; the rest is on its next page.
pub const MAX_USAGE_ROWS: usize = 10_000;

/// What to sum, of which time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageQuery {
    /// The first second, in Unix seconds; the whole bucket that it lies in is told.
    pub start: i64,
    /// The second after the last; the whole bucket that the last one lies in is told.
    pub end: i64,
    /// How long a bucket is.
    pub width: BucketWidth,
    /// What to tell apart; nothing = one sum per bucket.
    pub group_by: Vec<GroupBy>,
    /// Only requests with these keys; empty = all.
    pub keys: Vec<KeyId>,
    /// Only requests that these answered; empty = all.
    pub models: Vec<ModelFilter>,
    /// Only so many groups are told apart on a page, those with the most tokens; the rest are one sum a bucket.
    pub top: Option<u32>,
    /// How many buckets; at least 1, more than [`BucketWidth::max_buckets`] counts as that.
    pub limit: u32,
}

/// How long a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BucketWidth {
    /// A minute: summed from single requests.
    Minute,
    /// An hour.
    Hour,
    /// A day of UTC.
    Day,
}

/// What sums can be told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupBy {
    /// The API key.
    Key,
    /// The adapter version, or the base model.
    Model,
    /// The tenant.
    Tenant,
}

/// Which model's requests are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ModelFilter {
    /// The base model's own.
    Base,
    /// All versions of an adapter.
    Adapter(AdapterName),
    /// One version of an adapter.
    Version(AdapterName, VersionNumber),
}

/// Some buckets in the order of time, those without usage too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePage {
    /// The buckets.
    pub buckets: Vec<UsageBucket>,
    /// Where the next page starts; `None` = this is the last.
    pub next: Option<i64>,
}

/// What was used within one stretch of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageBucket {
    /// Unix seconds.
    pub start: i64,
    /// The second after the last, in Unix seconds.
    pub end: i64,
    /// A sum per group that has usage.
    pub sums: Vec<UsageSum>,
}

/// What one group used within one bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageSum {
    /// The tenant, where tenants are told apart.
    pub tenant: Option<TenantSlug>,
    /// The key, where keys are told apart; `None` then = callers with a token.
    pub key: Option<KeyId>,
    /// What answered, where models are told apart.
    pub model: Option<UsedModel>,
    /// Whether this is the sum of the groups beyond [`UsageQuery::top`], which are not told apart.
    pub others: bool,
    /// Requests, however they ended.
    pub requests: u64,
    /// Those of `requests` that ended with an error or were cut off by the server.
    pub failed: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// The part of `input_tokens` that was reused and not computed.
    pub cached_tokens: u64,
    /// Tokens generated.
    pub output_tokens: u64,
}

/// What answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsedModel {
    /// The base model itself.
    Base,
    /// An adapter's version.
    Version(AdapterName, VersionNumber),
}

impl BucketWidth {
    /// The length in seconds.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Minute => 60,
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// The most buckets that one page has.
    pub const fn max_buckets(self) -> u32 {
        match self {
            Self::Minute => 1_440,
            Self::Hour => 168,
            Self::Day => 31,
        }
    }

    /// The start of the bucket that a second lies in.
    pub const fn floor(self, second: i64) -> i64 {
        second - second.rem_euclid(self.seconds())
    }
}

/// The stretch of time that one page covers: `[start, end)` on the edges of buckets, and whether more follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) width: BucketWidth,
    more: bool,
}

impl Window {
    pub(crate) fn of(query: &UsageQuery) -> Self {
        let width = query.width;
        let start = width.floor(query.start);
        let end = width.floor(query.end.saturating_sub(1).max(query.start)).saturating_add(width.seconds());
        let longest = i64::from(query.limit.clamp(1, width.max_buckets())) * width.seconds();
        let cut = end.min(start.saturating_add(longest));
        Self { start, end: cut, width, more: cut < end }
    }

    /// Puts sums that stand in the order of their buckets into all buckets of the window. When there were more sums than
    /// an answer holds, it ends before the bucket that is incomplete.
    pub(crate) fn page(self, mut sums: Vec<(i64, UsageSum)>) -> Result<UsagePage, StoreError> {
        let mut end = self.end;
        if sums.len() > MAX_USAGE_ROWS
            && let Some((incomplete, _)) = sums.last()
        {
            end = *incomplete;
            sums.retain(|(bucket, _)| *bucket < end);
        }
        if end <= self.start {
            return Err(StoreError::TooManyGroups { limit: MAX_USAGE_ROWS });
        }
        let mut sums = sums.into_iter().peekable();
        let mut buckets = Vec::new();
        let mut start = self.start;
        while start < end {
            let mut bucket = UsageBucket { start, end: start + self.width.seconds(), sums: Vec::new() };
            while let Some((_, sum)) = sums.next_if(|(at, _)| *at == start) {
                bucket.sums.push(sum);
            }
            start = bucket.end;
            buckets.push(bucket);
        }
        let next = (self.more || end < self.end).then_some(end);
        Ok(UsagePage { buckets, next })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(start: i64, end: i64, limit: u32) -> UsageQuery {
        let width = BucketWidth::Hour;
        UsageQuery { start, end, width, group_by: vec![], keys: vec![], models: vec![], top: None, limit }
    }

    fn sum(requests: u64) -> UsageSum {
        UsageSum {
            tenant: None,
            key: None,
            model: None,
            others: false,
            requests,
            failed: 0,
            input_tokens: 0,
            cached_tokens: 0,
            output_tokens: 0,
        }
    }

    #[test]
    fn a_window_covers_whole_buckets_and_no_more_than_its_limit() {
        let window = |start, end, limit| {
            let window = Window::of(&query(start, end, limit));
            (window.start / 3600, window.end / 3600, window.more)
        };
        assert_eq!(window(3600, 7200, 9), (1, 2, false));
        assert_eq!(window(3601, 7201, 9), (1, 3, false));
        assert_eq!(window(0, 36_000, 4), (0, 4, true));
        assert_eq!(window(0, i64::MAX, 1_000), (0, 168, true));
        assert_eq!(window(5, 5, 0), (0, 1, false));
    }

    #[test]
    fn every_bucket_is_told_and_the_next_page_begins_where_this_one_ends() {
        let window = Window::of(&query(0, 36_000, 3));
        let page = window.page(vec![(3600, sum(1)), (3600, sum(2))]).unwrap();
        let told: Vec<_> = page.buckets.iter().map(|b| (b.start, b.end, b.sums.len())).collect();
        assert_eq!(told, [(0, 3600, 0), (3600, 7200, 2), (7200, 10_800, 0)]);
        assert_eq!(page.next, Some(10_800));
    }

    #[test]
    fn too_many_sums_end_a_page_before_the_incomplete_bucket() {
        let window = Window::of(&query(0, 36_000, 9));
        let many = |first: usize| {
            let sums = (0..=MAX_USAGE_ROWS).map(|n| (if n < first { 0 } else { 3600 }, sum(1)));
            window.page(sums.collect())
        };
        let page = many(7).unwrap();
        assert_eq!((page.buckets.len(), page.buckets[0].sums.len(), page.next), (1, 7, Some(3600)));
        assert!(matches!(many(MAX_USAGE_ROWS + 1), Err(StoreError::TooManyGroups { .. })));
    }
}
