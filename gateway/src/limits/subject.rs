//! Who is limited, and by how much.

use uuid::Uuid;

/// Largest limit and largest charge that are told apart: beyond it, numbers in Redis' scripts would lose exactness.
pub(super) const MAX_AMOUNT: u64 = 1 << 50;

/// Limits of one subject; `None` = unlimited. A limit of zero lets nothing through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// Requests that may begin within any 60 seconds.
    pub requests_per_minute: Option<u64>,
    /// Tokens, of prompts and answers, of the requests that begin within any 60 seconds.
    pub tokens_per_minute: Option<u64>,
    /// Requests that may run at the same time.
    pub concurrent_requests: Option<u64>,
    /// Tokens, of prompts and answers, in a calendar month (UTC).
    pub monthly_tokens: Option<u64>,
}

impl Limits {
    /// Whether nothing is limited.
    pub fn are_none(&self) -> bool {
        *self == Self::default()
    }

    /// Whether something is counted by the minute.
    pub(super) fn by_minute(&self) -> bool {
        self.requests_per_minute.is_some() || self.tokens_per_minute.is_some()
    }
}

/// What kind of subject it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectKind {
    /// A tenant: all of its keys together.
    Tenant,
    /// One API key.
    Key,
}

impl SubjectKind {
    /// The kind in a message or a metric's label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
        }
    }
}

/// Whose limits they are. The id is made by the server, never a client's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// Unique among all subjects of all kinds.
    pub id: Uuid,
    /// Tenant or key.
    pub kind: SubjectKind,
    /// What it may use.
    pub limits: Limits,
}

/// What is asked for: a place for one request, at all of its subjects.
#[derive(Debug, Clone)]
pub(super) struct Demand {
    /// Of the reservation.
    pub(super) id: Uuid,
    /// Each once, and only those that have limits.
    pub(super) subjects: Vec<Subject>,
    /// The estimate.
    pub(super) tokens: u64,
    /// After this long the place counts as free, whatever became of the request.
    pub(super) longest_ms: u64,
}

impl Demand {
    /// `None` when nothing limits the request.
    pub(super) fn new(subjects: &[Subject], tokens: u64, longest_ms: u64) -> Option<Self> {
        let mut limited: Vec<Subject> = Vec::new();
        for subject in subjects {
            if !subject.limits.are_none() && limited.iter().all(|other| other.id != subject.id) {
                limited.push(*subject);
            }
        }
        if limited.is_empty() {
            return None;
        }
        let longest_ms = longest_ms.min(MAX_LONGEST_MS);
        Some(Self { id: Uuid::new_v4(), subjects: limited, tokens: tokens.min(MAX_AMOUNT), longest_ms })
    }
}

/// A day: no request is that long.
const MAX_LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_without_limits_or_named_twice_is_not_asked_twice() {
        let free = Subject { id: Uuid::new_v4(), kind: SubjectKind::Tenant, limits: Limits::default() };
        assert!(Demand::new(&[free], 10, 1000).is_none());
        let limits = Limits { requests_per_minute: Some(1), ..Limits::default() };
        let key = Subject { id: Uuid::new_v4(), kind: SubjectKind::Key, limits };
        let demand = Demand::new(&[free, key, key], u64::MAX, u64::MAX).expect("limited");
        assert_eq!(demand.subjects, [key]);
        assert_eq!((demand.tokens, demand.longest_ms), (MAX_AMOUNT, MAX_LONGEST_MS));
    }
}
