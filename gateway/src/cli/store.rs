//! `tenora store …`: what an operator does with the rows and bytes themselves, without a server in between.

use std::io::Write;

use anyhow::bail;
use clap::{Args, Subcommand};
use serde_json::json;
use tenora_adapter_store::{Problem, ProblemKind, SweepReport, VerifyEvent, VerifyReport};

use super::table;
use crate::{boot, progress};

/// What can be done with what is stored.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Read every version's bytes, compare them with their digest, and tell what is damaged, missing or without a version.
    #[command(
        after_help = "Ends with 1 when a version's bytes are damaged or missing.\n\nExample:\n  tenora store verify --json"
    )]
    Verify(Verify),
    /// Remove bytes without a version and leftovers of broken uploads that are older than TENORA_SWEEP_GRACE_S. Servers do
    /// so by themselves every quarter of an hour.
    #[command(after_help = "Example:\n  tenora store sweep --dry-run")]
    Sweep(Sweep),
}

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Print one JSON object instead of lines.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Sweep {
    /// Only count what would be removed.
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object instead of a line.
    #[arg(long)]
    json: bool,
}

impl Command {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Verify(verify) => verify.run().await,
            Self::Sweep(sweep) => sweep.run().await,
        }
    }
}

impl Verify {
    async fn run(self) -> anyhow::Result<()> {
        let store = boot::maintenance().await?;
        let bar = progress::bytes("Verifying");
        let mut problems = Problems { json: self.json, told: 0 };
        // Standard output may be closed half-way, by `head` for instance: then the rest is for nobody.
        let mut printed = problems.begin();
        let report = store
            .verify(|event| match event {
                VerifyEvent::Total(bytes) => bar.set_length(bytes),
                VerifyEvent::Read(bytes) => bar.inc(bytes),
                VerifyEvent::Found(problem) if printed.is_ok() => {
                    printed = bar.suspend(|| problems.tell(&problem));
                }
                VerifyEvent::Found(_) => {}
            })
            .await?;
        bar.finish_and_clear();
        printed?;
        problems.end(&report)?;
        match advice(&report) {
            Some(advice) => bail!(advice),
            None => Ok(()),
        }
    }
}

/// Problems as they are found, one a line: of a list, or of one JSON object's array.
struct Problems {
    json: bool,
    told: u64,
}

impl Problems {
    fn begin(&self) -> std::io::Result<()> {
        if self.json { write!(std::io::stdout(), "{{\"problems\":[") } else { Ok(()) }
    }

    fn tell(&mut self, problem: &Problem) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        if self.json {
            let comma = if self.told > 0 { "," } else { "" };
            write!(out, "{comma}\n{}", json!(problem))?;
        } else {
            let kind = match problem.problem {
                ProblemKind::Damaged => "damaged",
                ProblemKind::Missing => "missing",
            };
            let Problem { tenant, adapter, version, digest, folder, .. } = problem;
            writeln!(out, "{kind}  {tenant}  {adapter}@{version}  {digest}  {folder}")?;
        }
        self.told += 1;
        Ok(())
    }

    fn end(&self, report: &VerifyReport) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        let VerifyReport { versions, bytes, damaged, missing, orphans } = report;
        if self.json {
            // The report's own fields follow the array within the one object.
            let fields = json!(report).to_string();
            return writeln!(out, "],\n{}", fields.trim_start_matches('{'));
        }
        let size = table::bytes(&json!(bytes));
        writeln!(
            out,
            "Versions {versions} ({size} read), damaged {damaged}, missing {missing}, orphans {orphans}."
        )?;
        if *orphans > 0 {
            writeln!(
                out,
                "Orphans are bytes without a version; servers, and `tenora store sweep`, remove them when they are older \
                 than TENORA_SWEEP_GRACE_S."
            )?;
        }
        Ok(())
    }
}

/// What to do, when there is something to do.
fn advice(report: &VerifyReport) -> Option<String> {
    let mut words = Vec::new();
    if report.damaged > 0 {
        words.push(format!(
            "{} damaged: restore the two files in the named folders of the blob store from a backup, or remove both and \
             have the tenants push the same adapters again",
            report.damaged
        ));
    }
    if report.missing > 0 {
        words.push(format!(
            "{} missing: restore the named folders from a backup, or have the tenants push the same adapters again; if \
             all are missing, TENORA_BLOBS_URL may name another place than the servers' own",
            report.missing
        ));
    }
    (!words.is_empty()).then(|| words.join("\n"))
}

impl Sweep {
    async fn run(self) -> anyhow::Result<()> {
        let store = boot::maintenance().await?;
        let Some(report) = store.sweep(self.dry_run).await? else {
            bail!(
                "a server is sweeping just now, and does the same; try again in two minutes if you want to see it done"
            );
        };
        if self.json {
            return table::json(&json!({ "dry_run": self.dry_run, "swept": report }));
        }
        table::line(&told(&report, self.dry_run))
    }
}

fn told(report: &SweepReport, dry_run: bool) -> String {
    let SweepReport { unused, unused_bytes, leftovers, leftover_bytes, foreign, failed } = report;
    let (unused_size, leftover_size) =
        (table::bytes(&json!(unused_bytes)), table::bytes(&json!(leftover_bytes)));
    let done = if dry_run { "Would be removed" } else { "Removed" };
    let mut told = format!(
        "{done}: adapters' bytes without a version {unused} ({unused_size}), leftovers of uploads {leftovers} \
         ({leftover_size})."
    );
    if *failed > 0 {
        told +=
            &format!("\nCould not be removed: {failed}. The log says why, and the next sweep tries again.");
    }
    if *foreign > 0 {
        told += &format!("\nObjects that are nothing of Tenora's and stay: {foreign}.");
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_given_where_something_can_be_done() {
        let sound = VerifyReport { versions: 3, bytes: 9, orphans: 2, ..VerifyReport::default() };
        assert_eq!(advice(&sound), None);
        let both = advice(&VerifyReport { damaged: 1, missing: 2, ..sound }).expect("advice");
        assert!(both.starts_with("1 damaged: ") && both.contains("\n2 missing: "), "{both}");
    }

    #[test]
    fn a_sweep_is_told_with_what_it_left() {
        let report = SweepReport { unused: 2, unused_bytes: 2048, foreign: 1, ..SweepReport::default() };
        let words = told(&report, true);
        assert!(
            words.starts_with("Would be removed: adapters' bytes without a version 2 (2.00 KiB)"),
            "{words}"
        );
        assert!(words.ends_with("and stay: 1."), "{words}");
    }
}
