//! The commands. Each module holds one command's arguments and its run; `main` only picks.

use std::io::Write;
use std::path::Path;

use crate::data::sink::WholeFile;

pub mod audit;
pub mod check;
pub mod consents;
pub mod decisions;
pub mod demo;
pub mod doctor;
pub mod evaluate;
pub mod export;
pub mod features;
pub mod interrupt;
pub mod keys;
pub mod ledger;
pub mod one_file;
pub mod progress;
pub mod rejected;
pub mod rescore;
pub mod sandbox;
pub mod score;
pub mod serve;
pub mod sources;
pub mod store;
pub mod train;
pub mod users;
pub mod verify;
pub mod webhooks;

/// Writes a result to `out`, whole or not at all, or to stdout where none is named.
///
/// # Errors
/// What went wrong, with the file.
fn write_out(out: Option<&Path>, bytes: &[u8]) -> Result<(), String> {
    let Some(path) = out else {
        return std::io::stdout().write_all(bytes).map_err(|error| format!("stdout cannot be written: {error}"));
    };
    let mut file = WholeFile::create(path).map_err(|error| error.to_string())?;
    file.write_all(bytes).map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    file.finish().map_err(|error| error.to_string())
}
