//! `yuxin features`: the feature matrix of a folder of real firms or of a synthetic district, and the training spec.

use std::path::{Path, PathBuf};

use indicatif::ProgressBar;
use jiff::civil::Date;
use thiserror::Error;

use super::interrupt::remove_when_stopped;
use super::one_file::{OneFile, apart};
use crate::data::DataError;
use crate::data::sink::{RowSink, temporary_of, write_whole};
use crate::domain::Uscc;
use crate::domain::evidence::{
    Dossier, Evidence, EvidenceStatus, PaymentHistoryRecord, SocialInsuranceRecord, TaxRecord,
};
use crate::features::{self, FeatureVector};
use crate::sandbox::{District, RealFirms, ReplayError};

/// The feature matrix of many firms, one row per firm
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("firms_from").required(true).args(["replay", "district", "spec"])))]
pub struct FeaturesArgs {
    /// Folder of real firms (firms.csv and invoices_monthly.csv.gz)
    #[arg(long, value_name = "DIR")]
    replay: Option<PathBuf>,
    /// The synthetic district; its rows end with `bad` (drawn default) and `true_pd` (its probability)
    #[arg(long)]
    district: bool,
    /// Write the training spec that keeps the catalogue's signs, instead of a matrix
    #[arg(long)]
    spec: bool,
    /// Seed of the district
    #[arg(long, default_value_t = crate::sandbox::DEFAULT_SEED, requires = "district")]
    seed: u64,
    /// Firms of the district
    #[arg(long, default_value_t = crate::sandbox::DEFAULT_FIRMS, requires = "district")]
    firms: u32,
    /// As-of date of the district [default: the end of the last complete month]
    #[arg(long, requires = "district", value_parser = super::sandbox::read_as_of)]
    as_of: Option<Date>,
    /// Scoring date; nothing after it is looked at, and adverse facts that expired by then do not count [default: each source's
    /// own as-of date, and for adverse facts the latest of them]
    #[arg(long)]
    on: Option<Date>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Why no matrix was written.
#[derive(Debug, Error)]
pub enum FeaturesError {
    /// The matrix would replace a file that it is made of.
    #[error(transparent)]
    OneFile(#[from] OneFile),
    /// The folder.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The file.
    #[error(transparent)]
    Data(#[from] DataError),
}

/// Writes the matrix or the spec; the file appears only when it is whole.
pub fn run(args: &FeaturesArgs) -> Result<(), FeaturesError> {
    if args.spec {
        return Ok(write_whole(&args.out, training_spec().as_bytes())?);
    }
    if let Some(folder) = &args.replay {
        let [firms, invoices] = RealFirms::files(folder);
        apart(&[("a file of --replay", &firms), ("a file of --replay", &invoices)], &[("--out", &args.out)])?;
    }
    remove_when_stopped(vec![temporary_of(&args.out)]);
    let mut matrix = Matrix::create(&args.out, args.district)?;
    match &args.replay {
        Some(folder) => replay(&mut matrix, folder, args.on)?,
        None => district(&mut matrix, args)?,
    }
    Ok(matrix.sink.finish()?)
}

fn replay(matrix: &mut Matrix, folder: &Path, on: Option<Date>) -> Result<(), FeaturesError> {
    for firm in RealFirms::open(folder)?.iter() {
        let dossier = dossier(firm.uscc.clone(), Some(firm.tax.clone()), None, None);
        matrix.add(&dossier, on, &[])?;
    }
    Ok(())
}

fn district(matrix: &mut Matrix, args: &FeaturesArgs) -> Result<(), FeaturesError> {
    let as_of = args.as_of.unwrap_or_else(super::sandbox::last_month_end);
    let district = District::new(args.seed, args.firms, as_of);
    let progress = ProgressBar::new(u64::from(args.firms));
    for firm in district.iter() {
        let truth = [u8::from(firm.defaulted).to_string(), firm.true_pd.to_string()];
        let dossier = dossier(firm.uscc, firm.tax, firm.social_insurance, firm.payment_history);
        matrix.add(&dossier, args.on, &truth)?;
        progress.inc(1);
    }
    progress.finish_and_clear();
    Ok(())
}

fn dossier(
    uscc: Uscc,
    tax: Option<TaxRecord>,
    social_insurance: Option<SocialInsuranceRecord>,
    payment_history: Option<PaymentHistoryRecord>,
) -> Dossier {
    fn evidence<R>(record: Option<R>, as_of: impl Fn(&R) -> Date) -> Evidence<R> {
        match record {
            Some(record) => Evidence {
                not_covered: Vec::new(),
                status: EvidenceStatus::Fresh,
                as_of: Some(as_of(&record)),
                record: Some(record),
                fetched_at: None,
                digest: None,
                detail: None,
            },
            None => Evidence::missing(EvidenceStatus::Absent, "the department does not know the firm"),
        }
    }
    Dossier {
        uscc,
        tax: evidence(tax, |r| r.as_of),
        social_insurance: evidence(social_insurance, |r| r.as_of),
        payment_history: evidence(payment_history, |r| r.as_of),
        others: Vec::new(),
        set_aside: Vec::new(),
    }
}

/// Rows of features: `uscc`, every feature of the catalogue (empty when missing), and for a district its truth.
struct Matrix {
    sink: RowSink,
}

impl Matrix {
    fn create(path: &Path, with_truth: bool) -> Result<Matrix, DataError> {
        let mut sink = RowSink::create(path)?;
        let truth: &[&str] = if with_truth { &["bad", "true_pd"] } else { &[] };
        let names = features::catalogue().map(|feature| feature.name);
        sink.write(std::iter::once("uscc").chain(names).chain(truth.iter().copied()))?;
        Ok(Matrix { sink })
    }

    fn add(&mut self, dossier: &Dossier, on: Option<Date>, truth: &[String]) -> Result<(), DataError> {
        // Without a date, as of the evidence: windows end with each source, and adverse facts count that counted then.
        let on = on.or_else(|| dossier.latest_as_of()).unwrap_or(Date::MAX);
        let vector: FeatureVector = features::extract(dossier, on);
        let mut cells = vec![dossier.uscc.to_string()];
        // Rust writes the shortest decimal that reads back to the same bits.
        cells.extend(vector.iter().map(|(_, value)| value.map(|v| v.to_string()).unwrap_or_default()));
        cells.extend_from_slice(truth);
        self.sink.write(cells.iter().map(String::as_str))
    }
}

/// The training spec of the shipped model: it holds the model to the catalogue's signs.
pub fn training_spec() -> String {
    let mut spec = String::from(TRAINING_HEAD);
    for feature in features::catalogue() {
        spec.push_str(&format!("\n[[feature]]\nname = \"{}\"\nsign = \"{}\"\n", feature.name, feature.sign.as_spec()));
    }
    spec
}

const TRAINING_HEAD: &str = r#"# Training spec of the shipped model, written by `yuxin features --spec --out config/training.toml`: the sign of each
# feature is that of the catalogue.
id = "district-scorecard"
period = "synthetic district as of 2025-12-31, defaults drawn for the 12 months after"
# `uscc` and `true_pd` are no evidence. `tax_zero_filings` says nearly the same as `tax_active_months`, and beside it would
# take its weight: of a firm whose department shares invoices but no returns the model would then not see that it stands still.
# `tax_vat_burden` has no direction of risk by itself (it wants a comparison with the industry), and its bins would follow noise.
exclude = ["uscc", "true_pd", "tax_zero_filings", "tax_vat_burden"]
# Few and broad bins, and every feature whose sign holds beside the others: what an officer reads is short, and what the
# evidence tells twice it may tell twice, for one department may be silent.
min_bin_share = 0.05
min_bin_bads = 5
smoothing_rows = 10.0
folds = 5
iv_min = 0.02
l2 = 1.0
correlation_max = 1.0
vif_max = 1e6
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_training_spec_is_the_one_that_the_command_writes() {
        assert_eq!(training_spec(), include_str!("../../config/training.toml"));
    }
}
