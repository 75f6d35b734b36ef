//! Progress bars on a terminal; elsewhere nothing.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar of bytes on standard error; invisible when that is no terminal.
pub fn bytes(label: &'static str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr()).with_message(label);
    match ProgressStyle::with_template("{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec} {eta}")
    {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
