#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

// In reading order: a module knows only those below it.
mod store;

mod maintenance;

mod operator;
mod tenant_store;

mod verify;

mod sweep;

mod key_store;

mod parts;

mod credentials;

mod local_cache;
mod resolve_cache;
mod staging;

mod rows;

mod blobs;
mod database;
mod fingerprint;
mod scratch;

mod adapter;
mod api_key;
mod audit;
mod config;
mod scope;
mod tenant;
mod usage;
mod usage_query;

mod limits;

mod error;

mod ids;

mod parse_error;

pub use adapter::{Adapter, Checked, SHOWN_VERSIONS, Version};
pub use api_key::{AuthenticatedKey, CreatedKey, KeyInfo, NewKey, SHOWN_KEYS};
pub use audit::{AuditQuery, AuditRecord};
pub use config::{BlobsSettings, BlobsUrl, Bucket, DatabaseUrl, S3Access, S3Credentials, StoreConfig};
pub use error::StoreError;
pub use ids::{
    AdapterName, Digest, DisplayName, KeyId, ModelRef, RoleName, Selector, TenantId, TenantSlug,
    VersionNumber,
};
pub use key_store::KeyStore;
pub use limits::{Cap, LimitOverrides};
pub use local_cache::LocalAdapter;
pub use maintenance::Maintenance;
pub use operator::OperatorStore;
pub use parse_error::ParseError;
pub use resolve_cache::CacheStats;
pub use scope::{Scope, ScopeSet};
pub use staging::{MAX_CONFIG_BYTES, Staged, Staging};
pub use store::{AdapterStore, Health};
pub use sweep::SweepReport;
pub use tenant::{Actor, ActorKind, Page, Paging, Tenant, TenantChange, TenantStatus};
pub use tenant_store::TenantStore;
pub use usage::{Credential, Outcome, Spender, Subject, UsageEvent};
pub use usage_query::{
    BucketWidth, GroupBy, MAX_USAGE_ROWS, ModelFilter, UsageBucket, UsagePage, UsageQuery, UsageSum,
    UsedModel,
};
pub use verify::{Problem, ProblemKind, VerifyEvent, VerifyReport};
