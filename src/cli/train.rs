//! `yuxin train`: a model artifact from a file of rows with known outcomes.

use std::path::{Path, PathBuf};

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};
use thiserror::Error;

use super::one_file::{Named, OneFile, apart};
use super::progress;
use crate::data::DataError;
use crate::data::load::{load, sha256};
use crate::data::sink::write_whole;
use crate::model::additive::Means;
use crate::model::artifact::{self, Artifact};
use crate::model::dataset::Dataset;
use crate::model::report::{ReportInput, ScoredSet, SetName, html, report};
use crate::model::spec::{SpecError, TrainingSpec};
use crate::model::train::{Origin, Scored, TrainError, Trained, train};
use crate::model::{Model, ModelError};

/// Train a model on a CSV or XLSX file with numeric and text columns and missing values; target 1 = bad.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The training data: .csv, .csv.gz or .xlsx, with a header.
    #[arg(long)]
    pub data: PathBuf,
    /// The column that is 1 for a bad outcome and 0 for a good one.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    pub target: String,
    /// Where the model goes.
    #[arg(long)]
    pub out: PathBuf,
    /// How the tables come about.
    #[arg(long, value_enum, default_value_t = Kind::Additive)]
    pub kind: Kind,
    /// Decisions about the training (TOML): excluded columns, directions of risk, grades, scale. See models/README.md.
    #[arg(long)]
    pub spec: Option<PathBuf>,
    /// Where a report of the training goes: report.html, which needs nothing else, and report.json.
    #[arg(long, value_name = "DIR")]
    pub report: Option<PathBuf>,
    /// Fixes all that is drawn: the same data, specification and seed give the same bytes.
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Threads; the model does not depend on them [default: one a core].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
}

/// How the tables come about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// Shapes over features and pairs of features, boosted: the sharper tables.
    Additive,
    /// Weight-of-evidence bins, one logistic coefficient a feature: the fewer tables.
    Scorecard,
}

/// A training that wrote no model.
#[derive(Debug, Error)]
pub enum TrainCommandError {
    /// The specification file cannot be read.
    #[error("{path} cannot be read: {source}")]
    SpecFile {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An output would replace the data, the specification or another output.
    #[error(transparent)]
    OneFile(#[from] OneFile),
    /// The specification is not usable.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// The data cannot be read, or the model not written.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The training failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The report cannot be laid out.
    #[error("the report cannot be laid out: {0}")]
    Page(String),
    /// The folder of the report cannot be made.
    #[error("the folder {path} for the report cannot be made: {source}")]
    ReportFolder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The artifact cannot be written as JSON.
    #[error("the model cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The artifact does not load again.
    #[error("the trained model does not load: {0}")]
    Model(#[from] ModelError),
}

/// Trains and writes the artifact; a summary goes to stderr.
///
/// # Errors
/// [`TrainCommandError`]; then nothing is written.
pub fn run(args: TrainArgs) -> Result<(), TrainCommandError> {
    files_apart(&args)?;
    let spec = match &args.spec {
        None => TrainingSpec::default(),
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .map_err(|source| TrainCommandError::SpecFile { path: path.clone(), source })?;
            TrainingSpec::from_toml(&text)?
        }
    };
    spec.check_target(&args.target)?;
    let reading = progress::of_file(&args.data, 2, "reading");
    let (data, data_sha256) = std::thread::scope(|scope| {
        let digest = scope.spawn(|| sha256(&args.data));
        let data = load(&args.data, &args.target, &spec, &|file| progress::watch(&reading, file))?;
        let digest = digest.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
        Ok::<_, DataError>((data, digest))
    })?;
    reading.finish_and_clear();
    let origin = Origin {
        id: args.out.file_stem().map_or_else(|| "model".to_owned(), |stem| stem.to_string_lossy().into_owned()),
        target: args.target.clone(),
        data_sha256,
    };
    let training = progress::of_share("training");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let means = Means {
        seed: args.seed,
        threads: args.threads.map_or(cores, usize::from),
        progress: &|share| progress::set_share(&training, share),
    };
    let kind = match args.kind {
        Kind::Additive => artifact::Kind::Additive,
        Kind::Scorecard => artifact::Kind::Scorecard,
    };
    let trained = train(&data, kind, &spec, &origin, &means);
    training.finish_and_clear();
    let trained = trained?;
    let bytes = trained.artifact.to_bytes()?;
    let model = Model::from_bytes(&bytes)?;
    let report = args.report.as_deref().map(|folder| written_report(folder, &data, &trained, &model, args.seed));
    let report = report.transpose()?;
    write_whole(&args.out, &bytes)?;
    for (path, bytes) in report.into_iter().flatten() {
        write_whole(&path, &bytes)?;
        eprintln!("report: {}", path.display());
    }
    summarise(&trained.artifact, &model, &args.out);
    Ok(())
}

/// Checks that nothing that is written replaces what is read.
fn files_apart(args: &TrainArgs) -> Result<(), OneFile> {
    let report = args.report.as_deref().map(report_files);
    let mut inputs: Vec<Named<'_>> = vec![("--data", &args.data)];
    inputs.extend(args.spec.as_deref().map(|spec| ("--spec", spec)));
    let mut outputs: Vec<Named<'_>> = vec![("--out", &args.out)];
    outputs.extend(report.iter().flatten().map(|path| ("a file of --report", path.as_path())));
    apart(&inputs, &outputs)
}

/// The page and the figures of a report in `folder`.
fn report_files(folder: &Path) -> [PathBuf; 2] {
    ["report.html", "report.json"].map(|name| folder.join(name))
}

/// The files of the report, and the folder that they go to.
fn written_report(
    folder: &Path,
    data: &Dataset,
    trained: &Trained,
    model: &Model,
    seed: u64,
) -> Result<[(PathBuf, Vec<u8>); 2], TrainCommandError> {
    fn set(name: SetName, scored: &Scored) -> ScoredSet<'_> {
        ScoredSet { name, rows: &scored.rows, pd: &scored.pd }
    }
    let mut sets = vec![set(SetName::OutOfFold, &trained.out_of_fold)];
    sets.extend(trained.out_of_time.as_ref().map(|later| set(SetName::OutOfTime, later)));
    let periods = trained.quarters.clone();
    let input = ReportInput { artifact: &trained.artifact, model_sha256: model.sha256(), data, sets, periods };
    let report = report(&input, seed);
    let page = html(&report).map_err(|error| TrainCommandError::Page(error.to_string()))?;
    let mut json = serde_json::to_vec_pretty(&report)?;
    json.push(b'\n');
    std::fs::create_dir_all(folder)
        .map_err(|source| TrainCommandError::ReportFolder { path: folder.to_path_buf(), source })?;
    let [page_file, json_file] = report_files(folder);
    Ok([(page_file, page.into_bytes()), (json_file, json)])
}

fn summarise(artifact: &Artifact, model: &Model, out: &Path) {
    for of in &artifact.left_out {
        eprintln!("left out: {}: {}", of.column, of.reason);
    }
    for warning in &artifact.warnings {
        eprintln!("warning: {warning}");
    }
    let training = &artifact.training;
    eprintln!(
        "{}: {} features and {} pairs from {} rows ({} bad)",
        artifact.id,
        artifact.characteristics.len(),
        artifact.pairs.len(),
        training.rows,
        training.bads
    );
    let later = training.dates.as_ref().and_then(|dates| dates.later_from);
    let later_name = later.map(|from| format!("on the rows kept back, from {from}"));
    let named = artifact.out_of_time.iter().zip(later_name);
    let of_folds = (&artifact.measures, format!("out of {} folds", artifact.measures.folds));
    for (measured, name) in [of_folds].into_iter().chain(named) {
        let (values, [low, high]) = (&measured.values, measured.intervals.auc);
        eprintln!(
            "{name}: AUC {:.4} ({low:.4} to {high:.4}), KS {:.4}, Brier {:.4}, ECE {:.4}",
            values.auc, values.ks, values.brier, values.ece
        );
    }
    eprintln!("{} sha256 {}", out.display(), model.sha256());
}
