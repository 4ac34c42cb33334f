//! Logs as JSON lines on stderr.
//!
//! A line for each request costs a call of the system each, as much as a good part of a decision. Lines are gathered and written
//! together, [`EVERY`] at the latest; warnings and errors at once, with all that came before them.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::MakeWriter;

/// How long a line waits at most.
const EVERY: Duration = Duration::from_millis(20);
/// Whoever adds to more than this writes it out first.
const WAITING_BYTES_MAX: usize = 256 * 1024;

/// Writes what still waits when it is dropped.
#[must_use = "dropped, it writes what waits"]
pub struct Logs(Lines);

impl Drop for Logs {
    fn drop(&mut self) {
        self.0.write_out();
    }
}

/// Logs from now on, by a filter in the syntax of tracing's `EnvFilter`, until the process ends. Keep what is given until then.
///
/// # Errors
/// When the filter cannot be read or logging was set up before.
pub fn init_logs(filter: &str) -> Result<Logs, Box<dyn std::error::Error + Send + Sync>> {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)?;
    let lines = Lines::default();
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter)
        .with_writer(lines.clone())
        .try_init()?;
    let waiting = lines.clone();
    std::thread::Builder::new().name("logs".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(EVERY);
            waiting.write_out();
        }
    })?;
    Ok(Logs(lines))
}

/// Lines that wait to be written.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn write_out(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.is_empty() {
            // Held meanwhile, so that lines stay in their order. There is nobody to tell that stderr is gone.
            let _ = io::stderr().write_all(&waiting);
            waiting.clear();
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { lines: self, at_once: false }
    }

    fn make_writer_for(&'a self, meta: &Metadata<'_>) -> Line<'a> {
        Line { lines: self, at_once: *meta.level() <= Level::WARN }
    }
}

/// One line on its way.
struct Line<'a> {
    lines: &'a Lines,
    at_once: bool,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let full = {
            let mut waiting = self.lines.0.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.extend_from_slice(bytes);
            waiting.len() > WAITING_BYTES_MAX
        };
        if self.at_once || full {
            self.lines.write_out();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.lines.write_out();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_wait_and_a_warning_does_not() {
        let lines = Lines::default();
        Line { lines: &lines, at_once: false }.write_all(b"a\n").unwrap();
        assert_eq!(*lines.0.lock().unwrap(), b"a\n");
        Line { lines: &lines, at_once: true }.write_all(b"\n").unwrap();
        assert!(lines.0.lock().unwrap().is_empty());
    }
}
