//! What is shown while it runs, on standard error: bars on a terminal, lines elsewhere.

use std::io::{IsTerminal, Write, stderr};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of bytes.
pub(crate) fn bytes(label: &str, total: u64) -> ProgressBar {
    announce(label);
    bar(label, total, "{msg} {wide_bar} {bytes}/{total_bytes} {eta}")
}

/// A bar of things.
pub(crate) fn things(label: &str, total: usize) -> ProgressBar {
    announce(label);
    run(label, total)
}

/// A bar of requests, for a run that ends with a line of its own.
pub(crate) fn run(label: &str, total: usize) -> ProgressBar {
    bar(label, total as u64, "{msg} {wide_bar} {pos}/{len} {elapsed}")
}

/// Where no bar can be drawn, its label is all there is.
fn announce(label: &str) {
    if !stderr().is_terminal() {
        say(label);
    }
}

fn bar(label: &str, total: u64, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr())
        .with_message(label.to_owned());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// A line that stays. No bar may be open.
pub(crate) fn say(line: &str) {
    // Nobody reads: the measurement goes on.
    _ = writeln!(stderr(), "{line}");
}
