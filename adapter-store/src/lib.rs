#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

// In reading order: a module knows only those below it.
mod store;

mod maintenance;

mod operator;
mod tenant_store;

mod alias_store;
mod version_store;

mod verify;

mod sweep;

mod key_store;
mod push_store;
mod upload_store;

mod upload_expiry;

mod parts;

mod credentials;

mod local_cache;
mod resolve_cache;
mod staging;
mod turns;

mod redis_connections;
mod rows;

mod blobs;
mod database;
mod fingerprint;
mod scratch;

mod fault;
mod route;

mod adapter;

mod alias;
mod api_key;
mod audit;
mod config;
mod push;
mod scope;
mod tenant;
mod upload;
mod usage;
mod usage_query;

mod limits;

mod error;
mod upload_error;

mod ids;

mod parse_error;

pub use adapter::{Adapter, Checked, SHOWN_VERSIONS, Version, VersionRecord};
pub use alias::{Alias, Share, Targets};
pub use alias_store::{AliasStore, Rollback};
pub use api_key::{AuthenticatedKey, CreatedKey, KeyInfo, NewKey, SHOWN_KEYS};
pub use audit::{AuditQuery, AuditRecord};
pub use config::{BlobsSettings, BlobsUrl, Bucket, DatabaseUrl, S3Access, S3Credentials, StoreConfig};
pub use error::StoreError;
pub use ids::{
    AdapterName, AliasName, Digest, DisplayName, KeyId, ModelRef, PartId, PushId, Reason, RoleName, Selector,
    ShortText, TenantId, TenantSlug, UploadId, VersionNumber,
};
pub use key_store::KeyStore;
pub use limits::{Cap, LimitOverrides};
pub use local_cache::LocalAdapter;
pub use maintenance::Maintenance;
pub use operator::OperatorStore;
pub use parse_error::ParseError;
pub use push::{Ending, Push, PushState, Refusal};
pub use push_store::PushStore;
pub use redis_connections::RedisConnections;
pub use resolve_cache::CacheStats;
pub use scope::{Scope, ScopeSet};
pub use staging::{MAX_CONFIG_BYTES, Staged, Staging};
pub use store::{AdapterStore, Health};
pub use sweep::SweepReport;
pub use tenant::{Actor, ActorKind, Order, Page, Paging, Tenant, TenantChange, TenantStatus, Wanted};
pub use tenant_store::TenantStore;
pub use upload::{
    Completion, MAX_OPEN_UPLOADS, MAX_PART_BYTES, MAX_PARTS, NewUpload, UPLOAD_LIFETIME, Upload, UploadPart,
    UploadState, UploadStatus,
};
pub use upload_error::UploadError;
pub use upload_store::{IncomingPart, UploadStore};
pub use usage::{Credential, Outcome, Spender, Subject, UsageEvent};
pub use usage_query::{
    BucketWidth, GroupBy, MAX_USAGE_ROWS, ModelFilter, UsageBucket, UsagePage, UsageQuery, UsageSum,
    UsedModel,
};
pub use verify::{Problem, ProblemKind, VerifyEvent, VerifyReport};
pub use version_store::VersionStore;
