//! The SQL, one file per table. Each statement is written once for both databases, and each that touches a tenant's rows names `tenant_id`.

pub(crate) mod adapters;
pub(crate) mod aliases;
pub(crate) mod audit;
pub(crate) mod contents;
pub(crate) mod epoch;
pub(crate) mod keys;
pub(crate) mod leases;
pub(crate) mod pushes;
pub(crate) mod tenants;
pub(crate) mod upkeep;
pub(crate) mod upload_parts;
pub(crate) mod uploads;
pub(crate) mod usage;
pub(crate) mod usage_sums;
pub(crate) mod versions;

use time::OffsetDateTime;

/// The time, as exact as both databases can store it: a value reads back equal.
pub(crate) fn now() -> OffsetDateTime {
    exact(OffsetDateTime::now_utc())
}

/// A moment as exact as both databases can store it.
pub(crate) fn exact(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.microsecond() * 1_000).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    /// The text of every statement in a file: what stands between `: &str =` and the end of the constant.
    fn statements(source: &'static str) -> impl Iterator<Item = &'static str> {
        source.split("const ").skip(1).filter_map(|rest| rest.split_once(": &str =")?.1.split(";\n").next())
    }

    #[test]
    fn every_statement_about_a_tenants_rows_names_its_tenant() {
        let sources = [
            include_str!("rows/adapters.rs"),
            include_str!("rows/aliases.rs"),
            include_str!("rows/audit.rs"),
            include_str!("rows/contents.rs"),
            include_str!("rows/keys.rs"),
            include_str!("rows/pushes.rs"),
            include_str!("rows/upload_parts.rs"),
            include_str!("rows/uploads.rs"),
            include_str!("rows/usage.rs"),
            include_str!("rows/usage_sums.rs"),
            include_str!("rows/versions.rs"),
        ];
        let mut seen = 0;
        for statement in sources.into_iter().flat_map(statements) {
            assert!(statement.contains("tenant_id"), "{statement}");
            seen += 1;
        }
        assert!(seen >= 60, "only {seen} statements were found");
    }
}
