//! The SQL, one file per table. Each statement is written once for both databases, and each that touches a tenant's rows names `tenant_id`.

pub(crate) mod adapters;
pub(crate) mod audit;
pub(crate) mod keys;
pub(crate) mod tenants;

use time::OffsetDateTime;

/// The time, as exact as both databases can store it: a value reads back equal.
pub(crate) fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_nanosecond(now.microsecond() * 1_000).unwrap_or(now)
}
