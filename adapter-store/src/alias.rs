//! Aliases: names that move between an adapter's versions. Plain values.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ids::{AdapterName, AliasName, VersionNumber};
use crate::parse_error::ParseError;

/// The most versions that share an alias.
const MAX_SHARES: usize = 8;
/// The heaviest weight.
const MAX_WEIGHT: u32 = 1_000;

/// The part of an alias's requests that one version answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// The version.
    pub version: VersionNumber,
    /// Its part is this over the sum of all weights.
    pub weight: u32,
}

/// What an alias names: one version, or several that share its requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Share>", into = "Vec<Share>")]
pub struct Targets(Vec<Share>);

impl Targets {
    /// All requests to one version.
    pub fn only(version: VersionNumber) -> Self {
        Self(vec![Share { version, weight: 1 }])
    }

    /// The shares, as they were given. Keys keep their version when shares grow from the end: put the newcomer last.
    pub fn shares(&self) -> &[Share] {
        &self.0
    }

    /// Whether requests may go to this version.
    pub fn name(&self, version: VersionNumber) -> bool {
        self.0.iter().any(|share| share.version == version)
    }
}

impl TryFrom<Vec<Share>> for Targets {
    type Error = ParseError;

    fn try_from(shares: Vec<Share>) -> Result<Self, ParseError> {
        let twice = |at: usize| shares[..at].iter().any(|share| share.version == shares[at].version);
        let problem = if shares.is_empty() || shares.len() > MAX_SHARES {
            format!("name 1 to {MAX_SHARES} versions")
        } else if shares.iter().any(|share| !(1..=MAX_WEIGHT).contains(&share.weight)) {
            format!("weights are whole numbers from 1 to {MAX_WEIGHT}")
        } else if (0..shares.len()).any(twice) {
            "name each version once".to_owned()
        } else {
            return Ok(Self(shares));
        };
        Err(ParseError::new("targets", problem))
    }
}

impl From<Targets> for Vec<Share> {
    fn from(targets: Targets) -> Self {
        targets.0
    }
}

/// What an alias meant from one move to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The adapter's name within its tenant.
    pub adapter: AdapterName,
    /// The alias.
    pub name: AliasName,
    /// Counts its moves, from 1.
    pub revision: u64,
    /// Where requests go.
    pub targets: Targets,
    /// When it began to mean this.
    pub moved_at: OffsetDateTime,
    /// When it ceased to; `None` = it means this now.
    pub ended_at: Option<OffsetDateTime>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_targets_are_refused() {
        let share = |version: i64, weight| Share { version: version.try_into().unwrap(), weight };
        let nine = (1..=9).map(|number| share(number, 1)).collect();
        let odd = [vec![], vec![share(1, 0)], vec![share(1, 1_001)], vec![share(1, 1), share(1, 2)], nine];
        for shares in odd {
            assert!(Targets::try_from(shares.clone()).is_err(), "{shares:?}");
        }
        assert!(Targets::try_from(vec![share(6, 90), share(7, 10)]).is_ok());
    }
}
