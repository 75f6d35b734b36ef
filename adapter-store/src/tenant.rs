//! Tenants, who acts for them, and pages of lists: plain values.

use std::net::IpAddr;
use std::sync::Arc;

use time::OffsetDateTime;

use crate::ids::{DisplayName, KeyId, TenantId, TenantSlug};
use crate::limits::LimitOverrides;

/// A customer of this server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// Never changes.
    pub id: TenantId,
    /// The name in URLs, unique.
    pub slug: TenantSlug,
    /// What people call it.
    pub name: DisplayName,
    /// Whether it may use the server.
    pub status: TenantStatus,
    /// What it may use at most, where that differs from the server's defaults.
    pub limits: LimitOverrides,
    /// When it was made.
    pub created_at: OffsetDateTime,
}

/// What a list of named things is to have, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What their names hold, whatever its case; empty = all.
    pub contains: String,
    /// Their order.
    pub order: Order,
}

impl Wanted {
    /// For LIKE with `\\` as ESCAPE, of texts in lower case.
    pub(crate) fn pattern(&self) -> String {
        let escape = |c: char| if matches!(c, '%' | '_' | '\\') { vec!['\\', c] } else { vec![c] };
        format!("%{}%", self.contains.to_lowercase().chars().flat_map(escape).collect::<String>())
    }
}

/// An order of named things.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// By name; tenants by slug.
    #[default]
    Name,
    /// By name, from the end.
    NameDown,
    /// The oldest first.
    CreatedAt,
    /// The newest first.
    CreatedAtDown,
}

/// Whether a tenant may use the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TenantStatus {
    /// It may.
    Active,
    /// Everything is kept and nothing answered, until it is active again.
    Suspended,
    /// For ever: no keys, no adapters, and nobody else gets its slug.
    Deleted,
}

impl TenantStatus {
    /// The status's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }

    /// The status of this name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Suspended, Self::Deleted].into_iter().find(|status| status.as_str() == text)
    }
}

/// What to change of a tenant; `None` leaves it as it is.
#[derive(Debug, Clone, Default)]
pub struct TenantChange {
    /// What people call it.
    pub name: Option<DisplayName>,
    /// Suspended or active again; deleting is another call.
    pub suspended: Option<bool>,
    /// All limits that differ from the defaults.
    pub limits: Option<LimitOverrides>,
}

/// Who did something and from where, for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Whose credentials were used.
    pub kind: ActorKind,
    /// The client's address, where there is one.
    pub ip: Option<IpAddr>,
}

/// Whose credentials were used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ActorKind {
    /// The operator, with the admin key.
    Admin,
    /// A tenant's key.
    Key(KeyId),
    /// A tenant's token: `<issuer> <subject>`.
    Token(Arc<str>),
    /// The server itself, such as when it seeds a demo.
    System,
}

impl Actor {
    /// The server itself.
    pub const SYSTEM: Self = Self { kind: ActorKind::System, ip: None };
}

/// Which part of a list is wanted: what follows `after`, at most `limit` items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paging<K> {
    /// The last key of the page before; `None` = from the start.
    pub after: Option<K>,
    /// At least 1; more than [`Paging::MAX_LIMIT`] counts as that.
    pub limit: u32,
}

impl<K> Default for Paging<K> {
    fn default() -> Self {
        Self::first()
    }
}

impl<K> Paging<K> {
    /// The most items that one page has.
    pub const MAX_LIMIT: u32 = 100;

    /// The first page, as long as a page may be.
    pub fn first() -> Self {
        Self { after: None, limit: Self::MAX_LIMIT }
    }

    /// The page's length, within its limits.
    pub(crate) fn length(&self) -> usize {
        self.limit.clamp(1, Self::MAX_LIMIT) as usize
    }

    /// How many rows to ask the database for: one more tells whether another page follows.
    pub(crate) fn rows(&self) -> i64 {
        i64::from(self.limit.clamp(1, Self::MAX_LIMIT)) + 1
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// In the list's order.
    pub items: Vec<T>,
    /// Whether another page follows the last item.
    pub has_more: bool,
}

impl<T> Page<T> {
    /// Makes a page of rows that were asked for with [`Paging::rows`].
    pub(crate) fn new(mut items: Vec<T>, length: usize) -> Self {
        let has_more = items.len() > length;
        items.truncate(length);
        Self { items, has_more }
    }
}
