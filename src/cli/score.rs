//! `yuxin score`: the rows of a file with their score, grade and reasons beside them.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use thiserror::Error;

use super::one_file::{OneFile, apart};
use super::{interrupt, progress};
use crate::data::DataError;
use crate::data::batch::{BLOCK_BYTES, Job, Tally, score_file};
use crate::data::sink::temporary_of;
use crate::model::{Model, ModelError};

/// Score a file of rows: the same rows and columns, plus pd, score, grade and up to four reasons.
///
/// A row that cannot be scored stops nothing: it is listed in a file of its own, and where its cells could be read it stays in the
/// output, with the added cells empty.
#[derive(Debug, Args)]
pub struct ScoreArgs {
    /// The model.
    #[arg(long)]
    pub model: PathBuf,
    /// The rows: .csv, .csv.gz, .xlsx or, where it was built in, .parquet; with a header.
    #[arg(long)]
    pub data: PathBuf,
    /// Where the scored rows go: .csv, .csv.gz, .xlsx or .parquet.
    #[arg(long)]
    pub out: PathBuf,
    /// Where rows that cannot be scored are listed, with column, value and what to do [default: OUT.errors.csv].
    #[arg(long, value_name = "FILE")]
    pub errors: Option<PathBuf>,
    /// Threads that score [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// A scoring that wrote nothing.
#[derive(Debug, Error)]
pub enum ScoreError {
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The rows cannot be read, or the scored rows not written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The output or the list of bad rows would replace the model, the rows or one another.
    #[error(transparent)]
    OneFile(#[from] OneFile),
    /// Not one row could be scored.
    #[error("none of the {rows} rows could be scored, so nothing was written; {} lists them:\n{named}", errors.display())]
    NoneScored {
        /// How many.
        rows: u64,
        /// Where they are listed.
        errors: PathBuf,
        /// The first of them, one a line.
        named: String,
    },
}

/// Scores the file. What was done is told on stderr.
///
/// # Errors
/// [`ScoreError`]; then the output is not there, or as it was.
pub fn run(args: ScoreArgs) -> Result<(), ScoreError> {
    let begun = Instant::now();
    let errors = args.errors.clone().unwrap_or_else(|| errors_of(&args.out));
    apart(&[("--model", &args.model), ("--data", &args.data)], &[("--out", &args.out), ("--errors", &errors)])?;
    let model = Model::load(&args.model)?;
    interrupt::remove_when_stopped(vec![temporary_of(&args.out), temporary_of(&errors)]);
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let job = Job {
        model: &model,
        data: &args.data,
        out: &args.out,
        errors: &errors,
        threads: args.threads.map_or_else(cores, usize::from),
        block_bytes: BLOCK_BYTES,
    };
    let bar = progress::of_rows(&args.data, "scoring");
    let done = score_file(&job, &|file| progress::watch(&bar, file), &mut |tally| progress::set_rows(&bar, tally.rows));
    bar.finish_and_clear();
    let done = done?;
    if done.bad == done.rows {
        return Err(ScoreError::NoneScored { rows: done.rows, errors, named: named(&done) });
    }
    if done.bad > 0 {
        eprintln!("{} of {} rows could not be scored; {} lists them:", done.bad, done.rows, errors.display());
        eprintln!("{}", named(&done));
    }
    let (seconds, scored) = (begun.elapsed().as_secs_f64(), done.rows - done.bad);
    eprintln!(
        "{scored} rows scored by {} into {}: {} rows in {seconds:.2} s, {:.0} rows/s, {} bad rows",
        model.id(),
        args.out.display(),
        done.rows,
        done.rows as f64 / seconds.max(1e-9),
        done.bad
    );
    Ok(())
}

/// The list of bad rows beside an output.
fn errors_of(out: &Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".errors.csv");
    PathBuf::from(name)
}

/// The first bad rows, one a line.
fn named(tally: &Tally) -> String {
    let mut named = tally.named.join("\n");
    if tally.bad > tally.named.len() as u64 {
        named.push_str(&format!("\nand {} more", tally.bad - tally.named.len() as u64));
    }
    named
}
