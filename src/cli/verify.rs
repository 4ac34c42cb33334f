//! `yuxin verify`: recomputes a recorded decision, offline.

use std::fmt::Write;
use std::path::PathBuf;

use thiserror::Error;

use crate::decide::{NOT_CHECKED, RecordFile, VerifyError as Unverified};
use crate::domain::decision::CharacteristicPoints;
use crate::model::{Model, ModelError};
use crate::policy::{Policy, PolicyError};

/// Recompute a recorded decision offline, and show which fact moved which points
#[derive(Debug, clap::Args)]
pub struct VerifyArgs {
    /// What `GET /v1/decisions/ID/record` or `yuxin decisions export ID` gave.
    #[arg(value_name = "DECISION.json")]
    decision: PathBuf,
    /// The model that the decision names.
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// The policy that the decision names; then the outcome, limit and reasons to refer are recomputed too. Needs the office's export.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Why a decision was not verified.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The file cannot be read.
    #[error("{path} cannot be read: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The model cannot be used.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The policy cannot be used.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The decision does not follow from what is recorded, or the file is none.
    #[error("not verified: {0}")]
    Unverified(#[from] Unverified),
}

/// Verifies; prints one line a fact on stdout, tab-separated.
///
/// # Errors
/// [`VerifyError`], for stderr and exit code 1; it names the first difference.
pub fn run(args: &VerifyArgs) -> Result<(), VerifyError> {
    let path = args.decision.display().to_string();
    let bytes = std::fs::read(&args.decision).map_err(|source| VerifyError::File { path, source })?;
    let file = RecordFile::from_json(&bytes)?;
    let model = Model::load(&args.model)?;
    let policy = args.policy.as_deref().map(Policy::load).transpose()?;
    let with_policy = policy.is_some();
    let points = file.verify(model, policy)?;
    print!("{}", table(&points));
    let from = if file.has_records() { "the departments' records" } else { "the feature values" };
    let what = if with_policy {
        "features, points, score, probability, grade, interval, reasons, outcome and limit"
    } else {
        "points, score, probability, grade, interval and the model's reasons"
    };
    eprintln!("decision {} is verified: {what} follow from {from}, bit by bit", file.id());
    match (file.chain(), file.has_records()) {
        (Some(row), _) => eprintln!(
            "every value in the file is the one that row {0} of the audit chain speaks of; whether the store holds that row, \
             `yuxin audit verify --noted {0}:{1}` says",
            row.seq, row.hash
        ),
        (None, true) => eprintln!(
            "not checked, because the file names no row of the audit chain: id, bank, consent, purpose and term; export it again"
        ),
        (None, false) => eprintln!("not checked, because this is a bank's copy: {}", NOT_CHECKED.join(", ")),
    }
    Ok(())
}

/// The facts and what they moved: the largest loss first.
fn table(points: &[CharacteristicPoints]) -> String {
    let mut sorted: Vec<&CharacteristicPoints> = points.iter().collect();
    sorted.sort_by(|a, b| (a.points - a.baseline).total_cmp(&(b.points - b.baseline)));
    let mut text = "feature\tvalue\tpoints\tbaseline\tmoved\tsource\tstatus\tas_of\tfetched_at\tdigest\n".to_owned();
    for of in sorted {
        let value = of.value.map_or_else(|| "missing".to_owned(), |value| value.to_string());
        let moved = of.points - of.baseline;
        // Writing to a text cannot fail.
        let _ = write!(text, "{}\t{value}\t{}\t{}\t{moved:+}", of.feature, of.points, of.baseline);
        let told = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let from = of.provenance.as_ref();
        let columns = [
            from.map(|p| p.source.to_string()),
            from.map(|p| p.status.as_str().to_owned()),
            from.and_then(|p| p.as_of).map(|day| day.to_string()),
            from.and_then(|p| p.fetched_at).map(|at| at.to_string()),
            from.and_then(|p| p.digest.clone()),
        ];
        for column in columns {
            let _ = write!(text, "\t{}", told(column));
        }
        text.push('\n');
    }
    text
}
