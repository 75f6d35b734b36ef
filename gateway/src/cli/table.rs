//! Tables and lines on standard output.

use std::io::Write;

use serde_json::Value;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Prints the JSON itself.
pub(super) fn json(value: &Value) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Prints one line.
pub(super) fn line(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// Prints one line for people on standard error, where it is no part of the output.
pub(super) fn aside(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stderr(), "{text}")?;
    Ok(())
}

/// Prints rows under a head, each column as wide as its widest cell.
pub(super) fn rows<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> anyhow::Result<()> {
    line(&aligned(head, rows))
}

fn aligned<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let head = head.map(str::to_owned);
    let all: Vec<&[String; N]> = std::iter::once(&head).chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let text = |row: &&[String; N]| {
        let cells =
            row.iter().enumerate().map(|(column, cell)| format!("{cell:<width$}", width = width(column)));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    all.iter().map(text).collect::<Vec<_>>().join("\n")
}

/// A field as text; nothing for null.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

/// An object's fields, such as `a=1 b=2`.
pub(super) fn pairs(value: &Value) -> String {
    let pair = |(name, value): (&String, &Value)| format!("{name}={}", text(value));
    value.as_object().into_iter().flatten().map(pair).collect::<Vec<_>>().join(" ")
}

/// Unix seconds as a date and time.
pub(super) fn moment(value: &Value) -> String {
    let moment = value.as_i64().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    moment.and_then(|moment| moment.format(&Rfc3339).ok()).unwrap_or_default()
}

/// Bytes as people read them.
pub(super) fn bytes(value: &Value) -> String {
    indicatif::BinaryBytes(value.as_u64().unwrap_or(0)).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let rows = [["grüße".to_owned(), "1".to_owned()], ["a".to_owned(), "22".to_owned()]];
        assert_eq!(aligned(["NAME", "N"], &rows), "NAME   N\ngrüße  1\na      22");
    }

    #[test]
    fn fields_are_written_for_people() {
        assert_eq!(text(&json!(["a", "b"])), "a,b");
        assert_eq!(text(&json!(null)), "");
        assert_eq!(moment(&json!(0)), "1970-01-01T00:00:00Z");
        assert_eq!(bytes(&json!(2048)), "2.00 KiB");
    }
}
