//! Whether the rows stay the same from period to period.

use std::collections::BTreeMap;

use serde::Serialize;

use super::placed::Placed;
use super::{ReportInput, rounded, score, share};
use crate::model::chance::{chi_square_tail, wilson};
use crate::model::measure::{auc_and_ks, psi};

/// Bands of the score for its stability index.
const BANDS: usize = 10;

/// Stability over time. Every index compares with the training rows.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stability {
    /// The periods, in the order of their names.
    pub periods: Vec<PeriodRow>,
    /// Rows with a score but without a period.
    pub undated: u64,
    /// For each feature the period in which its bins differ most from the training rows', largest difference first.
    pub features: Vec<Drift>,
}

/// A period. Its rows are those with a probability by a model that had not seen them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PeriodRow {
    /// Its name.
    pub period: String,
    /// Rows.
    pub rows: u64,
    /// Bad ones.
    pub bads: u64,
    /// Share of bad rows.
    pub bad_rate: f64,
    /// Its 95 % interval (Wilson).
    pub interval: [f64; 2],
    /// Mean probability of default.
    pub predicted: f64,
    /// Mean score.
    pub mean_score: f64,
    /// Area under the ROC curve; `None` where one outcome stands alone.
    pub auc: Option<f64>,
    /// Population stability index of the score, over tenths of the training rows.
    pub score_psi: Option<f64>,
    /// What chance alone exceeds once in twenty times with so few rows.
    pub score_psi_of_chance: Option<f64>,
    /// The feature whose bins differ most.
    pub worst: Option<Drift>,
}

/// A feature in a period.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Drift {
    /// The feature.
    pub feature: String,
    /// The period.
    pub period: String,
    /// Population stability index of its bins.
    pub psi: f64,
    /// What chance alone exceeds once in twenty times with so few rows.
    pub psi_of_chance: f64,
}

/// The rows of a period.
#[derive(Default)]
struct Rows {
    places: Vec<usize>,
    pd: Vec<f64>,
    bad: Vec<bool>,
}

/// Stability by period; `None` where no row has one.
pub fn by_period(input: &ReportInput<'_>, placed: &[Placed], training: &[usize]) -> Option<Stability> {
    let periods = input.periods.as_ref()?;
    let (mut of, mut undated) = (BTreeMap::<&str, Rows>::new(), 0);
    for set in &input.sets {
        for (row, pd) in set.rows.iter().zip(set.pd).filter(|(_, pd)| (0.0..=1.0).contains(*pd)) {
            let Some(bad) = input.data.bad.get(*row) else { continue };
            let Some(Some(period)) = periods.get(*row) else {
                undated += 1;
                continue;
            };
            let rows = of.entry(period).or_default();
            rows.places.push(*row);
            rows.pd.push(*pd);
            rows.bad.push(*bad);
        }
    }
    if of.is_empty() {
        return None;
    }
    let names: Vec<&str> = input.artifact.characteristics.iter().map(|of| of.feature.as_str()).collect();
    let expected = Expected::new(input, placed, training);
    let mut features: Vec<Option<Drift>> = vec![None; names.len()];
    let periods = of.iter().map(|(period, rows)| {
        let drifts = expected.drifts(period, rows, placed, &names);
        for (worst, drift) in features.iter_mut().zip(&drifts) {
            if drift.as_ref().is_some_and(|d| worst.as_ref().is_none_or(|w| d.psi > w.psi)) {
                worst.clone_from(drift);
            }
        }
        expected.period(input, period, rows, worst(drifts))
    });
    let periods = periods.collect();
    let mut features: Vec<Drift> = features.into_iter().flatten().collect();
    features.sort_by(|a, b| b.psi.total_cmp(&a.psi));
    Some(Stability { periods, undated, features })
}

fn worst(drifts: Vec<Option<Drift>>) -> Option<Drift> {
    drifts.into_iter().flatten().max_by(|a, b| a.psi.total_cmp(&b.psi))
}

/// What the training rows look like.
struct Expected {
    rows: usize,
    /// Upper ends of the bands of the probability.
    ends: Vec<f64>,
    /// Share of each band.
    bands: Vec<f64>,
    /// Share of each bin of each feature.
    bins: Vec<Vec<f64>>,
}

impl Expected {
    fn new(input: &ReportInput<'_>, placed: &[Placed], training: &[usize]) -> Expected {
        let set = input.sets.iter().find(|set| set.name == super::SetName::OutOfFold).or(input.sets.first());
        let mut pd: Vec<f64> = set.map_or(Vec::new(), |set| set.pd.to_vec());
        pd.sort_by(f64::total_cmp);
        let mut ends: Vec<f64> = (1..BANDS).filter_map(|i| pd.get(pd.len() * i / BANDS).copied()).collect();
        ends.dedup();
        let bands = shares(pd.iter().map(|pd| band(&ends, *pd)), ends.len() + 1);
        let bins = placed.iter().map(|of| bin_shares(of, training)).collect();
        Expected { rows: training.len(), ends, bands, bins }
    }

    fn drifts(&self, period: &str, rows: &Rows, placed: &[Placed], names: &[&str]) -> Vec<Option<Drift>> {
        let of = |((placed, expected), name): ((&Placed, &Vec<f64>), &&str)| {
            let psi = psi(expected, &bin_shares(placed, &rows.places))?;
            let used = expected.iter().filter(|share| **share > 0.0).count();
            let psi_of_chance = psi_of_chance(used, self.rows, rows.places.len());
            Some(Drift {
                feature: (*name).to_owned(),
                period: period.to_owned(),
                psi: rounded(psi),
                psi_of_chance: rounded(psi_of_chance?),
            })
        };
        placed.iter().zip(&self.bins).zip(names).map(of).collect()
    }

    fn period(&self, input: &ReportInput<'_>, period: &str, rows: &Rows, worst: Option<Drift>) -> PeriodRow {
        let n = rows.pd.len() as f64;
        let bads = rows.bad.iter().filter(|b| **b).count() as u64;
        let actual = shares(rows.pd.iter().map(|pd| band(&self.ends, *pd)), self.bands.len());
        let scores: f64 = rows.pd.iter().map(|pd| score(&input.artifact.scaling, *pd)).sum();
        PeriodRow {
            period: period.to_owned(),
            rows: rows.pd.len() as u64,
            bads,
            bad_rate: share(bads, rows.pd.len() as u64).unwrap_or(0.0),
            interval: wilson(bads, rows.pd.len() as u64),
            predicted: rows.pd.iter().sum::<f64>() / n,
            mean_score: rounded(scores / n),
            auc: auc_and_ks(&rows.pd, &rows.bad).map(|of| of.0),
            score_psi: psi(&self.bands, &actual).map(rounded),
            score_psi_of_chance: psi_of_chance(self.bands.len(), self.rows, rows.pd.len()).map(rounded),
            worst,
        }
    }
}

fn band(ends: &[f64], pd: f64) -> usize {
    ends.partition_point(|end| *end <= pd)
}

fn shares(places: impl Iterator<Item = usize>, len: usize) -> Vec<f64> {
    let (mut counts, mut all) = (vec![0_u64; len], 0_u64);
    for place in places {
        all += 1;
        if let Some(count) = counts.get_mut(place) {
            *count += 1;
        }
    }
    counts.iter().map(|count| *count as f64 / all.max(1) as f64).collect()
}

fn bin_shares(placed: &Placed, rows: &[usize]) -> Vec<f64> {
    shares(rows.iter().filter_map(|row| placed.bins.get(*row)).map(|bin| *bin as usize), placed.points.len())
}

/// The index that two samples of the same rows exceed once in twenty times: `χ²(bins − 1) · (1/n + 1/m)` (Yurdakul and Naranjo
/// 2020). `None` where there is one bin or no row.
fn psi_of_chance(bins: usize, expected: usize, actual: usize) -> Option<f64> {
    let degrees = u32::try_from(bins.checked_sub(1)?).ok().filter(|degrees| *degrees > 0)?;
    let (mut low, mut high) = (0.0, 10.0 * f64::from(degrees) + 100.0);
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if chi_square_tail(middle, degrees) > 0.05 {
            low = middle;
        } else {
            high = middle;
        }
    }
    (expected > 0 && actual > 0).then(|| low * (1.0 / expected as f64 + 1.0 / actual as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_of_chance_is_the_chi_square_quantile_over_the_rows() {
        // The 95 % quantile of chi-square with 9 degrees of freedom is 16.919.
        let found = psi_of_chance(10, 1000, 500).unwrap();
        assert!((found - 16.919 * 0.003).abs() < 1e-5, "{found}");
        assert_eq!((psi_of_chance(1, 10, 10), psi_of_chance(3, 0, 5), psi_of_chance(0, 5, 5)), (None, None, None));
    }

    #[test]
    fn bands_hold_every_probability() {
        let ends = [0.1, 0.2];
        assert_eq!([0.0, 0.1, 0.15, 0.2, 1.0].map(|pd| band(&ends, pd)), [0, 1, 1, 2, 2]);
        assert_eq!(shares([0, 1, 1, 2].into_iter(), 4), [0.25, 0.5, 0.25, 0.0]);
        assert_eq!(shares([].into_iter(), 2), [0.0, 0.0]);
    }
}
