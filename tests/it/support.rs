//! What the tests share.

pub mod browser;
pub mod console;
pub mod department;
pub mod engines;
pub mod engines_postgres;
pub mod exported;
pub mod gathering;
pub mod postgres;
pub mod program;
pub mod receiver;
pub mod reports;
pub mod scoring;
pub mod service;
pub mod specimen;
pub mod store;
pub mod wide;

/// Says something that the test runner does not swallow.
pub fn say(text: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{text}");
}
