//! Fitted tables of either kind, on the way to points.

use super::additive::nested::{self, out_of_fold};
use super::additive::points::InPoints;
use super::additive::{Additive, Means, fit_additive, in_parallel};
use super::artifact::{Bin, Characteristic, Kind, LeftOut};
use super::dataset::Dataset;
use super::fit::FitError;
use super::folds::stratified;
use super::scaling::round_points;
use super::scorecard::{Binned, FineColumn, Scorecard, choose_l2, fit_scorecard};
use super::spec::TrainingSpec;
use super::woe::{Counts, Population};

/// Folds of a scorecard's rows, and from which number of rows on fewer tell as much.
const FOLDS: u32 = 5;
const FOLDS_OF_MANY: u32 = 3;
const MANY_ROWS: usize = 10_000;

/// Tables, and what they say of rows that they had not seen.
pub(super) struct Tables {
    fitted: Fitted,
    /// Log-odds of the good outcome that every row starts from.
    pub intercept: f64,
    /// Log-odds of the good outcome of each row trained on, by tables that had not seen it.
    pub held_out: Vec<f64>,
    /// Into how many parts the rows were divided for that.
    pub folds: u32,
    /// Candidates that did not make it.
    pub left_out: Vec<LeftOut>,
    /// What whoever approves the model should know of how it came about.
    pub warnings: Vec<String>,
}

enum Fitted {
    Scorecard(Box<Scorecard>),
    Additive(Box<Additive>),
}

impl Tables {
    /// Fits tables of a kind to `rows`; `None` where no feature is left.
    pub fn fit(
        kind: Kind,
        data: &Dataset,
        candidates: &[usize],
        rows: &[usize],
        spec: &TrainingSpec,
        means: &Means<'_>,
    ) -> Result<Option<Tables>, FitError> {
        if candidates.is_empty() {
            return Ok(None);
        }
        match kind {
            Kind::Scorecard => scorecard(data, candidates, rows, spec, means),
            Kind::Additive => additive(data, candidates, rows, spec, means).map(Some),
        }
    }

    /// The tables at `points_per_unit` points a unit of log-odds, calibration included.
    pub fn in_points(
        &self,
        data: &Dataset,
        rows: &[usize],
        spec: &TrainingSpec,
        points_per_unit: f64,
    ) -> Result<InPoints, FitError> {
        match &self.fitted {
            Fitted::Scorecard(card) => {
                let of =
                    |(table, coefficient): (&Binned, &f64)| table_in_points(data, table, points_per_unit * coefficient);
                let characteristics = card.tables.iter().zip(&card.logistic.coefficients).map(of).collect();
                Ok(InPoints { characteristics, pairs: Vec::new(), left_out: Vec::new() })
            }
            Fitted::Additive(additive) => {
                let all = rows.iter().fold(Counts::default(), |sum, row| sum + Counts::of(data.bad[*row]));
                let population = Population::new(all, spec.smoothing_rows).ok_or(FitError::OneOutcome)?;
                Ok(additive.in_points(data, rows, &population, points_per_unit))
            }
        }
    }
}

fn additive(
    data: &Dataset,
    candidates: &[usize],
    rows: &[usize],
    spec: &TrainingSpec,
    means: &Means<'_>,
) -> Result<Tables, FitError> {
    let measured = out_of_fold(data, candidates, rows, spec, means)?;
    let mut spec = spec.clone();
    let mut warnings = Vec::new();
    if spec.additive.pairs_per_feature > 0.0 && !measured.pairs {
        spec.additive.pairs_per_feature = 0.0;
        warnings.push("pairs of features did not help on rows that were left out: the model has none".to_owned());
    }
    let progress = |share: f64| (means.progress)(nested::SHARE + (1.0 - nested::SHARE) * share);
    let own = Means { seed: means.seed, threads: means.threads, progress: &progress };
    let fitted = fit_additive(data, candidates, rows, &spec, &own)?;
    Ok(Tables {
        intercept: -fitted.tables.intercept,
        held_out: measured.log_odds_bad.iter().map(|bad| -bad).collect(),
        folds: measured.folds,
        left_out: Vec::new(),
        warnings,
        fitted: Fitted::Additive(Box::new(fitted)),
    })
}

fn scorecard(
    data: &Dataset,
    candidates: &[usize],
    rows: &[usize],
    spec: &TrainingSpec,
    means: &Means<'_>,
) -> Result<Option<Tables>, FitError> {
    let bad: Vec<bool> = rows.iter().map(|row| data.bad[*row]).collect();
    let folds = spec.folds.unwrap_or(if rows.len() > MANY_ROWS { FOLDS_OF_MANY } else { FOLDS });
    let fold_of = stratified(&bad, folds, means.seed);
    let fine =
        in_parallel(candidates.len(), means.threads, &|i| FineColumn::cut(data, candidates[i], rows, spec.prebins));
    let l2 = choose_l2(data, &fine, rows, spec, means)?;
    let Some(card) = fit_scorecard(data, &fine, rows, spec, l2, None)? else { return Ok(None) };
    let steps = f64::from(folds + 1);
    let done = std::sync::atomic::AtomicU32::new(1);
    let cards = in_parallel(folds as usize, means.threads, &|fold| {
        let inside: Vec<usize> = (0..rows.len()).filter(|i| fold_of[*i] as usize != fold).map(|i| rows[i]).collect();
        let fitted = fit_scorecard(data, &fine, &inside, spec, l2, Some(&card));
        (means.progress)(f64::from(done.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1) / steps);
        fitted
    });
    let mut held_out = vec![0.0; rows.len()];
    for (fold, fitted) in cards.into_iter().enumerate() {
        let fitted = fitted?;
        let (outside, inside): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|i| fold_of[*i] as usize == fold);
        let bads = inside.iter().filter(|i| bad[**i]).count() as f64;
        let average = ((inside.len() as f64 - bads) / bads).ln();
        let left_out: Vec<usize> = outside.iter().map(|i| rows[*i]).collect();
        let log_odds = fitted.map_or_else(|| vec![average; outside.len()], |card| card.log_odds(&fine, &left_out));
        outside.into_iter().zip(log_odds).for_each(|(i, log_odds)| held_out[i] = log_odds);
    }
    Ok(Some(Tables {
        intercept: card.logistic.intercept,
        held_out,
        folds,
        left_out: card.left_out.clone(),
        warnings: Vec::new(),
        fitted: Fitted::Scorecard(Box::new(card)),
    }))
}

fn table_in_points(data: &Dataset, table: &Binned, points_per_woe: f64) -> Characteristic {
    let bin = |counts: &Counts, woe: &f64| Bin {
        points: round_points(points_per_woe * woe),
        count: counts.rows(),
        bads: counts.bads,
        woe: *woe,
    };
    let mut bins: Vec<Bin> = table.counts.iter().zip(&table.woe).map(|(counts, woe)| bin(counts, woe)).collect();
    let mut missing = bin(&table.missing, &table.missing_woe);
    let rows: u64 = bins.iter().chain([&missing]).map(|bin| bin.count).sum();
    let points: f64 = bins.iter().chain([&missing]).map(|bin| bin.count as f64 * bin.points).sum();
    let baseline = round_points(points / rows.max(1) as f64);
    // No experience is no merit: an empty bin gets the points of the average bad rate (0) or the average points, whichever are
    // fewer, so that withholding a value never pays.
    for empty in bins.iter_mut().chain([&mut missing]).filter(|bin| bin.count == 0) {
        empty.points = baseline.min(0.0);
    }
    Characteristic {
        feature: data.columns[table.column].name.clone(),
        sign: table.sign,
        iv: table.iv,
        points_per_woe: Some(points_per_woe),
        baseline,
        shape: table.shape.clone(),
        bins,
        missing,
    }
}
