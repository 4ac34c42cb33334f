//! Rows in bands: histogram of the score, gains table, grades.

use serde::Serialize;

use super::{rounded, score, share};
use crate::model::artifact::Artifact;
use crate::model::chance::wilson;
use crate::model::measure::quantile_bins;
use crate::model::scaling::Scaling;

/// Bars of a histogram, at most.
const BARS_MAX: f64 = 36.0;
/// Share of rows at either end that the outer bars take together, so that one extreme row does not squash the rest.
const TAIL: f64 = 0.002;
/// Rows of the gains table.
const TENTHS: usize = 10;

/// A bar of the histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct HistogramBin {
    /// Lowest score; the first bar holds everything lower, too.
    pub from: f64,
    /// The next bar's lowest score; the last bar holds everything higher, too.
    pub below: f64,
    /// Good rows.
    pub goods: u64,
    /// Bad rows.
    pub bads: u64,
}

/// A tenth of the rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GainsRow {
    /// Rows; equal probabilities stay together.
    pub rows: u64,
    /// Bad ones.
    pub bads: u64,
    /// Lowest and highest score.
    pub scores: [f64; 2],
    /// Share of bad rows.
    pub bad_rate: f64,
    /// Mean probability of default.
    pub predicted: f64,
    /// Share of all rows up to here.
    pub rows_so_far: f64,
    /// Share of all bad rows up to here; `None` where there are none.
    pub bads_so_far: Option<f64>,
    /// Bad rate of this tenth, in multiples of the overall one.
    pub lift: Option<f64>,
}

/// A grade.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GradeRow {
    /// Its name.
    pub grade: String,
    /// Its lowest score; `None` in the last.
    pub score_at_least: Option<i64>,
    /// The highest probability that it allows; `None` in the last.
    pub pd_at_most: Option<f64>,
    /// Rows.
    pub rows: u64,
    /// Bad ones.
    pub bads: u64,
    /// Share of all rows; `None` where there are none.
    pub share: Option<f64>,
    /// Share of bad rows.
    pub bad_rate: Option<f64>,
    /// 95 % interval of the bad rate (Wilson).
    pub interval: Option<[f64; 2]>,
    /// Mean probability of default.
    pub predicted: Option<f64>,
}

/// Rows by score, in bars of a round width.
pub fn histogram(pd: &[f64], bad: &[bool], scaling: &Scaling) -> Vec<HistogramBin> {
    let scores: Vec<f64> = pd.iter().map(|pd| score(scaling, *pd)).collect();
    let mut sorted = scores.clone();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return Vec::new() };
    let tail = (last as f64 * TAIL) as usize;
    let (low, high) = (sorted[tail], sorted[last - tail]);
    let width = round_width((high - low) / BARS_MAX);
    let first = (low / width).floor();
    let bars = ((high / width).floor() - first) as usize + 1;
    let bar = |i: usize| HistogramBin {
        from: rounded((first + i as f64) * width),
        below: rounded((first + i as f64 + 1.0) * width),
        goods: 0,
        bads: 0,
    };
    let mut found: Vec<HistogramBin> = (0..bars).map(bar).collect();
    for (score, bad) in scores.iter().zip(bad) {
        let place = ((score / width).floor() - first).clamp(0.0, (bars - 1) as f64) as usize;
        found[place].goods += u64::from(!bad);
        found[place].bads += u64::from(*bad);
    }
    found
}

/// The next of 1, 2, 5 times a power of ten, at least 1: scores are whole numbers.
fn round_width(least: f64) -> f64 {
    let power = 10_f64.powf(least.max(1.0).log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|width| *width >= least).unwrap_or(power * 10.0)
}

/// Tenths of the rows, riskiest first.
pub fn gains(pd: &[f64], bad: &[bool], scaling: &Scaling) -> Vec<GainsRow> {
    let (all, all_bads) = (pd.len() as u64, bad.iter().filter(|b| **b).count() as u64);
    let (mut rows_so_far, mut bads_so_far) = (0, 0);
    let row = |bin: &Vec<(f64, bool)>| {
        let (rows, bads) = (bin.len() as u64, bin.iter().filter(|row| row.1).count() as u64);
        rows_so_far += rows;
        bads_so_far += bads;
        let bad_rate = bads as f64 / rows as f64;
        GainsRow {
            rows,
            bads,
            scores: [bin[bin.len() - 1].0, bin[0].0].map(|pd| rounded(score(scaling, pd))),
            bad_rate,
            predicted: bin.iter().map(|row| row.0).sum::<f64>() / rows as f64,
            rows_so_far: rows_so_far as f64 / all as f64,
            bads_so_far: share(bads_so_far, all_bads),
            lift: share(all_bads, all).filter(|rate| *rate > 0.0).map(|rate| bad_rate / rate),
        }
    };
    quantile_bins(pd, bad, TENTHS).iter().rev().map(row).collect()
}

/// The grades of the model, best first.
pub fn grades(pd: &[f64], bad: &[bool], artifact: &Artifact) -> Vec<GradeRow> {
    let bands = &artifact.grades;
    let mut sums = vec![(0_u64, 0_u64, 0.0); bands.len()];
    for (pd, bad) in pd.iter().zip(bad) {
        let score = score(&artifact.scaling, *pd).round() as i64;
        let band = bands.iter().position(|band| band.score_at_least.is_none_or(|least| score >= least));
        if let Some(sum) = band.or(bands.len().checked_sub(1)).and_then(|band| sums.get_mut(band)) {
            *sum = (sum.0 + 1, sum.1 + u64::from(*bad), sum.2 + pd);
        }
    }
    let row = |(band, (rows, bads, expected)): (&crate::model::GradeBand, (u64, u64, f64))| GradeRow {
        grade: band.grade.clone(),
        score_at_least: band.score_at_least,
        pd_at_most: band.pd_at_most,
        rows,
        bads,
        share: share(rows, pd.len() as u64),
        bad_rate: share(bads, rows),
        interval: (rows > 0).then(|| wilson(bads, rows)),
        predicted: (rows > 0).then(|| expected / rows as f64),
    };
    bands.iter().zip(sums).map(row).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_row_is_in_one_bar_and_one_tenth(rows in prop::collection::vec((0_u16..=1000, any::<bool>()), 0..300)) {
            let pd: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 1000.0).collect();
            let bad: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let (scaling, bads) = (Scaling::default(), bad.iter().filter(|b| **b).count() as u64);
            let bars = histogram(&pd, &bad, &scaling);
            prop_assert_eq!(bars.iter().map(|b| (b.goods, b.bads)).fold((0, 0), |a, b| (a.0 + b.0, a.1 + b.1)),
                (rows.len() as u64 - bads, bads));
            prop_assert!(bars.len() <= 40 && bars.windows(2).all(|of| of[0].below == of[1].from));
            let tenths = gains(&pd, &bad, &scaling);
            prop_assert!(tenths.len() <= 10);
            if let Some(last) = tenths.last() {
                prop_assert!((last.rows_so_far - 1.0).abs() < 1e-12);
                prop_assert_eq!(last.bads_so_far, (bads > 0).then_some(1.0));
            }
            prop_assert!(tenths.windows(2).all(|of| of[0].scores[1] <= of[1].scores[0] + 1e-6));
        }
    }

    #[test]
    fn the_worst_tenth_comes_first_and_its_lift_is_in_multiples_of_the_bad_rate() {
        let pd: Vec<f64> = (0..100).map(|i| f64::from(i) / 100.0).collect();
        let bad: Vec<bool> = (0..100).map(|i| i >= 95 || i == 0).collect();
        let tenths = gains(&pd, &bad, &Scaling::default());
        assert_eq!((tenths[0].rows, tenths[0].bads, tenths[0].bad_rate), (10, 5, 0.5));
        assert!((tenths[0].lift.unwrap() - 0.5 / 0.06).abs() < 1e-12);
        assert!((tenths[0].bads_so_far.unwrap() - 5.0 / 6.0).abs() < 1e-12);
        assert_eq!(tenths[9].bads, 1);
    }
}
