//! Progress bars on stderr; where stderr is no terminal they keep silent.

use std::io::Read;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over the bytes of `path`, read `times` times.
pub fn of_file(path: &Path, times: u64, doing: &'static str) -> ProgressBar {
    let bytes = std::fs::metadata(path).map_or(0, |of| of.len());
    styled(ProgressBar::new(bytes * times), "{msg} {wide_bar} {bytes}/{total_bytes} {eta}", doing)
}

/// A bar over a share from 0 to 1, in thousandths.
pub fn of_share(doing: &'static str) -> ProgressBar {
    styled(ProgressBar::new(1000), "{msg} {wide_bar} {percent} % {elapsed}", doing)
}

/// Sets a bar of [`of_share`].
pub fn set_share(bar: &ProgressBar, share: f64) {
    bar.set_position((share.clamp(0.0, 1.0) * 1000.0) as u64);
}

/// Counts what is read from `file`.
pub fn watch(bar: &ProgressBar, file: Box<dyn Read>) -> Box<dyn Read> {
    Box::new(bar.wrap_read(file))
}

fn styled(bar: ProgressBar, template: &str, doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(doing)
}
