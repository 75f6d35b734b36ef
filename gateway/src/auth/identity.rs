//! What a tenant's credential says: for whom it speaks, what it may do, and how much.

use std::sync::Arc;

use tenora_adapter_store::{
    AdapterName, AuthenticatedKey, Credential, KeyId, LimitOverrides, ScopeSet, Subject, Tenant,
};

/// A tenant's credential, proven.
#[derive(Clone)]
pub enum Identity {
    /// An API key.
    Key(Arc<AuthenticatedKey>),
    /// A token of an issuer that may speak for the tenant.
    Token(Arc<TokenIdentity>),
}

/// What a verified token says.
pub struct TokenIdentity {
    /// For whom.
    pub tenant: Arc<Tenant>,
    /// `<issuer> <subject>`.
    pub subject: Subject,
    /// What it may do.
    pub scopes: ScopeSet,
}

impl Identity {
    /// For whom it speaks.
    pub fn tenant(&self) -> &Tenant {
        match self {
            Self::Key(key) => &key.tenant,
            Self::Token(token) => &token.tenant,
        }
    }

    /// What it may do.
    pub fn scopes(&self) -> ScopeSet {
        match self {
            Self::Key(key) => key.scopes,
            Self::Token(token) => token.scopes,
        }
    }

    /// Which credential it was, for audit and usage rows.
    pub fn credential(&self) -> Credential {
        match self {
            Self::Key(key) => Credential::Key(key.key_id),
            Self::Token(token) => Credential::Subject(token.subject.clone()),
        }
    }

    /// The key's id, if it is one.
    pub fn key_id(&self) -> Option<KeyId> {
        match self {
            Self::Key(key) => Some(key.key_id),
            Self::Token(_) => None,
        }
    }

    /// Limits of its own, beside the tenant's.
    pub fn limits(&self) -> LimitOverrides {
        match self {
            Self::Key(key) => key.limits,
            Self::Token(_) => LimitOverrides::default(),
        }
    }

    /// The adapters that it may use; `None` = all of its tenant's.
    pub fn adapters(&self) -> Option<&[AdapterName]> {
        match self {
            Self::Key(key) => key.adapters.as_deref(),
            Self::Token(_) => None,
        }
    }

    /// Whether it may use an adapter of its tenant.
    pub fn may_use(&self, adapter: &AdapterName) -> bool {
        self.adapters().is_none_or(|allowed| allowed.contains(adapter))
    }
}
