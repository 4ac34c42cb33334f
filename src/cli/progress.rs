//! Progress bars on stderr; where stderr is no terminal they keep silent.

use std::fs::File;
use std::path::Path;

use indicatif::{ProgressBar, ProgressStyle};

use crate::data::text::Counted;

/// A bar over the bytes of `path`, read `times` times.
pub fn of_file(path: &Path, times: u64, doing: &'static str) -> ProgressBar {
    let bytes = std::fs::metadata(path).map_or(0, |of| of.len());
    styled(ProgressBar::new(bytes * times), "{msg} {wide_bar} {percent} % {bytes}/{total_bytes} {eta}", doing)
}

/// A bar over the rows of `path` as they are scored: by the bytes read, with the rows of a second beside it.
pub fn of_rows(path: &Path, doing: &'static str) -> ProgressBar {
    let bytes = std::fs::metadata(path).map_or(0, |of| of.len());
    styled(ProgressBar::new(bytes), "{prefix} {wide_bar} {percent} % {msg} {eta}", "").with_prefix(doing)
}

/// Says on a bar of [`of_rows`] how many rows are done, and how many a second.
pub fn set_rows(bar: &ProgressBar, rows: u64) {
    if !bar.is_hidden() {
        bar.set_message(format!("{rows} rows, {:.0} rows/s", rows as f64 / bar.elapsed().as_secs_f64().max(1e-9)));
    }
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
pub fn watch(bar: &ProgressBar, file: File) -> Counted {
    let bar = bar.clone();
    Counted::new(file, move |bytes| bar.inc(bytes))
}

fn styled(bar: ProgressBar, template: &str, doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    bar.with_style(style).with_message(doing)
}
