//! What a tenant's key must be allowed to do, as types: a handler's first argument says what it needs.

use tenora_adapter_store::Scope as Grant;

/// A scope as a type.
pub trait Scope: 'static {
    /// The grant that a credential must hold; `None` = any credential of a tenant will do.
    const GRANT: Option<Grant>;
}

macro_rules! scopes {
    ($($(#[$words:meta])* $marker:ident => $grant:ident,)+) => {$(
        $(#[$words])*
        #[derive(Debug, Clone, Copy)]
        pub struct $marker;

        impl Scope for $marker {
            const GRANT: Option<Grant> = Some(Grant::$grant);
        }
    )+};
}

/// Any credential of a tenant.
#[derive(Debug, Clone, Copy)]
pub struct Member;

impl Scope for Member {
    const GRANT: Option<Grant> = None;
}

scopes! {
    /// Generate.
    Chat => Chat,
    /// List models.
    ModelsRead => ModelsRead,
    /// List and show adapters.
    AdaptersRead => AdaptersRead,
    /// Upload and delete adapters.
    AdaptersWrite => AdaptersWrite,
    /// See what was used.
    UsageRead => UsageRead,
    /// Make and revoke the tenant's keys.
    KeysWrite => KeysWrite,
}
