//! Results for people, a table for each scenario, and for programs, one JSON document.

use std::{
    fs,
    io::{Write, stdout},
    path::Path,
};

use anyhow::Context;
use serde_json::{Map, Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::{machine::Machine, world::Ground};

/// The version of the document's form.
const FORMAT: u32 = 1;

/// One scenario's results.
pub(crate) struct Section {
    /// The scenario's name in the document.
    pub(crate) name: &'static str,
    /// Its title above the table.
    pub(crate) title: String,
    pub(crate) table: Table,
    /// Sentences below the table.
    pub(crate) notes: Vec<String>,
    pub(crate) json: Value,
}

/// A table whose first columns are words and the others numbers.
pub(crate) struct Table {
    head: Vec<String>,
    words: usize,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Columns by name, the first `words` of them left-aligned.
    pub(crate) fn new(words: usize, head: &[&str]) -> Self {
        Self { head: head.iter().map(|name| (*name).to_owned()).collect(), words, rows: Vec::new() }
    }

    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    fn text(&self) -> String {
        let all: Vec<&Vec<String>> = std::iter::once(&self.head).chain(&self.rows).collect();
        let cell = |row: &[String], column: usize| row.get(column).cloned().unwrap_or_default();
        let width = |column| all.iter().map(|row| cell(row, column).chars().count()).max().unwrap_or(0);
        let line = |row: &&Vec<String>| {
            let cells = (0..self.head.len()).map(|column| {
                let (text, width) = (cell(row, column), width(column));
                if column < self.words { format!("{text:<width$}") } else { format!("{text:>width$}") }
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        };
        all.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

/// A number as tables show it; a dash for none.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    if value.is_finite() { format!("{value:.decimals$}") } else { "–".to_owned() }
}

/// Prints what it was measured on.
pub(crate) fn print_head(ground: &Ground, machine: &Machine) -> anyhow::Result<()> {
    let revision = machine.git_revision.as_deref().unwrap_or("unknown revision");
    let shape = &ground.shape;
    writeln!(
        stdout(),
        "{} · {} cores · {} · {:.0} GB RAM, read at {:.1} GB/s · load {:.1}\ntenora {} ({revision})\n\
         {}: {:.1} M parameters in {}, {:.0} MB · adapters of rank {:?} in {}",
        machine.cpu,
        machine.cores,
        machine.instruction_sets.join(" "),
        machine.ram_bytes as f64 / 1e9,
        machine.read_bytes_per_s / 1e9,
        machine.load_average,
        env!("CARGO_PKG_VERSION"),
        shape.name,
        shape.parameters() as f64 / 1e6,
        ground.options.weights.torch_name(),
        (shape.parameters() * ground.options.weights.bytes()) as f64 / 1e6,
        ground.options.ranks,
        ground.options.adapter_weights.torch_name(),
    )?;
    Ok(())
}

/// Prints one scenario.
pub(crate) fn print(section: &Section) -> anyhow::Result<()> {
    let mut out = stdout();
    writeln!(out, "\n{}\n{}", section.title, section.table.text())?;
    section.notes.iter().try_for_each(|note| writeln!(out, "{note}"))?;
    Ok(())
}

/// Writes everything.
pub(crate) fn write(
    file: &Path,
    ground: &Ground,
    machine: &Machine,
    sections: &[Section],
) -> anyhow::Result<()> {
    let scenarios: Map<String, Value> =
        sections.iter().map(|section| (section.name.to_owned(), section.json.clone())).collect();
    let document = json!({
        "format": FORMAT,
        "tenora": env!("CARGO_PKG_VERSION"),
        "date": OffsetDateTime::now_utc().format(&Rfc3339)?,
        "machine": machine,
        "shape": ground.shape,
        "options": ground.options,
        "scenarios": scenarios,
    });
    fs::write(file, serde_json::to_string_pretty(&document)? + "\n")
        .with_context(|| format!("cannot write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stand_left_and_numbers_right() {
        let mut table = Table::new(1, &["mix", "tokens/s"]);
        table.row(vec!["base".to_owned(), number(9.96, 1)]);
        table.row(vec!["distinct".to_owned(), number(f64::NAN, 1)]);
        assert_eq!(table.text(), "mix       tokens/s\nbase          10.0\ndistinct         –");
    }
}
