//! What keeps a full disk from ending the process while a workbook is written.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use rust_xlsxwriter::XlsxError;

thread_local! {
    /// Whether a panic on this thread is caught and told of as an error.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// What `job`, calls of rust_xlsxwriter, gives. The library panics where the temporary file that a sheet goes through cannot be
/// written, for instance on a full disk: that becomes an error like any other. After an error the workbook must only be dropped.
///
/// # Errors
/// A description.
pub fn unpanicked<T>(job: impl FnOnce() -> Result<T, XlsxError>) -> Result<T, String> {
    static QUIET: Once = Once::new();
    // The message of such a panic would stand on stderr beside the error; other threads, and other panics, keep theirs.
    QUIET.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |of| {
            if !CAUGHT.get() {
                usual(of);
            }
        }));
    });
    CAUGHT.set(true);
    let done = panic::catch_unwind(AssertUnwindSafe(job));
    CAUGHT.set(false);
    match done {
        Ok(done) => done.map_err(|e| e.to_string()),
        Err(payload) => Err(reason(payload.downcast_ref::<String>().map_or("", String::as_str))),
    }
}

/// What the operating system said, as it stands in the message of the panic.
fn reason(message: &str) -> String {
    let said = message.split_once("message: \"").and_then(|(_, rest)| rest.split_once('"'));
    let said = said.map_or(message, |(said, _)| said);
    format!(
        "the sheet, which waits beside it until it is whole, cannot be written ({said}): make room, or write to .csv.gz"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_library_is_an_error_that_says_what_the_system_said() {
        let full = || -> Result<(), XlsxError> {
            let full = std::io::Error::from_raw_os_error(28);
            panic!("Couldn't write to xml file: {full:?}");
        };
        let message = unpanicked(full).unwrap_err();
        assert!(message.contains("(No space left on device): make room"), "{message}");
        assert_eq!(unpanicked(|| Ok(7)), Ok(7));
        assert!(unpanicked(|| -> Result<(), XlsxError> { Err(XlsxError::RowColumnLimitError) }).is_err());
    }
}
